// Package media moves audio, and forgets it. A Plane owns the locked arena and
// the clock; a Stream is one leg of a call: SDP is answered, RTP is received
// from one source, put in order, decoded and lent to ears frame by frame, and
// Speech is sent at its own pace. receive.go tells a packet's whole life.
//
// Nothing here writes audio anywhere but into the arena and to the far end.
// Samples leave the package through media/raw alone.
package media

import (
	"context"
	"errors"
	"time"

	"lethe/media/internal/frame"
)

type (
	// Frame is one borrowed packet of audio.
	Frame = frame.Frame
	// Side says whose audio a frame is.
	Side = frame.Side
)

// Sides of a stream.
const (
	Caller = frame.Caller
	Agent  = frame.Agent
	Person = frame.Person
)

// Errors a caller of this package can act on.
var (
	ErrNoCommonCodec = errors.New("media: no common codec")
	ErrBadSDP        = errors.New("media: SDP is malformed")
	ErrFull          = errors.New("media: no room for another stream")
	ErrMediaTimeout  = errors.New("media: nothing was received")
	ErrClosed        = errors.New("media: stream is closed")
)

// Ear borrows a frame for the time of one Hear, on the clock thread: it must
// not block, must not allocate and must not retain the frame.
type Ear interface {
	Hear(Frame) error
	String() string
}

// Tap is an Ear with an end.
type Tap interface {
	Ear
	Close(context.Context) error
}

// Ledger is the account of one stream's caller audio. Born: packets accepted
// from the locked source. Forgotten: packets whose last copy was wiped. Held:
// packets that were also given to the vault. Longest: the longest time from
// reception to the wiping of the last copy.
type Ledger struct {
	Born, Forgotten, Held uint64
	Longest               time.Duration
}

// Stats are what RTP and RTCP say of a stream.
type Stats struct {
	Codec             string
	Received, Lost    uint64
	Late, Duplicate   uint64
	Refused           uint64 // not of the locked source
	Malformed         uint64
	Concealed         uint64
	Sent              uint64
	Jitter, RoundTrip time.Duration
}

// Terms are what a trunk, a number or a page allows; SDP is negotiated under
// them. Codecs are encoding names in order of preference: PCMU, PCMA, G722.
type Terms struct {
	Codecs []string
	Ptime  time.Duration // what we send and ask for; 0 means 20 ms
}
