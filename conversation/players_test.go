package conversation

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/media/raw"
	"lethe/policy"
	"lethe/transcribe"
)

// The parts that the test plays: the leg, the archive, the voice, the mind, the
// engine and the log.

// leg is a call without SIP.
type leg struct {
	stream *media.Stream
	done   chan struct{}
	once   sync.Once

	mu     sync.Mutex
	refer  func(ctx context.Context, target string) error
	refers []string
	hung   int
}

func (l *leg) Media() *media.Stream  { return l.stream }
func (l *leg) Done() <-chan struct{} { return l.done }
func (l *leg) bye()                  { l.once.Do(func() { close(l.done) }) }
func (l *leg) Refer(ctx context.Context, target string) error {
	l.mu.Lock()
	l.refers = append(l.refers, target)
	f := l.refer
	l.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, target)
}
func (l *leg) Hangup(context.Context, int, string) error {
	l.mu.Lock()
	l.hung++
	l.mu.Unlock()
	l.bye()
	return nil
}

// archive remembers what it was given, as policy gave it.
type archive struct {
	mu       sync.Mutex
	opening  policy.Opening
	turns    []policy.Turn
	settled  policy.Settled
	settles  int
	noBegin  error
	noAppend error
}

func (a *archive) Begin(_ context.Context, o policy.Opening) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.opening = o
	return errors.Join(a.noBegin, o.Valid())
}

func (a *archive) Append(_ context.Context, c policy.Cleared) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := errors.Join(a.noAppend, c.Valid()); err != nil {
		return err
	}
	a.turns = append(a.turns, c.Turn())
	return nil
}

func (a *archive) Settle(_ context.Context, s policy.Settled) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.settled = s
	a.settles++
	return s.Valid()
}

// said is the transcript: "caller: words" or "agent: words", cut turns marked.
func (a *archive) said() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, t := range a.turns {
		who, mark := "agent", ""
		if t.Party == policy.Caller {
			who = "caller"
		}
		if t.Interrupted {
			mark = "..."
		}
		all = append(all, who+": "+t.Words.Reveal()+mark)
	}
	return all
}

// loudness is an ear that knows when it was loud last.
type loudness struct {
	mu   sync.Mutex
	last time.Time
	all  time.Duration
}

func (l *loudness) String() string { return "loudness" }
func (l *loudness) Hear(f media.Frame) error {
	for _, s := range raw.Samples(f) {
		if s > 1000 || s < -1000 {
			l.mu.Lock()
			l.last = time.Now()
			l.all += f.Duration()
			l.mu.Unlock()
			break
		}
	}
	return nil
}

func (l *loudness) loud() (last time.Time, all time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.all
}

// voice speaks a tone, so long for each character.
type voice struct {
	mu    sync.Mutex
	fails func(words string) error
}

func (v *voice) Processor() string { return "voice" }
func (v *voice) String() string    { return "a tone" }
func (v *voice) Speak(ctx context.Context, t policy.Told, out *media.Speech) error {
	if err := t.For("voice"); err != nil {
		return err
	}
	v.mu.Lock()
	fails := v.fails
	v.mu.Unlock()
	if fails != nil {
		if err := fails(t.Text()); err != nil {
			return err
		}
	}
	pcm := make([]int16, int(pace.Seconds()*rate)*len(t.Text()))
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*440*float64(i)/rate))
	}
	return out.Write(ctx, pcm, rate)
}

// mind answers from a table.
type mind struct {
	mu       sync.Mutex
	refuse   error
	greeting string
	answers  map[string][]agent.Reply
	hear     func(ctx context.Context, words string) (<-chan agent.Reply, error)
	heard    []string // what it was told, keys and cuts included
	closed   int
}

func replies(rs ...agent.Reply) (<-chan agent.Reply, error) {
	c := make(chan agent.Reply, len(rs))
	for _, r := range rs {
		c <- r
	}
	close(c)
	return c, nil
}

func says(words string) agent.Reply { return agent.Reply{Words: policy.Said(words)} }

