// Package conversation holds one caller's conversation: from the disclosure to
// the receipt. One goroutine owns it and its turns; while the agent speaks a
// second one stands in the voice.
//
// The life of a conversation: ruling, Begin stored, disclosure (which can't be
// cut off; until its last word was played the caller's audio reaches voice
// activity only), an engine's session opened with a policy.Listen, greeting,
// then listen, think, speak, until one of its ends; session and stream closed;
// receipt stored.
//
// The package touches no samples. What the caller said reaches a mind and a
// voice only as policy.Told and the archive only as policy.Cleared.
package conversation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
)

// ErrNoNumber says that nobody answers at this number.
var ErrNoNumber = errors.New("conversation: no such number")

// Leg is a party that can be heard; sip.Call is one.
type Leg interface {
	Media() *media.Stream
	// Refer asks the far end to call target instead; nil means that it will.
	Refer(ctx context.Context, target string) error
	// Hangup ends the dialog. code and reason are SIP's; 0 means a normal end.
	Hangup(ctx context.Context, code int, reason string) error
	// Done is closed when the far end has hung up, or the dialog has failed.
	Done() <-chan struct{}
}

// Archive keeps what policy allows; store implements it. Each call returns when
// the row is durable.
type Archive interface {
	Begin(context.Context, policy.Opening) error
	Append(context.Context, policy.Cleared) error
	Settle(context.Context, policy.Settled) error
}

// Number is who answers at one of the operator's numbers.
type Number struct {
	Engine     transcribe.Engine
	Vocabulary string // name of a vocabulary that the engine knows, "" for none
	Language   string // BCP 47
	// Mind makes the partner of one conversation; MindProcessor is the name
	// under which policy knows it.
	Mind          func(context.Context) (agent.Mind, error)
	MindProcessor string
	Voice         agent.Voice
	// Sentences are those that the mind says to every caller, if it has any: a
	// voice may prepare them.
	Sentences []string
}

// Rehearser is a voice that speaks better what it has prepared.
type Rehearser interface {
	Prepare(ctx context.Context, texts []string) error
}

// Deps are what a desk works with. All are needed except Observer, Log and Now.
type Deps struct {
	Config   Config
	Office   *policy.Office
	Archive  Archive
	Arena    *media.Arena
	Numbers  map[string]Number
	Observer Observer
	Log      *slog.Logger
	Now      func() time.Time
}

// Desk holds conversations and lists the live ones. Safe for concurrent use.
type Desk struct {
	Deps
	mu   sync.Mutex
	live map[policy.ConversationID]Live
}

// Live is one conversation that goes on.
type Live struct {
	Conversation policy.ConversationID
	Number       string
	Began        time.Time
}

// New checks deps.
func New(d Deps) (*Desk, error) {
	if err := d.Config.Validate(); err != nil {
		return nil, err
	}
	if d.Office == nil || d.Archive == nil || d.Arena == nil {
		return nil, errors.New("conversation: an office, an archive and an arena are needed")
	}
	for name, n := range d.Numbers {
		if n.Engine == nil || n.Mind == nil || n.Voice == nil || n.MindProcessor == "" {
			return nil, fmt.Errorf("conversation: number %q needs an engine, a mind, its processor's name and a voice", name)
		}
	}
	if d.Observer == nil {
		d.Observer = nobody{}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Desk{Deps: d, live: map[policy.ConversationID]Live{}}, nil
}

// Rehearse lets the voices prepare what every caller hears: first the
// disclosure as it would be now, then the mind's sentences, then the apologies.
func (d *Desk) Rehearse(ctx context.Context) error {
	a := d.Config.Apologies
	for name, n := range d.Numbers {
		voice, ok := n.Voice.(Rehearser)
		if !ok {
			continue
		}
		engine, err := d.Office.Processor(n.Engine.Processor())
		if err != nil {
			return err
		}
		first := d.Office.Decide(policy.Facts{Channel: policy.SIP, To: name}).DisclosureIn(n.Language, engine)
		texts := slices.Concat([]string{first}, n.Sentences, []string{a.Mind, a.Engine, a.Transfer, a.Farewell})
		if err := voice.Prepare(ctx, texts); err != nil {
			return fmt.Errorf("conversation: number %q: %w", name, err)
		}
	}
	return nil
}

type nobody struct{}

func (nobody) Saw(Event) {}

// Live lists the conversations that go on, the oldest first.
func (d *Desk) Live() []Live {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make([]Live, 0, len(d.live))
	for _, l := range d.live {
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Live) int { return a.Began.Compare(b.Began) })
	return all
}

func (d *Desk) enter(l Live) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.live[l.Conversation]; ok {
		return fmt.Errorf("conversation: %s goes on already", l.Conversation)
	}
	d.live[l.Conversation] = l
	return nil
}

func (d *Desk) leave(id policy.ConversationID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, id)
}
