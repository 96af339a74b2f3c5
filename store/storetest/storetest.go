// Package storetest is one suite over every store: what Begin, Append, Settle,
// the journal and reading promise, whatever keeps the rows.
package storetest

import (
	"context"
	"testing"
	"time"

	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/store"
)

// Store is what a conversation, an operator and policy need of a store.
type Store interface {
	Begin(context.Context, policy.Opening) error
	Append(context.Context, policy.Cleared) error
	Settle(context.Context, policy.Settled) error
	Conversations(context.Context, policy.Access, store.Filter) ([]policy.Record, error)
	Conversation(context.Context, policy.Access, policy.ConversationID) (policy.Record, error)
	Follow(context.Context, policy.Access, policy.ConversationID, func(policy.Turn)) error
	Ping(context.Context) error
	Journal() *store.Journal
	Interrupted() []policy.ConversationID
	Close() error
}

// Backend opens stores of one kind in folders of the test's own.
type Backend struct {
	// Open opens the store that lies in dir, and makes it the first time.
	Open func(ctx context.Context, dir string, now func() time.Time) (Store, error)
	// Sound is the database's own integrity check of a closed store.
	Sound func(ctx context.Context, dir string) error
	// Child is the name of the environment variable that turns the test binary
	// into one that writes until it is killed; see Write.
	Child string
}

// Run runs the suite.
func Run(t *testing.T, b Backend) {
	t.Helper()
	for name, f := range map[string]func(*testing.T, Backend){
		"whole conversation": testWhole,
		"refusals":           testRefusals,
		"access":             testAccess,
		"expiry":             testExpiry,
		"filters":            testFilters,
		"journal":            testJournal,
		"concurrent":         testConcurrent,
		"beside":             testBeside,
		"follow":             testFollow,
		"sealed":             testSealed,
		"killed":             testKilled,
		"reopened":           testReopened,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, b)
		})
	}
}

// Desk is a store with an office over its journal and a clock of its own.
type Desk struct {
	Store
	Office *policy.Office
	Now    func() time.Time
}

// NewDesk opens the store in dir.
func NewDesk(tb testing.TB, b Backend, dir string, now func() time.Time) *Desk {
	tb.Helper()
	s, err := b.Open(context.Background(), dir, now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	o, err := policy.New(s.Journal(), policytest.Rules(), now, policy.ProcessorEntry{Name: "null", Local: true})
	if err != nil {
		tb.Fatal(err)
	}
	return &Desk{Store: s, Office: o, Now: now}
}

// Start begins a conversation and returns its ruling.
func (d *Desk) Start(tb testing.TB, f policy.Facts) policy.Ruling {
	tb.Helper()
	r := d.Office.Decide(f)
	o, err := r.Open(d.Now())
	if err != nil {
		tb.Fatal(err)
	}
	if err := d.Begin(context.Background(), o); err != nil {
		tb.Fatal(err)
	}
	return r
}

// Cleared is a turn of the ruling's conversation that may be stored.
func (d *Desk) Cleared(tb testing.TB, r policy.Ruling, seq int, text string) policy.Cleared {
	tb.Helper()
	c, err := r.Clear(policy.Turn{Conversation: r.Conversation(), Seq: seq, Party: policy.Party(seq % 2), Words: policy.Said(text), //nolint:gosec // 0 or 1
		Start: time.Duration(seq) * time.Second, End: time.Duration(seq)*time.Second + 500*time.Millisecond, Confidence: 0.75, Interrupted: seq%3 == 0}, d.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Say stores a turn.
func (d *Desk) Say(tb testing.TB, r policy.Ruling, seq int, text string) {
	tb.Helper()
	if err := d.Append(context.Background(), d.Cleared(tb, r, seq, text)); err != nil {
		tb.Fatal(err)
	}
}

// Settled ends the ruling's conversation.
func (d *Desk) Settled(tb testing.TB, r policy.Ruling, c policy.Receipt) policy.Settled {
	tb.Helper()
	c.Conversation = r.Conversation()
	s, err := r.Settle(c, policy.CompletedByCaller, d.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// End stores the end.
func (d *Desk) End(tb testing.TB, r policy.Ruling) {
	tb.Helper()
	if err := d.Settle(context.Background(), d.Settled(tb, r, policy.Receipt{Born: 9, Forgotten: 9})); err != nil {
		tb.Fatal(err)
	}
}

// Access lets the test read.
func (d *Desk) Access(tb testing.TB) policy.Access {
	tb.Helper()
	a, err := d.Office.Local(context.Background(), policy.PurposeSupport)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// Read is one conversation.
func (d *Desk) Read(tb testing.TB, id policy.ConversationID) policy.Record {
	tb.Helper()
	r, err := d.Conversation(context.Background(), d.Access(tb), id)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}
