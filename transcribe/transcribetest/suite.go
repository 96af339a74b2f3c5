// Package transcribetest is the contract of transcribe.Engine as one suite of
// clauses. Every engine's test runs it; nothing but tests imports it.
package transcribetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/mediatest"
	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/transcribe"
)

// Fixture is what a clause needs of one engine.
type Fixture struct {
	Engine transcribe.Engine
	// Arena is the one that the engine's sessions take their rings from; nil if
	// they take none.
	Arena *media.Arena
	// Speech is one utterance at the engine's rate, and Words what it says: the
	// suite wants a final that contains each. An engine that says nothing by
	// design has no Words: its finals are empty.
	Speech []int16
	Words  []string
	// Options are those of a session; Rate is filled in.
	Options transcribe.Options
	// Crash makes the engine lose the session that is open, as a killed process
	// would; Hang makes it stop reading until the returned function is called.
	// Nil where there is no such thing.
	Crash func(testing.TB)
	Hang  func(testing.TB) (resume func())
	// Patience is how long a final may take after Endpoint.
	Patience time.Duration
}

// Run runs every clause against engines that make makes.
func Run(t *testing.T, make func(testing.TB) Fixture) {
	clauses := []struct {
		name string
		run  func(*testing.T, Fixture)
	}{
		{"a zero grant opens nothing", zeroGrant},
		{"a grant for another engine opens nothing", foreignGrant},
		{"another rate is refused", otherRate},
		{"an utterance becomes a final", utterance},
		{"two utterances in a row", twoUtterances},
		{"sessions do not mix", parallel},
		{"nothing is kept and nothing is allocated", keepsNothing},
		{"an engine that hangs holds up nobody", hang},
		{"an engine that crashes costs one utterance", crash},
		{"close is bounded and may be repeated", closing},
	}
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) {
			f := make(t)
			if f.Patience == 0 {
				f.Patience = 10 * time.Second
			}
			f.Options.Rate = f.Engine.Rate()
			c.run(t, f)
			if err := f.Engine.Close(); err != nil {
				t.Errorf("closing the engine: %v", err)
			}
			if f.Arena != nil && f.Arena.Used() != 0 {
				t.Errorf("%d bytes of audio memory in use after the end", f.Arena.Used())
			}
		})
	}
}

// Listen is a grant for the engine, from a real office.
func Listen(t testing.TB, processor string) policy.Listen {
	t.Helper()
	o, _ := policytest.Office(t, policy.ProcessorEntry{Name: processor, Local: true})
	p, err := o.Processor(processor)
	if err != nil {
		t.Fatal(err)
	}
	r := o.Decide(policy.Facts{Channel: policy.SIP, From: policy.Said("anonymous"), To: "support", Trunk: "test"})
	now := time.Now()
	if _, err := r.Open(now); err != nil {
		t.Fatal(err)
	}
	l, err := r.Listen(p, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func open(t *testing.T, f Fixture) transcribe.Session {
	t.Helper()
	s, err := f.Engine.Open(t.Context(), Listen(t, f.Engine.Processor()), f.Options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func end(t *testing.T, s transcribe.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Errorf("closing the session: %v", err)
	}
	for range s.Segments() { //nolint:revive // drained until closed
	}
}

func zeroGrant(t *testing.T, f Fixture) {
	if _, err := f.Engine.Open(t.Context(), policy.Listen{}, f.Options); !errors.Is(err, policy.ErrNotGranted) {
		t.Errorf("opened with a zero grant: %v", err)
	}
}

func foreignGrant(t *testing.T, f Fixture) {
	if _, err := f.Engine.Open(t.Context(), Listen(t, "another-engine"), f.Options); !errors.Is(err, policy.ErrForeign) {
		t.Errorf("opened with a grant for another engine: %v", err)
	}
}

func otherRate(t *testing.T, f Fixture) {
	o := f.Options
	o.Rate = 11025
	if _, err := f.Engine.Open(t.Context(), Listen(t, f.Engine.Processor()), o); !errors.Is(err, transcribe.ErrRate) {
		t.Errorf("opened at 11025 Hz: %v", err)
	}
}

// say gives the session pcm in frames of 20 ms, as fast as the media clock
// does when paced, and says where the utterance ended. from is the stream time
// of the first sample. It returns the frames' keeper count afterwards.
func say(t testing.TB, s transcribe.Session, f Fixture, from time.Duration, paced bool) []*mediatest.Keeper {
	t.Helper()
	rate := f.Engine.Rate()
	step := rate / 50
	var keepers []*mediatest.Keeper
	clock := time.NewTicker(20 * time.Millisecond)
	defer clock.Stop()
	for off := 0; off+step <= len(f.Speech); off += step {
		at := from + time.Duration(off)*time.Second/time.Duration(rate)
		frame, forget, k := mediatest.Kept(f.Speech[off:off+step], media.Caller, rate, at)
		if err := s.Hear(frame); err != nil {
			t.Fatalf("Hear at %v: %v", at, err)
		}
		forget()
		keepers = append(keepers, k)
		if paced {
			<-clock.C
		}
	}
	s.Endpoint()
	return keepers
}
