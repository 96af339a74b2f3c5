package media_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/mediatest"
	"lethe/media/raw"
)

func ramp(from, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(from + i)
	}
	return pcm
}

func hear(t *testing.T, r *media.Ring, from, n int, at time.Duration) *mediatest.Keeper {
	t.Helper()
	f, forget, k := mediatest.Kept(ramp(from, n), media.Caller, 16000, at)
	defer forget()
	if err := r.Hear(f); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestRingGivesBackWhatItHeardInOrder(t *testing.T) {
	a := mediatest.Arena(t, 1<<16)
	r, err := a.Ring(16000, 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	k := hear(t, r, 1, 960, time.Second) // 60 ms: three pieces
	if got := r.Len(); got != 60*time.Millisecond {
		t.Fatalf("Len %v", got)
	}
	for i := range 3 {
		f, err := r.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s := raw.Samples(f); len(s) != 320 || s[0] != int16(1+320*i) || f.At() != time.Second+time.Duration(i)*20*time.Millisecond {
			t.Fatalf("piece %d: %d samples from %d at %v", i, len(s), s[0], f.At())
		}
		s := raw.Samples(f)
		r.Forget(f)
		if s[0] != 0 || s[319] != 0 {
			t.Fatal("a forgotten piece is still readable")
		}
	}
	if k.Copies() != 0 {
		t.Fatalf("%d copies left", k.Copies())
	}
	if _, ok := r.TryTake(); ok {
		t.Fatal("a piece out of nothing")
	}
}

func TestRingDropsTheOldestAndCounts(t *testing.T) {
	a := mediatest.Arena(t, 1<<16)
	r, err := a.Ring(16000, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := hear(t, r, 1, 320, 0)
	f, _ := r.TryTake() // a slow reader holds the first
	for i := 1; i <= 7; i++ {
		hear(t, r, 1000*i, 320, time.Duration(i)*20*time.Millisecond)
	}
	if r.Dropped() != 2 || r.Len() != 100*time.Millisecond {
		t.Fatalf("dropped %d, holds %v", r.Dropped(), r.Len())
	}
	if raw.Samples(f)[0] != 1 {
		t.Fatal("the piece being read was overwritten")
	}
	r.Forget(f)
	if first.Copies() != 0 {
		t.Fatal("the first piece is not wiped")
	}
	f, _ = r.TryTake()
	if raw.Samples(f)[0] != 3000 {
		t.Fatalf("the oldest kept begins with %d", raw.Samples(f)[0])
	}
	r.Forget(f)
}

func TestRingClosedUnderAReader(t *testing.T) {
	a := mediatest.Arena(t, 1<<16)
	r, err := a.Ring(16000, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	k := hear(t, r, 1, 320, 0)
	waiting := hear(t, r, 1, 320, 0)
	f, _ := r.TryTake()
	r.Close()
	r.Close()
	if waiting.Copies() != 0 {
		t.Fatal("what waited is not wiped by Close")
	}
	if a.Used() == 0 || raw.Samples(f)[0] != 1 {
		t.Fatal("the memory went back while a piece was read")
	}
	r.Forget(f)
	if a.Used() != 0 || k.Copies() != 0 {
		t.Fatal("the memory did not go back")
	}
	if _, err := r.Take(t.Context()); !errors.Is(err, media.ErrClosed) {
		t.Fatalf("Take after Close: %v", err)
	}
}

func TestFrameUsedAfterForgetPanics(t *testing.T) {
	f, forget := mediatest.Frame(ramp(1, 320), media.Caller, 16000, 0)
	forget()
	defer func() {
		if recover() == nil {
			t.Fatal("a forgotten frame was read")
		}
	}()
	raw.Samples(f)
}

func TestRingBetweenTwoGoroutines(t *testing.T) {
	a := mediatest.Arena(t, 1<<16)
	r, err := a.Ring(16000, 400*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	const frames = 5000
	var wg sync.WaitGroup
	var taken uint64
	wg.Go(func() {
		for {
			f, err := r.Take(context.Background())
			if err != nil {
				return
			}
			taken++
			r.Forget(f)
		}
	})
	keepers := make([]*mediatest.Keeper, frames)
	for i := range frames {
		keepers[i] = hear(t, r, i%1000, 320, 0)
	}
	left := uint64(r.Len() / (20 * time.Millisecond))
	r.Close()
	wg.Wait()
	if got := taken + r.Dropped(); got+left < frames || got > frames {
		t.Fatalf("%d taken, %d dropped, %d left of %d", taken, r.Dropped(), left, frames)
	}
	for i, k := range keepers {
		if k.Copies() != 0 {
			t.Fatalf("frame %d has %d copies left", i, k.Copies())
		}
	}
}

func BenchmarkRing(b *testing.B) {
	a := mediatest.Arena(b, 1<<16)
	r, err := a.Ring(16000, 400*time.Millisecond)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	f, forget := mediatest.Frame(ramp(1, 320), media.Caller, 16000, 0)
	defer forget()
	b.ReportAllocs()
	for b.Loop() {
		if r.Hear(f) != nil {
			b.Fatal("refused")
		}
		g, _ := r.TryTake()
		r.Forget(g)
	}
}
