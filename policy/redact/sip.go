package redact

import (
	"bytes"
	"strconv"
	"strings"
)

// SIP masks octets that are, or claim to be, one or more SIP messages: what
// comes back is readable by those who look after the calls, and holds no
// credential, no key, no user, no display name, and no body but an SDP's.
//
// It does not parse, for what does not parse comes here too. It goes from line
// to line and lets through what it knows; all else is masked, so that a header
// with a spelling of its own shows nothing. token gives the name that stands
// for a user in From, To, Contact, P-Asserted-Identity and every other URI
// (the same for the same user, if that is wanted); nil writes "user". Hosts,
// addresses and Call-IDs stay: without them nothing can be diagnosed.
//
// Lines end with CRLF in the result, which is a fresh slice, in printable ASCII.
func SIP(b []byte, token func(user string) string) []byte {
	if token == nil {
		token = func(string) string { return "user" }
	}
	m := masker{token: token, out: make([]byte, 0, len(b)+64)}
	for _, l := range unfold(b) {
		m.line(l)
	}
	m.flush()
	return m.out
}

// masker goes through the lines of one or more messages.
type masker struct {
	token func(string) string
	out   []byte
	body  bool // after the empty line
	part  bool // among the headers of a part of a multipart body
	sdp   bool // the body, or the part, is SDP
	multi bool // the body is multipart
	typed bool // a Content-Type was seen
	gone  int  // bytes of masked lines that were not yet accounted for
}

// unfold splits at CR, LF or CRLF, and joins lines that go on (RFC 3261,
// 7.3.1) as long as the header lasts.
func unfold(b []byte) [][]byte {
	var out [][]byte
	header, own := true, false // own: the last line is a copy that may grow
	for len(b) > 0 {
		n := bytes.IndexAny(b, "\r\n")
		line, rest := b, []byte(nil)
		if n >= 0 {
			line, rest = b[:n], b[n+1:]
			if b[n] == '\r' && len(rest) > 0 && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t')
		switch {
		case header && folded && len(out) > 0:
			last := len(out) - 1
			if !own {
				out[last], own = bytes.Clone(out[last]), true
			}
			out[last] = append(out[last], line...)
		default:
			out, own = append(out, line), false
		}
		header = header && len(line) > 0
		b = rest
	}
	return out
}

func (m *masker) line(l []byte) {
	switch {
	case startLine(l):
		m.flush()
		m.body, m.part, m.sdp, m.multi, m.typed = false, false, false, false, false
		m.write(m.start(printable(l)))
	case !m.body:
		m.header(l)
	case m.multi && bytes.HasPrefix(l, []byte("--")):
		m.flush()
		m.part, m.sdp = true, false
		m.write("--[boundary]")
	case m.part:
		m.partHeader(l)
	case m.sdp:
		m.write(sdpLine(printable(l)))
	default:
		m.gone += len(l)
	}
}

func (m *masker) write(s string) {
	m.out = append(m.out, s...)
	m.out = append(m.out, '\r', '\n')
}

// flush accounts for lines of a body that were left out.
func (m *masker) flush() {
	if m.gone > 0 {
		m.write("[body of " + strconv.Itoa(m.gone) + " bytes]")
	}
	m.gone = 0
}

func (m *masker) header(l []byte) {
	if len(l) == 0 {
		m.write("")
		m.body = true
		return
	}
	s := printable(l)
	name, value, ok := strings.Cut(s, ":")
	name = strings.TrimSpace(name)
	switch {
	case ok && isToken(name):
		m.contentType(name, value)
		r := ruleOf(strings.ToLower(name))
		if r == unknown {
			name = "[header]"
		}
		m.write(name + ": " + m.value(r, strings.TrimSpace(value)))
	case isSDPLine(s):
		m.write(sdpLine(s)) // an SDP on its own
	default:
		m.write(masked(len(l)))
	}
}

// contentType notes what the body will be. A second one that says otherwise
// makes it neither.
func (m *masker) contentType(name, value string) {
	if n := strings.ToLower(name); n != "content-type" && n != "c" {
		return
	}
	v := mediaType(value)
	sdp, multi := v == "application/sdp", strings.HasPrefix(v, "multipart/")
	if m.typed {
		sdp, multi = sdp && m.sdp, multi && m.multi
	}
	m.typed, m.sdp, m.multi = true, sdp, multi
}

func mediaType(value string) string {
	v, _, _ := strings.Cut(value, ";")
	return strings.ToLower(strings.Join(strings.Fields(v), ""))
}

// partHeader is a header of a part of a multipart body; only its type is shown.
func (m *masker) partHeader(l []byte) {
	if len(l) == 0 {
		m.part = false
		m.write("")
		return
	}
	name, value, _ := strings.Cut(printable(l), ":")
	if strings.EqualFold(strings.TrimSpace(name), "content-type") {
		v := mediaType(value)
		m.sdp = v == "application/sdp"
		if !isMediaType(v) {
			v = masked(len(v))
		}
		m.write("Content-Type: " + v)
		return
	}
	m.write(masked(len(l)))
}

// startLine says whether a line is the first of a message: "SIP/2.0 200 OK", or
// three words of which the last is the version. It is strict, for it also ends
// a body.
func startLine(l []byte) bool {
	if len(l) > maxStart {
		return false
	}
	if code, ok := bytes.CutPrefix(l, []byte("SIP/2.0 ")); ok {
		return len(code) >= 3 && (len(code) == 3 || code[3] == ' ') && len(bytes.Trim(code[:3], "0123456789")) == 0
	}
	f := bytes.Split(l, []byte(" "))
	return len(f) == 3 && string(f[2]) == "SIP/2.0" && isToken(string(f[0])) && string(f[0]) == strings.ToUpper(string(f[0])) && bytes.IndexByte(f[1], ':') > 0
}

const maxStart = 8192

func (m *masker) start(s string) string {
	if rest, ok := strings.CutPrefix(s, "SIP/2.0 "); ok {
		code, reason, _ := strings.Cut(rest, " ")
		return "SIP/2.0 " + code + " " + plain(m.uris(reason))
	}
	method, rest, _ := strings.Cut(s, " ")
	return method + " " + m.uriOrMask(strings.TrimSuffix(rest, " SIP/2.0")) + " SIP/2.0"
}

func authScheme(s string) bool {
	return strings.EqualFold(s, "digest") || strings.EqualFold(s, "basic") || strings.EqualFold(s, "bearer")
}

// plain runs what is left of a value through Text.
func plain(v string) string {
	s, _ := Text(v)
	return s
}

func masked(n int) string {
	if n <= 0 {
		return ""
	}
	return "[" + strconv.Itoa(n) + " bytes]"
}

// printable is the line with every octet that is no printable ASCII as '?'.
func printable(l []byte) string {
	b := make([]byte, len(l))
	for i, c := range l {
		switch {
		case c == '\t':
			b[i] = ' '
		case c < ' ' || c > '~':
			b[i] = '?'
		default:
			b[i] = c
		}
	}
	return string(b)
}

// isToken is the token of RFC 3261, 25.1.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-.!%*_+`'~", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func isMediaType(s string) bool {
	a, b, ok := strings.Cut(s, "/")
	return ok && isToken(a) && isToken(b)
}
