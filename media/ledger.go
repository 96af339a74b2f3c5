package media

import (
	"sync"
	"sync/atomic"
	"time"
)

// book is a stream's ledger in the making. Packets are born on the clock
// thread; their last copy may be wiped on any goroutine.
type book struct {
	born, forgotten, held atomic.Uint64
	longest               atomic.Int64 // ns
	totals                *counters
	mu                    sync.Mutex
	spare                 *entry
}

// entry follows one received packet through all its copies.
type entry struct {
	of   *book
	born time.Time
	refs atomic.Int32
	next *entry
}

// bear opens an entry with one copy: the caller's.
func (b *book) bear(now time.Time) *entry {
	b.mu.Lock()
	e := b.spare
	if e != nil {
		b.spare = e.next
	}
	b.mu.Unlock()
	if e == nil {
		e = &entry{of: b} // only until there are as many as packets alive at once
	}
	e.born, e.next = now, nil
	e.refs.Store(1)
	b.born.Add(1)
	b.totals.born.Add(1)
	return e
}

// Retain says that another copy was made.
func (e *entry) Retain() { e.refs.Add(1) }

// Release says that a copy was wiped. The last one closes the entry.
func (e *entry) Release() {
	if e.refs.Add(-1) != 0 {
		return
	}
	b := e.of
	life := time.Since(e.born)
	for {
		old := b.longest.Load()
		if int64(life) <= old || b.longest.CompareAndSwap(old, int64(life)) {
			break
		}
	}
	b.forgotten.Add(1)
	b.totals.forgot(life)
	b.mu.Lock()
	e.next, b.spare = b.spare, e
	b.mu.Unlock()
}

func (b *book) ledger() Ledger {
	return Ledger{
		Forgotten: b.forgotten.Load(), // before Born, so that it never looks like more
		Born:      b.born.Load(),
		Held:      b.held.Load(),
		Longest:   time.Duration(b.longest.Load()),
	}
}

// LifetimeBounds are the upper bounds of Totals.Lifetimes, the last one open.
func LifetimeBounds() [8]time.Duration {
	const ms = time.Millisecond
	return [8]time.Duration{20 * ms, 50 * ms, 100 * ms, 200 * ms, 400 * ms, 1000 * ms, 3000 * ms, 15000 * ms}
}

// Totals add up all streams of a plane since it began.
type Totals struct {
	Streams                         int
	Born, Forgotten, Held           uint64
	Received, Lost, Late, Duplicate uint64
	Refused, Malformed, Concealed   uint64
	Sent, Unsent, Overruns          uint64
	Lifetimes                       [9]uint64 // per bound of LifetimeBounds, then longer
	LifetimeSum                     time.Duration
	ArenaUsed, ArenaSize            int
}

type counters struct {
	born, forgotten, held           atomic.Uint64
	received, lost, late, duplicate atomic.Uint64
	refused, malformed, concealed   atomic.Uint64
	sent, unsent, overruns          atomic.Uint64
	lifetimes                       [9]atomic.Uint64
	lifetimeSum                     atomic.Int64
}

func (c *counters) forgot(life time.Duration) {
	i := 0
	for _, b := range LifetimeBounds() {
		if life <= b {
			break
		}
		i++
	}
	c.lifetimes[i].Add(1)
	c.lifetimeSum.Add(int64(life))
	c.forgotten.Add(1)
}

func (c *counters) totals() Totals {
	t := Totals{
		Forgotten: c.forgotten.Load(), Born: c.born.Load(), Held: c.held.Load(),
		Received: c.received.Load(), Lost: c.lost.Load(), Late: c.late.Load(), Duplicate: c.duplicate.Load(),
		Refused: c.refused.Load(), Malformed: c.malformed.Load(), Concealed: c.concealed.Load(),
		Sent: c.sent.Load(), Unsent: c.unsent.Load(), Overruns: c.overruns.Load(),
		LifetimeSum: time.Duration(c.lifetimeSum.Load()),
	}
	for i := range c.lifetimes {
		t.Lifetimes[i] = c.lifetimes[i].Load()
	}
	return t
}
