// Package caller is a SIP test caller: it dials a number, speaks lines from
// text or from WAV files, sends keys, hears what is said to it, and measures.
// `lethe call` is its command.
//
// It is the far end of a call, in a process of its own. It may dial, send and
// hear; it knows nothing of the server it calls but what comes over the wire.
// What was said as text comes to it only through Options.Follow, which the
// command provides for servers whose transcripts it may read.
package caller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Errors of Run that a command turns into an exit code.
var (
	// ErrLine says that a line of the script can't be spoken (no such file, not
	// a WAV, no voice). Nothing was dialled.
	ErrLine = errors.New("caller: a line can't be spoken")
	// ErrRefused says that the far end did not take the call.
	ErrRefused = errors.New("caller: the call was not answered")
	// ErrUnsaid says that the call ended before every line was spoken.
	ErrUnsaid = errors.New("caller: the call ended before every line was spoken")
	// ErrTimeout says that Options.Timeout passed before the call was over.
	ErrTimeout = errors.New("caller: the call took longer than its time-out")
)

// Line is one thing that the caller does. Exactly one of Say, WAV and Keys is
// set; Interrupt and Wait say when it is done.
type Line struct {
	Say  string // text, spoken by a synthetic voice
	WAV  string // path of a mono 16-bit PCM WAV file at 8 or 16 kHz
	Keys string // telephone keys, sent as RFC 4733 events: 0-9 * # A-D

	// Interrupt: do it although the far end is speaking. Otherwise the line
	// waits until the far end has spoken and has been silent for a second.
	Interrupt bool
	Wait      time.Duration // additional pause before the line
}

// Options of one call.
type Options struct {
	Target    string // sip:user@host:port, user@host:port, or user (at 127.0.0.1:5060)
	From      string // user part of our own address; "" means "caller"
	Transport string // udp, tcp or tls; "" means udp
	Codec     string // PCMU, PCMA or G722; "" offers all three
	Lines     []Line
	Record    string        // WAV file to write what is heard to; "" records nothing
	JSON      bool          // one JSON object a line instead of the live view
	Timeout   time.Duration // of the whole call; 0 means 5 minutes
	Linger    time.Duration // longest wait for an answer to a line, the last one included; 0 means 8 s
	Insecure  bool          // TLS without checking the certificate

	Voice  Voice    // what speaks Line.Say; the zero value finds one
	Follow Follower // what tells the text of the call; nil when it can't be known
	// Prepared is lent the audio of every line at the codec's rate, when the call
	// was answered and before the first is spoken. nil for nobody.
	Prepared func(lines [][]int16, rate int)
	// Sent is lent every frame of what is sent, as it is encoded, at the codec's
	// rate, on the clock thread: it must not block. nil for nobody.
	Sent func(pcm []int16)
}

// Follower tells what is said in a call as text, from wherever that may be
// read, until ctx ends or the conversation does. callID is Result.CallID. It must call emit from one goroutine.
type Follower func(ctx context.Context, callID string, emit func(Event)) error

// Event is one line of the live view; with Options.JSON it is printed as one
// JSON object. Times are milliseconds: At since the call was answered, Start
// and End in the time of the stream, if they are known.
type Event struct {
	At      int64  `json:"at_ms"`
	Kind    string `json:"kind"`            // calling, answered, said, keys, heard, latency, silent, ended
	Party   string `json:"party,omitempty"` // caller, agent or call
	Text    string `json:"text,omitempty"`
	Final   bool   `json:"final"`
	Start   int64  `json:"start_ms,omitempty"`
	End     int64  `json:"end_ms,omitempty"`
	Latency int64  `json:"latency_ms,omitempty"`
}

// Result is what the caller measured.
type Result struct {
	CallID   string // our own name for the call; "" when there was none
	Codec    string
	Said     int             // lines that were spoken or sent
	HungUp   bool            // the far end ended the call
	Answered time.Duration   // INVITE to 200
	Lasted   time.Duration   // 200 to BYE
	Replies  []time.Duration // for each line that was answered: end of our speech to the first audio of the answer
	Heard    time.Duration   // how much of what came in was not silence
	Sent     uint64          // RTP packets
	Received uint64
	Lost     uint64
	Jitter   time.Duration
}

// String is the summary that ends the live view.
func (r Result) String() string {
	return fmt.Sprintf("%s, %.1f s; %d packets sent, %d received, %d lost, jitter %.1f ms",
		r.Codec, r.Lasted.Seconds(), r.Sent, r.Received, r.Lost, float64(r.Jitter.Microseconds())/1000)
}

// Run places one call and stays until it is over. What it prints goes to out.
// Every line is read and synthesised before anything is dialled, so that a bad
// file costs no call. A Result comes with an error too, as far as the call went.
func Run(ctx context.Context, o Options, out io.Writer) (Result, error) {
	if err := o.defaults(); err != nil {
		return Result{}, err
	}
	script, err := prepare(ctx, o)
	if err != nil {
		return Result{}, err
	}
	return place(ctx, o, script, newView(out, o.JSON))
}
