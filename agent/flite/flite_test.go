package flite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/media"
	"lethe/media/raw"
	"lethe/policy"
	"lethe/policy/policytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// build compiles the helper.
func build(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lethe-flite")
	args := []string{"-O2", "-Wall", "-Wextra", "-Werror", "-o", path, "helper/lethe-flite.c",
		"-lflite_cmu_us_slt", "-lflite_cmu_us_awb", "-lflite_cmu_us_rms", "-lflite_cmu_us_kal", "-lflite_cmu_us_kal16",
		"-lflite_usenglish", "-lflite_cmulex", "-lflite", "-lm"}
	if out, err := exec.CommandContext(t.Context(), "gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("the helper can't be built (apt-get install gcc libc6-dev flite1-dev): %v\n%s", err, out)
	}
	return path
}

// bench is a voice, a call to speak into, and an ear at its other end.
type bench struct {
	t      testing.TB
	plane  *media.Plane
	voice  *Voice
	near   *media.Stream
	ear    *ear
	ruling policy.Ruling
	to     policy.Processor
	seq    int
}

func newPlane(t testing.TB) *media.Plane {
	t.Helper()
	c := media.Default()
	c.Ports = "26000-26999"
	p, err := media.NewPlane(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func setup(t testing.TB, change func(*Config)) *bench {
	t.Helper()
	c := Default()
	c.Helper = build(t)
	if change != nil {
		change(&c)
	}
	p := newPlane(t)
	v, err := New(t.Context(), c, p.Arena())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, plane: p, voice: v}
	b.near, b.ear = b.call()
	office, _ := policytest.Office(t, policy.ProcessorEntry{Name: Processor, Local: true}, policy.ProcessorEntry{Name: "other", Local: true})
	b.ruling = office.Decide(policy.Facts{Channel: policy.SIP})
	if b.to, err = office.Processor(Processor); err != nil {
		t.Fatal(err)
	}
	return b
}

// call gives a stream to speak into, and who hears it.
func (b *bench) call() (*media.Stream, *ear) {
	b.t.Helper()
	near, offer, err := b.plane.Offer(media.Terms{Codecs: []string{"PCMU"}})
	if err != nil {
		b.t.Fatal(err)
	}
	far, answer, err := b.plane.Answer(media.Terms{Codecs: []string{"PCMU"}}, offer)
	if err != nil {
		b.t.Fatal(err)
	}
	if err := near.Accept(answer); err != nil {
		b.t.Fatal(err)
	}
	e := &ear{first: make(chan time.Time, 1)}
	if _, err := far.Listen(media.Caller, 0, e); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { near.Close(); far.Close() })
	return near, e
}

func (b *bench) told(text string) policy.Told {
	b.t.Helper()
	b.seq++
	told, err := b.ruling.Tell(b.to, policy.Turn{Conversation: b.ruling.Conversation(), Seq: b.seq, Party: policy.Agent, Words: policy.Said(text)}, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return told
}

// ear counts what is loud.
type ear struct {
	first chan time.Time
	loud  atomic.Int64 // ns
}

func (e *ear) String() string { return "ear" }
func (e *ear) Hear(f media.Frame) error {
	for _, s := range raw.Samples(f) {
		if s > 600 || s < -600 {
			e.loud.Add(int64(f.Duration()))
			select {
			case e.first <- time.Now():
			default:
			}
			return nil
		}
	}
	return nil
}

func TestSpeaks(t *testing.T) {
	b := setup(t, nil)
	began := time.Now()
	const text = "Welcome to the support desk. How can I help you?"
	if err := b.voice.Speak(t.Context(), b.told(text), b.near.Speech()); err != nil {
		t.Fatal(err)
	}
	if err := b.near.Speech().Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := (<-b.ear.first).Sub(began)
	t.Logf("first audio after %v (jitter buffer and packet included), %v loud", first, time.Duration(b.ear.loud.Load()))
	if first > 500*time.Millisecond {
		t.Errorf("the first audio came after %v", first)
	}
	if loud := time.Duration(b.ear.loud.Load()); loud < time.Second || loud > 6*time.Second {
		t.Errorf("%v of speech", loud)
	}
	if left := b.plane.Arena().Used(); left == 0 {
		t.Error("the arena is not in use during a call")
	}
}

// The words never stand where `ps` shows them.
func TestTextIsNoArgument(t *testing.T) {
	b := setup(t, nil)
	pid := b.voice.idle[0].cmd.Process.Pid
	if err := b.voice.Speak(t.Context(), b.told("Rumpelstiltskin."), b.near.Speech()); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"cmdline", "environ"} {
		data, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), file))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(bytes.ToLower(data), []byte("rumpel")) {
			t.Errorf("the text stands in %s", file)
		}
	}
}

