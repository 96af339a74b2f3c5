package vad

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/mediatest"
	"lethe/media/raw"
)

const frameTime = 20 * time.Millisecond

// line feeds a gate 20 ms at a time.
type line struct {
	t      testing.TB
	gate   *Gate
	rate   int
	at     time.Duration
	noise  *rand.Rand
	copies []*mediatest.Keeper
	events []Event
}

func newLine(t testing.TB, rate int, c Config) *line {
	t.Helper()
	ring, err := mediatest.Arena(t, 1<<20).Ring(rate, MaxPreroll)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGate(rate, ring, c)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{t: t, gate: g, rate: rate, noise: rand.New(rand.NewPCG(3, 4))}
	t.Cleanup(func() {
		g.Close()
		for _, k := range l.copies {
			if n := k.Copies(); n != 0 {
				t.Errorf("%d copies of a frame were not wiped", n)
				break
			}
		}
	})
	return l
}

// feed gives d of voice (a buzz with a syllable's rhythm over a quiet line), or
// of the quiet line alone.
func (l *line) feed(d time.Duration, voice bool) {
	l.t.Helper()
	for ; d > 0; d -= frameTime {
		pcm := make([]int16, l.rate/50)
		for i := range pcm {
			s := l.at.Seconds() + float64(i)/float64(l.rate)
			v := 20 * l.noise.NormFloat64()
			if voice {
				swing := 0.6 + 0.4*math.Sin(2*math.Pi*4*s)
				for h := 1.0; h <= 12; h++ {
					v += 900 * swing * math.Sin(2*math.Pi*140*h*s) / math.Sqrt(h)
				}
			}
			pcm[i] = int16(v)
		}
		l.frame(pcm)
	}
}

func (l *line) frame(pcm []int16) {
	l.t.Helper()
	f, forget, k := mediatest.Kept(pcm, media.Caller, l.rate, l.at)
	if err := l.gate.Hear(f); err != nil {
		l.t.Fatal(err)
	}
	forget()
	l.copies = append(l.copies, k)
	l.at += time.Duration(len(pcm)) * time.Second / time.Duration(l.rate)
	for {
		select {
		case e := <-l.gate.Events():
			l.events = append(l.events, e)
			continue
		default:
		}
		return
	}
}

// listener is a session that remembers when the frames were that it heard.
type listener struct {
	spans     []span
	endpoints []int // how many frames had been heard
	err       error
}

func (s *listener) Hear(f media.Frame) error {
	if len(raw.Samples(f)) == 0 {
		return errors.New("an empty frame")
	}
	s.spans = append(s.spans, span{f.At(), f.At() + f.Duration()})
	return s.err
}
func (s *listener) Endpoint() { s.endpoints = append(s.endpoints, len(s.spans)) }

func near(t *testing.T, what string, got, want, by time.Duration) {
	t.Helper()
	if d := got - want; d < -by || d > by {
		t.Errorf("%s at %v, want %v within %v", what, got, want, by)
	}
}

func TestUtterance(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		l, s := newLine(t, rate, Default()), &listener{}
		l.gate.Open(s)
		l.feed(2*time.Second, false)
		if len(s.spans) > 0 || len(l.events) > 0 {
			t.Fatalf("silence: %d frames, events %v", len(s.spans), l.events)
		}
		l.feed(time.Second, true)
		l.feed(2*time.Second, false)
		if len(l.events) != 2 || l.events[0].Kind != Started || l.events[1].Kind != Stopped || !l.events[1].Heard {
			t.Fatalf("events %v", l.events)
		}
		near(t, "start", l.events[0].At, 2*time.Second, 30*time.Millisecond)
		near(t, "stop", l.events[1].At, 3*time.Second, 50*time.Millisecond)
		near(t, "hang-over", l.events[1].Lag, Default().Hangover, block)
		if n := len(s.endpoints); n != 1 || s.endpoints[0] != len(s.spans) {
			t.Fatalf("endpoints %v after %d frames", s.endpoints, len(s.spans))
		}
		// the pre-roll, the voice and the hang-over, without a gap
		near(t, "first frame", s.spans[0].from, 2*time.Second-MaxPreroll, 70*time.Millisecond)
		near(t, "last frame", s.spans[len(s.spans)-1].to, 3*time.Second+Default().Hangover, 70*time.Millisecond)
		for i := 1; i < len(s.spans); i++ {
			if s.spans[i].from != s.spans[i-1].to {
				t.Fatalf("frame at %v follows one that ended at %v", s.spans[i].from, s.spans[i-1].to)
			}
		}
	}
}