func (m *mind) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heard = append(m.heard, s)
}

func (m *mind) noted() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.heard, "|")
}

func (m *mind) Greet(context.Context) (<-chan agent.Reply, error) {
	if m.greeting == "" {
		return replies()
	}
	return replies(says(m.greeting))
}

func (m *mind) Hear(ctx context.Context, t policy.Told) (<-chan agent.Reply, error) {
	if err := t.For("mind"); err != nil {
		return nil, err
	}
	m.note(t.Text())
	if m.hear != nil {
		return m.hear(ctx, t.Text())
	}
	return replies(m.answers[t.Text()]...)
}

func (m *mind) Interrupted(_ context.Context, t policy.Told) error {
	m.note("cut after: " + t.Text())
	return t.For("mind")
}

func (m *mind) Keyed(_ context.Context, t policy.Told) (<-chan agent.Reply, error) {
	m.note("key " + t.Text())
	return replies(m.answers["key "+t.Text()]...)
}

func (m *mind) Unclear(context.Context) (<-chan agent.Reply, error) {
	m.note("unclear")
	return replies(says("What did you say?"))
}

func (m *mind) Quiet(_ context.Context, times int) (<-chan agent.Reply, error) {
	m.note(fmt.Sprintf("quiet %d", times))
	return replies(m.answers[fmt.Sprintf("quiet %d", times)]...)
}

func (m *mind) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

// engine hears utterances and answers each with the next line of its part.
type engine struct {
	mu       sync.Mutex
	lines    []string
	refuse   []error // for the first openings
	sessions []*session
	mute     bool // owes its finals
}

func (e *engine) Rate() int         { return 16000 }
func (e *engine) Processor() string { return "ear" }
func (e *engine) String() string    { return "an ear" }
func (e *engine) Close() error      { return nil }
func (e *engine) Open(_ context.Context, l policy.Listen, o transcribe.Options) (transcribe.Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := l.For("ear"); err != nil {
		return nil, err
	}
	if !o.Narrowband || o.Rate != 16000 || o.Vocabulary != "support" || o.Language != "en-US" {
		return nil, fmt.Errorf("options %+v", o)
	}
	if len(e.refuse) > 0 {
		err := e.refuse[0]
		e.refuse = e.refuse[1:]
		return nil, err
	}
	s := &session{e: e, out: make(chan transcribe.Segment, 16), lost: make(chan struct{})}
	e.sessions = append(e.sessions, s)
	return s, nil
}

func (e *engine) session(i int) *session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[i]
}

type session struct {
	e    *engine
	out  chan transcribe.Segment
	lost chan struct{}

	mu     sync.Mutex
	first  time.Time // of what it heard
	heard  time.Duration
	from   time.Duration // of the utterance
	to     time.Duration
	closed bool
}

func (s *session) String() string { return "ear" }
func (s *session) Hear(f media.Frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("heard after Close")
	}
	if s.first.IsZero() {
		s.first = time.Now()
	}
	if s.to == 0 {
		s.from = f.At()
	}
	s.to = f.At() + f.Duration()
	s.heard += f.Duration()
	return nil
}

func (s *session) Endpoint() {
	s.e.mu.Lock()
	defer s.e.mu.Unlock()
	if s.e.mute {
		return
	}
	words := ""
	if len(s.e.lines) > 0 {
		words, s.e.lines = s.e.lines[0], s.e.lines[1:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := policy.Turn{Words: policy.Said(words), Start: s.from, End: s.to, Confidence: 0.9}
	s.to = 0
	if s.closed {
		return
	}
	if words != "" {
		s.out <- transcribe.Segment{Turn: turn}
	}
	s.out <- transcribe.Segment{Turn: turn, Final: true}
}

func (s *session) Segments() <-chan transcribe.Segment { return s.out }
func (s *session) Lost() <-chan struct{}               { return s.lost }
func (s *session) Close(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("closed twice")
	}
	s.closed = true
	close(s.out)
	return nil
}

// lines is a log in memory.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
