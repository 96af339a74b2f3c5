package policy

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// The zero value of every type that opens something opens nothing.
func TestZeroValuesOpenNothing(t *testing.T) {
	now := time.Now()
	for name, err := range map[string]error{
		"Hold":          Hold{}.Check(now),
		"Trace":         Trace{}.Check(now),
		"Listen":        Listen{}.Check(now),
		"Listen.For":    Listen{}.For(""),
		"Access":        Access{}.Check(now),
		"Processor":     Processor{}.Check(now),
		"Opening":       Opening{}.Valid(),
		"Cleared":       Cleared{}.Valid(),
		"Settled":       Settled{}.Valid(),
		"Exhibit":       Exhibit{}.Valid(),
		"Told":          Told{}.Valid(),
		"Told.For":      Told{}.For(""),
		"Trace.Exhibit": second(Trace{}.Exhibit(nil, now)),
		"Ruling.Open":   second(Ruling{}.Open(now)),
		"Ruling.Clear":  second(Ruling{}.Clear(Turn{}, now)),
		"Ruling.Tell":   second(Ruling{}.Tell(Processor{}, Turn{}, now)),
		"Ruling.Listen": second(Ruling{}.Listen(Processor{}, now)),
		"Ruling.Settle": second(Ruling{}.Settle(Receipt{}, Failed, now)),
	} {
		if !errors.Is(err, ErrNotGranted) {
			t.Errorf("%s: %v, want ErrNotGranted", name, err)
		}
	}
	if (Ruling{}).Disclosure(Processor{}) != "" || (Ruling{}).Held(now) || (Processor{}).Local() || (Processor{}).Name() != "" {
		t.Error("a zero value says something")
	}
	if (Told{}).Text() != "" || (Access{}).Actor() != "" || (Access{}).Purpose() != "" || (Listen{}).Conversation() != "" || (Ruling{}).Conversation() != "" {
		t.Error("a zero value says something")
	}
}

func second[T any](_ T, err error) error { return err }

func TestGrantEnds(t *testing.T) {
	now := at("2026-11-23T20:00:00Z")
	g := &grant{until: now.Add(time.Second)}
	for name, check := range map[string]func(time.Time) error{
		"Hold":   Hold{g}.Check,
		"Trace":  Trace{&trace{grant: grant{until: g.until}}}.Check,
		"Access": Access{&access{grant: grant{until: g.until}}}.Check,
	} {
		if err := check(now); err != nil {
			t.Errorf("%s before its end: %v", name, err)
		}
		if err := check(now.Add(time.Second)); !errors.Is(err, ErrNotGranted) {
			t.Errorf("%s at its end: %v", name, err)
		}
	}
	g.revoke()
	if err := (Hold{g}).Check(now); !errors.Is(err, ErrNotGranted) {
		t.Errorf("after revoke: %v", err)
	}
}

// A grant is read on the clock thread while another goroutine revokes it.
func TestRevokeIsSeenAndStays(t *testing.T) {
	l := Listen{&listen{}}
	now := time.Now()
	var wg sync.WaitGroup
	start, seen := make(chan struct{}), make(chan struct{})
	wg.Go(func() {
		close(start)
		for l.Check(now) == nil {
		}
		close(seen)
	})
	<-start
	l.l.revoke()
	select {
	case <-seen:
	case <-time.After(10 * time.Second):
		t.Error("the revocation was not seen")
	}
	wg.Wait()
	if l.Check(now) == nil {
		t.Error("the grant came back")
	}
}

