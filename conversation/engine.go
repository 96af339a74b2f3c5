package conversation

import (
	"context"
	"fmt"
	"time"

	"lethe/policy"
	"lethe/transcribe"
)

// narrow is the rate of G.711: what came at it has no more to it, at whatever
// rate an engine hears it.
const narrow = 8000

// openEngine lets an engine hear the caller from now on. If there is none, the
// call goes on without, the caller is told once, and it is tried again.
func (t *talk) openEngine(ctx context.Context) {
	session, err := t.engage(ctx)
	if err != nil {
		t.d.Log.Warn("conversation: no engine", "conversation", string(t.id), "error", err)
		t.withoutEngine()
		return
	}
	t.session, t.segments, t.lost = session, session.Segments(), session.Lost()
	t.retryAt = time.Time{}
	t.sorry = false
	t.gate.Open(session)
	t.saw(Event{Kind: EngineOpened})
}

func (t *talk) engage(ctx context.Context) (transcribe.Session, error) {
	grant, err := t.ruling.Listen(t.engine, t.now())
	if err != nil {
		return nil, err
	}
	s, err := t.n.Engine.Open(ctx, grant, transcribe.Options{
		Rate:       t.n.Engine.Rate(),
		Narrowband: t.stream.Rate() == narrow,
		Language:   t.n.Language,
		Vocabulary: t.n.Vocabulary,
	})
	if err != nil {
		return nil, fmt.Errorf("conversation: %v: %w", t.n.Engine, err)
	}
	return s, nil
}

// loseEngine takes that the engine went away. The call goes on.
func (t *talk) loseEngine(ctx context.Context) {
	t.closeEngine(ctx)
	t.turns.finalHeard(t.now(), false) // it will not come
	t.saw(Event{Kind: EngineLost})
	t.withoutEngine()
}

func (t *talk) withoutEngine() {
	t.retryAt = t.now().Add(t.d.Config.EngineRetry)
	if t.sorry {
		return
	}
	t.sorry = true
	t.queue = append(t.queue, piece{words: policy.Said(t.d.Config.Apologies.Engine), kind: apology})
}

// closeEngine ends the session: what audio it has is wiped, what words come
// with its end are stored.
func (t *talk) closeEngine(ctx context.Context) {
	s := t.session
	if s == nil {
		return
	}
	t.gate.Shut()
	t.session, t.segments, t.lost = nil, nil, nil
	ctx, cancel := t.d.closing(ctx)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- s.Close(ctx) }()
	for last := s.Segments(); last != nil; {
		select {
		case seg, ok := <-last:
			switch {
			case !ok:
				last = nil
			case seg.Final && !seg.Turn.Words.Empty():
				t.store(ctx, policy.Caller, seg.Turn)
			}
		case <-ctx.Done():
			last = nil
		}
	}
	if err := <-closed; err != nil {
		t.problem(fmt.Errorf("conversation: the engine's session: %w", err))
	}
}
