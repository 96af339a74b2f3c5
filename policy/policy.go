package policy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// ErrNotGranted is what every grant that is not in force answers.
var ErrNotGranted = errors.New("policy: not granted")

type (
	// ConversationID names one conversation; it is random and says nothing.
	ConversationID string
	// Party is who spoke a turn.
	Party uint8
	// Channel is how a conversation came to us.
	Channel uint8
)

// Parties of a conversation.
const (
	Caller Party = iota
	Agent
	Person
	System
)

// Channels of the policy's scope.
const (
	SIP Channel = iota
	Widget
	Dashboard
	Support
)

// Words is text that a person said or will hear. It prints as a length and
// yields only to Reveal, whose callers internal/arch lists.
type Words struct{ s string }

// Said makes Words of s.
func Said(s string) Words                    { return Words{s} }
func (w Words) Reveal() string               { return w.s }
func (w Words) Empty() bool                  { return w.s == "" }
func (w Words) String() string               { return fmt.Sprintf("[%d chars]", len(w.s)) }
func (w Words) GoString() string             { return w.String() }
func (w Words) Format(s fmt.State, _ rune)   { fmt.Fprint(s, w.String()) }
func (w Words) LogValue() slog.Value         { return slog.StringValue(w.String()) }
func (w Words) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// Turn is what one party said or typed. Start and End are stream times.
type Turn struct {
	Conversation ConversationID
	Seq          int // order within the conversation, from 1
	Party        Party
	Words        Words
	Start, End   time.Duration
	Confidence   float32 // 0 to 1; below LowConfidence it was not understood well
	Interrupted  bool    // the party was cut off; Words is what was heard
}

// Receipt is what became of the audio of one conversation. Forgotten equals
// Born when nothing is left.
type Receipt struct {
	Conversation          ConversationID
	Born, Forgotten, Held uint64
	Longest               time.Duration
}

// Journal makes an audit entry durable before a grant exists. store implements it.
type Journal interface {
	Append(context.Context, Entry) (Place, error)
}

// Entry is one audit entry; it names ids, never what was said and never a number.
type Entry struct {
	At           time.Time
	Actor        string
	Action       string
	Conversation ConversationID
	Reason       string
	Ticket       string
}

// Place is where an entry stands in the journal's chain.
type Place struct {
	Seq  uint64
	Hash [32]byte
}

// grant is revocable from any goroutine and read on the clock thread by one
// atomic load.
type grant struct {
	revoked atomic.Bool
	until   time.Time // zero means for as long as the process lives
}

// Facts are what is known of a conversation when it begins.
type Facts struct {
	Conversation ConversationID
	Channel      Channel
	From         Words  // the caller's number or address: an identifier
	To           string // the operator's own number
	Trunk        string
}

// To be given by their own files:
//
//	Hold, Trace, Listen, Access, Processor: struct{ g *grant } with Check(now) error; Processor has Name() and Local()
//	Cleared: Turn() Turn, Until() time.Time, Valid() error.  Told: Text() string, Valid() error.  Exhibit
//	Opening: what the store is given at the start: Facts(), Started(), Until(), Profile(), PolicyVersion(), Valid()
//	Settled: the end: Receipt(), Ended(), Outcome(), Valid()
//	Ruling: Open(now) (Opening, error); Clear(Turn, now) (Cleared, error); Tell(Processor, Turn, now) (Told, error)
//	        Listen(Processor, now) (Listen, error); Disclosure(facts...) ; Settle(Receipt, Outcome, now) (Settled, error)
//	Rules{Keep time.Duration, ...} with Default() and Validate()
//	New(Journal, Rules, now func() time.Time, processors...) (*Office, error); Decide(Facts) Ruling; Processor(name) (Processor, error)
//	        Enter(ctx, token, purpose) (Access, error); Local(ctx, purpose) (Access, error): the operator at the machine's own shell
