package conversation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
	"lethe/transcribe/null"
)

// The caller hangs up in the middle of a sentence: what was said is kept, and
// nothing is heard any more.
func TestCallerHangsUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.engine.lines = []string{"and another thing"}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.say(700 * time.Millisecond)
	b.await(SpeechStarted, 1)
	b.leg.bye()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if said := b.archive.said(); len(said) != 2 || said[1] != "caller: and another thing" {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByCaller)
}

// The caller hangs up during the disclosure: no engine has heard anything.
func TestHangsUpDuringDisclosure(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	_, wait := b.begin()
	b.until("some of the disclosure", func() bool { _, all := b.sent.loud(); return all > 700*time.Millisecond })
	b.leg.bye()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if len(b.engine.sessions) > 0 || len(b.watch.of(Disclosed)) > 0 {
		t.Error("an engine was opened")
	}
	if said := b.archive.said(); len(said) != 1 || !strings.HasSuffix(said[0], "...") {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByCaller)
}

func TestServerStops(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	cancel, wait := b.begin()
	b.await(EngineOpened, 1)
	cancel()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	b.ended(policy.Stopped)
}

func TestMediaTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *bench, c *media.Config) { c.IdleTimeout = time.Second })
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.caller.Close()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	b.ended(policy.MediaTimeout)
}

// An engine that goes away costs the utterance; the caller is told, and another
// session is opened.
func TestEngineLost(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(b *bench, _ *media.Config) { b.config.EngineRetry = 200 * time.Millisecond })
	b.mind.answers["goodbye"] = []agent.Reply{{Act: agent.End}}
	b.engine.lines = []string{"goodbye"}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.engine.mu.Lock()
	b.engine.refuse = []error{transcribe.ErrLost, transcribe.ErrBusy}
	b.engine.mu.Unlock()
	close(b.engine.session(0).lost)
	b.await(EngineOpened, 2)
	b.awaitTurns(2)
	b.say(500 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	said := b.archive.said()
	if want := []string{"agent: " + b.config.Apologies.Engine, "caller: goodbye"}; !slices.Equal(said[1:], want) {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByAgent)
}

// A final that never comes is not waited for for ever.
func TestFinalThatNeverComes(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(b *bench, _ *media.Config) {
		b.config.FinalTimeout, b.config.NoInput = 300*time.Millisecond, time.Second
		b.engine.mute = true
	})
	b.mind.answers["quiet 1"] = []agent.Reply{{Act: agent.End}}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.say(500 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if e := b.watch.of(NotUnderstood); len(e) != 1 || e[0].Reason != "no final came" {
		t.Errorf("events %v", b.watch.names())
	}
	b.ended(policy.CompletedByAgent)
}

func TestMindFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the mind is broken")
	b := newBench(t, nil)
	b.engine.lines = []string{"one", "two", "three"}
	b.mind.hear = func(context.Context, string) (<-chan agent.Reply, error) { return nil, broken }
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	for i := range 3 {
		b.say(400 * time.Millisecond)
		b.awaitTurns(3 + 2*i)
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	a := b.config.Apologies
	want := []string{"caller: one", "agent: " + a.Mind, "caller: two", "agent: " + a.Mind, "caller: three", "agent: " + a.Farewell}
	if said := b.archive.said(); !slices.Equal(said[1:], want) {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.Failed)
}

// A mind that hangs is interrupted, by time and by the end of the call.
func TestMindHangs(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(b *bench, _ *media.Config) { b.config.MindTimeout = 300 * time.Millisecond })
	b.engine.lines = []string{"one"}
	released := make(chan struct{})
	b.mind.hear = func(ctx context.Context, _ string) (<-chan agent.Reply, error) {
		c := make(chan agent.Reply)
		go func() {
			defer close(released)
			<-ctx.Done()
			close(c)
		}()
		return c, nil
	}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.say(400 * time.Millisecond)
	b.awaitTurns(3)
	<-released
	b.leg.bye()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if said := b.archive.said(); said[2] != "agent: "+b.config.Apologies.Mind {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByCaller)
}

