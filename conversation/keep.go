package conversation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lethe/media"
	"lethe/policy"
)

// store keeps a turn as policy allows, and returns it with its place in the
// conversation. One that can't be stored is a problem, not the end.
func (t *talk) store(ctx context.Context, by policy.Party, turn policy.Turn) policy.Turn {
	t.seq++
	turn.Conversation, turn.Seq, turn.Party = t.id, t.seq, by
	cleared, err := t.ruling.Clear(turn, t.now())
	if err == nil {
		ctx, cancel := t.d.closing(ctx) // a turn that was said is kept, even if the call has just ended
		defer cancel()
		err = t.d.Archive.Append(ctx, cleared)
	}
	if err != nil {
		t.problem(fmt.Errorf("conversation: a turn was not stored: %w", err))
		t.trouble(ArchiveFailed, err)
	}
	return turn
}

// problem keeps an error for the end; a long call on a full disk has many.
func (t *talk) problem(err error) {
	if len(t.problems) < maxProblems {
		t.problems = append(t.problems, err)
	}
}

const maxProblems = 8

// keep stores what the agent said.
func (t *talk) keep(ctx context.Context, w policy.Words, interrupted bool) policy.Turn {
	turn := t.turn(w)
	turn.Interrupted = interrupted
	if w.Empty() {
		return turn
	}
	return t.store(ctx, policy.Agent, turn)
}

// quiet destroys the audio of the conversation: nobody speaks, nobody listens,
// the pre-roll is wiped, the stream is closed, the engine's session is.
func (t *talk) quiet() {
	ctx := context.Background()
	t.endAnswer()
	if t.mouth.busy() {
		p := t.mouth.piece
		heard := t.silence()
		t.keep(ctx, t.part(p.words, heard), true)
	}
	t.detach()
	t.gate.Close()
	t.stream.Close()
	t.closeEngine(ctx)
	t.flushKeys(ctx, t.now().Add(keyPause))
}

// settle stores the receipt and hangs up.
func (t *talk) settle(ctx context.Context) error {
	ctx, cancel := t.d.closing(ctx)
	defer cancel()
	t.problems = append(t.problems, t.mind.Close(ctx), t.record(ctx, t.outcome), t.leg.Hangup(ctx, 0, ""))
	t.saw(Event{Kind: Ended, Reason: t.outcome.String()})
	return errors.Join(t.problems...)
}

// record stores the receipt.
func (t *talk) record(ctx context.Context, o policy.Outcome) error {
	settled, err := t.ruling.Settle(receipt(t.id, t.stream.Ledger()), o, t.now())
	if err != nil {
		return err
	}
	if err := t.d.Archive.Settle(ctx, settled); err != nil {
		return fmt.Errorf("conversation: the receipt was not stored: %w", err)
	}
	return nil
}

func receipt(id policy.ConversationID, l media.Ledger) policy.Receipt {
	return policy.Receipt{Conversation: id, Born: l.Born, Forgotten: l.Forgotten, Held: l.Held, Longest: l.Longest}
}

// keys are those pressed one after the other. They are stored together, so that
// a number that is keyed is seen as one when it is redacted.
type keys struct {
	digits []byte
	from   time.Duration
	to     time.Duration
	until  time.Time // when the row is over; zero if there is none
}

const (
	keyPause = 2 * time.Second // after which a row of keys is over
	maxKeys  = 64
)

func (k *keys) add(digit byte, now time.Time, at time.Duration) {
	if len(k.digits) == 0 {
		k.from = at
	}
	if len(k.digits) < maxKeys {
		k.digits = append(k.digits, digit)
	}
	k.to, k.until = at, now.Add(keyPause)
}

// flushKeys stores a row of keys that is over.
func (t *talk) flushKeys(ctx context.Context, now time.Time) {
	if t.keys.until.IsZero() || now.Before(t.keys.until) {
		return
	}
	turn := policy.Turn{Words: policy.Said("keys " + string(t.keys.digits)), Start: t.keys.from, End: t.keys.to, Confidence: 1}
	clear(t.keys.digits)
	t.keys = keys{digits: t.keys.digits[:0]}
	t.store(ctx, policy.Caller, turn)
}