const long = "This is a rather long sentence that goes on and on, so that there is enough time to interrupt it while it is being spoken to somebody who has heard it all before."

func TestStopsAtOnce(t *testing.T) {
	b := setup(t, nil)
	pid := b.voice.idle[0].cmd.Process.Pid
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-b.ear.first; cancel() }()
	err := b.voice.Speak(ctx, b.told(long+" "+long), b.near.Speech())
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	began := time.Now()
	b.near.Speech().Cut()
	// the helper lives and what it speaks next is not the rest
	before := time.Duration(b.ear.loud.Load())
	if err := b.voice.Speak(t.Context(), b.told("Yes."), b.near.Speech()); err != nil {
		t.Fatal(err)
	}
	if err := b.near.Speech().Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("spoken again after %v", time.Since(began))
	if more := time.Duration(b.ear.loud.Load()) - before; more > 1200*time.Millisecond {
		t.Errorf("%v were spoken for one short word", more)
	}
	if again := b.voice.idle[0].cmd.Process.Pid; again != pid {
		t.Errorf("helper %d was replaced by %d", pid, again)
	}
}

func TestCutEndsSpeaking(t *testing.T) {
	b := setup(t, nil)
	go func() { <-b.ear.first; b.near.Speech().Cut() }()
	if err := b.voice.Speak(t.Context(), b.told(long), b.near.Speech()); !errors.Is(err, media.ErrCut) {
		t.Fatalf("error %v", err)
	}
	if b.voice.Idle() != 1 {
		t.Error("the helper was lost")
	}
}

// A helper that died while it waited costs nothing; one that dies in the middle
// of a sentence costs that sentence.
func TestCrash(t *testing.T) {
	b := setup(t, nil)
	kill := func(h *helper) {
		if err := h.cmd.Process.Signal(syscall.SIGSEGV); err != nil {
			t.Error(err)
		}
	}
	kill(b.voice.idle[0])
	if err := b.voice.Speak(t.Context(), b.told("Yes."), b.near.Speech()); err != nil {
		t.Fatalf("a helper that had died: %v", err)
	}
	h := b.voice.idle[0]
	b.near.Speech().Cut()
	go func() {
		for tick := time.Tick(5 * time.Millisecond); b.near.Speech().Heard() < 200*time.Millisecond; {
			<-tick
		}
		kill(h)
	}()
	// more than a pipe and the ring hold
	if err := b.voice.Speak(t.Context(), b.told(strings.Repeat(long+" ", 4)), b.near.Speech()); !errors.Is(err, ErrHelper) {
		t.Fatalf("a helper that died: %v", err)
	}
	if err := b.voice.Speak(t.Context(), b.told("Yes."), b.near.Speech()); err != nil {
		t.Fatalf("after a crash: %v", err)
	}
}

