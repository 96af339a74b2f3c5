package sip

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	stack "github.com/emiago/sipgo/sip"
)

// stackGlobals sets, once and before the stack is used, the two things that
// sipgo keeps in package variables. Its fallback logger would print addresses
// and raw messages. Its size limit drops every datagram over 1,300 bytes
// without a word, while a response must take the way its request came and may
// be fragmented (RFC 3261 section 18.2.2).
//
//nolint:gochecknoglobals // a guard around another module's globals
var stackGlobals = sync.OnceFunc(func() {
	stack.SetDefaultLogger(slog.New(slog.DiscardHandler))
	stack.UDPMTUSize = math.MaxUint16
})

// quietEvery is how often one sentence about the stack may be repeated.
const quietEvery = 10 * time.Second

// quiet stands between sipgo's logger and ours. What sipgo logs holds raw
// messages, URIs and Call-IDs, in the message as well as in the attributes, so
// nothing of a record passes: a known message becomes a sentence of ours, at
// most once in ten seconds with the number of times, and attributes are dropped.
type quiet struct {
	out       *slog.Logger
	transport string
	malformed func(transport string)
	now       func() time.Time

	mu    *sync.Mutex
	heard map[string]*heard
}

type heard struct {
	last  time.Time
	times int
}

func newQuiet(out *slog.Logger, transport string, malformed func(string)) *quiet {
	return &quiet{out: out, transport: transport, malformed: malformed, now: time.Now,
		mu: &sync.Mutex{}, heard: map[string]*heard{}}
}

// Enabled implements slog.Handler.
func (q *quiet) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle implements slog.Handler.
func (q *quiet) Handle(ctx context.Context, r slog.Record) error {
	if !q.Enabled(ctx, r.Level) {
		return nil
	}
	s, malformed := sentence(r.Message)
	if malformed && q.malformed != nil {
		q.malformed(q.transport)
	}
	if times := q.count(s); times > 0 {
		q.out.LogAttrs(ctx, slog.LevelWarn, s, slog.String("transport", q.transport), slog.Int("times", times))
	}
	return nil
}

// WithAttrs and WithGroup drop what they are given.
func (q *quiet) WithAttrs([]slog.Attr) slog.Handler { return q }

// WithGroup implements slog.Handler.
func (q *quiet) WithGroup(string) slog.Handler { return q }

// count is how often a sentence has come since it was last printed, 0 if it
// is not to be printed now.
func (q *quiet) count(s string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	h := q.heard[s]
	if h == nil {
		h = &heard{}
		q.heard[s] = h
	}
	h.times++
	now := q.now()
	if !h.last.IsZero() && now.Sub(h.last) < quietEvery {
		return 0
	}
	times := h.times
	h.last, h.times = now, 0
	return times
}

// sentence is our wording of what sipgo 1.7 says, and whether it means that a
// message could not be parsed.
func sentence(message string) (s string, malformed bool) {
	switch message {
	case "failed to parse":
		return "sip: a message could not be parsed and was dropped", true
	case "Server tx failed to handle request":
		return "sip: a request could not be handled", false
	case "Client tx failed to handle response":
		return "sip: a response could not be handled", false
	case "Read connection error", "Read error":
		return "sip: reading from a connection failed", false
	case "DNS resolution is slow":
		return "sip: resolving a host name was slow", false
	default:
		return "sip: the transaction layer reported a fault", false
	}
}
