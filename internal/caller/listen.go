package caller

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"lethe/media"
	"lethe/media/raw"
)

const (
	// loud is the level above which a frame is taken for speech: about -46 dBFS.
	// What the far end sends when nobody speaks is digital silence or comfort
	// noise well below it.
	loud = 160
	// gap is the shortest silence that parts two utterances of the far end.
	gap = 300 * time.Millisecond
)

// listener is the caller's ear for the far end: an energy detector. Hear is
// called on the clock thread alone; everything else only reads the atomics.
type listener struct {
	began time.Time
	last  atomic.Int64 // when the last loud frame came, ns since began; 0 for never
	first atomic.Int64 // when the first utterance after arm began; 0 for not yet
	heard atomic.Int64 // ns of loud frames
}

func newListener() *listener { return &listener{began: time.Now()} }

// Hear implements media.Ear. It allocates nothing and keeps nothing.
func (l *listener) Hear(f media.Frame) error {
	if level(raw.Samples(f)) < loud {
		return nil
	}
	now := int64(time.Since(l.began))
	if last := l.last.Swap(now); last == 0 || now-last > int64(gap) {
		l.first.CompareAndSwap(0, now)
	}
	l.heard.Add(int64(f.Duration()))
	return nil
}

func (l *listener) String() string { return fmt.Sprintf("energy detector (%d)", loud) }

// arm forgets when an utterance began, so that the next one can be timed.
func (l *listener) arm() { l.first.Store(0) }

// answer is when the first utterance since arm began, and whether one did.
func (l *listener) answer() (time.Time, bool) {
	n := l.first.Load()
	return l.began.Add(time.Duration(n)), n != 0
}

// silence is how long it has been quiet; it is large when nothing was heard yet.
func (l *listener) silence(now time.Time) time.Duration {
	n := l.last.Load()
	if n == 0 {
		return math.MaxInt64
	}
	return now.Sub(l.began.Add(time.Duration(n)))
}

// level is the root mean square of s.
func level(s []int16) float64 {
	if len(s) == 0 {
		return 0
	}
	var sum float64
	for _, x := range s {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum / float64(len(s)))
}

// trailing is how much of the end of c is silence, or the noise of the room in
// which it was recorded (26 dB below its loudest 10 ms): the speech in it was
// over that much before its last sample.
func (c clip) trailing() time.Duration {
	step := c.rate / 100
	n := len(c.pcm)
	if step == 0 {
		return 0
	}
	quiet := float64(loud)
	for at := 0; at+step <= n; at += step {
		quiet = max(quiet, level(c.pcm[at:at+step])/20)
	}
	for n >= step && level(c.pcm[n-step:n]) < quiet {
		n -= step
	}
	return time.Duration(len(c.pcm)-n) * time.Second / time.Duration(c.rate)
}

// sentEar hands what we send, as it is sent, to whoever asked for it.
type sentEar struct{ give func(pcm []int16) }

func (s sentEar) Hear(f media.Frame) error {
	s.give(raw.Samples(f))
	return nil
}

func (s sentEar) String() string { return "copy of what is sent" }
