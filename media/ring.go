package media

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"lethe/media/internal/frame"
)

// slotTime is the longest piece that a ring keeps in one slot.
const slotTime = 20 * time.Millisecond

// Ring stands between the clock and something slow. Its Hear copies a frame
// into locked memory; when there is no room it wipes the oldest piece and
// counts it. One goroutine takes the pieces out, in order, one at a time, and
// says Forget when it is done with each, which wipes it.
//
// Frames longer than 20 ms are kept as several pieces; shorter ones take a
// slot each, so a ring of d holds at least d/2 of 10 ms frames.
type Ring struct {
	mu      sync.Mutex
	rate    int
	width   int     // samples per slot
	pcm     []int16 // in the arena
	give    func()
	free    []int  // empty slots
	queue   []slot // oldest first; a fixed circle
	head    int
	count   int
	out     slot
	taken   bool
	closed  bool
	length  time.Duration
	dropped uint64
	live    atomic.Uint32
	ready   chan struct{}
}

type slot struct {
	i, n int
	at   time.Duration
	side Side
	keep frame.Keeper
}

// Ring makes a ring for d of audio at rate Hz out of the arena. Close gives
// the memory back.
func (a *Arena) Ring(rate int, d time.Duration) (*Ring, error) {
	if rate <= 0 || d < slotTime {
		return nil, fmt.Errorf("media: a ring of %v at %d Hz", d, rate)
	}
	n := int((d+slotTime-1)/slotTime) + 1 // one more for the piece that is being read
	width := rate / int(time.Second/slotTime)
	pcm, give, err := a.samples(n * width)
	if err != nil {
		return nil, err
	}
	r := &Ring{rate: rate, width: width, pcm: pcm, give: give, free: make([]int, n), queue: make([]slot, n), ready: make(chan struct{}, 1)}
	for i := range n {
		r.free[i] = i
	}
	return r, nil
}

func (r *Ring) String() string { return fmt.Sprintf("ring %v", time.Duration(len(r.queue)-1)*slotTime) }

// Hear copies f. It never blocks for long, allocates nothing and retains f's
// copy only until Forget, Close, or until it is the oldest of a full ring.
func (r *Ring) Hear(f Frame) error {
	if f.Rate() != r.rate {
		return fmt.Errorf("media: a frame of %d Hz for a ring of %d Hz", f.Rate(), r.rate)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return ErrClosed
	}
	pcm, at := frame.Samples(f), f.At()
	for len(pcm) > 0 {
		n := min(len(pcm), r.width)
		r.push(pcm[:n], at, f)
		pcm = pcm[n:]
		at += r.span(n)
	}
	select {
	case r.ready <- struct{}{}:
	default:
	}
	return nil
}

func (r *Ring) span(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(r.rate)
}

func (r *Ring) push(pcm []int16, at time.Duration, f Frame) {
	if len(r.free) == 0 || r.count == len(r.queue)-1 {
		r.wipe(r.pop())
		r.dropped++
	}
	last := len(r.free) - 1
	s := slot{i: r.free[last], n: len(pcm), at: at, side: f.Side(), keep: frame.KeeperOf(f)}
	r.free = r.free[:last]
	copy(r.pcm[s.i*r.width:], pcm)
	if s.keep != nil {
		s.keep.Retain()
	}
	r.queue[(r.head+r.count)%len(r.queue)] = s
	r.count++
	r.length += r.span(s.n)
}

func (r *Ring) pop() slot {
	s := r.queue[r.head]
	r.queue[r.head] = slot{}
	r.head = (r.head + 1) % len(r.queue)
	r.count--
	r.length -= r.span(s.n)
	return s
}

func (r *Ring) wipe(s slot) {
	clear(r.pcm[s.i*r.width : s.i*r.width+s.n])
	r.free = append(r.free, s.i) // never grows: every slot was here at the start
	if s.keep != nil {
		s.keep.Release()
	}
}

// TryTake borrows the oldest piece, if there is one. Only one piece can be
// borrowed at a time.
func (r *Ring) TryTake() (Frame, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.count == 0 || r.taken {
		return Frame{}, false
	}
	r.out, r.taken = r.pop(), true
	o := r.out
	off := o.i * r.width
	return frame.Of(&r.live, r.pcm[off:off+o.n:off+o.n], o.side, r.rate, o.at, o.keep), true
}

// Take waits for a piece. It ends with ctx's error, or with ErrClosed.
func (r *Ring) Take(ctx context.Context) (Frame, error) {
	for {
		if f, ok := r.TryTake(); ok {
			return f, nil
		}
		if r.isClosed() {
			return Frame{}, ErrClosed
		}
		select {
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		case <-r.ready:
		}
	}
}

func (r *Ring) isClosed() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.closed }

// Forget wipes the piece that was taken; f is no longer usable.
func (r *Ring) Forget(Frame) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.taken {
		return
	}
	r.live.Add(1)
	r.wipe(r.out)
	r.out, r.taken = slot{}, false
	if r.closed {
		r.give()
	}
}

// Reset wipes everything that waits.
func (r *Ring) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reset()
}

func (r *Ring) reset() {
	for r.count > 0 {
		r.wipe(r.pop())
	}
}

// Dropped counts the pieces that were wiped because there was no room.
func (r *Ring) Dropped() uint64 { r.mu.Lock(); defer r.mu.Unlock(); return r.dropped }

// Len is how much audio waits.
func (r *Ring) Len() time.Duration { r.mu.Lock(); defer r.mu.Unlock(); return r.length }

// Close wipes what waits and wakes Take. A piece that is being read is wiped
// when its reader says Forget; only then does the memory go back. Idempotent.
func (r *Ring) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.reset()
	r.closed = true
	if !r.taken {
		r.give()
	}
	close(r.ready)
}
