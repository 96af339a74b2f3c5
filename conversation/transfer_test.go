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
	"lethe/policy"
	"lethe/transcribe/null"
)

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
