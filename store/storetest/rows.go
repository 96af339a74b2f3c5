package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"lethe/policy"
	"lethe/store"
)

func testWhole(t *testing.T, b Backend) {
	now := time.Date(2026, 8, 31, 10, 0, 0, 123e6, time.UTC)
	d := NewDesk(t, b, t.TempDir(), func() time.Time { return now })
	f := policy.Facts{Channel: policy.SIP, From: policy.Said("sip:jay@example.org"), To: "support", Trunk: "main"}
	r := d.Start(t, f)
	for i, text := range []string{"hello, my card is 4242 4242 4242 4242", "thanks — grüße", ""} {
		d.Say(t, r, i+1, text)
	}
	going := d.Read(t, r.Conversation())
	if going.Outcome != policy.Ongoing || !going.Ended.IsZero() || going.Counted || len(going.Turns) != 3 {
		t.Errorf("while it goes on: %+v", going)
	}
	c := policy.Receipt{Conversation: r.Conversation(), Born: 1 << 40, Forgotten: 1<<40 - 1, Held: 1, Longest: 123456 * time.Microsecond}
	if err := d.Settle(t.Context(), d.Settled(t, r, c)); err != nil {
		t.Fatal(err)
	}
	got := d.Read(t, r.Conversation())
	if got.Channel != f.Channel || got.From != f.From || got.To != f.To || got.Trunk != f.Trunk || got.Profile != policy.ProfileDefault ||
		got.PolicyVersion != d.Office.Rules().Version() || !got.Started.Equal(now) || !got.Ended.Equal(now) ||
		!got.Expires.Equal(time.Date(2027, 2, 28, 10, 0, 0, 123e6, time.UTC)) || got.Outcome != policy.CompletedByCaller || !got.Counted || got.Receipt != c {
		t.Errorf("read back %+v", got)
	}
	for i, want := range []string{"hello, my card is [card]", "thanks — grüße", ""} {
		w := d.Cleared(t, d.Office.Decide(policy.Facts{Conversation: r.Conversation()}), i+1, want).Turn()
		if got.Turns[i] != w {
			t.Errorf("turn %d: %+v, want %+v", i+1, got.Turns[i], w)
		}
	}
}

