package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// answerer is a UDP peer that is called, written by hand.
type answerer struct {
	t    *testing.T
	conn *net.UDPConn
	from netip.AddrPort
}

func newAnswerer(t *testing.T) *answerer {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	letGo(t, c)
	return &answerer{t: t, conn: c}
}

func (a *answerer) target() string { return "sip:support@" + a.conn.LocalAddr().String() }

// want is the next request of the method; repetitions of others are passed over.
func (a *answerer) want(method string) string {
	a.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if m := a.read(patience); strings.HasPrefix(m, method+" ") {
			return m
		}
	}
	a.t.Fatalf("no %s came", method)
	return ""
}

func (a *answerer) read(within time.Duration) string {
	a.t.Helper()
	b := make([]byte, 65_536)
	if err := a.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		a.t.Fatal(err)
	}
	n, from, err := a.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		return ""
	}
	a.from = from
	return string(b[:n])
}

func (a *answerer) send(m string) {
	a.t.Helper()
	if _, err := a.conn.WriteToUDPAddrPort([]byte(m), a.from); err != nil {
		a.t.Fatal(err)
	}
}

// reply is a response to the request, with an answer in a 2xx to an INVITE.
func (a *answerer) reply(req, status, tag, extra string) {
	a.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, h := range []string{"Via", "From", "Call-ID", "CSeq"} {
		fmt.Fprintf(&b, "%s: %s\r\n", h, header(req, h))
	}
	fmt.Fprintf(&b, "To: %s", header(req, "To"))
	if tag != "" && !strings.Contains(header(req, "To"), "tag=") {
		fmt.Fprintf(&b, ";tag=%s", tag)
	}
	body := ""
	if strings.HasPrefix(status, "2") && strings.HasPrefix(req, "INVITE") {
		body = strings.Replace(offerSDP, "0 8 101", "0 101", 1)
		extra += fmt.Sprintf("Contact: <sip:lethe@%s>\r\nContent-Type: application/sdp\r\n", a.conn.LocalAddr())
	}
	fmt.Fprintf(&b, "\r\n%sContent-Length: %d\r\n\r\n%s", extra, len(body), body)
	a.send(b.String())
}

type dialled struct {
	call *Call
	err  error
}

// dialInBackground places a call whose context the test can end.
func dialInBackground(t *testing.T, u *UA, target string) (<-chan dialled, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	out := make(chan dialled, 1)
	go func() {
		c, err := u.Dial(ctx, DialOptions{Target: target})
		out <- dialled{c, err}
	}()
	return out, cancel
}

// caller is a UA that only calls, with short timers.
func caller(t *testing.T) *UA {
	t.Helper()
	u, err := New(Default(), Deps{Plane: newPlane(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, u) })
	return fast(u)
}

func TestDialAcknowledgesEveryAnswer(t *testing.T) {
	a, u := newAnswerer(t), caller(t)
	out, _ := dialInBackground(t, u, a.target())
	invite := a.want("INVITE")
	if !strings.Contains(bodyOf(invite), "m=audio") || header(invite, "Content-Type") != "application/sdp" || !strings.Contains(header(invite, "From"), "anonymous.invalid") {
		t.Errorf("the INVITE:\n%s", invite)
	}
	a.reply(invite, "100 Trying", "", "")
	a.reply(invite, "180 Ringing", "x", "")
	for range 3 {
		a.reply(invite, "200 OK", "x", "")
		ack := a.want("ACK")
		if header(ack, "CSeq") != strings.Replace(header(invite, "CSeq"), "INVITE", "ACK", 1) || !strings.HasSuffix(header(ack, "To"), ";tag=x") {
			t.Fatalf("the ACK:\n%s", ack)
		}
	}
	d := <-out
	if d.err != nil {
		t.Fatal(d.err)
	}
	hung := make(chan error, 1)
	go func() { hung <- d.call.Hangup(t.Context(), 0, "") }()
	bye := a.want("BYE")
	a.reply(bye, "200 OK", "", "")
	if err := <-hung; err != nil {
		t.Fatal(err)
	}
}

func TestDialCancelsWhenItsContextEnds(t *testing.T) {
	a, u := newAnswerer(t), caller(t)
	out, cancel := dialInBackground(t, u, a.target())
	invite := a.want("INVITE")
	cancel()
	if d := <-out; !errors.Is(d.err, context.Canceled) {
		t.Fatalf("Dial: %v", d.err)
	}
	if m := a.read(100 * time.Millisecond); strings.HasPrefix(m, "CANCEL") {
		t.Fatal("CANCEL went before any provisional response")
	}
	a.reply(invite, "100 Trying", "", "")
	c := a.want("CANCEL")
	if header(c, "Via") != header(invite, "Via") || header(c, "CSeq") != strings.Replace(header(invite, "CSeq"), "INVITE", "CANCEL", 1) {
		t.Errorf("the CANCEL:\n%s\nof\n%s", c, invite)
	}
	a.reply(c, "200 OK", "x", "")
	a.reply(invite, "487 Request Terminated", "x", "")
	a.want("ACK")
	until(t, "given up", func() bool { return len(u.all()) == 0 })
}

