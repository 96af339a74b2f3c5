// Package sdp answers and makes offers of one audio stream (RFC 3264, RFC
// 8866): it reads and writes text and decides, and touches no socket, no name
// server and no audio.
package sdp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"lethe/media/codec"
)

// Limits of what is read from a stranger.
const (
	MaxSize  = 16 << 10 // bytes
	MaxLines = 200
)

// Errors. None carries a part of the SDP.
var (
	// ErrMalformed matches every *SyntaxError.
	ErrMalformed = errors.New("sdp: malformed")
	// ErrNoCommonCodec says that no audio stream of the peer has a codec of ours.
	ErrNoCommonCodec = errors.New("sdp: no common codec")
	// ErrUnsupported says that the peer asks for what is not done: no audio at
	// all, a host name for an address, a transport other than RTP/AVP(F).
	ErrUnsupported = errors.New("sdp: unsupported")
	// ErrLocal says that our own side of the call has no address or port.
	ErrLocal = errors.New("sdp: incomplete local description")
	// ErrSecure is an ErrUnsupported: the peer wants SRTP only.
	ErrSecure = fmt.Errorf("%w: SRTP (RTP/SAVP)", ErrUnsupported)
)

// SyntaxError says where an SDP is malformed and why, and nothing of what it says.
type SyntaxError struct {
	Line   int // from 1; 0 if it is not one line
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Line == 0 {
		return "sdp: malformed: " + e.Reason
	}
	return fmt.Sprintf("sdp: malformed: line %d: %s", e.Line, e.Reason)
}

// Is makes every SyntaxError match ErrMalformed.
func (e *SyntaxError) Is(target error) bool { return target == ErrMalformed }

// Local is our side's socket and the numbers of the session (RFC 8866 section
// 5.2): Session stays, Version grows by one with each changed description. Use
// random numbers: they identify neither machine nor user.
type Local struct {
	Address          netip.Addr
	Port             uint16
	Session, Version uint64
}

// Terms are what our side is willing to do.
type Terms struct {
	Codecs []codec.Codec // in order of preference
	Ptime  time.Duration // 10 to 60 ms; 0 means 20 ms
}

// Direction is the direction of a stream as our side sees it.
type Direction uint8

// Directions (RFC 8866 section 6.7).
const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

// String is the SDP attribute.
func (d Direction) String() string {
	switch d {
	case SendRecv:
		return "sendrecv"
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	case Inactive:
	}
	return "inactive"
}

// Sends says whether our side sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives says whether our side receives.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Format is a payload type the peer may send and its codec.
type Format struct {
	PayloadType uint8
	Codec       codec.Codec
}

// Agreed is the outcome of an offer and its answer.
type Agreed struct {
	// Remote is where we send RTP. Its address is unspecified (0.0.0.0) under an
	// old-style hold: then nothing is sent.
	Remote netip.AddrPort
	// RemoteRTCP is where we send RTCP: of a=rtcp, the port above, or Remote.
	RemoteRTCP netip.AddrPort

	Codec       codec.Codec // what we send
	PayloadType uint8       // with what we send it
	Accept      []Format    // what the peer may send, Codec's first

	Event           uint8 // payload type of telephone-event/8000
	HasEvent        bool
	ComfortNoise    uint8 // payload type of CN/8000
	HasComfortNoise bool

	Ptime    time.Duration // of what we send: the peer's wish within 10 to 60 ms
	MaxPtime time.Duration // 0 if the peer named none

	Direction Direction // of our side
	Hold      bool      // the peer put us on hold: it does not want to hear us
	RTCPMux   bool      // RTCP shares the RTP port (RFC 5761)
}