// Before Open a session hears nothing, and nothing of what came before it.
func TestOpenAndShut(t *testing.T) {
	l, s := newLine(t, 8000, Default()), &listener{}
	l.feed(time.Second, false)
	l.feed(time.Second, true) // nobody listens
	if len(l.events) != 1 || l.events[0].Kind != Started {
		t.Fatalf("events %v", l.events)
	}
	opened := l.at
	l.gate.Open(s)
	l.feed(500*time.Millisecond, true)
	if len(s.spans) == 0 || s.spans[0].from < opened {
		t.Fatalf("opened at %v, heard from %v", opened, s.spans)
	}
	l.gate.Shut()
	if len(s.endpoints) != 1 {
		t.Errorf("%d endpoints for an utterance that was shut off", len(s.endpoints))
	}
	n := len(s.spans)
	l.feed(500*time.Millisecond, true)
	if len(s.spans) != n {
		t.Error("heard after Shut")
	}
	l.feed(time.Second, false)
	if last := l.events[len(l.events)-1]; last.Kind != Stopped || last.Heard {
		t.Errorf("last event %+v", last)
	}
	// pre-roll that was gathered for one session is not given to the next
	l.gate.Open(s)
	l.feed(300*time.Millisecond, false)
	second := &listener{}
	l.gate.Open(second)
	opened = l.at
	l.feed(500*time.Millisecond, true)
	if len(second.spans) == 0 || second.spans[0].from < opened {
		t.Errorf("opened at %v, heard from %v", opened, second.spans)
	}
}

func TestLongSpeechIsDivided(t *testing.T) {
	c := Default()
	c.Longest = 2 * time.Second
	l, s := newLine(t, 8000, c), &listener{}
	l.gate.Open(s)
	l.feed(time.Second, false)
	l.feed(7*time.Second, true)
	l.feed(time.Second, false)
	if n := len(s.endpoints); n < 3 || n > 4 {
		t.Errorf("%d endpoints in 7 s", n)
	}
	for i := 1; i < len(s.spans); i++ {
		if s.spans[i].from != s.spans[i-1].to {
			t.Fatalf("frame at %v follows one that ended at %v", s.spans[i].from, s.spans[i-1].to)
		}
	}
	for i, e := range l.events {
		if want := []Kind{Started, Stopped}[i%2]; e.Kind != want {
			t.Fatalf("event %d: %v", i, e)
		}
	}
}

func TestNoVoice(t *testing.T) {
	for name, fill := range map[string]func(l *line, i int) float64{
		"nothing": func(*line, int) float64 { return 0 },
		"clicks": func(_ *line, i int) float64 {
			if i%4000 < 60 {
				return 12000 * math.Sin(float64(i))
			}
			return 0
		},
		"a quiet line": func(l *line, _ int) float64 { return 30 * l.noise.NormFloat64() },
		"G.711 idle":   func(_ *line, i int) float64 { return 8 * float64(i%2*2-1) },
		"an offset":    func(*line, int) float64 { return 900 },
	} {
		l := newLine(t, 8000, Default())
		i := 0
		for range 500 {
			pcm := make([]int16, 160)
			for k := range pcm {
				pcm[k] = int16(fill(l, i))
				i++
			}
			l.frame(pcm)
		}
		if len(l.events) > 0 {
			t.Errorf("%s: %v", name, l.events)
		}
	}
}

// A loud line that does not change is not a voice for long.
func TestNoiseThatStays(t *testing.T) {
	l := newLine(t, 8000, Default())
	l.feed(2*time.Second, false)
	for range 600 {
		pcm := make([]int16, 160)
		for k := range pcm {
			pcm[k] = int16(1500 * l.noise.NormFloat64())
		}
		l.frame(pcm)
	}
	if n := len(l.events); n == 0 || n > 4 || l.events[n-1].Kind != Stopped || l.events[n-1].At > 6*time.Second {
		t.Errorf("events %v", l.events)
	}
}

// A gap in stream time is silence.
func TestGap(t *testing.T) {
	l, s := newLine(t, 8000, Default()), &listener{}
	l.gate.Open(s)
	l.feed(time.Second, false)
	l.feed(time.Second, true)
	l.at += time.Hour
	l.feed(frameTime, false)
	if n := len(l.events); n != 2 || l.events[1].Kind != Stopped || len(s.endpoints) != 1 {
		t.Errorf("events %v, %d endpoints", l.events, len(s.endpoints))
	}
}