// A panic ends one conversation, with its receipt, and shows no words.
func TestPanic(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.engine.lines = []string{"one"}
	b.mind.hear = func(_ context.Context, words string) (<-chan agent.Reply, error) { panic("secret " + words) }
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.say(400 * time.Millisecond)
	if err := wait(); err == nil || !strings.Contains(err.Error(), "panic") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
	b.ended(policy.Failed)
}

// Without a disclosure nobody may listen.
func TestNoVoiceNoEngine(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.voice.fails = func(string) error { return errors.New("no voice") }
	_, wait := b.begin()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if len(b.engine.sessions) > 0 || len(b.archive.said()) > 0 {
		t.Error("an engine was opened, or something is said to have been said")
	}
	b.ended(policy.Failed)
}

func TestVoiceFailsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.greeting = "Welcome."
	b.mind.answers["goodbye"] = []agent.Reply{says("Goodbye."), {Act: agent.End}}
	b.engine.lines = []string{"goodbye"}
	b.voice.fails = func(words string) error {
		if words == "Welcome." {
			return errors.New("hoarse")
		}
		return nil
	}
	_, wait := b.begin()
	b.await(VoiceFailed, 1)
	b.say(400 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if said := b.archive.said(); !slices.Equal(said[1:], []string{"caller: goodbye", "agent: Goodbye."}) {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByAgent)
}

// A store that takes no turns does not end the call, and is not hushed up.
func TestArchiveFails(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	b := newBench(t, nil)
	b.archive.noAppend = full
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.leg.bye()
	if err := wait(); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	if len(b.watch.of(ArchiveFailed)) == 0 {
		t.Error("not observed")
	}
	b.ended(policy.CompletedByCaller)
}

// What can't be begun is hung up before a word, and leaves nothing.
func TestCannotBegin(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for name, change := range map[string]func(b *bench){
		"archive": func(b *bench) { b.archive.noBegin = full },
		"mind":    func(b *bench) { b.mind.refuse = full },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, nil)
			change(b)
			_, wait := b.begin()
			if err := wait(); !errors.Is(err, full) {
				t.Errorf("error %v", err)
			}
			if _, all := b.sent.loud(); all > 0 || b.leg.hung != 1 || b.archive.settles != 0 {
				t.Errorf("%v spoken, hung up %d times, settled %d times", all, b.leg.hung, b.archive.settles)
			}
			if err := b.leg.stream.Err(); !errors.Is(err, media.ErrClosed) {
				t.Errorf("the stream: %v", err)
			}
			b.caller.Close()
		})
	}
	t.Run("number", func(t *testing.T) {
		b := newBench(t, nil)
		if err := b.desk().Voices(t.Context(), b.leg, policy.Facts{To: "nobody"}); !errors.Is(err, ErrNoNumber) {
			t.Errorf("error %v", err)
		}
		b.caller.Close()
	})
}

func TestTransfer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.answers["a person"] = []agent.Reply{{Words: policy.Said("One moment."), Act: agent.Transfer, To: "sip:desk@example.org"}}
	b.engine.lines = []string{"a person", "never heard"}
	referring := make(chan struct{})
	b.leg.refer = func(ctx context.Context, _ string) error {
		close(referring)
		b.say(600 * time.Millisecond) // to nobody: transcription has stopped
		return ctx.Err()
	}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.say(400 * time.Millisecond)
	<-referring
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	said := b.archive.said()
	if !slices.Equal(said[1:], []string{"caller: a person", "agent: One moment."}) || !slices.Equal(b.leg.refers, []string{"sip:desk@example.org"}) {
		t.Errorf("transcript %q, referred to %q", said, b.leg.refers)
	}
	b.ended(policy.Transferred)
}

func TestTransferFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.answers["a person"] = []agent.Reply{{Words: policy.Said("One moment."), Act: agent.Transfer, To: "sip:desk@example.org"}}
	b.mind.answers["goodbye"] = []agent.Reply{{Act: agent.End}}
	b.engine.lines = []string{"a person", "goodbye"}
	b.leg.refer = func(context.Context, string) error { return errors.New("603") }
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	b.say(400 * time.Millisecond)
	b.awaitTurns(4)
	b.say(400 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	want := []string{"caller: a person", "agent: One moment.", "agent: " + b.config.Apologies.Transfer, "caller: goodbye"}
	if said := b.archive.said(); !slices.Equal(said[1:], want) {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByAgent)
}

// Many conversations at once, with the engine that says nothing: each is
// settled, and nothing is left.
func TestMany(t *testing.T) {
	t.Parallel()
	const calls = 20
	b := newBench(t, nil)
	office, err := policy.New(b.journal, b.office.Rules(), time.Now, policy.ProcessorEntry{Name: null.Name, Local: true},
		policy.ProcessorEntry{Name: "mind", Local: true}, policy.ProcessorEntry{Name: "voice", Local: true})
	if err != nil {
		t.Fatal(err)
	}
	ears := &null.Engine{}
	d, err := New(Deps{Config: b.config, Office: office, Archive: &crowd{ended: map[policy.Outcome]int{}}, Arena: b.plane.Arena(), Observer: b.watch,
		Numbers: map[string]Number{"support": {Engine: ears, Mind: func(context.Context) (agent.Mind, error) { return &mind{greeting: "Welcome."}, nil },
			MindProcessor: "mind", Voice: b.voice}}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var legs []*leg
	for range calls {
		l, _ := b.call()
		legs = append(legs, l)
		wg.Go(func() {
			if err := d.Voices(t.Context(), l, policy.Facts{Channel: policy.SIP, To: "support"}); err != nil {
				t.Error(err)
			}
		})
	}
	b.await(EngineOpened, calls)
	if n := len(d.Live()); n != calls {
		t.Errorf("%d are live", n)
	}
	for _, l := range legs {
		l.bye()
	}
	wg.Wait()
	a := d.Archive.(*crowd)
	if a.ended[policy.CompletedByCaller] != calls || a.leaks > 0 {
		t.Errorf("ended %v, %d with audio left", a.ended, a.leaks)
	}
	if err := ears.Close(); err != nil {
		t.Error(err)
	}
	b.leg.stream.Close()
	b.caller.Close()
}

// crowd counts how conversations ended.
type crowd struct {
	mu    sync.Mutex
	ended map[policy.Outcome]int
	leaks int
}

func (c *crowd) Begin(context.Context, policy.Opening) error  { return nil }
func (c *crowd) Append(context.Context, policy.Cleared) error { return nil }
func (c *crowd) Settle(_ context.Context, s policy.Settled) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended[s.Outcome()]++
	if r := s.Receipt(); r.Born != r.Forgotten {
		c.leaks++
	}
	return nil
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]func(*Config){
		"hangover":         func(c *Config) { c.Voice.Hangover = 0 },
		"preroll":          func(c *Config) { c.Preroll = time.Second },
		"no_input":         func(c *Config) { c.NoInput = 0 },
		"final_timeout":    func(c *Config) { c.FinalTimeout = 0 },
		"mind_timeout":     func(c *Config) { c.MindTimeout = 0 },
		"transfer_timeout": func(c *Config) { c.TransferTimeout = 0 },
		"engine_retry":     func(c *Config) { c.EngineRetry = 0 },
		"closing":          func(c *Config) { c.Closing = 0 },
		"apologies.mind":   func(c *Config) { c.Apologies.Mind = "" },
	} {
		c := Default()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := New(Deps{Config: c}); err == nil {
			t.Errorf("%s: a desk was made", key)
		}
	}
	if _, err := New(Deps{Config: Default()}); err == nil {
		t.Error("a desk was made of nothing")
	}
}
