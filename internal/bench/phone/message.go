package phone

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// message is what the phone reads of a SIP message.
type message struct {
	verb    string // of a request
	status  int    // of a response
	lines   []string
	body    string
	headers map[string]string // lower case; the first of a name
}

func parse(text string) (message, bool) {
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	m := message{lines: lines[1:], body: body, headers: map[string]string{}}
	first := strings.Fields(lines[0])
	if len(first) < 2 {
		return m, false
	}
	if strings.HasPrefix(first[0], "SIP/") {
		m.status, _ = strconv.Atoi(first[1]) // 0 is refused below
	} else {
		m.verb = first[0]
	}
	for _, l := range m.lines {
		name, value, _ := strings.Cut(l, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if long, ok := map[string]string{"i": "call-id", "t": "to", "f": "from", "v": "via", "m": "contact"}[name]; ok {
			name = long
		}
		if _, ok := m.headers[name]; !ok {
			m.headers[name] = strings.TrimSpace(value)
		}
	}
	return m, m.status >= 100 || m.verb != ""
}

func (m message) header(name string) string { return m.headers[name] }

// method is the method of the CSeq.
func (m message) method() string {
	f := strings.Fields(m.header("cseq"))
	if len(f) < 2 {
		return ""
	}
	return f[1]
}

// ok is the 200 to a request.
func (m message) ok() string {
	out := []string{"SIP/2.0 200 OK"}
	for _, l := range m.lines {
		switch name, _, _ := strings.Cut(strings.ToLower(l), ":"); strings.TrimSpace(name) {
		case "via", "v", "from", "f", "to", "t", "call-id", "i", "cseq":
			out = append(out, l)
		}
	}
	return strings.Join(append(out, "Content-Length: 0", "", ""), "\r\n")
}

func (l *Leg) uri() string { return fmt.Sprintf("sip:%s@%s", l.user, l.phone.server) }

// request is the INVITE.
func (l *Leg) request(method string, cseq int, branch, body string) string {
	return l.compose(method, cseq, branch, "<"+l.uri()+">", l.uri(), body)
}

func (l *Leg) inDialog(method string, cseq int, branch, to, target string) string {
	return l.compose(method, cseq, branch, to, target, "")
}

func (l *Leg) compose(method string, cseq int, branch, to, target, body string) string {
	lines := []string{
		fmt.Sprintf("%s %s SIP/2.0", method, target),
		fmt.Sprintf("Via: SIP/2.0/UDP %s;rport;branch=%s", l.phone.local, branch),
		"Max-Forwards: 70",
		fmt.Sprintf("From: <sip:phone@%s>;tag=%s", l.phone.local, l.tag),
		"To: " + to,
		"Call-ID: " + l.id,
		fmt.Sprintf("CSeq: %d %s", cseq, method),
	}
	if method == "INVITE" {
		lines = append(lines, fmt.Sprintf("Contact: <sip:phone@%s>", l.phone.local),
			"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS", "Content-Type: application/sdp")
	}
	return strings.Join(append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body), "\r\n")
}

// contact takes the URI out of a Contact header.
func contact(h string) string {
	if _, in, ok := strings.Cut(h, "<"); ok {
		h, _, _ = strings.Cut(in, ">")
		return h
	}
	h, _, _ = strings.Cut(h, ";")
	return h
}

// mediaOf is the address and port of the audio in an SDP body.
func mediaOf(sdp string) (netip.AddrPort, error) {
	host, port := "", ""
	for l := range strings.SplitSeq(sdp, "\r\n") {
		if f := strings.Fields(l); len(f) == 3 && strings.HasPrefix(l, "c=IN IP4 ") {
			host = f[2]
		} else if len(f) > 2 && f[0] == "m=audio" {
			port = f[1]
		}
	}
	a, err := netip.ParseAddrPort(host + ":" + port)
	if err != nil || a.Port() == 0 {
		return netip.AddrPort{}, fmt.Errorf("phone: the answer has no audio: %w", err)
	}
	return a, nil
}
