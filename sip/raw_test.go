package sip

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"lethe/policy"
)

const offerSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"

// script is one INVITE and what may follow it, as a peer of ours writes them.
type script struct {
	w                    *wire
	id, from, to, branch string
	user, extra, body    string
	kind                 string
	seq                  int
}

func newScript(w *wire) *script {
	return &script{w: w, id: random(), from: random(), branch: random(), user: "support", body: offerSDP, kind: "application/sdp", seq: 7}
}

func (s *script) via() string {
	proto := "UDP"
	if s.w.tcp {
		proto = "TCP"
	}
	return fmt.Sprintf("SIP/2.0/%s %s;rport;branch=z9hG4bK%s", proto, s.w.conn.LocalAddr(), s.branch)
}

func (s *script) message(method string, seq int, extra, body string) string {
	to := fmt.Sprintf("<sip:%s@lethe>", s.user)
	if s.to != "" {
		to += ";tag=" + s.to
	}
	contact := ""
	if method == "INVITE" {
		contact = fmt.Sprintf("Contact: <sip:peer@%s>\r\n", s.w.conn.LocalAddr())
	}
	return fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: %s\r\nMax-Forwards: 70\r\nFrom: \"A\" <sip:+15550100@peer>;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%s%sContent-Length: %d\r\n\r\n%s",
		method, s.user, s.w.to, s.via(), s.from, to, s.id, seq, method, contact, extra, len(body), body)
}

func (s *script) invite() string {
	extra := s.extra
	if s.body != "" {
		extra += "Content-Type: " + s.kind + "\r\n"
	}
	return s.message("INVITE", s.seq, extra, s.body)
}

// later is a request after the INVITE, with a branch of its own.
func (s *script) later(method string, seq int, extra, body string) string {
	c := *s
	c.branch = random()
	return c.message(method, seq, extra, body)
}

func (s *script) ack() string { return s.later("ACK", s.seq, "", "") }

// answered plays an INVITE up to the ACK and returns the 200.
func (s *script) answered() string {
	s.w.t.Helper()
	s.w.send(s.invite())
	ok := s.w.want("SIP/2.0 200")
	s.to = tagOf(ok)
	s.w.send(s.ack())
	return ok
}

func tagOf(msg string) string {
	_, tag, _ := strings.Cut(header(msg, "To"), ";tag=")
	return tag
}

// fast makes the timers of RFC 3261 short enough for a test.
func fast(u *UA) *UA {
	u.timers = timers{t1: 20 * time.Millisecond, t2: 80 * time.Millisecond}
	return u
}

func quick(t *testing.T, c Config, d Deps) *UA {
	t.Helper()
	u, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, fast(u))
}

// replyOK answers a request of ours.
func replyOK(req string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 200 OK\r\n")
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		fmt.Fprintf(&b, "%s: %s\r\n", h, header(req, h))
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}

func TestAnswerIsRepeatedUntilAck(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			r := &record{}
			conf := loopback()
			conf.InsecureTCP = []string{"127.0.0.1:0"}
			u := quick(t, conf, deps(t, r))
			w := dialWire(t, network, address(t, u, strings.ToUpper(network)), nil)
			s := newScript(w)
			w.send(s.invite())
			first := w.want("SIP/2.0 200")
			for range 3 {
				if again := w.want("SIP/2.0 200"); again != first {
					t.Fatalf("the repeated answer differs:\n%s\n%s", first, again)
				}
			}
			s.to = tagOf(first)
			w.send(s.ack())
			for deadline := time.Now().Add(patience); ; { // what was on its way may still come
				m := w.read(300 * time.Millisecond)
				if m == "" {
					break
				}
				if m != first || time.Now().After(deadline) {
					t.Fatalf("after the ACK came:\n%s", m)
				}
			}
			w.send(s.later("BYE", s.seq+1, "", ""))
			w.want("SIP/2.0 200")
			until(t, "counted", func() bool { return r.count(ResultCaller) == 1 })
		})
	}
}

func TestAckNeverComes(t *testing.T) {
	r := &record{}
	served := make(chan struct{}, 1)
	d := deps(t, r)
	d.Serve = func(context.Context, *Call, policy.Facts) error { served <- struct{}{}; return nil }
	u := quick(t, loopback(), d)
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	began := time.Now()
	w.send(s.invite())
	answers := 0
	for {
		m := w.read(patience)
		if strings.HasPrefix(m, "SIP/2.0 200") {
			answers++
			continue
		}
		if strings.HasPrefix(m, "BYE ") {
			w.send(replyOK(m))
			break
		}
		if !strings.HasPrefix(m, "SIP/2.0 100") {
			t.Fatalf("got %q", m)
		}
	}
	if took := time.Since(began); took < u.timers.life() || answers < 8 {
		t.Errorf("given up after %v and %d answers, not %v", took, answers, u.timers.life())
	}
	until(t, "counted", func() bool { return r.count(ResultNoAck) == 1 })
	select {
	case <-served:
		t.Error("a conversation began without an ACK")
	default:
	}
}

