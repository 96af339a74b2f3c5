package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lethe/media/resample"
)

// ErrNotAgreed says that our offer has no answer yet: there is no codec to
// speak with.
var ErrNotAgreed = errors.New("media: the offer was not answered yet")

// ErrCut is what a Write gets whose speech was cut.
var ErrCut = errors.New("media: the speech was cut")

const (
	speechLength = 320 * time.Millisecond
	speechChunk  = 160 // samples that Write converts at a time
	maxMarks     = 64
)

// Speech is the bounded ring of outgoing audio, at the codec's rate, in locked
// memory. A voice fills it as fast as it likes and waits when it is full; the
// clock takes one packet's worth when a packet is due. When it is empty the
// far end hears silence.
type Speech struct {
	mu      sync.Mutex
	arena   *Arena
	rate    int
	pcm     []int16
	scratch []int16
	give    []func()
	head, n int
	played  int // samples since the last Cut
	cuts    int
	closed  bool
	marks   []mark
	passed  uint64
	conv    converter
	convIn  int
	space   chan struct{}
	silent  chan struct{}
}

// converter is resample.Converter, or Resampler where a voice speaks at neither
// 8 nor 16 kHz.
type converter interface {
	Init(in, out int) error
	Process(dst, src []int16) int
	Room(n int) int
	Wipe()
}

type mark struct {
	id   uint64
	left int // samples to be played before it is passed
}

func (o *Speech) init(a *Arena, rate int) error {
	o.arena, o.rate = a, rate
	o.space, o.silent = make(chan struct{}, 1), make(chan struct{}, 1)
	pcm, give, err := a.samples(int(speechLength.Seconds() * float64(rate)))
	if err != nil {
		return err
	}
	o.pcm, o.give = pcm, append(o.give, give)
	return nil
}

// Write speaks pcm, one channel at rate Hz (8000 to 48000). It returns when
// all of it is in the ring, with ErrCut when Cut came meanwhile, with ctx's
// error, or with ErrClosed.
func (o *Speech) Write(ctx context.Context, pcm []int16, rate int) error {
	o.mu.Lock()
	cuts := o.cuts
	err := o.prepare(rate)
	o.mu.Unlock()
	if err != nil {
		return err
	}
	for len(pcm) > 0 {
		n := min(len(pcm), speechChunk)
		done, err := o.put(pcm[:n], rate, cuts)
		if err != nil {
			return err
		}
		if done {
			pcm = pcm[n:]
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.space:
		}
	}
	return ctx.Err()
}

// prepare makes the converter from rate to the codec's rate.
func (o *Speech) prepare(rate int) error {
	if o.closed {
		return ErrClosed
	}
	if o.arena == nil {
		return ErrNotAgreed
	}
	if rate == o.rate || (o.conv != nil && o.convIn == rate) {
		return nil
	}
	if err := o.place(rate); err != nil {
		return err
	}
	if err := o.conv.Init(rate, o.rate); err != nil {
		return fmt.Errorf("media: speech at %d Hz: %w", rate, err)
	}
	o.convIn = rate
	if room := o.conv.Room(speechChunk); room > len(o.scratch) {
		scratch, give, err := o.arena.samples(room)
		if err != nil {
			return err
		}
		o.scratch, o.give = scratch, append(o.give, give)
	}
	return nil
}

// place lays the converter that suits rate into the arena, if it is not there.
func (o *Speech) place(rate int) error {
	var conv converter
	var give func()
	var err error
	_, plain := o.conv.(*resample.Converter)
	_, odd := o.conv.(*resample.Resampler)
	switch simple := rate == 8000 || rate == 16000; {
	case simple && plain, !simple && odd:
		return nil
	case simple:
		conv, give, err = place[resample.Converter](o.arena)
	default:
		conv, give, err = place[resample.Resampler](o.arena)
	}
	if err != nil {
		return err
	}
	if o.conv != nil {
		o.conv.Wipe()
	}
	o.conv, o.give = conv, append(o.give, give)
	return nil
}

