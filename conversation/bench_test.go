package conversation

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
	"lethe/policy/policytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a desk with real media and a real office; engine, mind and voice are
// played by the test, and so is the caller, on the other end of a real stream.
type bench struct {
	t       *testing.T
	plane   *media.Plane
	office  *policy.Office
	journal *policytest.Journal
	config  Config
	archive *archive
	engine  *engine
	mind    *mind
	voice   *voice
	watch   *watch
	log     *lines

	leg    *leg
	caller *media.Stream // the far end
	sent   *loudness     // what lethe sends
	got    *loudness     // what the caller hears
}

const (
	rate = 8000
	pace = 5 * time.Millisecond // of the test's voice, per character
)

func newBench(t *testing.T, change func(*bench, *media.Config)) *bench {
	t.Helper()
	b := &bench{t: t, config: Default(), archive: &archive{}, engine: &engine{}, voice: &voice{}, log: &lines{}}
	b.watch = &watch{news: make(chan struct{}, 1)}
	b.mind = &mind{answers: map[string][]agent.Reply{}}
	b.config.Voice.Hangover = 400 * time.Millisecond // a busy machine leaves gaps in what callers say
	mc := media.Default()
	mc.Ports = "27000-28999"
	if change != nil {
		change(b, &mc)
	}
	var err error
	if b.plane, err = media.NewPlane(mc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if used := b.plane.Arena().Used(); used != 0 {
			t.Errorf("%d bytes of the arena are in use at the end", used)
		}
		if err := b.plane.Close(); err != nil {
			t.Error(err)
		}
	})
	b.office, b.journal = policytest.Office(t, policy.ProcessorEntry{Name: "ear", Local: true},
		policy.ProcessorEntry{Name: "mind", Local: true}, policy.ProcessorEntry{Name: "voice", Local: true})
	b.leg, b.caller = b.call()
	b.sent, b.got = &loudness{}, &loudness{}
	if _, err := b.leg.stream.Listen(media.Agent, 0, b.sent); err != nil {
		t.Fatal(err)
	}
	if _, err := b.caller.Listen(media.Caller, 0, b.got); err != nil {
		t.Fatal(err)
	}
	return b
}

// call connects two streams: lethe's leg, and a caller.
func (b *bench) call() (*leg, *media.Stream) {
	b.t.Helper()
	far, offer, err := b.plane.Offer(media.Terms{Codecs: []string{"PCMU"}})
	if err != nil {
		b.t.Fatal(err)
	}
	near, answer, err := b.plane.Answer(media.Terms{Codecs: []string{"PCMU"}}, offer)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := far.Accept(answer); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { far.Close(); near.Close() })
	return &leg{stream: near, done: make(chan struct{})}, far
}

func (b *bench) desk() *Desk {
	b.t.Helper()
	d, err := New(Deps{
		Config: b.config, Office: b.office, Archive: b.archive, Arena: b.plane.Arena(), Observer: b.watch,
		Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Numbers: map[string]Number{"support": {Engine: b.engine, Vocabulary: "support", Language: "en-US",
			Mind: func(context.Context) (agent.Mind, error) { return b.mind, b.mind.refuse }, MindProcessor: "mind", Voice: b.voice}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// begin starts the conversation; wait gives what Voices returned.
func (b *bench) begin() (cancel func(), wait func() error) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	d, done := b.desk(), make(chan error, 1)
	go func() {
		done <- d.Voices(ctx, b.leg, policy.Facts{Channel: policy.SIP, From: policy.Said("+15550100"), To: "support"})
	}()
	b.t.Cleanup(cancel)
	return cancel, func() error {
		b.t.Helper()
		select {
		case err := <-done:
			if live := d.Live(); len(live) != 0 {
				b.t.Errorf("still live: %v", live)
			}
			return err
		case <-time.After(20 * time.Second):
			b.t.Fatal("the conversation does not end")
		}
		return nil
	}
}

// say is the caller's voice.
func (b *bench) say(d time.Duration) {
	b.t.Helper()
	pcm := make([]int16, int(d.Seconds()*rate))
	for i := range pcm {
		s := float64(i) / rate
		swing := 0.6 - 0.4*math.Cos(2*math.Pi*4*s)
		v := 0.0
		for h := 1.0; h <= 12; h++ {
			v += 900 * swing * math.Sin(2*math.Pi*140*h*s) / math.Sqrt(h)
		}
		pcm[i] = int16(v)
	}
	if err := b.caller.Speech().Write(b.t.Context(), pcm, rate); err != nil {
		b.t.Error(err)
	}
}

// ended checks the receipt and how the conversation ended.
func (b *bench) ended(want policy.Outcome) {
	b.t.Helper()
	b.archive.mu.Lock()
	defer b.archive.mu.Unlock()
	r := b.archive.settled.Receipt()
	if b.archive.settles != 1 || b.archive.settled.Outcome() != want {
		b.t.Errorf("settled %d times, as %v, want %v", b.archive.settles, b.archive.settled.Outcome(), want)
	}
	if r.Conversation != b.archive.opening.Facts().Conversation || r.Born != r.Forgotten || r.Held != 0 {
		b.t.Errorf("receipt %+v", r)
	}
	for i, t := range b.archive.turns {
		if t.Seq != i+1 || t.End < t.Start || t.Conversation != r.Conversation {
			b.t.Errorf("turn %d: seq %d, %v to %v", i, t.Seq, t.Start, t.End)
		}
	}
	if b.leg.hung != 1 {
		b.t.Errorf("hung up %d times", b.leg.hung)
	}
	b.leg.stream.Close()
	b.caller.Close()
}

// watch remembers events and lets the test wait for them.
type watch struct {
	mu   sync.Mutex
	all  []Event
	news chan struct{}
}

func (w *watch) Saw(e Event) {
	w.mu.Lock()
	w.all = append(w.all, e)
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watch) of(k Kind) []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []Event
	for _, e := range w.all {
		if e.Kind == k {
			got = append(got, e)
		}
	}
	return got
}

// await waits for the nth event of a kind.
func (b *bench) await(k Kind, n int) Event {
	b.t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		if got := b.watch.of(k); len(got) >= n {
			return got[n-1]
		}
		select {
		case <-b.watch.news:
		case <-timeout:
			b.t.Fatalf("no %q, number %d; there were %v", k, n, b.watch.names())
		}
	}
}

func (w *watch) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, e := range w.all {
		all = append(all, e.Kind.String())
	}
	return all
}

// until looks again and again.
func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(15 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within 15 s; transcript %q, events %v", what, b.archive.said(), b.watch.names())
		}
	}
}

// awaitTurns waits until so many turns were stored.
func (b *bench) awaitTurns(n int) {
	b.t.Helper()
	b.until(fmt.Sprintf("%d turns", n), func() bool { return len(b.archive.said()) >= n })
}
