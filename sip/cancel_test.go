package sip

import (
	"strings"
	"testing"
	"time"

	"lethe/media"
)

func TestCancelBeforeTheAnswer(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	u, err := New(loopback(), d)
	if err != nil {
		t.Fatal(err)
	}
	let := make(chan struct{})
	real := u.plane.answer
	u.plane.answer = func(terms media.Terms, offer []byte) (stream, []byte, error) {
		<-let
		return real(terms, offer)
	}
	listen(t, u)
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	w.send(s.invite())
	if m := w.read(patience); !strings.HasPrefix(m, "SIP/2.0 100") {
		t.Fatalf("got %q", m)
	}
	w.send(s.message("CANCEL", s.seq, "", ""))
	seen := w.read(patience) + w.read(patience)
	if !strings.Contains(seen, "CSeq: 7 CANCEL") || !strings.Contains(seen, "SIP/2.0 487") {
		t.Fatalf("got %q", seen)
	}
	close(let)
	until(t, "counted", func() bool { return r.count(ResultCancelled) == 1 })
	if m := w.read(1200 * time.Millisecond); !strings.HasPrefix(m, "SIP/2.0 487") {
		t.Errorf("the 487 was not repeated but followed by %q", m)
	}
}

// TestCancelCrossesAnswer has the CANCEL arrive at the very moment of the
// answer: whatever comes out first, the other must never follow.
func TestCancelCrossesAnswer(t *testing.T) {
	r := &record{}
	u := quick(t, loopback(), deps(t, r))
	for i := range 40 {
		w := dialUDP(t, address(t, u, "UDP"))
		s := newScript(w)
		w.send(s.invite())
		for range i * 20 {
			_ = random()
		}
		w.send(s.message("CANCEL", s.seq, "", ""))
		var finals []string
		for len(finals) < 2 { // of the CANCEL and of the INVITE
			m := w.read(patience)
			if m == "" {
				t.Fatal("no final response")
			}
			if !strings.HasPrefix(m, "SIP/2.0 1") {
				finals = append(finals, m)
			}
		}
		var final string
		for _, m := range finals {
			if strings.Contains(header(m, "CSeq"), "INVITE") {
				final = m
			}
		}
		code := final[8:11]
		s.to = tagOf(final)
		for range 2 {
			m := w.read(30 * time.Millisecond)
			if strings.Contains(header(m, "CSeq"), "INVITE") && m[8:11] != code {
				t.Fatalf("%s was followed by %s", code, m[8:11])
			}
		}
		if code == "200" {
			w.send(s.ack())
			w.send(s.later("BYE", s.seq+1, "", ""))
		}
	}
	until(t, "all over", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.results) == 40 })
	if n := r.count(ResultFailed) + r.count(ResultRefused); n != 0 {
		t.Errorf("%d calls went otherwise", n)
	}
}

// TestCancelBetweenDecisionAndAnswer: sipgo repeats the last response it was
// given, even one that came too late. It must be the 487.
func TestCancelBetweenDecisionAndAnswer(t *testing.T) {
	r := &record{}
	u, err := New(loopback(), deps(t, r))
	if err != nil {
		t.Fatal(err)
	}
	let, reached := make(chan struct{}), make(chan struct{})
	answer := u.plane.answer
	u.plane.answer = func(terms media.Terms, offer []byte) (stream, []byte, error) {
		close(reached)
		<-let
		return answer(terms, offer)
	}
	listen(t, u)
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	w.send(s.invite())
	<-reached
	c := u.all()[0]
	u.mu.Lock() // holds the call up where it makes its dialog known
	close(let)
	until(t, "decided", func() bool { return c.settled.Load() == answered })
	w.send(s.message("CANCEL", s.seq, "", ""))
	w.finalTo(s.seq)
	u.mu.Unlock()
	until(t, "counted", func() bool { return r.count(ResultCancelled) == 1 })
	for range 2 {
		if m := w.finalTo(s.seq); !strings.HasPrefix(m, "SIP/2.0 487") {
			t.Errorf("the 487 is repeated as %q", m)
		}
	}
}