// A reader that sleeps finds the last event when it wakes.
func TestLastEventIsNotLost(t *testing.T) {
	c := Default()
	c.Hangover = 100 * time.Millisecond
	l := newLine(t, 8000, c)
	g := l.gate
	full := &Gate{events: make(chan Event)} // nobody reads
	l.gate.events, full.events = full.events, l.gate.events
	for range 12 {
		l.feed(400*time.Millisecond, true)
		l.feed(400*time.Millisecond, false)
	}
	if len(l.events) != 0 {
		t.Fatalf("events %v", l.events)
	}
	g.events = full.events
	l.feed(frameTime, false)
	if n := len(l.events); n != 1 || l.events[0].Kind != Stopped {
		t.Errorf("events %v", l.events)
	}
}

// What a session does wrong is no reason to lose voice activity.
func TestSessionThatFails(t *testing.T) {
	l, s := newLine(t, 8000, Default()), &listener{err: errors.New("broken")}
	l.gate.Open(s)
	l.feed(time.Second, false)
	l.feed(time.Second, true)
	l.feed(time.Second, false)
	if len(l.events) != 2 || l.gate.Lost() == 0 {
		t.Errorf("events %v, %d frames lost", l.events, l.gate.Lost())
	}
}

// guard is a session that must not be heard after it was shut off.
type guard struct {
	open   atomic.Bool
	late   atomic.Int32
	frames atomic.Int32
}

func (s *guard) Hear(media.Frame) error {
	s.frames.Add(1)
	for range 20 { // time for Shut to come meanwhile
		runtime.Gosched()
	}
	if !s.open.Load() {
		s.late.Add(1)
	}
	return nil
}
func (s *guard) Endpoint() {}

func TestShutWhileHearing(t *testing.T) {
	l := newLine(t, 8000, Default())
	l.feed(time.Second, false)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				l.feed(frameTime, true)
			}
		}
	})
	var all []*guard
	for range 300 {
		s := &guard{}
		all = append(all, s)
		s.open.Store(true)
		l.gate.Open(s)
		for deadline := time.Now().Add(5 * time.Millisecond); s.frames.Load() == 0 && time.Now().Before(deadline); {
			runtime.Gosched()
		}
		l.gate.Shut()
		s.open.Store(false)
	}
	close(stop)
	wg.Wait()
	heard, late := int32(0), int32(0)
	for _, s := range all {
		heard += s.frames.Load()
		late += s.late.Load()
	}
	if heard == 0 || late > 0 {
		t.Errorf("%d frames were heard, %d of them after Shut had returned", heard, late)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := NewGate(44100, nil, Default()); !errors.Is(err, ErrRate) {
		t.Errorf("44.1 kHz: %v", err)
	}
	for key, change := range map[string]func(*Config){
		"onset":       func(c *Config) { c.Onset = 0 },
		"hangover":    func(c *Config) { c.Hangover = time.Minute },
		"longest":     func(c *Config) { c.Longest = 0 },
		"sensitivity": func(c *Config) { c.Sensitivity = 0 },
		"quietest":    func(c *Config) { c.Quietest = 0 },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestHearAllocatesNothing(t *testing.T) {
	for _, voice := range []bool{false, true} {
		g, f := steady(t, 16000, voice)
		if n := testing.AllocsPerRun(500, func() { _ = g.Hear(f) }); n != 0 {
			t.Errorf("%v allocations per frame (voice: %v)", n, voice)
		}
	}
}

// steady is a gate with a session, and a frame of 20 ms to give it again and again.
func steady(t testing.TB, rate int, voice bool) (*Gate, media.Frame) {
	c := Default()
	c.Longest = 10 * time.Minute
	l := newLine(t, rate, c)
	l.gate.Open(&deaf{})
	l.feed(time.Second, false)
	l.feed(time.Second, voice)
	pcm := make([]int16, rate/50)
	for i := range pcm {
		pcm[i] = int16(20 * l.noise.NormFloat64())
		if voice {
			pcm[i] += int16(6000 * math.Sin(2*math.Pi*500*float64(i)/float64(rate)))
		}
	}
	f, forget := mediatest.Frame(pcm, media.Caller, rate, l.at)
	t.Cleanup(forget)
	return l.gate, f
}

type deaf struct{}

func (deaf) Hear(media.Frame) error { return nil }
func (deaf) Endpoint()              {}

func BenchmarkHear(b *testing.B) {
	for name, rate := range map[string]int{"8kHz": 8000, "16kHz": 16000} {
		b.Run(name, func(b *testing.B) {
			g, f := steady(b, rate, false)
			b.ReportAllocs()
			for b.Loop() {
				_ = g.Hear(f)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)*50, "us/call-second")
		})
	}
}
