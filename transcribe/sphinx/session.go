package sphinx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
)

const (
	startTime    = 10 * time.Second       // a child has been forked, a helper restarted
	endTime      = 200 * time.Millisecond // a child that was told to end has ended
	killTime     = 5 * time.Second        // a child that was killed is dead, on a busy machine
	mostCrashes  = 20                     // of one call's children, before it is given up
	segmentsWait = 64                     // segments that may wait for their reader
)

// Session hears one side of one call: the clock thread calls Hear and Endpoint,
// one goroutine (run) owns the child and everything else.
type Session struct {
	engine     *Engine
	listen     policy.Listen
	band       int
	vocabulary int // the helper's index, -1 for open speech
	known      *vocabulary

	ring  *media.Ring
	until atomic.Int64       // stream time after the last frame
	ends  chan time.Duration // where utterances ended
	wake  chan struct{}

	out     chan transcribe.Segment
	lost    chan struct{}
	closing chan struct{} // finish what was heard
	hurry   chan struct{} // finish now
	done    chan struct{}
	once    [2]sync.Once
	err     error // what went wrong at the end, once done

	// of run
	utterances []*utterance // those whose final did not come yet, oldest first
	outbox     []transcribe.Segment
	flying     bool // piece was written and is not acknowledged
	piece      media.Frame
	ended      bool // pending is where an utterance ends
	pending    time.Duration
	shut       bool // closing was seen
}

var _ transcribe.Session = (*Session)(nil)

func newSession(ctx context.Context, e *Engine, l policy.Listen, o transcribe.Options) (*Session, error) {
	s := &Session{engine: e, listen: l, vocabulary: -1, band: 1,
		ends: make(chan time.Duration, 16), wake: make(chan struct{}, 1),
		out: make(chan transcribe.Segment, segmentsWait), lost: make(chan struct{}),
		closing: make(chan struct{}), hurry: make(chan struct{}), done: make(chan struct{})}
	if o.Narrowband {
		s.band = 0
	}
	if i, ok := slices.BinarySearch(e.setup.names, o.Vocabulary); ok {
		s.vocabulary, s.known = i, e.setup.models[o.Vocabulary]
	}
	var err error
	if s.ring, err = e.arena.Ring(Rate, ringTime); err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	c, err := s.begin(ctx)
	if err != nil {
		s.ring.Close()
		return nil, err
	}
	go s.run(c)
	return s, nil
}

