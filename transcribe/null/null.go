// Package null is the engine that hears everything and says nothing: for load
// tests, and for numbers whose callers only press keys. It keeps no frame.
package null

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"lethe/media"
	"lethe/media/raw"
	"lethe/policy"
	"lethe/transcribe"
)

// Name is what policy knows the engine by.
const Name = "null"

// rate of the audio that it takes, in Hz: that of the engines it stands for.
const rate = 16000

// Engine opens sessions that say nothing. The zero value is ready.
type Engine struct{ samples atomic.Uint64 }

// Rate is 16000 Hz.
func (e *Engine) Rate() int { return rate }

// Processor is Name.
func (e *Engine) Processor() string { return Name }

func (e *Engine) String() string { return Name }

// Samples is how many were heard by all sessions.
func (e *Engine) Samples() uint64 { return e.samples.Load() }

// Open refuses a grant that is not for it, and any rate but its own.
func (e *Engine) Open(_ context.Context, l policy.Listen, o transcribe.Options) (transcribe.Session, error) {
	if err := l.For(Name); err != nil {
		return nil, fmt.Errorf("null: %w", err)
	}
	if o.Rate != rate {
		return nil, fmt.Errorf("null: %d Hz: %w", o.Rate, transcribe.ErrRate)
	}
	return &session{engine: e, out: make(chan transcribe.Segment, 4), lost: make(chan struct{})}, nil
}

// Close does nothing: there is nothing to join.
func (e *Engine) Close() error { return nil }

type session struct {
	engine *Engine
	out    chan transcribe.Segment
	lost   chan struct{}

	mu     sync.Mutex
	at     time.Duration // stream time heard so far
	closed bool
}

func (s *session) Hear(f media.Frame) error {
	s.engine.samples.Add(uint64(len(raw.Samples(f))))
	s.mu.Lock()
	s.at = f.At() + f.Duration()
	s.mu.Unlock()
	return nil
}

func (s *session) String() string { return Name }

// Endpoint answers with a final without words, unless nobody takes them.
func (s *session) Endpoint() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.out <- transcribe.Segment{Final: true, Turn: policy.Turn{Party: policy.Caller, Start: s.at, End: s.at}}:
	default:
	}
}

func (s *session) Segments() <-chan transcribe.Segment { return s.out }
func (s *session) Lost() <-chan struct{}               { return s.lost }

func (s *session) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.out)
	}
	return nil
}
