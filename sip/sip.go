// Package sip is lethe's SIP user agent (RFC 3261): transports, transactions
// and dialogs. It knows who may call which number, answers, keeps the dialog to
// the letter, and hands an answered call to Serve; SDP goes to media unread.
// Parsing, transports and transactions are sipgo's; the dialog is ours.
//
// A call's way through the files: transport.go and socket.go (it arrives),
// inbox.go (who sends, may they, is it sound), invite.go (is there room, what
// is answered), dialog.go (the state both ends share), call.go and session.go
// (its one goroutine, until it ends). dial.go is the way out. quiet.go stands
// between sipgo's log and ours.
//
// Nothing here logs or returns what a peer wrote: no number, no URI, no
// Call-ID. sip imports media and policy; it never hears or stores anything.
package sip

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"

	"lethe/policy"
)

// Errors a caller of this package can act on.
var (
	ErrClosed      = errors.New("sip: the user agent is closed")
	ErrNoTransport = errors.New("sip: unknown transport")
	ErrBadTarget   = errors.New("sip: not a SIP URI that can be called")
)

// Deps are what a UA works with.
type Deps struct {
	// Plane makes the media of calls.
	Plane Plane
	// Log gets events without anything a peer wrote; nil discards them.
	Log *slog.Logger
	// Serve runs the conversation of an answered call. Its context ends when the
	// call does, and its return ends the call. nil: the UA answers no call.
	Serve func(ctx context.Context, c *Call, f policy.Facts) error
	// Numbers says whether a number (the user part of the Request-URI) exists.
	Numbers func(user string) bool
	// Ready says why no new call can be taken now; nil means always ready.
	Ready func() error
	// Observe is told what happens, for metrics.
	Observe Observer
	// Roots verify the certificates of peers that are dialled over TLS; nil
	// means those of the machine.
	Roots *x509.CertPool
}

// Observer is told what happens. Every func may be nil, must not block and
// may be called from several goroutines.
type Observer struct {
	Response  func(code int)         // a response was sent
	Active    func(calls int)        // the number of calls changed
	Ended     func(r Result)         // a call, or an attempt at one, is over
	Malformed func(transport string) // a message could not be parsed
	Panicked  func()                 // one call's code panicked, and that call was ended
}

// Result is how a call came to its end.
type Result string

// Results of calls.
const (
	ResultCaller    Result = "caller"        // the far end sent BYE
	ResultAgent     Result = "agent"         // we sent BYE
	ResultCancelled Result = "cancelled"     // CANCEL before the answer
	ResultRefused   Result = "refused"       // answered 3xx to 6xx
	ResultNoAck     Result = "no_ack"        // our 2xx was never acknowledged
	ResultMedia     Result = "media_timeout" // nothing was received any more
	ResultFailed    Result = "failed"        // an error of ours, a panic included
)

// Listening is one bound address.
type Listening struct {
	Transport string // UDP, TCP or TLS
	Address   netip.AddrPort
}

// DialOptions say whom to call and how.
type DialOptions struct {
	// Target is a SIP URI, such as sip:support@127.0.0.1:5060.
	Target string
	// Transport is udp, tcp or tls; empty means what Target says, else udp.
	Transport string
	// From is the user part of the caller's address; empty means anonymous.
	From string
	// Codecs are encoding names in order of preference; empty means all.
	Codecs []string
}
