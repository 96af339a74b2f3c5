package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"lethe/policy/redact"
)

// grant is revocable from any goroutine and read on the clock thread by one
// atomic load. It never comes back once revoked.
type grant struct {
	revoked atomic.Bool
	until   time.Time // zero means for as long as the process lives
}

func (g *grant) check(now time.Time) error {
	if g == nil || g.revoked.Load() {
		return ErrNotGranted
	}
	if !g.until.IsZero() && !now.Before(g.until) {
		return ErrNotGranted
	}
	return nil
}

func (g *grant) revoke() { g.revoked.Store(true) }

// Hold lets a recorder keep the audio of one conversation. Nothing gives one
// yet: who may ask and who may approve is not decided here.
type Hold struct{ g *grant }

// Check says whether the hold is in force: nil, or ErrNotGranted.
func (h Hold) Check(now time.Time) error { return h.g.check(now) }

// Trace lets SIP octets be kept, as Exhibits. Nothing gives one yet.
type Trace struct{ t *trace }

type trace struct {
	grant
	key [32]byte // tokens are the same within one trace and differ between two
}

// Check says whether the trace is open: nil, or ErrNotGranted.
func (t Trace) Check(now time.Time) error {
	if t.t == nil {
		return ErrNotGranted
	}
	return t.t.check(now)
}

// Exhibit masks raw for this trace: secrets and bodies go, users become tokens.
func (t Trace) Exhibit(raw []byte, now time.Time) (Exhibit, error) {
	if err := t.Check(now); err != nil {
		return Exhibit{}, err
	}
	return Exhibit{b: redact.SIP(raw, t.t.token), ok: true}, nil
}

func (t *trace) token(user string) string {
	m := hmac.New(sha256.New, t.key[:])
	m.Write([]byte(user))
	return "u-" + hex.EncodeToString(m.Sum(nil)[:6])
}

// Exhibit is what a trace may hold: redacted SIP octets.
type Exhibit struct {
	b  []byte
	ok bool
}

// Bytes are the redacted octets; the caller must not change them.
func (e Exhibit) Bytes() []byte { return e.b }

// Valid says whether the exhibit came from an open trace.
func (e Exhibit) Valid() error { return valid(e.ok) }

// Listen lets caller audio of one conversation reach one engine.
type Listen struct{ l *listen }

type listen struct {
	grant
	conversation ConversationID
	processor    string
}

// Check says whether frames may still reach the engine: nil, or ErrNotGranted.
func (l Listen) Check(now time.Time) error {
	if l.l == nil {
		return ErrNotGranted
	}
	return l.l.check(now)
}

// For says whether the grant is for the engine of that name: nil,
// ErrNotGranted for the zero value, or ErrForeign.
func (l Listen) For(processor string) error {
	switch {
	case l.l == nil:
		return ErrNotGranted
	case l.l.processor != processor:
		return ErrForeign
	}
	return nil
}

// Conversation is the one whose audio may be heard.
func (l Listen) Conversation() ConversationID {
	if l.l == nil {
		return ""
	}
	return l.l.conversation
}

// Access lets a person read, for the purpose that was stated.
type Access struct{ a *access }

type access struct {
	grant
	actor, purpose string
}

// Check says whether the person may still read: nil, or ErrNotGranted.
func (a Access) Check(now time.Time) error {
	if a.a == nil {
		return ErrNotGranted
	}
	return a.a.check(now)
}

// Actor is who reads, for the journal.
func (a Access) Actor() string {
	if a.a == nil {
		return ""
	}
	return a.a.actor
}

// Purpose is what the person reads for: one of Purposes.
func (a Access) Purpose() string {
	if a.a == nil {
		return ""
	}
	return a.a.purpose
}

// Processor is an entry of the registry that is in force: an engine, a voice
// or a mind that may be given a caller's words or audio.
type Processor struct{ p *processor }

type processor struct {
	grant
	name  string
	local bool

	mu        sync.Mutex
	listening map[*listen]struct{} // revoked with the processor
}

// Check says whether the processor is in force: nil, or ErrNotGranted.
func (p Processor) Check(now time.Time) error {
	if p.p == nil {
		return ErrNotGranted
	}
	return p.p.check(now)
}

// Name is the processor's name in the registry.
func (p Processor) Name() string {
	if p.p == nil {
		return ""
	}
	return p.p.name
}

// Local says whether the processor runs on this machine, as a part of lethe:
// what it is given does not leave.
func (p Processor) Local() bool { return p.p != nil && p.p.local }

// admit makes l a grant that falls with the processor, unless that has fallen.
func (p *processor) admit(l *listen, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.check(now); err != nil {
		return err
	}
	p.listening[l] = struct{}{}
	return nil
}

func (p *processor) dismiss(l *listen) {
	l.revoke()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.listening, l)
}

func (p *processor) withdraw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoke()
	for l := range p.listening {
		l.revoke()
	}
	clear(p.listening)
}

func valid(ok bool) error {
	if !ok {
		return ErrNotGranted
	}
	return nil
}