func TestAnswerThatCrossesOurCancel(t *testing.T) {
	a, u := newAnswerer(t), caller(t)
	out, cancel := dialInBackground(t, u, a.target())
	invite := a.want("INVITE")
	a.reply(invite, "180 Ringing", "x", "")
	until(t, "it rings", func() bool { return len(u.all()) == 1 })
	cancel()
	<-out
	c := a.want("CANCEL")
	a.reply(invite, "200 OK", "x", "")
	a.reply(c, "481 Gone", "x", "")
	a.want("ACK")
	bye := a.want("BYE")
	a.reply(bye, "200 OK", "", "")
	until(t, "over", func() bool { return len(u.all()) == 0 })
}

func TestDialEndsWithItsAnswer(t *testing.T) {
	for name, c := range map[string]struct{ status, edit, with, want string }{
		"busy":              {"486 Busy Here", "", "", "refused with 486"},
		"redirected":        {"302 Moved Temporarily", "", "", "refused with 302"},
		"bad SDP":           {"200 OK", "m=audio", "m=wrong", "answer could not be taken"},
		"no Contact":        {"200 OK", "Contact: ", "X-Contact: ", "no usable Contact"},
		"Contact elsewhere": {"200 OK", "Contact: <sip:", "Contact: <http:", "no usable Contact"},
	} {
		t.Run(name, func(t *testing.T) {
			a, u := newAnswerer(t), caller(t)
			out, _ := dialInBackground(t, u, a.target())
			invite := a.want("INVITE")
			edited := &answerer{t: t, conn: a.conn, from: a.from}
			if c.edit == "" {
				edited.reply(invite, c.status, "x", "Contact: <sip:elsewhere@192.0.2.1>\r\n")
				a.want("ACK")
			} else {
				edited.replyEdited(invite, c.edit, c.with)
				a.want("ACK")
				bye := a.want("BYE")
				a.reply(bye, "200 OK", "", "")
			}
			if d := <-out; d.err == nil || !strings.Contains(d.err.Error(), c.want) {
				t.Errorf("Dial: %v", d.err)
			}
			until(t, "over", func() bool { return len(u.all()) == 0 })
		})
	}
}

// replyEdited is a 200 with something wrong in it.
func (a *answerer) replyEdited(req, edit, with string) {
	a.t.Helper()
	pipe, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		a.t.Fatal(err)
	}
	letGo(a.t, pipe)
	to := a.from
	a.from = pipe.LocalAddr().(*net.UDPAddr).AddrPort()
	a.reply(req, "200 OK", "x", "")
	b := make([]byte, 65_536)
	n, _, err := pipe.ReadFromUDPAddrPort(b)
	if err != nil {
		a.t.Fatal(err)
	}
	a.from = to
	a.send(strings.Replace(string(b[:n]), edit, with, 1))
}

// establish is a call that an answerer took, with what its 200 had besides.
func establish(t *testing.T, a *answerer, u *UA, extra string) *Call {
	t.Helper()
	out, _ := dialInBackground(t, u, a.target())
	invite := a.want("INVITE")
	a.reply(invite, "200 OK", "x", extra)
	a.want("ACK")
	d := <-out
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.call
}

// hangup hangs up in the background.
func hangup(t *testing.T, c *Call) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Hangup(context.Background(), 0, ""); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { <-done })
}

func TestRoutes(t *testing.T) {
	for name, c := range map[string]struct{ rr, uri, routes string }{
		"loose":  {"Record-Route: <sip:%[1]s;lr;n=2>, <sip:%[1]s;lr;n=1>\r\n", "sip:lethe@%[1]s", "<sip:%[1]s;lr;n=1>|<sip:%[1]s;lr;n=2>"},
		"strict": {"Record-Route: <sip:%[1]s;n=1>\r\n", "sip:%[1]s;n=1", "<sip:lethe@%[1]s>"},
	} {
		t.Run(name, func(t *testing.T) {
			a, u := newAnswerer(t), caller(t)
			at := a.conn.LocalAddr().String()
			l := establish(t, a, u, fmt.Sprintf(c.rr, at))
			hangup(t, l)
			bye := a.want("BYE")
			a.reply(bye, "200 OK", "", "")
			var routes []string
			for line := range strings.SplitSeq(bye, "\r\n") {
				if r, ok := strings.CutPrefix(line, "Route: "); ok {
					routes = append(routes, r)
				}
			}
			if want := fmt.Sprintf(c.routes, at); strings.Join(routes, "|") != want {
				t.Errorf("routes %q, not %q", routes, want)
			}
			if want := "BYE " + fmt.Sprintf(c.uri, at) + " SIP/2.0"; !strings.HasPrefix(bye, want) {
				t.Errorf("%q, not %q", bye[:strings.IndexByte(bye, '\r')], want)
			}
		})
	}
}

