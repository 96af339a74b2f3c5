package conversation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
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
	if e := b.watch.of(NotUnderstood); len(e) == 0 || e[0].Reason != "no final came" {
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
