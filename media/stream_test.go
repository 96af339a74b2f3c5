package media_test

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/media"
	"lethe/media/raw"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func plane(t testing.TB, change func(*media.Config)) *media.Plane {
	t.Helper()
	c := media.Default()
	c.Ports = "21000-24999"
	if change != nil {
		change(&c)
	}
	p, err := media.NewPlane(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// pair connects two streams of p: near offers, far answers.
func pair(t testing.TB, p *media.Plane, terms media.Terms) (near, far *media.Stream) {
	t.Helper()
	near, offer, err := p.Offer(terms)
	if err != nil {
		t.Fatal(err)
	}
	far, answer, err := p.Answer(media.Terms{Codecs: []string{"G722", "PCMU", "PCMA"}}, offer)
	if err != nil {
		t.Fatal(err)
	}
	if err := near.Accept(answer); err != nil {
		t.Fatal(err)
	}
	return near, far
}

// meter is an ear that measures a tone.
type meter struct {
	mu     sync.Mutex
	hz     float64
	rate   int
	re, im float64
	energy float64
	n      int
	end    time.Duration
	gaps   int
}

func (m *meter) String() string { return "meter" }
func (m *meter) Hear(f media.Frame) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n > 0 && f.At() != m.end {
		m.gaps++
	}
	m.end = f.At() + f.Duration()
	m.rate = f.Rate()
	for _, x := range raw.Samples(f) {
		v := float64(x)
		s, c := math.Sincos(2 * math.Pi * m.hz * float64(m.n) / float64(f.Rate()))
		m.re += v * c
		m.im += v * s
		m.energy += v * v
		m.n++
	}
	return nil
}

// purity is the share of the energy at hz.
func (m *meter) purity() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.energy == 0 {
		return 0
	}
	return 2 * (m.re*m.re + m.im*m.im) / (float64(m.n) * m.energy)
}

func (m *meter) heard() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rate == 0 {
		return 0
	}
	return time.Duration(m.n) * time.Second / time.Duration(m.rate)
}

