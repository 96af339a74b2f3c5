package sip

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	stack "github.com/emiago/sipgo/sip"
)

// secrets are planted in everything that a peer can write.
var secrets = []string{"5550199", "s3cret-call-id", "hidden-host", "Mrs Miller", "planted-body", "planted-branch"} //nolint:gochecknoglobals // a table

func planted(via string) string {
	return "INVITE sip:+1" + secrets[0] + "@" + secrets[2] + " SIP/2.0\r\nVia: " + via + ";branch=z9hG4bK" + secrets[5] +
		"\r\nFrom: \"" + secrets[3] + "\" <sip:+1" + secrets[0] + "@" + secrets[2] + ">;tag=1\r\nTo: <sip:+1" + secrets[0] +
		"@" + secrets[2] + ">\r\nCall-ID: " + secrets[1] + "\r\nCSeq: 1 INVITE\r\nContent-Length: 12\r\n\r\n" + secrets[4]
}

// TestNothingOfAMessageReachesTheLog sends what makes sipgo log: on its own it
// prints the raw message.
func TestNothingOfAMessageReachesTheLog(t *testing.T) {
	cert, key, pool := certificate(t)
	r := &record{}
	conf := loopback()
	conf.InsecureTCP, conf.TLS, conf.Certificate, conf.Key = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, cert, key
	var fallback strings.Builder
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&fallback, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(old) })
	u := start(t, conf, deps(t, r))
	good := planted("SIP/2.0/UDP 127.0.0.1:9")
	bad := []string{
		strings.Replace(good, "CSeq: 1 INVITE", "CSeq: 99999999999 INVITE", 1),
		strings.Replace(good, "Content-Length: 12", "Content-Length: -12", 1),
		strings.Replace(good, "SIP/2.0\r\nVia", "\r\nVia", 1),
		strings.Replace(good, "Via: ", "Via ", 1),
		strings.Replace(good, "From: ", "Form: ", 1),
		strings.Replace(good, "CSeq: 1", "Q: 1", 1),
		strings.Replace(good, "Via: ", "X: ", 1),
		strings.Replace(good, "Content-Length: 12", "Content-Length: 99999", 1),
		"SIP/2.0 200 OK\r\n" + good[strings.Index(good, "Via"):],
		secrets[0] + secrets[1],
		good,
	}
	w := dialUDP(t, address(t, u, "UDP"))
	for _, m := range bad {
		w.send(m)
		for _, transport := range []string{"TCP", "TLS"} {
			c := dialWire(t, "tcp", address(t, u, transport), map[string]*tls.Config{"TLS": tlsConfig(pool)}[transport])
			c.send(m)
			if err := c.conn.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	until(t, "the malformed ones were counted", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.malformed >= 12 })
	shut(t, u)
	if !strings.Contains(r.text(), "could not be parsed") {
		t.Errorf("parse failures leave no trace:\n%s", r.text())
	}
	for _, s := range secrets {
		if strings.Contains(r.text(), s) || strings.Contains(fallback.String(), s) {
			t.Errorf("the log has %q:\n%s\n%s", s, r.text(), fallback.String())
		}
	}
	if strings.Contains(fallback.String(), "127.0.0.1") {
		t.Errorf("sipgo wrote to the default logger:\n%s", fallback.String())
	}
}

func TestQuietRepeatsSeldom(t *testing.T) {
	r := &record{}
	q := newQuiet(slog.New(slog.NewTextHandler(r, nil)), "UDP", nil)
	now := time.Unix(1, 0)
	q.now = func() time.Time { return now }
	log := slog.New(q).With("callid", secrets[1]).WithGroup(secrets[2])
	for range 100 {
		log.Error("failed to parse", "data", secrets[4], "error", errors.New(secrets[0]))
		log.Error("something about "+secrets[3], "msg", secrets[5])
		log.Info("failed to parse")
	}
	now = now.Add(time.Minute)
	log.Error("failed to parse", "data", secrets[4])
	got := r.text()
	if n := strings.Count(got, "\n"); n != 3 || !strings.Contains(got, "times=100") {
		t.Errorf("%d lines:\n%s", n, got)
	}
	for _, s := range secrets {
		if strings.Contains(got, s) {
			t.Errorf("the log has %q:\n%s", s, got)
		}
	}
}

func TestReasonTextCannotBreakOut(t *testing.T) {
	for _, text := range []string{"a\r\nX: y", `a"b`, `a\`, "a\tb", "ünïcode", strings.Repeat("x", 1000)} {
		q := quotable(text, 200)
		if strings.ContainsAny(q, "\r\n\"\\\t") || len(q) > 64 {
			t.Errorf("%q became %q", text, q)
		}
	}
}

// FuzzReceived: whatever the parser lets through, our own look at it must not
// panic, and what it takes for sound must not inject a line into what we send.
func FuzzReceived(f *testing.F) {
	f.Add([]byte(planted("SIP/2.0/UDP 127.0.0.1:9")))
	f.Add([]byte("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: b\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContact: <sip:x@[::1]>\r\n\r\n"))
	f.Add([]byte("INVITE tel:+1;phone-context=x SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: b\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nRecord-Route: <sip:a;lr>,<sip:b>\r\nContact: <sip:x@y>\r\nRequire: a, b\r\n\r\n"))
	parser := stack.NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		msg, err := parser.ParseSIP(b)
		req, ok := msg.(*stack.Request)
		if err != nil || !ok {
			return
		}
		req.SetSource("127.0.0.1:5060")
		if code := fault(req); code != 0 {
			if reason(code) == "Refused" {
				t.Errorf("no phrase for %d", code)
			}
			return
		}
		if n := user(&req.Recipient); strings.ContainsFunc(n, control) {
			t.Errorf("a number %q", n)
		}
		bodyFault(req)
		tr := &transport{proto: "UDP"}
		in := &incoming{req: req, t: tr}
		res := stack.NewResponseFromRequest(req, 200, "OK", nil)
		for _, h := range res.Headers() {
			if strings.ContainsAny(h.Value(), "\r\n\x00") {
				t.Errorf("%s: %q", h.Name(), h.Value())
			}
		}
		if !req.IsInvite() {
			return
		}
		d := newServerDialog(t.Context(), in)
		bye := d.request(t.Context(), stack.BYE).String()
		head, _, _ := strings.Cut(bye, "\r\n\r\n")
		if n := strings.Count(head, "\n"); n != strings.Count(head, "\r\n") || n > 10+2*longestRoute {
			t.Errorf("%q", bye)
		}
		for line := range strings.SplitSeq(head, "\r\n") {
			if !strings.Contains(line, ": ") && !strings.HasPrefix(line, "BYE ") {
				t.Errorf("a line of its own: %q in %q", line, bye)
			}
		}
	})
}