func TestCrossingByes(t *testing.T) {
	a, u := newAnswerer(t), caller(t)
	l := establish(t, a, u, "")
	hangup(t, l)
	ours := a.want("BYE")
	a.send(fmt.Sprintf("BYE sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
		a.from, a.conn.LocalAddr(), random(), header(ours, "To"), header(ours, "From"), header(ours, "Call-ID")))
	for {
		m := a.read(patience)
		if m == "" {
			t.Fatal("their BYE was not answered")
		}
		if strings.HasPrefix(m, "SIP/2.0 200") {
			break
		}
	}
	a.reply(ours, "481 Gone", "", "")
	until(t, "over", func() bool { return len(u.all()) == 0 })
}

func TestTransfer(t *testing.T) {
	for name, c := range map[string]struct {
		status string
		notify []string
		bye    bool
		want   string
	}{
		"succeeds":        {"202 Accepted", []string{"100 Trying", "200 OK"}, false, ""},
		"target is busy":  {"202 Accepted", []string{"100 Trying", "486 Busy"}, false, "the target answered 486"},
		"is refused":      {"603 Decline", nil, false, "refused with 603"},
		"ends in silence": {"202 Accepted", nil, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, u := newAnswerer(t), caller(t)
			l := establish(t, a, u, "")
			done := make(chan error, 1)
			go func() { done <- l.Refer(context.Background(), "sip:desk@example.com;user=phone") }()
			refer := a.want("REFER")
			if header(refer, "Refer-To") != "<sip:desk@example.com;user=phone>" {
				t.Errorf("Refer-To %q", header(refer, "Refer-To"))
			}
			a.reply(refer, c.status, "", "")
			request := func(method string, seq int, extra, body string) {
				a.send(fmt.Sprintf("%s sip:x@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: %d\r\n\r\n%s",
					method, a.from, a.conn.LocalAddr(), random(), header(refer, "To"), header(refer, "From"), header(refer, "Call-ID"), seq, method, extra, len(body), body))
				if m := a.read(patience); !strings.HasPrefix(m, "SIP/2.0 200") {
					t.Errorf("%s was answered with %q", method, m)
				}
			}
			for i, n := range c.notify {
				request("NOTIFY", 10+i, "Event: refer\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n", "SIP/2.0 "+n)
			}
			if c.bye {
				request("BYE", 30, "", "")
			}
			select {
			case err := <-done:
				if (c.want == "") != (err == nil) || (err != nil && (!errors.Is(err, ErrTransfer) || !strings.Contains(err.Error(), c.want))) {
					t.Errorf("Refer: %v, want %q", err, c.want)
				}
			case <-time.After(patience):
				t.Fatal("Refer does not return")
			}
			if !c.bye {
				hangup(t, l)
				a.reply(a.want("BYE"), "200 OK", "", "")
			}
			until(t, "over", func() bool { return len(u.all()) == 0 })
		})
	}
	u := start(t, loopback(), deps(t, &record{}))
	l := call(t, u)
	if err := l.Refer(t.Context(), "sip:a@b>\r\nX: y"); !errors.Is(err, ErrBadTarget) {
		t.Errorf("an injected target: %v", err)
	}
	if err := l.Refer(t.Context(), "sip:desk@example.com"); !errors.Is(err, ErrTransfer) {
		t.Errorf("our own kind takes a REFER: %v", err)
	}
}

func TestBehindNAT(t *testing.T) {
	for _, c := range []struct {
		contact, peer string
		want          bool
	}{
		{"192.168.1.5", "203.0.113.9:5060", true},
		{"10.0.0.1", "10.9.9.9:5060", false},
		{"203.0.113.7", "203.0.113.9:5060", false},
		{"100.64.3.2", "203.0.113.9:5060", true},
		{"0.0.0.0", "203.0.113.9:5060", true},
		{"127.0.0.1", "203.0.113.9:5060", true},
		{"203.0.113.9", "203.0.113.9:1024", false},
	} {
		if got := behindNAT(netip.MustParseAddr(c.contact), c.peer); got != c.want {
			t.Errorf("%s from %s: %v", c.contact, c.peer, got)
		}
	}
}
