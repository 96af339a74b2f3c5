package phone

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Talk is one flow and what it says: payloads of 20 ms, over and over. A nil
// payload is a pause in which nothing is sent.
type Talk struct {
	Flow *Flow
	Says [][]byte
	Once bool // stop at the end of Says instead of beginning again
	next int

	phase time.Duration // its place within the 20 ms
}

// Pump moves the audio of many calls on one thread: every 20 ms it sends what
// every talk says, and takes in what came. Callers know nothing of each other,
// so each has a place of its own, by chance, within the 20 ms.
// A talk belongs to the pump from Add to the end of Run.
type Pump struct {
	add   chan *Talk
	do    chan func([]*Talk)
	talks []*Talk // in the order of their phase
	seed  *rand.Rand
}

// NewPump makes a pump; Run runs it.
func NewPump() *Pump {
	return &Pump{
		add: make(chan *Talk, 4096), do: make(chan func([]*Talk)),
		seed: rand.New(rand.NewPCG(20, 50)), //nolint:gosec // the same places every time
	}
}

// Add gives a talk to a pump that runs.
func (p *Pump) Add(t *Talk) { p.add <- t }

// Do calls f with all talks on the pump's thread, between two packets.
func (p *Pump) Do(ctx context.Context, f func([]*Talk)) {
	done := make(chan struct{})
	select {
	case p.do <- func(t []*Talk) { f(t); close(done) }:
		<-done
	case <-ctx.Done():
	}
}

// ptime is the length of a packet.
const ptime = 20 * time.Millisecond

// stopped is a delay that is no delay: the process was stopped, and goes on
// where it was instead of making up for it.
const stopped = 300 * time.Millisecond

// Run works until ctx ends.
func (p *Pump) Run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	for round := now.Nano(); ctx.Err() == nil; round += int64(ptime) {
		sleepUntil(round)
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return err
		}
		if now.Nano()-round > int64(stopped) {
			round = now.Nano()
		}
		p.hear()
		for _, t := range p.talks {
			sleepUntil(round + int64(t.phase))
			if err := t.turn(); err != nil {
				return err
			}
		}
	}
	return nil
}

// hear takes what the other goroutines want.
func (p *Pump) hear() {
	for {
		select {
		case t := <-p.add:
			t.phase = time.Duration(p.seed.Int64N(int64(ptime)))
			at, _ := slices.BinarySearchFunc(p.talks, t, func(a, b *Talk) int { return int(a.phase - b.phase) })
			p.talks = slices.Insert(p.talks, at, t)
		case f := <-p.do:
			f(p.talks)
		default:
			return
		}
	}
}

// turn drains the socket and sends one packet.
func (t *Talk) turn() error {
	for t.Flow.Receive() != nil {
	}
	if len(t.Says) == 0 || t.Once && t.next >= len(t.Says) {
		return nil
	}
	payload := t.Says[t.next%len(t.Says)]
	first := t.next == 0 || t.Says[(t.next-1)%len(t.Says)] == nil
	t.next++
	if payload == nil {
		t.Flow.Skip(160)
		return nil
	}
	return t.Flow.Send(payload, first)
}

// Said says whether a talk that is said once is at its end.
func (t *Talk) Said() bool { return t.Once && t.next >= len(t.Says) }

// sleepUntil waits for a time of the monotonic clock; a time that is past is no wait.
func sleepUntil(ns int64) {
	ts := unix.NsecToTimespec(ns)
	for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil) == unix.EINTR { //nolint:errorlint // a bare errno
	}
}
