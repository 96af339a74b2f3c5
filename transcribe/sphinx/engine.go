// Package sphinx is the embedded engine: Debian's pocketsphinx, in a C process
// beside lethe (the program lethe-sphinx, in the folder helper).
//
// The helper loads the models once and never sees audio. For each session it
// forks a child, which hears one call; when the call ends the child ends, and
// what it knew goes with it. A frame's way:
//
//	Session.Hear      into a ring of the locked arena, on the clock thread
//	session.run       takes it out and writes it to the child's socket from there
//	the child's ear   into locked memory; to cepstra; wiped; acknowledged
//	session.run       wipes it in the ring: only now has the frame been forgotten
//
// The child's search has cepstra alone, and so however far it may be behind, no
// audio waits for it. A child that dies is replaced, at the price of the
// utterance that it was hearing; a helper that dies is restarted.
//
// What may be touched here: the options of the search and stockShare (setup.go)
// and the weights of confidence.go, all of which were chosen on the development
// voices of transcribe/wer/corpus; measure before and after with `make bench`.
package sphinx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
)

// Processor is the name under which policy knows this engine. It runs on this
// machine.
const Processor = "sphinx"

// Rate of the audio that it takes, in Hz.
const Rate = 16000

// ringTime is how much audio may wait for a child's ear, which is never behind
// unless the machine is.
const ringTime = 300 * time.Millisecond

// Engine opens sessions. Safe for concurrent use.
type Engine struct {
	cfg   Config
	path  string
	setup *setup
	arena *media.Arena
	log   *slog.Logger

	stop    context.CancelFunc
	stopped context.Context //nolint:containedctx // the engine's own life
	joined  sync.WaitGroup

	mu       sync.Mutex
	helper   *helper       // nil while there is none
	ready    chan struct{} // closed when there is one (again)
	sessions []*Session
	opening  int
}

var _ transcribe.Engine = (*Engine)(nil)

// New loads the models, which takes a second or two, and keeps them loaded.
// Audio waits in rings of arena. Errors are ErrHelper, ErrModel, ErrVocabulary.
func New(ctx context.Context, c Config, arena *media.Arena, log *slog.Logger) (*Engine, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	path, err := Find(c.Helper)
	if err != nil {
		return nil, err
	}
	s, err := newSetup(c)
	if err != nil {
		return nil, err
	}
	h, err := startHelper(ctx, path, s)
	if err != nil {
		if h != nil {
			err = errors.Join(err, h.close())
		}
		return nil, err
	}
	e := &Engine{cfg: c, path: path, setup: s, arena: arena, log: log, ready: make(chan struct{})}
	e.stopped, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	e.have(h)
	e.joined.Go(e.supervise)
	return e, nil
}

// Rate is 16000 Hz.
func (e *Engine) Rate() int { return Rate }

// Processor is the engine's name for policy.
func (e *Engine) Processor() string { return Processor }

func (e *Engine) String() string {
	return fmt.Sprintf("sphinx: pocketsphinx, %d vocabularies, at most %d calls", len(e.setup.names), e.cfg.MaxCalls)
}

// Helper is the process id of the helper, or 0 while it is being restarted.
func (e *Engine) Helper() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.helper == nil {
		return 0
	}
	return e.helper.cmd.Process.Pid
}

func (e *Engine) have(h *helper) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.helper = h
	close(e.ready)
}

// supervise restarts the helper when it ends, with more and more patience.
func (e *Engine) supervise() {
	const most = 5 * time.Second
	patience := 50 * time.Millisecond
	for {
		h := e.running()
		select {
		case <-h.gone:
		case <-e.stopped.Done():
			return
		}
		e.lose(h)
		for {
			if err := e.restart(); err == nil {
				break
			} else if e.stopped.Err() == nil {
				e.log.Error("sphinx: the helper could not be restarted", "error", err)
			}
			select {
			case <-time.After(patience):
				patience = min(2*patience, most)
			case <-e.stopped.Done():
				return
			}
		}
	}
}

func (e *Engine) running() *helper { e.mu.Lock(); defer e.mu.Unlock(); return e.helper }

func (e *Engine) lose(h *helper) {
	e.mu.Lock()
	e.helper, e.ready = nil, make(chan struct{})
	e.mu.Unlock()
	e.log.Error("sphinx: the helper ended; calls lose the utterance that is being spoken", "error", errors.Join(h.err, h.control.Close()))
}

func (e *Engine) restart() error {
	h, err := startHelper(e.stopped, e.path, e.setup)
	if h == nil {
		return err
	}
	if err != nil { // it works, but its folder could not be deleted
		e.log.Error("sphinx: restarting the helper", "error", err)
	}
	e.have(h)
	return nil
}

// child forks one, and waits for a helper that is being restarted.
func (e *Engine) child(ctx context.Context, band, vocabulary int) (*child, error) {
	for {
		e.mu.Lock()
		h, ready := e.helper, e.ready
		e.mu.Unlock()
		if h != nil {
			return newChild(h, band, vocabulary)
		}
		select {
		case <-ready:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: it is being restarted: %w", ErrHelper, ctx.Err())
		}
	}
}

// Open gives a session its child. It refuses a grant that is not for this
// engine, a rate that is not Rate, and a vocabulary that is not configured.
func (e *Engine) Open(ctx context.Context, l policy.Listen, o transcribe.Options) (transcribe.Session, error) {
	if err := l.For(Processor); err != nil {
		return nil, fmt.Errorf("sphinx: %w", err)
	}
	if o.Rate != Rate {
		return nil, fmt.Errorf("sphinx: %d Hz: %w", o.Rate, transcribe.ErrRate)
	}
	if _, ok := e.cfg.Vocabularies[o.Vocabulary]; o.Vocabulary != "" && !ok {
		return nil, fmt.Errorf("%w: there is none named %q", ErrVocabulary, o.Vocabulary)
	}
	if err := e.reserve(); err != nil {
		return nil, err
	}
	s, err := newSession(ctx, e, l, o)
	e.mu.Lock()
	e.opening--
	if err == nil {
		e.sessions = append(e.sessions, s)
	}
	e.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if e.stopped.Err() != nil {
		return nil, errors.Join(ErrClosed, s.Close(ctx))
	}
	return s, nil
}

func (e *Engine) reserve() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.stopped.Err() != nil:
		return ErrClosed
	case len(e.sessions)+e.opening >= e.cfg.MaxCalls:
		return fmt.Errorf("sphinx: max_calls is %d: %w", e.cfg.MaxCalls, transcribe.ErrBusy)
	}
	e.opening++
	return nil
}

func (e *Engine) forget(s *Session) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if i := slices.Index(e.sessions, s); i >= 0 {
		e.sessions = slices.Delete(e.sessions, i, i+1)
	}
}

// Close ends every session, the helper and what this package started.
func (e *Engine) Close() error {
	e.stop()
	e.joined.Wait()
	e.mu.Lock()
	left, h := slices.Clone(e.sessions), e.helper
	e.helper = nil
	e.mu.Unlock()
	var errs []error
	now, cancel := context.WithCancel(context.Background())
	cancel() // nobody waits for a last final
	for _, s := range left {
		errs = append(errs, s.Close(now))
	}
	if h != nil {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}
