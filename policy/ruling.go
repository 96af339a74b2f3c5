package policy

import (
	"context"
	"fmt"
	"time"

	"lethe/policy/redact"
)

// ProfileDefault is the strictest profile; it holds where no other is known to.
const ProfileDefault = "default"

// Ruling is what was decided for one conversation. It may be copied and used
// from any goroutine. The zero Ruling permits nothing, and so does a ruling
// after Settle.
type Ruling struct{ r *ruling }

type ruling struct {
	office  *Office
	facts   Facts
	profile string
	decided time.Time
	until   time.Time // when the text expires
	hold    Hold
	listens listens
}

// Conversation is the one that was ruled on.
func (r Ruling) Conversation() ConversationID {
	if r.r == nil {
		return ""
	}
	return r.r.facts.Conversation
}

// Until is when what is kept expires; zero for the zero Ruling.
func (r Ruling) Until() time.Time {
	if r.r == nil {
		return time.Time{}
	}
	return r.r.until
}

func (r Ruling) check(now time.Time) error {
	switch {
	case r.r == nil || !now.Before(r.r.until):
		return ErrNotGranted
	case !r.r.facts.Conversation.Valid():
		return fmt.Errorf("%w: the conversation's id is no UUID", ErrNotGranted)
	case r.r.listens.ended():
		return ErrSettled
	}
	return nil
}

func (r Ruling) checkTurn(t Turn, now time.Time) error {
	if err := r.check(now); err != nil {
		return err
	}
	if t.Conversation != r.r.facts.Conversation {
		return ErrForeign
	}
	return nil
}

// Open is what the store is given at the start.
func (r Ruling) Open(now time.Time) (Opening, error) {
	if err := r.check(now); err != nil {
		return Opening{}, err
	}
	return Opening{facts: r.r.facts, started: now.UTC(), until: r.r.until, profile: r.r.profile, version: r.r.office.version, ok: true}, nil
}

// Clear makes of a turn what may be stored: its words redacted, with the time
// at which they expire.
func (r Ruling) Clear(t Turn, now time.Time) (Cleared, error) {
	if err := r.checkTurn(t, now); err != nil {
		return Cleared{}, err
	}
	text, found := redact.Text(t.Words.Reveal())
	t.Words = Said(text)
	return Cleared{turn: t, found: found, until: r.r.until, ok: true}, nil
}

// Tell makes of a turn what one processor may be told: the words as they are
// where the processor is on this machine, redacted where it is not.
func (r Ruling) Tell(p Processor, t Turn, now time.Time) (Told, error) {
	if err := r.checkTurn(t, now); err != nil {
		return Told{}, err
	}
	if err := p.Check(now); err != nil {
		return Told{}, err
	}
	if !p.Local() {
		text, _ := redact.Text(t.Words.Reveal())
		t.Words = Said(text)
	}
	return Told{turn: t, to: p.p}, nil
}

// Listen lets caller audio reach the engine p until the conversation is
// settled or p is withdrawn. The journal has its entry first.
func (r Ruling) Listen(p Processor, now time.Time) (Listen, error) {
	if err := r.check(now); err != nil {
		return Listen{}, err
	}
	if err := p.Check(now); err != nil {
		return Listen{}, err
	}
	id := r.r.facts.Conversation
	e := Entry{At: now, Actor: ActorLethe, Action: ActionListen, Conversation: id, Reason: p.p.name}
	if err := r.r.office.enter(context.Background(), e); err != nil {
		return Listen{}, err
	}
	l := &listen{conversation: id, processor: p.p.name}
	if err := p.p.admit(l, now); err != nil {
		return Listen{}, err
	}
	if err := r.r.listens.add(given{l, p.p}); err != nil {
		return Listen{}, err
	}
	return Listen{l}, nil
}

// Held says whether a hold is in force: then audio is kept, and no sentence
// may say that it is not.
func (r Ruling) Held(now time.Time) bool { return r.r != nil && r.r.hold.Check(now) == nil }

// Settle ends the conversation: every Listen is revoked and the ruling permits
// nothing more. Its result is what the store is given. A receipt of another
// conversation is refused, and the grants are gone all the same.
func (r Ruling) Settle(c Receipt, o Outcome, now time.Time) (Settled, error) {
	if r.r == nil {
		return Settled{}, ErrNotGranted
	}
	if !r.r.listens.end() {
		return Settled{}, ErrSettled
	}
	switch {
	case c.Conversation != r.r.facts.Conversation:
		return Settled{}, ErrForeign
	case o == Ongoing || o > Interrupted:
		return Settled{}, fmt.Errorf("policy: a conversation can't be settled as %v", o)
	case c.Longest < 0:
		return Settled{}, fmt.Errorf("policy: the receipt's longest life is negative: %v", c.Longest)
	}
	return Settled{receipt: c, outcome: o, ended: now.UTC(), until: r.r.until, ok: true}, nil
}

// Opening is what the store is given when a conversation begins.
type Opening struct {
	facts            Facts
	started, until   time.Time
	profile, version string
	ok               bool
}

// Facts are those of the conversation; Facts().From is an identifier.
func (o Opening) Facts() Facts { return o.facts }

// Started is when it began, in UTC.
func (o Opening) Started() time.Time { return o.started }

// Until is when all that is kept of the conversation expires, in UTC.
func (o Opening) Until() time.Time { return o.until }

// Profile is the legal profile that was applied.
func (o Opening) Profile() string { return o.profile }

// PolicyVersion names the rules in force.
func (o Opening) PolicyVersion() string { return o.version }

// Valid says whether a ruling made it: nil, or ErrNotGranted.
func (o Opening) Valid() error { return valid(o.ok) }

// Cleared is a turn that may be stored.
type Cleared struct {
	turn  Turn
	found []redact.Found
	until time.Time
	ok    bool
}

// Turn is the turn, its words redacted.
func (c Cleared) Turn() Turn { return c.turn }

// Found is what was taken out of it: kinds and lengths.
func (c Cleared) Found() []redact.Found { return c.found }

// Until is when it expires, in UTC.
func (c Cleared) Until() time.Time { return c.until }

// Valid says whether a ruling made it: nil, or ErrNotGranted.
func (c Cleared) Valid() error { return valid(c.ok) }

// Settled is the end of a conversation.
type Settled struct {
	receipt Receipt
	outcome Outcome
	ended   time.Time
	until   time.Time
	ok      bool
}

// Receipt is what became of the audio.
func (s Settled) Receipt() Receipt { return s.receipt }

// Outcome is how the conversation ended.
func (s Settled) Outcome() Outcome { return s.outcome }

// Ended is when, in UTC.
func (s Settled) Ended() time.Time { return s.ended }

// Until is when the receipt expires, in UTC.
func (s Settled) Until() time.Time { return s.until }

// Valid says whether a ruling made it: nil, or ErrNotGranted.
func (s Settled) Valid() error { return valid(s.ok) }
