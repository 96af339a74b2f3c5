package conversation

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/media/vad"
	"lethe/policy"
	"lethe/transcribe"
)

// talk is one conversation by voice. All of it belongs to the goroutine that
// runs Voices; the only other one is the mouth's, while a piece is spoken.
type talk struct {
	d      *Desk
	n      Number
	leg    Leg
	stream *media.Stream
	id     policy.ConversationID
	ruling policy.Ruling
	engine policy.Processor
	listen policy.Processor // the mind
	speak  policy.Processor // the voice

	gate     *vad.Gate
	detach   func()
	session  transcribe.Session
	segments <-chan transcribe.Segment
	lost     <-chan struct{}
	retryAt  time.Time // when to ask for an engine again
	sorry    bool      // the caller was told that there is none

	mind    agent.Mind
	replies <-chan agent.Reply
	hush    context.CancelFunc // ends the answer that is being given
	heard   []policy.Words     // of this answer
	silent  int                // answers in a row that did not come
	mute    int                // pieces in a row that the voice could not speak
	leaving bool               // the farewell is being said

	turns turns
	mouth mouth
	queue []piece
	seq   int
	keys  keys

	stopped  time.Time // when the caller last stopped speaking
	replyTo  time.Time // the end of speech that is being answered, until it is
	outcome  policy.Outcome
	problems []error
}

// Voices runs one conversation by voice on the caller's goroutine and returns
// when it has ended and its receipt is stored. leg's stream is closed then, and
// leg is hung up. When ctx ends, the conversation does.
func (d *Desk) Voices(ctx context.Context, leg Leg, f policy.Facts) error {
	t, err := d.begin(ctx, leg, f)
	if err != nil {
		leg.Media().Close()
		ctx, cancel := d.closing(ctx)
		defer cancel()
		return errors.Join(err, leg.Hangup(ctx, 500, "no conversation"))
	}
	defer d.leave(t.id)
	t.outcome = policy.Failed
	t.guarded("run", func() { t.outcome = t.run(ctx) })
	t.guarded("end", t.quiet)
	return t.settle(ctx)
}

// guarded turns a panic into a problem of this conversation alone. What was
// said may be in the panic's value, which is not shown.
func (t *talk) guarded(what string, f func()) {
	defer func() {
		if p := recover(); p != nil {
			t.problems = append(t.problems, fmt.Errorf("conversation: panic in %s: %T\n%s", what, p, debug.Stack()))
		}
	}()
	f()
}

// closing gives the end of a conversation its time, even when ctx has ended.
func (d *Desk) closing(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d.Config.Closing)
}

// begin rules, stores the beginning, and lets voice activity (and nothing else)
// hear the caller.
func (d *Desk) begin(ctx context.Context, leg Leg, f policy.Facts) (*talk, error) {
	n, ok := d.Numbers[f.To]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoNumber, f.To)
	}
	t := &talk{d: d, n: n, leg: leg, stream: leg.Media(), ruling: d.Office.Decide(f)}
	t.id = t.ruling.Conversation()
	t.turns.limits = limits{noInput: d.Config.NoInput, final: d.Config.FinalTimeout, mind: d.Config.MindTimeout}
	t.mouth.pace = typicalPace
	if err := d.enter(Live{Conversation: t.id, Number: f.To, Began: d.Now()}); err != nil {
		return nil, err
	}
	if err := t.prepare(ctx); err != nil {
		d.leave(t.id)
		return nil, err
	}
	return t, nil
}

func (t *talk) prepare(ctx context.Context) (err error) {
	for _, p := range []struct {
		to   *policy.Processor
		name string
	}{{&t.engine, t.n.Engine.Processor()}, {&t.listen, t.n.MindProcessor}, {&t.speak, t.n.Voice.Processor()}} {
		if *p.to, err = t.d.Office.Processor(p.name); err != nil {
			return err
		}
	}
	rate := t.n.Engine.Rate()
	ring, err := t.d.Arena.Ring(rate, max(t.d.Config.Preroll, shortestRing))
	if err != nil {
		return err
	}
	if t.gate, err = vad.NewGate(rate, ring, t.d.Config.Voice); err != nil {
		ring.Close()
		return err
	}
	defer func() {
		if err != nil {
			t.gate.Close()
		}
	}()
	if t.mind, err = t.n.Mind(ctx); err != nil {
		return fmt.Errorf("conversation: no mind: %w", err)
	}
	opening, err := t.ruling.Open(t.now())
	if err == nil {
		err = t.d.Archive.Begin(ctx, opening)
	}
	if err == nil {
		t.detach, err = t.stream.Listen(media.Caller, rate, t.gate)
		if err != nil { // it was begun: it has to be settled
			err = errors.Join(err, t.record(ctx, policy.Failed))
		}
	}
	if err != nil {
		return errors.Join(err, t.mind.Close(context.WithoutCancel(ctx)))
	}
	t.saw(Event{Kind: Began})
	return nil
}

// shortestRing is what media gives at least.
const shortestRing = 20 * time.Millisecond

func (t *talk) now() time.Time { return t.d.Now() }

// at is stream time now.
func (t *talk) at() time.Duration { return max(0, t.now().Sub(t.stream.Begun())) }

func (t *talk) saw(e Event) {
	e.Conversation = t.id
	if e.At.IsZero() {
		e.At = t.now()
	}
	t.d.Observer.Saw(e)
}

// trouble notes an error that does not end the conversation.
func (t *talk) trouble(k Kind, err error) {
	t.d.Log.Warn("conversation: "+k.String(), "conversation", string(t.id), "error", err)
	t.saw(Event{Kind: k})
}

// ended is how a conversation ends that run has not ended itself.
func (t *talk) ended(ctx context.Context) policy.Outcome {
	select {
	case <-t.leg.Done():
		return policy.CompletedByCaller
	default:
	}
	if ctx.Err() != nil {
		return policy.Stopped
	}
	if errors.Is(t.stream.Err(), media.ErrMediaTimeout) {
		return policy.MediaTimeout
	}
	return policy.Failed
}
