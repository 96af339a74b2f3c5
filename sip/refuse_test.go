package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestRefusals(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	var notReady atomic.Bool
	d.Ready = func() error {
		if notReady.Load() {
			return errors.New("no engine")
		}
		return nil
	}
	d.Numbers = func(n string) bool { return n == "support" || n == "hidden" }
	conf := loopback()
	conf.Trunks[0].Numbers = []string{"support"}
	conf.Trunks[0].Codecs = []string{"PCMA"}
	u := quick(t, conf, d)
	w := dialUDP(t, address(t, u, "UDP"))
	for _, c := range []struct {
		name string
		edit func(*script)
		swap [2]string
		want string
		has  string
	}{
		{name: "unknown number", edit: func(s *script) { s.user = "nobody" }, want: "404"},
		{name: "number of another trunk", edit: func(s *script) { s.user = "hidden" }, want: "404"},
		{name: "no common codec", edit: func(s *script) { s.body = strings.Replace(s.body, "AVP 0 8", "AVP 0", 1) }, want: "488"},
		{name: "malformed SDP", edit: func(s *script) { s.body = "v=0\r\nrubbish" }, want: "400"},
		{name: "another body", edit: func(s *script) { s.kind = "text/plain" }, want: "415", has: "Accept: application/sdp"},
		{name: "no Content-Type", swap: [2]string{"Content-Type: application/sdp\r\n", ""}, want: "415"},
		{name: "compressed", edit: func(s *script) { s.extra = "Content-Encoding: gzip\r\n" }, want: "415"},
		{name: "extension required", edit: func(s *script) { s.extra = "Require: 100rel, nothing\r\n" }, want: "420", has: "Unsupported: 100rel, nothing"},
		{name: "scheme", swap: [2]string{"INVITE sip:support@", "INVITE unknown:support@"}, want: "416"},
		{name: "version", swap: [2]string{"SIP/2.0\r\nVia", "SIP/7.0\r\nVia"}, want: "505"},
		{name: "no Contact", swap: [2]string{"Contact: ", "X-Contact: "}, want: "400"},
		{name: "Contact of another scheme", swap: [2]string{"<sip:peer@", "<http:peer@"}, want: "400"},
		{name: "Contact with a space", swap: [2]string{"<sip:peer@", "<sip:pe er@"}, want: "400"},
		{name: "route with a quote", edit: func(s *script) { s.extra = "Record-Route: <sip:a\"b;lr>\r\n" }, want: "400"},
		{name: "two From", edit: func(s *script) { s.extra = "From: <sip:b@c>;tag=2\r\n" }, want: "400"},
		{name: "no From tag", swap: [2]string{";tag=", ";gat="}, want: "400"},
		{name: "method of CSeq", swap: [2]string{"7 INVITE", "7 BYE"}, want: "400"},
		{name: "long Call-ID", edit: func(s *script) { s.id = strings.Repeat("x", 300) }, want: "400"},
		{name: "bare LF", swap: [2]string{"\"A\" <", "\"x\nEvil: y\" <"}, want: "400"},
		{name: "NUL in a header we do not know", edit: func(s *script) { s.extra = "X-A: b\x00c\r\n" }, want: "400"},
		{name: "too many routes", edit: func(s *script) { s.extra = strings.Repeat("Record-Route: <sip:a;lr>\r\n", 30) }, want: "400"},
		{name: "not ready", edit: func(*script) { notReady.Store(true) }, want: "503", has: "Retry-After: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(w)
			if c.edit != nil {
				c.edit(s)
			}
			m := s.invite()
			if c.swap[0] != "" {
				m = strings.Replace(m, c.swap[0], c.swap[1], 1)
			}
			w.send(m)
			got := w.final(s.id)
			if got[8:11] != c.want || !strings.Contains(got, c.has) {
				t.Fatalf("wanted %s with %q, got\n%s", c.want, c.has, got)
			}
			s.to = tagOf(got)
			w.send(s.message("ACK", s.seq, "", ""))
		})
	}
	until(t, "each was counted once", func() bool { return r.count(ResultRefused) >= 8 })
	r.mu.Lock()
	active := r.active
	r.mu.Unlock()
	if active != 0 {
		t.Errorf("%d refused calls are still counted", active)
	}
	if strings.Contains(r.text(), "5550100") {
		t.Errorf("the log has a number:\n%s", r.text())
	}
}

