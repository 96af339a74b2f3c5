package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// ProcessorEntry registers an engine, a voice or a mind.
type ProcessorEntry struct {
	Name string
	// Local says that it is a part of lethe on this machine: what it is given
	// does not leave, and dies with the call.
	Local bool
	// Agreement is the reference of the data processing agreement with whoever
	// runs it; required unless Local.
	Agreement string
}

// Office makes every grant. It is safe for concurrent use. New is called by
// cmd/lethe and by tests alone.
type Office struct {
	journal    Journal
	rules      Rules
	version    string
	now        func() time.Time
	processors map[string]*processor
}

// New refuses rules that do not validate and processors that may not be used.
func New(j Journal, r Rules, now func() time.Time, processors ...ProcessorEntry) (*Office, error) {
	if j == nil || now == nil {
		return nil, errors.New("policy: an office needs a journal and a clock")
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	o := &Office{journal: j, rules: r, version: r.Version(), now: now, processors: make(map[string]*processor, len(processors))}
	for _, e := range processors {
		switch {
		case e.Name == "":
			return nil, errors.New("policy: a processor has no name")
		case o.processors[e.Name] != nil:
			return nil, fmt.Errorf("policy: processor %s is registered twice", e.Name)
		case !e.Local && e.Agreement == "":
			return nil, fmt.Errorf("policy: processor %s is not on this machine and names no data processing agreement", e.Name)
		}
		o.processors[e.Name] = &processor{name: e.Name, local: e.Local, listening: map[*listen]struct{}{}}
	}
	return o, nil
}

// Rules are those in force.
func (o *Office) Rules() Rules { return o.rules }

// Decide rules on a conversation. The default ruling: transcribe, keep the
// text for Rules.Keep, no hold, no trace.
func (o *Office) Decide(f Facts) Ruling {
	if f.Conversation == "" {
		f.Conversation = NewConversationID()
	}
	now := o.now().UTC()
	return Ruling{&ruling{office: o, facts: f, profile: ProfileDefault, decided: now, until: o.rules.Keep.After(now)}}
}

// Processor is the registry's entry of that name: ErrUnknownProcessor, or
// ErrNotGranted when it was withdrawn.
func (o *Office) Processor(name string) (Processor, error) {
	p := o.processors[name]
	if p == nil {
		return Processor{}, fmt.Errorf("%w: %q", ErrUnknownProcessor, name)
	}
	if err := p.check(o.now()); err != nil {
		return Processor{}, fmt.Errorf("processor %s: %w", name, err)
	}
	return Processor{p}, nil
}

// Withdraw takes a processor out of force at once, with every Listen that was
// given for it. It is withdrawn even when the error says that the journal did
// not take the entry.
func (o *Office) Withdraw(ctx context.Context, name string) error {
	p := o.processors[name]
	if p == nil {
		return fmt.Errorf("%w: %q", ErrUnknownProcessor, name)
	}
	p.withdraw()
	return o.enter(ctx, Entry{At: o.now(), Actor: ActorLethe, Action: ActionWithdraw, Reason: name})
}

// Purposes for which a person may read, by the policy's "How we use this data".
const (
	PurposeSupport     = "support"     // accurate responses and support
	PurposeDiagnostics = "diagnostics" // diagnose a call
	PurposeMisuse      = "misuse"      // detect and prevent misuse
	PurposeAudit       = "audit"       // audit and compliance
	PurposeRights      = "rights"      // a request of the person it is about
)

// Purposes lists them.
func Purposes() []string {
	return []string{PurposeSupport, PurposeDiagnostics, PurposeMisuse, PurposeAudit, PurposeRights}
}

// accessFor bounds how long one statement of purpose lasts.
const accessFor = 15 * time.Minute

// Local lets the operator at the machine's own shell read. The purpose is one
// of Purposes. The journal has its entry before the grant exists.
func (o *Office) Local(ctx context.Context, purpose string) (Access, error) {
	if !slices.Contains(Purposes(), purpose) {
		return Access{}, fmt.Errorf("%w: %q is no purpose to read for; state one of %s",
			ErrNotGranted, purpose, strings.Join(Purposes(), ", "))
	}
	now := o.now()
	if err := o.enter(ctx, Entry{At: now, Actor: ActorLocal, Action: ActionAccess, Reason: purpose}); err != nil {
		return Access{}, err
	}
	return Access{&access{grant: grant{until: now.Add(accessFor)}, actor: ActorLocal, purpose: purpose}}, nil
}

// listens is what one ruling has given and has to take back.
type listens struct {
	mu    sync.Mutex
	done  bool
	given []given
}

type given struct {
	l *listen
	p *processor
}

func (s *listens) add(g given) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		g.p.dismiss(g.l)
		return ErrSettled
	}
	s.given = append(s.given, g)
	return nil
}

// end takes every grant back; false when that was done before.
func (s *listens) end() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.done = true
	for _, g := range s.given {
		g.p.dismiss(g.l)
	}
	s.given = nil
	return true
}

func (s *listens) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}
