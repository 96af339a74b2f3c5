// Package transcribe is the contract of every engine that turns speech into
// text. Audio comes in by Hear, on the clock thread; Segments go out.
package transcribe

import (
	"context"
	"errors"

	"lethe/media"
	"lethe/policy"
)

// Errors of Open and of a Session.
var (
	// ErrRate says that the engine does not take audio at this rate. Nothing
	// is resampled in silence: ask for the rate of Engine.Rate.
	ErrRate = errors.New("transcribe: this engine does not take that sample rate")
	// ErrBusy says that the engine has no room for another session.
	ErrBusy = errors.New("transcribe: engine is full")
	// ErrLost says that the engine went away; the call goes on.
	ErrLost = errors.New("transcribe: engine was lost")
)

// Options of one session.
type Options struct {
	Rate       int    // Hz of the frames that Hear will be given
	Narrowband bool   // the audio was once at 8 kHz (G.711), whatever Rate is
	Language   string // BCP 47
	Vocabulary string // name of the number's vocabulary, "" for none
}

// Segment is a piece of an utterance. A partial may change, a final does not.
// Turn's Start and End are stream times; Confidence is 0 to 1.
type Segment struct {
	Turn  policy.Turn
	Final bool
}

// Engine opens sessions. An engine is safe for concurrent use.
type Engine interface {
	// Rate is the one sample rate, in Hz, that sessions take.
	Rate() int
	// Processor is the name under which policy knows the engine.
	Processor() string
	Open(context.Context, policy.Listen, Options) (Session, error)
	// Close ends every session and joins what the engine started.
	Close() error
	String() string
}

// Session hears one side of one call.
//
// Hear is media.Ear's: it never blocks and keeps nothing but what lies in a
// media.Ring. Endpoint says that the utterance has ended: a final follows, or
// an empty one if there were no words. Both are called on the clock thread.
// Segments is closed when the session is. Close wipes what audio is left; it
// waits for the last final no longer than ctx allows.
type Session interface {
	media.Ear
	Endpoint()
	Segments() <-chan Segment
	// Lost is closed when the engine went away and could not be replaced.
	Lost() <-chan struct{}
	Close(context.Context) error
}