// A prepared sentence needs no helper and sounds the same; one that has no room
// is spoken as any other.
func TestPrompts(t *testing.T) {
	b := setup(t, func(c *Config) { c.PromptsKiB = 96 })
	if err := b.voice.Prepare(t.Context(), []string{"Of course. One moment, please.", "Of course.", long}); err != nil {
		t.Fatal(err)
	}
	if n := len(b.voice.known.by); n != 2 {
		t.Errorf("%d sentences are kept, want 2", n)
	}
	speak := func(text string) time.Duration {
		t.Helper()
		b.near.Speech().Cut()
		if err := b.voice.Speak(t.Context(), b.told(text), b.near.Speech()); err != nil {
			t.Fatal(err)
		}
		if err := b.near.Speech().Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b.near.Speech().Heard()
	}
	h := b.voice.idle[0]
	b.voice.idle = nil // whoever asks for a helper has to start one
	path := b.voice.path
	b.voice.path = "/nonexistent"
	known := speak("One moment, please. Of course.")
	b.voice.path, b.voice.idle = path, []*helper{h}
	clear(b.voice.known.by)
	anew := speak("One moment, please. Of course.")
	if d := known - anew; d < -30*time.Millisecond || d > 30*time.Millisecond {
		t.Errorf("known: %v, anew: %v", known, anew)
	}
	// a cut ends it as it ends any other
	if err := b.voice.Prepare(t.Context(), []string{"Of course. One moment, please."}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := b.voice.Speak(ctx, b.told("One moment, please. Of course."), b.near.Speech()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestFewHelpersForMany(t *testing.T) {
	b := setup(t, func(c *Config) { c.MaxHelpers, c.KeepHelpers = 2, 1 })
	var wg sync.WaitGroup
	for range 6 {
		near, _ := b.call()
		told := b.told("Yes, of course.")
		wg.Go(func() {
			if err := b.voice.Speak(t.Context(), told, near.Speech()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.voice.Idle(); n != 1 {
		t.Errorf("%d helpers wait, want 1", n)
	}
}

func TestRefusals(t *testing.T) {
	b := setup(t, nil)
	if err := b.voice.Speak(t.Context(), policy.Told{}, b.near.Speech()); !errors.Is(err, policy.ErrNotGranted) {
		t.Errorf("words without a grant: %v", err)
	}
	if err := b.voice.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.voice.Speak(t.Context(), b.told("Yes."), b.near.Speech()); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestNoHelper(t *testing.T) {
	p := newPlane(t)
	for _, path := range []string{"/nonexistent/lethe-flite", "/bin/true", "/bin/cat"} {
		c := Default()
		c.Helper = path
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := New(ctx, c, p.Arena())
		cancel()
		if path == "/bin/cat" && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrHelper) || path != "/bin/cat" && !errors.Is(err, ErrHelper) {
			t.Errorf("%s: %v", path, err)
		}
	}
	t.Setenv("PATH", "/nonexistent")
	if _, err := Find(""); !errors.Is(err, ErrHelper) || !strings.Contains(err.Error(), "flite.helper") {
		t.Errorf("error %v has no remedy", err)
	}
}

func TestConfig(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	for key, c := range map[string]Config{
		"voice":        {Voice: "bob", MaxHelpers: 1},
		"max_helpers":  {Voice: "slt"},
		"keep_helpers": {Voice: "slt", MaxHelpers: 1, KeepHelpers: 2},
		"prompts_kib":  {Voice: "slt", MaxHelpers: 1, PromptsKiB: -1},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestSplit(t *testing.T) {
	many := strings.Repeat("word ", 100)
	for in, want := range map[string][]string{
		"":    nil,
		" \n": nil,
		"Hello. You are speaking with an A.I. agent. Bye!": {"Hello.", "You are speaking with an A.I. agent.", "Bye!"},
		"Ask Dr. No at 5 p.m. today.  Is\tit 3.5?":         {"Ask Dr. No at 5 p.m. today.", "Is it 3.5?"},
		"no end":      {"no end"},
		"a\x00b\x1bc": {"a b c"},
	} {
		if got := split(in); !slices.Equal(got, want) {
			t.Errorf("%q: %q", in, got)
		}
	}
	for _, in := range []string{many, strings.Repeat("é", 1000), strings.Repeat("a,", 1000)} {
		var back strings.Builder
		for _, p := range split(in) {
			if len(p) > longest {
				t.Errorf("a piece of %d bytes", len(p))
			}
			back.WriteString(p)
		}
		if got, want := strings.ReplaceAll(back.String(), " ", ""), strings.ReplaceAll(in, " ", ""); got != want {
			t.Errorf("%.20q...: text was lost", in)
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("Hello. A.I. x")
	f.Fuzz(func(t *testing.T, s string) {
		for _, p := range split(s) {
			if len(p) > longest || p == "" {
				t.Errorf("a piece of %d bytes", len(p))
			}
		}
	})
}
