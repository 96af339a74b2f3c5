// Package policy decides, and every other room of the house obeys: may an
// engine hear this caller, may the text be kept and until when, what of it may
// a third party be told, is there a hold, may this person read that.
//
// The answers are types that nobody outside this package can make: a grant
// (Hold, Trace, Listen, Access, Processor) opens something, and Opening,
// Cleared, Told, Settled and Exhibit are what may be stored, said or shown.
// The zero value of each opens nothing. A grant exists only after its entry
// in the Journal does, and is revoked by one atomic store.
//
// The package does no I/O of its own and imports policy/redact alone: the
// clock is handed in, and so is the Journal. Rules come from the section
// `policy` of the configuration.
package policy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"
)

// Errors that a caller of this package can act on.
var (
	// ErrNotGranted is what every grant that is not in force answers.
	ErrNotGranted = errors.New("policy: not granted")
	// ErrSettled says that the conversation has ended and takes nothing more.
	ErrSettled = errors.New("policy: the conversation is settled")
	// ErrForeign says that a value belongs to another conversation or to
	// another processor.
	ErrForeign = errors.New("policy: it belongs to another conversation or processor")
	// ErrUnknownProcessor says that no processor of that name is registered.
	ErrUnknownProcessor = errors.New("policy: no such processor")
)

type (
	// ConversationID names one conversation; it is random and says nothing.
	// It is a UUID, version 8 (RFC 9562), in lower case.
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

// NewConversationID draws 122 random bits. A version 8 UUID is what a vCon
// asks for; no bit of it is a time or a machine.
func NewConversationID() ConversationID {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // documented never to happen
	}
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return ConversationID(s[:])
}

// Valid says whether the id has the form of a UUID in lower case.
func (id ConversationID) Valid() bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash != (c == '-') {
			return false
		} else if !dash && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// String is the party's name, as stored and as shown.
func (p Party) String() string {
	switch p {
	case Caller:
		return "caller"
	case Agent:
		return "agent"
	case Person:
		return "person"
	case System:
		return "system"
	}
	return "unknown"
}

// ParseParty is the opposite of String.
func ParseParty(s string) (Party, bool) {
	for p := Caller; p <= System; p++ {
		if p.String() == s {
			return p, true
		}
	}
	return 0, false
}

// String is the channel's name, as stored and as shown.
func (c Channel) String() string {
	switch c {
	case SIP:
		return "sip"
	case Widget:
		return "widget"
	case Dashboard:
		return "dashboard"
	case Support:
		return "support"
	}
	return "unknown"
}

// ParseChannel is the opposite of String.
func ParseChannel(s string) (Channel, bool) {
	for c := SIP; c <= Support; c++ {
		if c.String() == s {
			return c, true
		}
	}
	return 0, false
}

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

// LowConfidence is the confidence below which a turn counts as not understood.
const LowConfidence = 0.5

// Receipt is what became of the audio of one conversation: packets born,
// forgotten and held, and the longest time from the arrival of a packet to the
// wiping of its last copy. Forgotten equals Born when nothing is left.
type Receipt struct {
	Conversation          ConversationID
	Born, Forgotten, Held uint64
	Longest               time.Duration
}

// Facts are what is known of a conversation when it begins. An empty
// Conversation is given an id by Decide.
type Facts struct {
	Conversation ConversationID
	Channel      Channel
	From         Words  // the caller's number or address: an identifier
	To           string // the operator's own number
	Trunk        string
}

// Record is a conversation as it was kept, read back under an Access. A list
// leaves From and Turns empty.
type Record struct {
	Conversation  ConversationID
	Channel       Channel
	Trunk, To     string
	From          Words
	Profile       string
	PolicyVersion string
	Started       time.Time
	Ended         time.Time // zero while it goes on
	Expires       time.Time
	Outcome       Outcome // Ongoing while it goes on
	Receipt       Receipt
	Counted       bool // the receipt was counted; false when the process died first
	Turns         []Turn
}
