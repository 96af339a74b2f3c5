// Package mediatest makes frames for tests of what hears them. Nothing but
// tests may import it.
package mediatest

import (
	"sync/atomic"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/internal/frame"
)

// Keeper counts the copies of a frame that are still alive.
type Keeper struct{ n atomic.Int32 }

// Retain and Release are called by whatever copies a frame and wipes the copy.
func (k *Keeper) Retain() { k.n.Add(1) }

// Release ends what Retain began.
func (k *Keeper) Release() { k.n.Add(-1) }

// Copies that were not wiped yet.
func (k *Keeper) Copies() int { return int(k.n.Load()) }

// Frame makes a frame of pcm (at most 60 ms at 16 kHz). forget ends the
// borrowing: whoever kept the frame panics when it reads it.
func Frame(pcm []int16, side media.Side, rate int, at time.Duration) (f media.Frame, forget func()) {
	f, forget, _ = Kept(pcm, side, rate, at)
	return f, forget
}

// Kept is Frame with the count of its copies.
func Kept(pcm []int16, side media.Side, rate int, at time.Duration) (f media.Frame, forget func(), k *Keeper) {
	b := new(frame.Buf)
	copy(b.Fill(len(pcm)), pcm)
	k = new(Keeper)
	return frame.New(b, side, rate, at, k), b.Wipe, k
}

// Arena makes an arena that is closed, and found empty, when the test ends.
func Arena(t testing.TB, size int) *media.Arena {
	t.Helper()
	a, err := media.NewArena(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}
