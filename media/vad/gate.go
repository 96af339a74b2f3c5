package vad

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"lethe/media"
	"lethe/media/raw"
)

// MaxPreroll is the most that a gate keeps of what came before an onset.
const MaxPreroll = 200 * time.Millisecond

// Session is what a gate opens to: it hears the frames of an utterance and is
// told where the utterance ended. Both are called on the clock thread and must
// not block.
type Session interface {
	Hear(media.Frame) error
	Endpoint()
}

// Ring is where the pre-roll lies: a media.Ring of at most MaxPreroll.
type Ring interface {
	Hear(media.Frame) error
	TryTake() (media.Frame, bool)
	Forget(media.Frame)
	Close()
}

// Gate is an Ear on the caller's side of a stream. Until Open, and after Shut,
// audio goes no further than its detector. In between, frames from the onset
// (and the pre-roll before it) to the end of speech reach the session.
//
// Hear belongs to the clock thread and never waits; Open, Shut and Close belong
// to one other goroutine, the conversation's.
type Gate struct {
	ring   Ring
	events chan Event
	way    atomic.Pointer[way]
	inside atomic.Bool // Hear is running
	lost   atomic.Uint64

	// of the clock thread
	det     detector
	current *way          // whose pre-roll the ring holds
	next    time.Duration // stream time after the last frame
	turn    turn
	unsent  Event
}

// way leads to a session. Its utterance is Hear's until the way is shut.
type way struct {
	s        Session
	uttering bool // s has heard frames since its last Endpoint
}

// NewGate makes a gate for frames of this rate. It owns ring from now on.
func NewGate(rate int, ring Ring, c Config) (*Gate, error) {
	det, err := newDetector(rate, c)
	if err != nil {
		return nil, fmt.Errorf("%w: %d", err, rate)
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return &Gate{ring: ring, det: det, turn: newTurn(c), events: make(chan Event, 8)}, nil
}

// Events tells where speech starts and stops. The channel is never closed; a
// reader that is too slow misses what is no longer true, never the last event.
func (g *Gate) Events() <-chan Event { return g.events }

// Open lets the caller's audio through to s from the next frame on; nothing of
// what came before reaches it. A caller who is speaking is heard from here on.
func (g *Gate) Open(s Session) { g.way.Store(&way{s: s}) }

// Shut ends that. When it returns, s hears nothing any more; an utterance that
// was under way has been given its Endpoint.
func (g *Gate) Shut() {
	w := g.way.Swap(nil)
	for g.inside.Load() { // one frame's time at most
		runtime.Gosched()
	}
	if w != nil && w.uttering {
		w.uttering = false
		w.s.Endpoint()
	}
}

// Close wipes the pre-roll. The gate must have been detached from its stream.
func (g *Gate) Close() {
	g.Shut()
	g.ring.Close()
}

func (g *Gate) String() string {
	if g.way.Load() == nil {
		return "vad"
	}
	return "vad, open"
}

// Hear is media.Ear's. An error of the session is the session's to tell: an ear
// that fails is detached, and voice activity is needed whatever the engine does.
func (g *Gate) Hear(f media.Frame) error {
	g.inside.Store(true)
	g.hear(f, g.way.Load())
	g.inside.Store(false)
	return nil
}

func (g *Gate) hear(f media.Frame, w *way) {
	if w != g.current {
		g.current = w
		g.empty()
	}
	within, ended := g.detect(f, w != nil)
	if w == nil {
		return
	}
	if !within && !ended && !g.turn.speaking {
		g.lose(g.ring.Hear(f))
		return
	}
	for p, ok := g.ring.TryTake(); ok; p, ok = g.ring.TryTake() {
		g.lose(w.s.Hear(p))
		g.ring.Forget(p)
	}
	g.lose(w.s.Hear(f))
	w.uttering = !ended
	if ended {
		w.s.Endpoint()
	}
}

// lose counts a frame that did not get where it should.
func (g *Gate) lose(err error) {
	if err != nil {
		g.lost.Add(1)
	}
}

// Lost counts the frames that the session, or the pre-roll, refused.
func (g *Gate) Lost() uint64 { return g.lost.Load() }

// longGap is more silence than any hang-over asks for.
const longGap = 4 * time.Second

// detect reads the blocks of f. It says whether f began within speech and
// whether speech ended in it, or in the gap before it.
func (g *Gate) detect(f media.Frame, open bool) (within, ended bool) {
	within = g.turn.speaking
	at := f.At()
	if gap := min(at-g.next, longGap); g.next != 0 && gap > 0 { // nothing was sent: silence
		for ; gap >= block; gap -= block {
			ended = g.tell(g.turn.silence(at-gap), open) || ended
		}
	}
	pcm, n := raw.Samples(f), g.det.samples()
	for len(pcm) > 0 {
		k := min(n, len(pcm))
		long := block * time.Duration(k) / time.Duration(n)
		ended = g.tell(g.turn.block(g.det.voice(pcm[:k]), at, long), open) || ended
		at += long
		pcm = pcm[k:]
	}
	g.next = at
	return within, ended
}

// tell says whether e is an end of speech. It never waits: what finds no room
// is sent with a later frame, unless something newer has made it untrue.
func (g *Gate) tell(e Event, open bool) (ended bool) {
	ended = e.Kind == Stopped
	e.Heard = ended && open
	if e.Kind == 0 {
		e = g.unsent
	}
	if e.Kind == 0 {
		return ended
	}
	select {
	case g.events <- e:
		g.unsent = Event{}
	default:
		g.unsent = e
	}
	return ended
}

// empty wipes the pre-roll.
func (g *Gate) empty() {
	for {
		f, ok := g.ring.TryTake()
		if !ok {
			return
		}
		g.ring.Forget(f)
	}
}