func TestChecksAllocateNothing(t *testing.T) {
	now := time.Now()
	h, l, a, p := Hold{&grant{}}, Listen{&listen{}}, Access{&access{}}, Processor{&processor{name: "x"}}
	tr, to := Trace{&trace{}}, Told{to: p.p}
	n := testing.AllocsPerRun(1000, func() {
		_, _, _, _, _, _ = h.Check(now), l.Check(now), a.Check(now), p.Check(now), tr.Check(now), to.Valid()
		_, _ = Hold{}.Check(now), p.Local()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkListenCheck(b *testing.B) {
	l, now := Listen{&listen{}}, time.Now()
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Check(now)
	}
}

// journal is the least that New takes.
type journal struct {
	mu      sync.Mutex
	entries []Entry
	err     error
	on      func(Entry)
}

func (j *journal) Append(_ context.Context, e Entry) (Place, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.on != nil {
		j.on(e)
	}
	if j.err != nil {
		return Place{}, j.err
	}
	j.entries = append(j.entries, e)
	return Place{Seq: uint64(len(j.entries))}, nil
}

func testRules() Rules {
	return Rules{Organisation: "Example Telecom", PrivacyPolicyURL: "https://example.org/p", AgentPolicyURL: "https://example.org/a", Contact: "privacy@example.org", Keep: MinKeep}
}

func office(t *testing.T) (*Office, *journal, *time.Time) {
	t.Helper()
	j, now := &journal{}, at("2026-11-23T20:00:00Z")
	o, err := New(j, testRules(), func() time.Time { return now },
		ProcessorEntry{Name: "sphinx", Local: true}, ProcessorEntry{Name: "far", Agreement: "DPA 7"})
	if err != nil {
		t.Fatal(err)
	}
	return o, j, &now
}

func processorOf(t *testing.T, o *Office, name string) Processor {
	t.Helper()
	p, err := o.Processor(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The entry stands in the journal before the grant exists; without it there is
// no grant.
func TestJournalComesFirst(t *testing.T) {
	o, j, now := office(t)
	r := o.Decide(Facts{})
	p := processorOf(t, o, "sphinx")
	j.on = func(e Entry) {
		if len(p.p.listening) != 0 {
			t.Error("a grant exists before its entry")
		}
	}
	l, err := r.Listen(p, *now)
	if err != nil || l.Check(*now) != nil || l.For("sphinx") != nil || l.Conversation() != r.Conversation() {
		t.Fatal(err, l)
	}
	if e := j.entries[0]; e.Action != ActionListen || e.Conversation != r.Conversation() || e.Reason != "sphinx" || e.Actor == "" || !e.At.Equal(*now) {
		t.Errorf("entry %+v", e)
	}
	if err := l.For("far"); !errors.Is(err, ErrForeign) {
		t.Errorf("another engine: %v", err)
	}
	j.on = nil
	a, err := o.Local(t.Context(), PurposeSupport)
	if err != nil || a.Check(*now) != nil || a.Purpose() != PurposeSupport || a.Actor() != ActorLocal {
		t.Fatal(err)
	}
	if e := j.entries[1]; e.Action != ActionAccess || e.Reason != PurposeSupport {
		t.Errorf("entry %+v", e)
	}
	j.err = errors.New("full")
	if l, err := r.Listen(p, *now); err == nil || l.Check(*now) == nil {
		t.Error("Listen without an entry")
	}
	if a, err := o.Local(t.Context(), PurposeSupport); err == nil || a.Check(*now) == nil {
		t.Error("Access without an entry")
	}
}

func TestAccessNeedsAPurposeAndEnds(t *testing.T) {
	o, j, now := office(t)
	for _, p := range []string{"", "marketing", "Support", "curiosity"} {
		if a, err := o.Local(t.Context(), p); !errors.Is(err, ErrNotGranted) || a.Check(*now) == nil {
			t.Errorf("purpose %q: %v", p, err)
		}
	}
	if len(j.entries) != 0 {
		t.Error("a refusal left an entry of a grant")
	}
	a, err := o.Local(t.Context(), PurposeAudit)
	if err != nil {
		t.Fatal(err)
	}
	if a.Check(now.Add(accessFor)) == nil {
		t.Error("an access has no end")
	}
}

func TestSettleAndWithdrawTakeListensBack(t *testing.T) {
	o, j, now := office(t)
	p := processorOf(t, o, "sphinx")
	r, other := o.Decide(Facts{}), o.Decide(Facts{})
	l, err := r.Listen(p, *now)
	if err != nil {
		t.Fatal(err)
	}
	l2, err := other.Listen(p, *now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Settle(Receipt{Conversation: r.Conversation()}, CompletedByCaller, *now); err != nil {
		t.Fatal(err)
	}
	if l.Check(*now) == nil || l2.Check(*now) != nil {
		t.Error("Settle revokes the listens of its conversation, and no others")
	}
	if len(p.p.listening) != 1 {
		t.Errorf("%d listens are remembered", len(p.p.listening))
	}
	if _, err := r.Listen(p, *now); !errors.Is(err, ErrSettled) {
		t.Errorf("Listen after Settle: %v", err)
	}
	told, err := other.Tell(p, Turn{Conversation: other.Conversation(), Words: Said("x")}, *now)
	if err != nil || told.For("sphinx") != nil {
		t.Fatal(err)
	}
	if err := o.Withdraw(t.Context(), "sphinx"); err != nil {
		t.Fatal(err)
	}
	if l2.Check(*now) == nil || p.Check(*now) == nil || told.Valid() == nil || told.For("sphinx") == nil {
		t.Error("something outlived its processor")
	}
	if _, err := other.Listen(p, *now); !errors.Is(err, ErrNotGranted) {
		t.Errorf("Listen on a withdrawn processor: %v", err)
	}
	if _, err := o.Processor("sphinx"); !errors.Is(err, ErrNotGranted) {
		t.Errorf("a withdrawn processor: %v", err)
	}
	if e := j.entries[len(j.entries)-1]; e.Action != ActionWithdraw {
		t.Errorf("entry %+v", e)
	}
	if _, err := o.Processor("none"); !errors.Is(err, ErrUnknownProcessor) {
		t.Errorf("unknown: %v", err)
	}
}

// Withdraw and Listen at once: no grant survives.
func TestWithdrawRace(t *testing.T) {
	for range 50 {
		o, _, now := office(t)
		p := processorOf(t, o, "sphinx")
		got := make(chan Listen, 16)
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				if l, err := o.Decide(Facts{}).Listen(p, *now); err == nil {
					got <- l
				}
			})
		}
		wg.Go(func() { _ = o.Withdraw(context.Background(), "sphinx") })
		wg.Wait()
		close(got)
		for l := range got {
			if l.Check(*now) == nil {
				t.Fatal("a listen outlived its processor")
			}
		}
	}
}
