// Package frame is the one allocation site of decoded audio. Samples is a
// function, not a method, so that no value of Frame offers it outside media.
package frame

import (
	"sync/atomic"
	"time"
)

// Side says whose audio a frame is.
type Side uint8

const (
	Caller Side = iota // what the far end sent to us
	Agent              // what we send to the far end
	Person             // the human agent of a bridged call
)

func (s Side) String() string {
	switch s {
	case Caller:
		return "caller"
	case Agent:
		return "agent"
	case Person:
		return "person"
	}
	return "unknown"
}

// MaxSamples is the longest frame: 60 ms at 16 kHz, or 20 ms at 48 kHz.
const MaxSamples = 960

// Buf is one frame's samples, 16-bit linear PCM. It lies in the locked arena.
type Buf struct {
	s   [MaxSamples]int16
	n   int32
	gen atomic.Uint32
}

// Fill gives the first n samples to write to.
func (b *Buf) Fill(n int) []int16 {
	b.n = int32(n) //nolint:gosec // n <= MaxSamples, or the slice below panics
	return b.s[:n:n]
}

// Wipe clears the samples and makes every Frame of them unusable.
func (b *Buf) Wipe() {
	clear(b.s[:b.n])
	b.n = 0
	b.gen.Add(1)
}

// Keeper counts the copies of one received packet, so that a ledger can say
// when the last of them was wiped. Retain and Release may be called from any
// goroutine.
type Keeper interface {
	Retain()
	Release()
}

// Frame is one borrowed packet of audio of either side. It is valid for the
// duration of one Hear, and using it later panics. It shows no samples.
type Frame struct {
	part []int16
	live *atomic.Uint32
	gen  uint32
	side Side
	rate int32
	at   time.Duration
	keep Keeper
}

// New borrows b. keep may be nil (frames of our own speech have no ledger).
func New(b *Buf, s Side, rate int, at time.Duration, keep Keeper) Frame {
	return Of(&b.gen, b.s[:b.n:b.n], s, rate, at, keep)
}

// Of makes a frame of samples that lie elsewhere in the arena; the borrowing
// ends when live changes.
func Of(live *atomic.Uint32, part []int16, s Side, rate int, at time.Duration, keep Keeper) Frame {
	return Frame{part: part, live: live, gen: live.Load(), side: s, rate: int32(rate), at: at, keep: keep} //nolint:gosec // rates are below 2^31
}

// Samples is the one way to the samples of f; media/raw is the door to it.
// It panics if f was forgotten.
func Samples(f Frame) []int16 {
	if f.live == nil || f.live.Load() != f.gen {
		panic("media: frame used after it was forgotten")
	}
	return f.part
}

// KeeperOf gives the ledger entry of f, or nil.
func KeeperOf(f Frame) Keeper { return f.keep }

// Side says whose audio it is.
func (f Frame) Side() Side { return f.side }

// Rate is in Hz.
func (f Frame) Rate() int { return int(f.rate) }

// At is the stream time of the first sample.
func (f Frame) At() time.Duration { return f.at }

// Len is the number of samples.
func (f Frame) Len() int { return len(f.part) }

// Duration of the frame.
func (f Frame) Duration() time.Duration {
	if f.rate == 0 {
		return 0
	}
	return time.Duration(len(f.part)) * time.Second / time.Duration(f.rate)
}

// String shows no samples.
func (f Frame) String() string { return f.side.String() + " frame at " + f.at.String() }