// put converts and stores one chunk, or says that there is no room for it yet.
func (o *Speech) put(pcm []int16, rate, cuts int) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return false, ErrClosed
	}
	if o.cuts != cuts {
		return false, ErrCut
	}
	src := pcm
	if rate != o.rate {
		if len(o.pcm)-o.n < o.conv.Room(len(pcm)) {
			return false, nil
		}
		src = o.scratch[:o.conv.Process(o.scratch, pcm)]
	} else if len(o.pcm)-o.n < len(pcm) {
		return false, nil
	}
	tail := (o.head + o.n) % len(o.pcm)
	k := copy(o.pcm[tail:], src)
	copy(o.pcm, src[k:])
	o.n += len(src)
	return true, nil
}

// take moves up to len(dst) samples out of the ring, wiping them there, and
// says how many there were. It runs on the clock thread.
func (o *Speech) take(dst []int16) int {
	o.mu.Lock()
	n := min(len(dst), o.n)
	for i := 0; i < n; {
		end := min(o.head+n-i, len(o.pcm))
		k := copy(dst[i:], o.pcm[o.head:end])
		clear(o.pcm[o.head : o.head+k])
		o.head = (o.head + k) % len(o.pcm)
		i += k
	}
	o.n -= n
	o.played += n
	for i := range o.marks {
		o.marks[i].left -= n
	}
	for len(o.marks) > 0 && o.marks[0].left <= 0 {
		o.passed = o.marks[0].id
		copy(o.marks, o.marks[1:])
		o.marks = o.marks[:len(o.marks)-1]
	}
	empty := o.n == 0
	o.mu.Unlock()
	if n > 0 {
		poke(o.space)
	}
	if empty {
		poke(o.silent)
	}
	return n
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Mark notes the place after what was written so far. Cut tells the last one
// that was passed. At most 64 marks wait; more replace the newest.
func (o *Speech) Mark(id uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n == 0 {
		o.passed = id
		return
	}
	if len(o.marks) == maxMarks {
		o.marks = o.marks[:maxMarks-1]
	}
	o.marks = append(o.marks, mark{id, o.n})
}

// Cut empties the ring, wipes it, and says how much was sent since the last
// Cut and which mark was passed last. A Write that waits gets ErrCut.
func (o *Speech) Cut() (heard time.Duration, lastMark uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	heard, lastMark = o.span(o.played), o.passed
	clear(o.pcm)
	o.head, o.n, o.played, o.passed = 0, 0, 0, 0
	o.marks = o.marks[:0]
	o.cuts++
	if o.conv != nil {
		o.conv.Wipe()
		o.convIn = 0
	}
	poke(o.space)
	poke(o.silent)
	return heard, lastMark
}

func (o *Speech) span(n int) time.Duration {
	if o.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(o.rate)
}

// Heard is how much was sent since the last Cut, Pending how much waits.
func (o *Speech) Heard() time.Duration { o.mu.Lock(); defer o.mu.Unlock(); return o.span(o.played) }

// Pending is how much waits to be sent.
func (o *Speech) Pending() time.Duration { o.mu.Lock(); defer o.mu.Unlock(); return o.span(o.n) }

// Passed is the last mark that was passed since the last Cut.
func (o *Speech) Passed() uint64 { o.mu.Lock(); defer o.mu.Unlock(); return o.passed }

// Drained waits until everything written was sent.
func (o *Speech) Drained(ctx context.Context) error {
	for {
		o.mu.Lock()
		n, closed := o.n, o.closed
		o.mu.Unlock()
		if n == 0 {
			return ctx.Err()
		}
		if closed {
			return ErrClosed
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-o.silent:
		}
	}
}

// retune changes the codec's rate; what waits is dropped.
func (o *Speech) retune(rate int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if rate == o.rate || o.closed {
		return nil
	}
	o.wipe()
	o.cuts++
	poke(o.space)
	o.rate, o.conv, o.convIn, o.scratch = rate, nil, 0, nil
	o.played, o.marks = 0, o.marks[:0]
	pcm, give, err := o.arena.samples(int(speechLength.Seconds() * float64(rate)))
	if err != nil {
		o.closed = true
		return err
	}
	o.pcm, o.give = pcm, append(o.give, give)
	return nil
}

func (o *Speech) wipe() {
	for _, give := range o.give {
		give()
	}
	o.pcm, o.scratch, o.give, o.conv, o.convIn, o.head, o.n = nil, nil, nil, nil, 0, 0, 0
}

func (o *Speech) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	o.wipe()
	poke(o.space)
	poke(o.silent)
}
