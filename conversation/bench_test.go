package conversation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/agent"
	"lethe/media"
	"lethe/media/raw"
	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/transcribe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a desk with real media and a real office; engine, mind and voice are
// played by the test, and so is the caller, on the other end of a real stream.
type bench struct {
	t       *testing.T
	plane   *media.Plane
	office  *policy.Office
	journal *policytest.Journal
	config  Config
	archive *archive
	engine  *engine
	mind    *mind
	voice   *voice
	watch   *watch
	log     *lines

	leg    *leg
	caller *media.Stream // the far end
	sent   *loudness     // what lethe sends
	got    *loudness     // what the caller hears
}

const (
	rate = 8000
	pace = 5 * time.Millisecond // of the test's voice, per character
)

func newBench(t *testing.T, change func(*bench, *media.Config)) *bench {
	t.Helper()
	b := &bench{t: t, config: Default(), archive: &archive{}, engine: &engine{}, voice: &voice{}, log: &lines{}}
	b.watch = &watch{news: make(chan struct{}, 1)}
	b.mind = &mind{answers: map[string][]agent.Reply{}}
	b.config.Voice.Hangover = 200 * time.Millisecond
	mc := media.Default()
	mc.Ports = "27000-28999"
	if change != nil {
		change(b, &mc)
	}
	var err error
	if b.plane, err = media.NewPlane(mc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if used := b.plane.Arena().Used(); used != 0 {
			t.Errorf("%d bytes of the arena are in use at the end", used)
		}
		if err := b.plane.Close(); err != nil {
			t.Error(err)
		}
	})
	b.office, b.journal = policytest.Office(t, policy.ProcessorEntry{Name: "ear", Local: true},
		policy.ProcessorEntry{Name: "mind", Local: true}, policy.ProcessorEntry{Name: "voice", Local: true})
	b.leg, b.caller = b.call()
	b.sent, b.got = &loudness{}, &loudness{}
	if _, err := b.leg.stream.Listen(media.Agent, 0, b.sent); err != nil {
		t.Fatal(err)
	}
	if _, err := b.caller.Listen(media.Caller, 0, b.got); err != nil {
		t.Fatal(err)
	}
	return b
}

// call connects two streams: lethe's leg, and a caller.
func (b *bench) call() (*leg, *media.Stream) {
	b.t.Helper()
	far, offer, err := b.plane.Offer(media.Terms{Codecs: []string{"PCMU"}})
	if err != nil {
		b.t.Fatal(err)
	}
	near, answer, err := b.plane.Answer(media.Terms{Codecs: []string{"PCMU"}}, offer)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := far.Accept(answer); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { far.Close(); near.Close() })
	return &leg{stream: near, done: make(chan struct{})}, far
}

func (b *bench) desk() *Desk {
	b.t.Helper()
	d, err := New(Deps{
		Config: b.config, Office: b.office, Archive: b.archive, Arena: b.plane.Arena(), Observer: b.watch,
		Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Numbers: map[string]Number{"support": {Engine: b.engine, Vocabulary: "support", Language: "en-US",
			Mind: func(context.Context) (agent.Mind, error) { return b.mind, b.mind.refuse }, MindProcessor: "mind", Voice: b.voice}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// begin starts the conversation; wait gives what Voices returned.
func (b *bench) begin() (cancel func(), wait func() error) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	d, done := b.desk(), make(chan error, 1)
	go func() {
		done <- d.Voices(ctx, b.leg, policy.Facts{Channel: policy.SIP, From: policy.Said("+15550100"), To: "support"})
	}()
	b.t.Cleanup(cancel)
	return cancel, func() error {
		b.t.Helper()
		select {
		case err := <-done:
			if live := d.Live(); len(live) != 0 {
				b.t.Errorf("still live: %v", live)
			}
			return err
		case <-time.After(20 * time.Second):
			b.t.Fatal("the conversation does not end")
		}
		return nil
	}
}

// say is the caller's voice.
func (b *bench) say(d time.Duration) {
	b.t.Helper()
	pcm := make([]int16, int(d.Seconds()*rate))
	for i := range pcm {
		s := float64(i) / rate
		swing := 0.6 - 0.4*math.Cos(2*math.Pi*4*s)
		v := 0.0
		for h := 1.0; h <= 12; h++ {
			v += 900 * swing * math.Sin(2*math.Pi*140*h*s) / math.Sqrt(h)
		}
		pcm[i] = int16(v)
	}
	if err := b.caller.Speech().Write(b.t.Context(), pcm, rate); err != nil {
		b.t.Error(err)
	}
}

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

// ended checks the receipt and how the conversation ended.
func (b *bench) ended(want policy.Outcome) {
	b.t.Helper()
	b.archive.mu.Lock()
	defer b.archive.mu.Unlock()
	r := b.archive.settled.Receipt()
	if b.archive.settles != 1 || b.archive.settled.Outcome() != want {
		b.t.Errorf("settled %d times, as %v, want %v", b.archive.settles, b.archive.settled.Outcome(), want)
	}
	if r.Conversation != b.archive.opening.Facts().Conversation || r.Born != r.Forgotten || r.Held != 0 {
		b.t.Errorf("receipt %+v", r)
	}
	for i, t := range b.archive.turns {
		if t.Seq != i+1 || t.End < t.Start || t.Conversation != r.Conversation {
			b.t.Errorf("turn %d: seq %d, %v to %v", i, t.Seq, t.Start, t.End)
		}
	}
	if b.leg.hung != 1 {
		b.t.Errorf("hung up %d times", b.leg.hung)
	}
	b.leg.stream.Close()
	b.caller.Close()
}

// watch remembers events and lets the test wait for them.
type watch struct {
	mu   sync.Mutex
	all  []Event
	news chan struct{}
}

func (w *watch) Saw(e Event) {
	w.mu.Lock()
	w.all = append(w.all, e)
	w.mu.Unlock()
	select {
	case w.news <- struct{}{}:
	default:
	}
}

func (w *watch) of(k Kind) []Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []Event
	for _, e := range w.all {
		if e.Kind == k {
			got = append(got, e)
		}
	}
	return got
}

// await waits for the nth event of a kind.
func (b *bench) await(k Kind, n int) Event {
	b.t.Helper()
	timeout := time.After(15 * time.Second)
	for {
		if got := b.watch.of(k); len(got) >= n {
			return got[n-1]
		}
		select {
		case <-b.watch.news:
		case <-timeout:
			b.t.Fatalf("no %q, number %d; there were %v", k, n, b.watch.names())
		}
	}
}

func (w *watch) names() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, e := range w.all {
		all = append(all, e.Kind.String())
	}
	return all
}

// until looks again and again.
func (b *bench) until(what string, done func() bool) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(15 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within 15 s; transcript %q, events %v", what, b.archive.said(), b.watch.names())
		}
	}
}

// awaitTurns waits until so many turns were stored.
func (b *bench) awaitTurns(n int) {
	b.t.Helper()
	b.until(fmt.Sprintf("%d turns", n), func() bool { return len(b.archive.said()) >= n })
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