// begin gets a child that is ready.
func (s *Session) begin(ctx context.Context) (*child, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		c, err := s.engine.child(ctx, s.band, s.vocabulary)
		if err == nil {
			select {
			case m, ok := <-c.said:
				if ok && m.kind == 'H' {
					return c, nil
				}
				err = errors.Join(fmt.Errorf("%w: no child could be made", ErrHelper), c.sock.Close())
			case <-ctx.Done():
				return nil, errors.Join(fmt.Errorf("%w: a child does not begin: %w", ErrHelper, ctx.Err()), c.finish(true))
			}
		}
		select { // the helper may be dying; another one follows
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (s *Session) String() string {
	return fmt.Sprintf("sphinx, %v of ring", s.ring.Len())
}

// Dropped counts the pieces that were wiped unheard, because the child was
// behind by more than the ring holds.
func (s *Session) Dropped() uint64 { return s.ring.Dropped() }

// Hear is media.Ear's.
func (s *Session) Hear(f media.Frame) error {
	if err := s.listen.For(Processor); err != nil {
		return err //nolint:wrapcheck // no allocation here
	}
	if err := s.ring.Hear(f); err != nil {
		return err //nolint:wrapcheck // no allocation here
	}
	s.until.Store(int64(f.At() + f.Duration()))
	s.stir()
	return nil
}

// Endpoint ends the utterance after what was heard so far.
func (s *Session) Endpoint() {
	select {
	case s.ends <- time.Duration(s.until.Load()):
	default: // sixteen utterances behind: the next end does for both
	}
	s.stir()
}

func (s *Session) stir() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Segments are in the order of speech.
func (s *Session) Segments() <-chan transcribe.Segment { return s.out }

// Lost is closed when no child could be had any more.
func (s *Session) Lost() <-chan struct{} { return s.lost }

// Close waits for the finals of what was heard, no longer than ctx allows, and
// for the child's death, which does not take long.
func (s *Session) Close(ctx context.Context) error {
	s.once[0].Do(func() { close(s.closing) })
	select {
	case <-s.done:
	case <-ctx.Done():
		s.once[1].Do(func() { close(s.hurry) })
		<-s.done
	}
	return s.err
}

// run owns the child. Its order is that of a frame's life.
func (s *Session) run(c *child) {
	for crashes := 0; c != nil; crashes++ {
		if !s.serve(c) {
			break
		}
		s.engine.log.Warn("sphinx: a child ended in mid-call and is replaced", "crashes", crashes+1)
		c = s.replace(crashes)
	}
	s.ring.Close()
	if !s.shut {
		close(s.lost)
		<-s.closing
	}
	s.flush()
	close(s.out)
	s.engine.forget(s)
	close(s.done)
}

// replace gives nil if there is no other child, or no call any more.
func (s *Session) replace(crashes int) *child {
	if crashes >= mostCrashes {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	made := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.closing:
			s.shut = true
			cancel()
		case <-made:
		}
	}()
	c, err := s.begin(ctx)
	close(made)
	<-watched
	if err != nil {
		if !s.shut {
			s.engine.log.Error("sphinx: a call's child could not be replaced", "error", err)
		}
		return nil
	}
	return c
}

// serve speaks with the child until it died (true) or the session is over.
func (s *Session) serve(c *child) bool {
	closing := s.closing
	for {
		s.pump(c)
		if s.shut && !s.flying && len(s.utterances) == 0 {
			s.over(c)
			return false
		}
		var out chan transcribe.Segment
		var first transcribe.Segment
		if len(s.outbox) > 0 {
			out, first = s.out, s.outbox[0]
		}
		select {
		case <-s.wake:
		case <-c.acks:
			s.wiped()
		case m, ok := <-c.said:
			if !ok {
				s.crashed(c)
				return !s.shut
			}
			s.take(m)
		case out <- first:
			s.outbox = s.outbox[1:]
		case <-closing:
			s.shut, closing = true, nil
		case <-s.hurry:
			s.shut = true
			s.over(c)
			return false
		}
	}
}

// pump writes the next piece, if the last one was acknowledged, and the ends of
// utterances where they belong.
func (s *Session) pump(c *child) {
	for !s.flying && !c.broken {
		if !s.ended {
			select {
			case s.pending = <-s.ends:
				s.ended = true
			default:
			}
		}
		f, ok := s.ring.TryTake()
		switch {
		case s.ended && (!ok || f.At() >= s.pending):
			s.endpoint(c)
		case !ok && s.shut && s.speaking() != nil:
			s.endpoint(c)
		}
		if ok {
			s.flying, s.piece = true, f
			s.current(f.At()).add(f)
			s.must(c, c.hear(f))
		} else if !s.ended && len(s.ends) == 0 {
			return
		}
	}
}

func (s *Session) endpoint(c *child) {
	s.current(s.pending).closed = true
	s.ended = false
	s.must(c, c.endpoint())
}

// must kills a child that does not take what it is given.
func (s *Session) must(c *child, err error) {
	if err == nil || c.broken {
		return
	}
	c.broken = true
	if err := c.helper.end(c.id); err != nil {
		c.helper.kill()
	}
}

// wiped forgets the piece that the child has wiped.
func (s *Session) wiped() {
	if s.flying {
		s.flying = false
		s.ring.Forget(s.piece)
		s.piece = media.Frame{}
	}
}

// crashed: the child is dead, and what it was hearing is lost.
func (s *Session) crashed(c *child) {
	s.err = errors.Join(s.err, c.sock.Close())
	s.wiped()
	for _, u := range s.utterances {
		if u.closed {
			s.deliver(s.segment(message{kind: 'F'}, u))
		}
	}
	s.utterances = nil
}

// over ends a child at the end of the call.
func (s *Session) over(c *child) {
	s.err = errors.Join(s.err, c.finish(c.broken))
	s.wiped()
}

// finish ends the child and returns when it is dead.
func (c *child) finish(now bool) error {
	raw, err := c.sock.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			_ = unix.Shutdown(int(fd), unix.SHUT_WR) //nolint:gosec // it may be dead already
		})
	}
	dead := make(chan struct{})
	go func() {
		defer close(dead)
		for range c.said { //nolint:revive // drained until closed
		}
	}()
	wait := endTime
	if now {
		wait = 0
	}
	for _, act := range []func(){func() { _ = c.helper.end(c.id) }, c.helper.kill} {
		select {
		case <-dead:
			return errors.Join(err, c.sock.Close())
		case <-time.After(wait):
			act() // a helper that is gone has taken its children with it
		}
		wait = killTime
	}
	select {
	case <-dead:
		return errors.Join(err, c.sock.Close())
	case <-time.After(killTime):
		err = errors.Join(err, fmt.Errorf("%w: a child could not be killed", ErrHelper), c.sock.Close())
		<-dead
		return err
	}
}

// flush gives what is left to whoever reads.
func (s *Session) flush() {
	for _, g := range s.outbox {
		select {
		case s.out <- g:
		case <-s.hurry:
			return
		}
	}
	s.outbox = nil
}