func TestInDialogChecks(t *testing.T) {
	u := quick(t, loopback(), deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	s.answered()
	forged := *s
	forged.to = random()
	w.send(forged.later("BYE", s.seq+1, "", ""))
	w.want("SIP/2.0 481")
	w.send(s.later("BYE", s.seq-1, "", ""))
	w.want("SIP/2.0 500")
	w.send(s.later("BYE", s.seq, "", ""))
	w.want("SIP/2.0 500")
	w.send(s.later("INFO", s.seq+1, "", ""))
	if m := w.want("SIP/2.0 405"); header(m, "Allow") != allowed {
		t.Errorf("405 without Allow: %q", m)
	}
	u.Drain()
	w.send(newScript(w).later("OPTIONS", 1, "", ""))
	w.want("SIP/2.0 503")
	w.send(s.later("OPTIONS", s.seq+2, "", ""))
	w.want("SIP/2.0 200")
	w.send(s.later("NOTIFY", s.seq+3, "Event: refer\r\n", "SIP/2.0 200 OK"))
	w.want("SIP/2.0 481")
	w.send(s.later("BYE", s.seq+4, "", ""))
	w.want("SIP/2.0 200")
	w.send(s.later("BYE", s.seq+5, "", ""))
	w.want("SIP/2.0 481")
}

// TestByeGoesByTheConnection: the peer's Contact can't be reached, as behind
// NAT, and the BYE still reaches it.
func TestByeGoesByTheConnection(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	let := make(chan struct{})
	d.Serve = func(ctx context.Context, _ *Call, _ policy.Facts) error {
		select {
		case <-let:
		case <-ctx.Done():
		}
		return nil
	}
	cert, key, pool := certificate(t)
	conf := loopback()
	conf.InsecureTCP, conf.TLS, conf.Certificate, conf.Key = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, cert, key
	u := quick(t, conf, d)
	w := dialWire(t, "tcp", address(t, u, "TCP"), nil)
	sec := dialWire(t, "tcp", address(t, u, "TLS"), tlsConfig(pool))
	scripts := []*script{newScript(w), newScript(sec)}
	for i, s := range scripts {
		m := strings.Replace(s.invite(), "<sip:peer@"+s.w.conn.LocalAddr().String()+">", "<sip:peer@192.0.2.1:9;transport=tcp>", 1)
		if i == 1 {
			m = strings.Replace(m, "SIP/2.0/TCP", "SIP/2.0/TLS", 1)
		}
		s.w.send(m)
		ok := s.w.want("SIP/2.0 200")
		s.to = tagOf(ok)
		s.w.send(s.ack())
	}
	until(t, "both serve", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.active == 2 })
	close(let)
	for _, s := range scripts {
		bye := s.w.asked("BYE sip:peer@192.0.2.1:9")
		s.w.send(replyOK(bye))
	}
	until(t, "counted", func() bool { return r.count(ResultAgent) == 2 })
}

// TestLargeMessagesArrive: 1,300 bytes are sipgo's limit for a datagram.
func TestLargeMessagesArrive(t *testing.T) {
	u := quick(t, loopback(), deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	var routes strings.Builder
	for i := range 15 {
		fmt.Fprintf(&routes, "Record-Route: <sip:proxy%d.%s.example;lr>\r\n", i, strings.Repeat("x", 150))
	}
	s.extra = routes.String()
	w.send(s.invite())
	ok := w.want("SIP/2.0 200")
	if len(ok) < 2_000 || strings.Count(ok, "Record-Route:") != 15 {
		t.Fatalf("%d bytes", len(ok))
	}
	s.to = tagOf(ok)
	w.send(s.ack())
	w.send(s.later("BYE", s.seq+1, "", ""))
	w.want("SIP/2.0 200")
}

func TestMergedRequest(t *testing.T) {
	u := quick(t, loopback(), deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	s.answered()
	again := *s
	again.branch, again.to = random(), ""
	w.send(again.invite())
	w.want("SIP/2.0 482")
	w.send(s.later("BYE", s.seq+1, "", ""))
	w.want("SIP/2.0 200")
}