func TestRequestsOutsideADialog(t *testing.T) {
	u := quick(t, loopback(), deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	for method, want := range map[string]string{"BYE": "481", "CANCEL": "481", "NOTIFY": "481", "OPTIONS": "200",
		"REGISTER": "405", "SUBSCRIBE": "405", "MESSAGE": "405", "UPDATE": "405", "REFER": "405", "NEWMETHOD": "405"} {
		for _, tagged := range []bool{false, true} {
			s := newScript(w)
			if tagged {
				if method != "BYE" && method != "UPDATE" && method != "OPTIONS" {
					continue
				}
				s.to, want = random(), "481"
			}
			w.send(s.later(method, 1, "", ""))
			got := w.final(s.id)
			if got[8:11] != want {
				t.Errorf("%s: wanted %s, got\n%s", method, want, got)
			}
			if want == "405" && header(got, "Allow") != allowed {
				t.Errorf("%s: 405 without Allow", method)
			}
			if want == "200" && (header(got, "Allow") != allowed || header(got, "Accept") != "application/sdp") {
				t.Errorf("OPTIONS: %q", got)
			}
		}
	}
	w.send(newScript(w).ack()) // an ACK to nothing is answered by nothing
	if m := w.read(100 * time.Millisecond); m != "" {
		t.Errorf("an ACK was answered with %q", m)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	r := &record{}
	conf := loopback()
	conf.InsecureTCP = []string{"127.0.0.1:0"}
	conf.Trunks[0].From = []string{"192.0.2.0/24"}
	u := start(t, conf, deps(t, r))
	for _, network := range []string{"udp", "tcp"} {
		w := dialWire(t, network, address(t, u, strings.ToUpper(network)), nil)
		for _, method := range []string{"INVITE", "OPTIONS", "REGISTER"} {
			s := newScript(w)
			w.send(s.later(method, 1, "", ""))
			w.want("SIP/2.0 403")
		}
	}
	if r.count(ResultRefused) != 2 {
		t.Errorf("%d refused calls counted", r.count(ResultRefused))
	}
}

// TestAnotherTrunkCannotEndACall: a dialog's identifiers are not enough.
func TestAnotherTrunkCannotEndACall(t *testing.T) {
	conf := loopback()
	conf.Trunks = append(conf.Trunks, Trunk{Name: "other", From: []string{"127.0.0.9"}})
	u := quick(t, conf, deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	s.answered()
	other := dialFrom(t, "127.0.0.9", w.to)
	forged := *s
	forged.w = other
	other.send(forged.later("BYE", s.seq+1, "", ""))
	other.want("SIP/2.0 481")
	w.send(s.later("BYE", s.seq+1, "", ""))
	w.want("SIP/2.0 200")
}

func TestFull(t *testing.T) {
	conf := loopback()
	conf.MaxCalls = 2
	conf.Trunks[0].MaxCalls = 1
	conf.Trunks = append(conf.Trunks, Trunk{Name: "other", From: []string{"127.0.0.9"}}, Trunk{Name: "third", From: []string{"127.0.0.10"}})
	u := quick(t, conf, deps(t, &record{}))
	to := address(t, u, "UDP")
	w, other, third := dialUDP(t, to), dialFrom(t, "127.0.0.9", to), dialFrom(t, "127.0.0.10", to)
	first := newScript(w)
	first.answered()
	refused := func(w *wire, code string) {
		t.Helper()
		s := newScript(w)
		w.send(s.invite())
		got := w.final(s.id)
		if got[8:11] != code {
			t.Errorf("wanted %s, got %s", code, got[8:11])
		}
		if header(got, "Retry-After") == "" {
			t.Errorf("%s without Retry-After", code)
		}
		s.to = tagOf(got)
		w.send(s.message("ACK", s.seq, "", ""))
	}
	refused(w, "480") // the trunk has had its share
	second := newScript(other)
	second.answered()
	refused(third, "503") // all is full
	w.send(first.later("BYE", first.seq+1, "", ""))
	w.want("SIP/2.0 200")
	until(t, "the place was given back", func() bool { return len(u.all()) == 1 })
	newScript(w).answered()
}

func TestTrunkOf(t *testing.T) {
	var trunks []*trunk
	for _, c := range []Trunk{{Name: "wide", From: []string{"10.0.0.0/8", "2001:db8::/32"}}, {Name: "narrow", From: []string{"10.1.2.3"}}} {
		k, err := newTrunk(c)
		if err != nil {
			t.Fatal(err)
		}
		trunks = append(trunks, k)
	}
	for source, want := range map[string]string{"10.9.9.9": "wide", "10.1.2.3": "narrow", "::ffff:10.1.2.3": "narrow",
		"2001:db8::1": "wide", "11.0.0.1": "", "::1": ""} {
		got := ""
		if k := trunkOf(trunks, netip.MustParseAddr(source)); k != nil {
			got = k.name
		}
		if got != want {
			t.Errorf("%s belongs to %q, not %q", source, want, got)
		}
	}
}

func TestConfigErrorsNameKeyAndRemedy(t *testing.T) {
	good := func() Config { c := loopback(); return c }
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, edit := range map[string]func(*Config){
		"sip.insecure_udp[0] is \"localhost\": write":   func(c *Config) { c.InsecureUDP[0] = "localhost" },
		"sip.insecure_tcp[0] is \"224.0.0.1:5060\"":     func(c *Config) { c.InsecureTCP = []string{"224.0.0.1:5060"} },
		"sip.tls needs sip.certificate and sip.key":     func(c *Config) { c.TLS = []string{"127.0.0.1:5061"} },
		"sip: nothing to listen on: set":                func(c *Config) { c.InsecureUDP = nil },
		"sip.trunks is missing":                         func(c *Config) { c.Trunks = nil },
		"sip.max_calls is 0: set it between":            func(c *Config) { c.MaxCalls = 0 },
		"sip.trunks[0].name is \"A B\": write":          func(c *Config) { c.Trunks[0].Name = "A B" },
		"sip.trunks[1].name \"loopback\" is used":       func(c *Config) { c.Trunks = append(c.Trunks, c.Trunks[0]) },
		"sip.trunks[0].from is missing":                 func(c *Config) { c.Trunks[0].From = nil },
		"sip.trunks[0].from[0] is \"10.0.0.0/99\"":      func(c *Config) { c.Trunks[0].From[0] = "10.0.0.0/99" },
		"sip.trunks[0].numbers[0] is not a number":      func(c *Config) { c.Trunks[0].Numbers = []string{"a b"} },
		"sip.trunks[0].codecs[0] is \"G729\": write":    func(c *Config) { c.Trunks[0].Codecs = []string{"G729"} },
		"sip.trunks[0].max_calls is -1: set it":         func(c *Config) { c.Trunks[0].MaxCalls = -1 },
		"sip.trunks[0].from[0] is \"::ffff:1.2.3.0/1\"": func(c *Config) { c.Trunks[0].From[0] = "::ffff:1.2.3.0/1" },
	} {
		c := good()
		edit(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("wanted %q, got %v", want, err)
		}
	}
	c := good()
	c.TLS, c.Certificate, c.Key = []string{"127.0.0.1:0"}, "/nowhere/cert.pem", "/nowhere/key.pem"
	if _, err := New(c, deps(t, &record{})); err == nil || !strings.Contains(err.Error(), "sip.certificate") || !strings.Contains(err.Error(), "/nowhere/cert.pem") {
		t.Errorf("got %v", err)
	}
	if _, err := New(Config{}, deps(t, &record{})); err == nil || !strings.Contains(err.Error(), "sip.trunks") || !strings.Contains(err.Error(), "sip.insecure_udp") {
		t.Errorf("an empty section: %v", fmt.Sprint(err))
	}
}

// TestHalfOpenInvites: what is never acknowledged takes places, no more, and
// gives them back.
func TestHalfOpenInvites(t *testing.T) {
	r := &record{}
	conf := loopback()
	conf.MaxCalls = 30
	u := quick(t, conf, deps(t, r))
	w := dialUDP(t, address(t, u, "UDP"))
	before := runtime.NumGoroutine()
	const invites = 400
	for i := range invites {
		w.send(newScript(w).invite())
		if i%20 == 19 { // so that the socket's buffer loses none
			until(t, "these were seen", func() bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				return len(r.results)+r.active > i
			})
		}
	}
	if n := r.count(ResultRefused); n < invites/2 {
		t.Errorf("%d of %d were refused", n, invites)
	}
	if n := runtime.NumGoroutine(); n > before+8*conf.MaxCalls {
		t.Errorf("%d goroutines before, %d in the flood", before, n)
	}
	r.mu.Lock()
	most := r.most
	r.mu.Unlock()
	if most > conf.MaxCalls {
		t.Errorf("%d calls at once", most)
	}
	until(t, "all given up", func() bool { return len(u.all()) == 0 })
	newScript(dialUDP(t, w.to)).answered()
}