func testRefusals(t *testing.T, b Backend) {
	d, ctx := NewDesk(t, b, t.TempDir(), time.Now), t.Context()
	for name, err := range map[string]error{
		"Begin": d.Begin(ctx, policy.Opening{}), "Append": d.Append(ctx, policy.Cleared{}), "Settle": d.Settle(ctx, policy.Settled{}),
	} {
		if !errors.Is(err, policy.ErrNotGranted) {
			t.Errorf("%s of a zero value: %v", name, err)
		}
	}
	r := d.Start(t, policy.Facts{})
	again, err := d.Office.Decide(policy.Facts{Conversation: r.Conversation()}).Open(d.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Begin(ctx, again); !errors.Is(err, store.ErrBegun) {
		t.Errorf("begun twice: %v", err)
	}
	d.Say(t, r, 1, "first")
	if err := d.Append(ctx, d.Cleared(t, r, 1, "second")); err == nil {
		t.Error("two turns have one place")
	}
	if err := d.Append(ctx, d.Cleared(t, r, 0, "no place")); err == nil {
		t.Error("a turn has no place")
	}
	if got := d.Read(t, r.Conversation()); len(got.Turns) != 1 || got.Turns[0].Words.Reveal() != "first" {
		t.Errorf("after refusals: %+v", got.Turns)
	}
	stranger := d.Office.Decide(policy.Facts{})
	if err := d.Append(ctx, d.Cleared(t, stranger, 1, "x")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a turn of what was not begun: %v", err)
	}
	if err := d.Settle(ctx, d.Settled(t, stranger, policy.Receipt{})); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the end of what was not begun: %v", err)
	}
	late, end := d.Cleared(t, r, 2, "late"), d.Settled(t, r, policy.Receipt{})
	if err := d.Settle(ctx, end); err != nil {
		t.Fatal(err)
	}
	if err := d.Append(ctx, late); !errors.Is(err, store.ErrSettled) {
		t.Errorf("a turn after the end: %v", err)
	}
	if err := d.Settle(ctx, end); !errors.Is(err, store.ErrSettled) {
		t.Errorf("two ends: %v", err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := d.Begin(gone, again); !errors.Is(err, context.Canceled) {
		t.Errorf("asked by nobody: %v", err)
	}
}

func testAccess(t *testing.T, b Backend) {
	now := time.Now()
	d, ctx := NewDesk(t, b, t.TempDir(), func() time.Time { return now }), t.Context()
	r := d.Start(t, policy.Facts{})
	old := d.Access(t)
	now = now.Add(time.Hour)
	for name, a := range map[string]policy.Access{"zero": {}, "expired": old} {
		if _, err := d.Conversation(ctx, a, r.Conversation()); !errors.Is(err, policy.ErrNotGranted) {
			t.Errorf("%s: read: %v", name, err)
		}
		if _, err := d.Conversations(ctx, a, store.Filter{}); !errors.Is(err, policy.ErrNotGranted) {
			t.Errorf("%s: list: %v", name, err)
		}
		if _, err := d.Journal().Entries(ctx, a, 0, 10); !errors.Is(err, policy.ErrNotGranted) {
			t.Errorf("%s: journal: %v", name, err)
		}
	}
	a := d.Access(t)
	if _, err := d.Conversation(ctx, a, policy.NewConversationID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
	d.Read(t, r.Conversation())
	if _, err := d.Conversations(ctx, a, store.Filter{}); err != nil {
		t.Fatal(err)
	}
	entries, err := d.Journal().Entries(ctx, a, 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Action+"/"+e.Reason)
		if e.Action == policy.ActionRead && (e.Conversation != r.Conversation() || e.Actor != policy.ActorLocal) {
			t.Errorf("entry %+v", e)
		}
	}
	want := "access/support access/support access/support read/support list/support audit/support"
	if strings.Join(got, " ") != want {
		t.Errorf("journal: %s, want %s", strings.Join(got, " "), want)
	}
}

func testExpiry(t *testing.T, b Backend) {
	now := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	d := NewDesk(t, b, t.TempDir(), func() time.Time { return now })
	r := d.Start(t, policy.Facts{})
	d.Say(t, r, 1, "x")
	now = time.Date(2027, 5, 23, 19, 59, 59, 0, time.UTC)
	if got := d.Read(t, r.Conversation()); len(got.Turns) != 1 {
		t.Error("gone a second before its time")
	}
	now = now.Add(time.Second)
	if _, err := d.Conversation(t.Context(), d.Access(t), r.Conversation()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("read at its end: %v", err)
	}
	if l, err := d.Conversations(t.Context(), d.Access(t), store.Filter{}); err != nil || len(l) != 0 {
		t.Errorf("listed at its end: %v %v", l, err)
	}
}

func testFilters(t *testing.T, b Backend) {
	now := time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC)
	start := now
	d := NewDesk(t, b, t.TempDir(), func() time.Time { return now })
	for i := range 60 {
		now = start.Add(time.Duration(i) * time.Minute)
		d.Start(t, policy.Facts{To: fmt.Sprint("n", i%3), Trunk: fmt.Sprint("t", i%2), From: policy.Said("secret")})
	}
	for name, c := range map[string]struct {
		f    store.Filter
		want int
	}{
		"default":  {store.Filter{}, store.DefaultLimit},
		"all":      {store.Filter{Limit: 100}, 60},
		"number":   {store.Filter{Number: "n1"}, 20},
		"trunk":    {store.Filter{Trunk: "t1", Limit: 100}, 30},
		"both":     {store.Filter{Trunk: "t1", Number: "n1"}, 10},
		"since":    {store.Filter{Since: start.Add(50 * time.Minute)}, 10},
		"before":   {store.Filter{Before: start.Add(5 * time.Minute)}, 5},
		"injected": {store.Filter{Number: "' OR 1=1 --"}, 0},
	} {
		l, err := d.Conversations(t.Context(), d.Access(t), c.f)
		if err != nil || len(l) != c.want {
			t.Errorf("%s: %d, %v, want %d", name, len(l), err, c.want)
		}
		for i, r := range l {
			if i > 0 && r.Started.After(l[i-1].Started) {
				t.Errorf("%s: not the latest first", name)
			}
			if !r.From.Empty() || r.Turns != nil {
				t.Errorf("%s: a list shows who called", name)
			}
		}
	}
	for _, n := range []int{-1, store.MaxLimit + 1} {
		if _, err := d.Conversations(t.Context(), d.Access(t), store.Filter{Limit: n}); err == nil {
			t.Errorf("a list of %d", n)
		}
	}
}

func testJournal(t *testing.T, b Backend) {
	dir := t.TempDir()
	s, err := b.Open(t.Context(), dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	places := make(chan policy.Place, 200)
	for i := range 200 {
		wg.Go(func() {
			p, err := s.Journal().Append(context.Background(), policy.Entry{At: time.Now(), Actor: "a", Action: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
			}
			places <- p
		})
	}
	wg.Wait()
	close(places)
	seen := map[uint64]policy.Place{}
	for p := range places {
		seen[p.Seq] = p
	}
	end, err := s.Journal().Verify(t.Context())
	if err != nil || end.Seq != 200 || len(seen) != 200 || end != seen[200] {
		t.Errorf("the chain ends at %v with %d places: %v", end.Seq, len(seen), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = b.Open(t.Context(), dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Journal().Append(t.Context(), policy.Entry{Action: "later"})
	if err != nil || p.Seq != 201 {
		t.Errorf("after a new start: %v %v", p.Seq, err)
	}
	if again, err := s.Journal().Verify(t.Context()); err != nil || again != p {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Journal().Append(t.Context(), policy.Entry{}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("an entry into a closed store: %v", err)
	}
}

// Many calls at once, each of which finds its own turns, whole and in order.
func testConcurrent(t *testing.T, b Backend) {
	const calls, turns = 60, 8
	d := NewDesk(t, b, t.TempDir(), time.Now)
	var wg sync.WaitGroup
	ids := make(chan policy.ConversationID, calls)
	for i := range calls {
		wg.Go(func() {
			r := d.Start(t, policy.Facts{From: policy.Said(fmt.Sprint("caller ", i))})
			for n := range turns {
				d.Say(t, r, n+1, said(r.Conversation(), n+1))
			}
			d.End(t, r)
			ids <- r.Conversation()
		})
	}
	wg.Wait()
	close(ids)
	a := d.Access(t)
	for id := range ids {
		r, err := d.Conversation(t.Context(), a, id)
		if err != nil || len(r.Turns) != turns || r.Outcome != policy.CompletedByCaller {
			t.Fatalf("%+v %v", r, err)
		}
		for n, turn := range r.Turns {
			if turn.Words.Reveal() != said(id, n+1) {
				t.Errorf("turn %d is another's: %q", n+1, turn.Words.Reveal())
			}
		}
	}
}

// said is a turn that no other call has, in letters, which redaction leaves.
func said(id policy.ConversationID, n int) string {
	return fmt.Sprintf("call %s turn %d", strings.Map(func(r rune) rune {
		if r == '-' {
			return -1
		}
		return 'a' + r%26
	}, string(id[24:])), n)
}

// testBeside writes what is refused among what is not, at once: a refusal costs
// nobody else a turn.
func testBeside(t *testing.T, b Backend) {
	d := NewDesk(t, b, t.TempDir(), time.Now)
	r, bad := d.Start(t, policy.Facts{}), d.Start(t, policy.Facts{})
	d.Say(t, bad, 1, "there already")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { d.Say(t, r, i+1, said(r.Conversation(), i+1)) })
		wg.Go(func() {
			if err := d.Append(context.Background(), d.Cleared(t, bad, 1, "again")); err == nil {
				t.Error("two turns have one place")
			}
		})
	}
	wg.Wait()
	if got := d.Read(t, r.Conversation()); len(got.Turns) != 100 {
		t.Errorf("%d turns of 100", len(got.Turns))
	}
	if got := d.Read(t, bad.Conversation()); len(got.Turns) != 1 || got.Turns[0].Words.Reveal() != "there already" {
		t.Errorf("%+v", got.Turns)
	}
}

// testFollow reads a conversation while it goes on: each turn once, in order,
// to the end.
func testFollow(t *testing.T, b Backend) {
	d := NewDesk(t, b, t.TempDir(), time.Now)
	r := d.Start(t, policy.Facts{})
	d.Say(t, r, 1, "one")
	heard, done := make(chan policy.Turn, 10), make(chan error, 1)
	a := d.Access(t)
	go func() {
		done <- d.Follow(context.Background(), a, r.Conversation(), func(turn policy.Turn) { heard <- turn })
	}()
	for i, text := range []string{"one", "two", "three"} {
		if i > 0 {
			d.Say(t, r, i+1, text)
		}
		if turn := <-heard; turn.Seq != i+1 || turn.Words.Reveal() != text {
			t.Errorf("turn %d is %+v", i+1, turn)
		}
	}
	d.Say(t, r, 4, "four")
	d.End(t, r)
	if err := <-done; err != nil || len(heard) != 1 || (<-heard).Seq != 4 {
		t.Errorf("at the end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	on := d.Start(t, policy.Facts{})
	d.Say(t, on, 1, "x")
	if err := d.Follow(ctx, a, on.Conversation(), func(policy.Turn) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody follows: %v", err)
	}
	if err := d.Follow(t.Context(), a, policy.NewConversationID(), nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("one that is not there: %v", err)
	}
	if err := d.Follow(t.Context(), policy.Access{}, r.Conversation(), nil); !errors.Is(err, policy.ErrNotGranted) {
		t.Errorf("without access: %v", err)
	}
	if err := d.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Ping(context.Background()); err == nil {
		t.Error("a closed store answers")
	}
}