func tone(hz float64, rate int, d time.Duration) []int16 {
	pcm := make([]int16, int(d.Seconds()*float64(rate)))
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestSpeechArrivesAndIsForgotten(t *testing.T) {
	for _, name := range []string{"PCMU", "PCMA", "G722"} {
		for _, ptime := range []time.Duration{10, 20, 30, 40, 60} {
			t.Run(name+" "+(ptime*time.Millisecond).String(), func(t *testing.T) {
				t.Parallel()
				arrives(t, media.Terms{Codecs: []string{name}, Ptime: ptime * time.Millisecond})
			})
		}
	}
}

func arrives(t *testing.T, terms media.Terms) {
	p := plane(t, nil)
	near, far := pair(t, p, terms)
	// A voice speaks into near; far hears it at both rates. far's own silence
	// keeps near's ledger busy.
	wide, native := &meter{hz: 500}, &meter{hz: 500}
	speech := tone(500, 16000, 600*time.Millisecond)
	if err := near.Speech().Write(within(t, 5*time.Second), speech, 16000); err != nil {
		t.Fatal(err)
	}
	detach, err := far.Listen(media.Caller, 16000, wide)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := far.Listen(media.Caller, 0, native); err != nil {
		t.Fatal(err)
	}
	if err := near.Speech().Write(within(t, 5*time.Second), tone(500, 16000, 500*time.Millisecond), 16000); err != nil {
		t.Fatal(err)
	}
	if err := near.Speech().Drained(within(t, 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	detach()
	if got := near.Speech().Heard(); got < 1050*time.Millisecond || got > 1200*time.Millisecond {
		t.Errorf("heard %v of 1.1 s", got)
	}
	a, b := near.Close(), far.Close()
	for i, m := range []*meter{wide, native} {
		if p := m.purity(); p < 0.9 || m.heard() < 400*time.Millisecond || m.gaps > 0 {
			t.Errorf("ear %d: purity %.2f over %v with %d gaps", i, p, m.heard(), m.gaps)
		}
	}
	for _, l := range []media.Ledger{a, b} {
		if l.Born == 0 || l.Born != l.Forgotten || l.Longest > 400*time.Millisecond {
			t.Errorf("ledger %+v", l)
		}
	}
	if used := p.Arena().Used(); used != 0 {
		t.Errorf("%d bytes of the arena in use after the end", used)
	}
}

func TestCutStopsAtOnceAndSaysWhatWasHeard(t *testing.T) {
	p := plane(t, nil)
	near, far := pair(t, p, media.Terms{Codecs: []string{"PCMU"}})
	m := &meter{hz: 700}
	if _, err := far.Listen(media.Caller, 0, m); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		near.Speech().Mark(7)
		written <- near.Speech().Write(context.Background(), tone(700, 24000, 10*time.Second), 24000)
	}()
	for near.Speech().Heard() < 200*time.Millisecond {
		select {
		case err := <-written:
			t.Fatalf("ten seconds fit: %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	heard, last := near.Speech().Cut()
	if err := <-written; !errors.Is(err, media.ErrCut) {
		t.Fatalf("Write got %v", err)
	}
	if heard < 150*time.Millisecond || heard > 900*time.Millisecond || last != 7 {
		t.Fatalf("heard %v, mark %d", heard, last)
	}
	if near.Speech().Pending() != 0 {
		t.Fatal("not empty after Cut")
	}
	if err := near.Speech().Write(within(t, time.Second), tone(700, 8000, 100*time.Millisecond), 8000); err != nil {
		t.Fatalf("speaking again: %v", err)
	}
	near.Close()
	far.Close()
}

func TestKeysOnce(t *testing.T) {
	p := plane(t, nil)
	near, far := pair(t, p, media.Terms{Codecs: []string{"PCMA"}})
	if err := near.SendKeys(within(t, 10*time.Second), "10#"); err != nil {
		t.Fatal(err)
	}
	got := ""
	for len(got) < 3 {
		select {
		case k := <-far.Keys():
			got += string(k.Digit)
		case <-within(t, 2*time.Second).Done():
			t.Fatalf("only %q came", got)
		}
	}
	if got != "10#" || far.Stats().Lost != 0 {
		t.Fatalf("keys %q, lost %d", got, far.Stats().Lost)
	}
	near.Close()
	far.Close()
}

func TestMediaTimeout(t *testing.T) {
	p := plane(t, func(c *media.Config) { c.StartTimeout, c.IdleTimeout = time.Second, time.Second })
	dead, _, err := p.Answer(media.Terms{Codecs: []string{"PCMU"}}, []byte(offer("sendrecv")))
	if err != nil {
		t.Fatal(err)
	}
	held, _, err := p.Answer(media.Terms{Codecs: []string{"PCMU"}}, []byte(offer("inactive")))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-dead.Done():
	case <-within(t, 3*time.Second).Done():
		t.Fatal("nothing was received, and the stream goes on")
	}
	if !errors.Is(dead.Err(), media.ErrMediaTimeout) {
		t.Fatalf("ended with %v", dead.Err())
	}
	select {
	case <-held.Done():
		t.Fatalf("silent by agreement, and ended with %v", held.Err())
	case <-time.After(500 * time.Millisecond):
	}
	dead.Close()
	held.Close()
}

func offer(direction string) string {
	return "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
		"m=audio 9 RTP/AVP 0\r\na=" + direction + "\r\n"
}

type bomb struct{}

func (bomb) String() string         { return "bomb" }
func (bomb) Hear(media.Frame) error { panic("in an ear") }

func TestPanicInOneEarEndsOneStream(t *testing.T) {
	p := plane(t, nil)
	near, far := pair(t, p, media.Terms{Codecs: []string{"PCMU"}})
	other, third := pair(t, p, media.Terms{Codecs: []string{"PCMU"}})
	if _, err := far.Listen(media.Caller, 0, bomb{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-far.Done():
	case <-within(t, 3*time.Second).Done():
		t.Fatal("the stream goes on")
	}
	if !errors.Is(far.Err(), media.ErrPanic) || other.Err() != nil || third.Err() != nil {
		t.Fatal(far.Err(), other.Err(), third.Err())
	}
	for _, s := range []*media.Stream{near, far, other, third} {
		if l := s.Close(); l.Born != l.Forgotten {
			t.Errorf("ledger %+v", l)
		}
	}
}

func TestBeforeTheAnswer(t *testing.T) {
	p := plane(t, nil)
	s, _, err := p.Offer(media.Terms{Codecs: []string{"PCMU"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Speech().Heard() != 0 || s.Speech().Pending() != 0 {
		t.Error("something was heard")
	}
	s.Speech().Cut()
	if err := s.Speech().Write(within(t, time.Second), tone(500, 8000, time.Second), 8000); !errors.Is(err, media.ErrNotAgreed) {
		t.Errorf("Write: %v", err)
	}
	if _, err := s.Reoffer([]byte(offer("sendrecv"))); !errors.Is(err, media.ErrNotAgreed) {
		t.Errorf("Reoffer: %v", err)
	}
	if l := s.Close(); l.Born != 0 {
		t.Errorf("ledger %+v", l)
	}
	if _, _, err := p.Offer(media.Terms{}); !errors.Is(err, media.ErrNoCommonCodec) {
		t.Errorf("an offer of nothing: %v", err)
	}
	if p.Arena().Used() != 0 || p.Totals().Streams != 0 {
		t.Error("something is left")
	}
}
