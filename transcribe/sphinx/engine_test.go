package sphinx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lethe/media/mediatest"
	"lethe/media/resample"
	"lethe/policy"
	"lethe/transcribe"
	"lethe/transcribe/transcribetest"
	"lethe/transcribe/wer"
)

// children of a process, by the kernel's account.
func children(t testing.TB, pid int) []int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("the helper %d has no tasks: %v", pid, err)
	}
	var out []int
	for _, f := range tasks {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for s := range strings.FieldsSeq(string(data)) {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, n)
		}
	}
	return out
}

func signal(t testing.TB, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Error(err)
	}
}

func TestContract(t *testing.T) {
	transcribetest.Run(t, func(t testing.TB) transcribetest.Fixture {
		e, arena := engine(t)
		return transcribetest.Fixture{
			Engine: e, Arena: arena,
			Speech:  said(t, "slt", "check my order status"),
			Words:   []string{"order", "status"},
			Options: transcribe.Options{Language: "en-US", Vocabulary: "support"},
			Crash: func(t testing.TB) {
				for _, pid := range children(t, e.Helper()) {
					signal(t, pid, syscall.SIGSEGV)
				}
			},
			Hang: func(t testing.TB) func() {
				all := children(t, e.Helper())
				for _, pid := range all {
					signal(t, pid, syscall.SIGSTOP)
				}
				return func() {}
			},
			Patience: 5 * time.Second,
		}
	})
}

func open(t *testing.T, e *Engine, o transcribe.Options) transcribe.Session {
	t.Helper()
	o.Rate = Rate
	s, err := e.Open(t.Context(), transcribetest.Listen(t, Processor), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A helper that dies takes every child with it. It is restarted, and the call
// goes on.
func TestHelperIsRestarted(t *testing.T) {
	e, _ := engine(t)
	s := open(t, e, transcribe.Options{Vocabulary: "support"})
	old := e.Helper()
	pcm := said(t, "slt", "pay my bill")
	hear(t, s, pcm[:len(pcm)/2], 0)
	signal(t, old, syscall.SIGKILL)
	eventually(t, time.Minute, "another helper", func() bool { return e.Helper() != old && e.Helper() != 0 })
	s.Endpoint() // of the utterance that was lost
	if g := lastFinal(t, s); g.Turn.Start > time.Second {
		t.Errorf("the lost utterance at %v", g.Turn.Start)
	}
	hear(t, s, pcm, time.Minute)
	s.Endpoint()
	if g := lastFinal(t, s); g.Turn.Words.Reveal() != "pay my bill" {
		t.Errorf("heard %q after the restart", g.Turn.Words.Reveal())
	}
}

func TestNoMoreCallsThanConfigured(t *testing.T) {
	e, _ := engine(t, func(c *Config) { c.MaxCalls = 1 })
	s := open(t, e, transcribe.Options{})
	if _, err := e.Open(t.Context(), transcribetest.Listen(t, Processor), transcribe.Options{Rate: Rate}); !errors.Is(err, transcribe.ErrBusy) {
		t.Errorf("a second call: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	open(t, e, transcribe.Options{})
}

func TestUnknownVocabularyIsRefused(t *testing.T) {
	e, _ := engine(t)
	_, err := e.Open(t.Context(), transcribetest.Listen(t, Processor), transcribe.Options{Rate: Rate, Vocabulary: "sales"})
	if !errors.Is(err, ErrVocabulary) || !strings.Contains(err.Error(), `"sales"`) {
		t.Errorf("opened with a vocabulary that is not there: %v", err)
	}
}

// What is said outside the vocabulary is heard, and not believed.
func TestOutsideTheVocabulary(t *testing.T) {
	e, _ := engine(t)
	s := open(t, e, transcribe.Options{Vocabulary: "support"})
	for _, c := range []struct {
		text string
		low  bool
	}{
		{"the children were playing in the snow until it got dark", true},
		{"cancel my order", false},
	} {
		hear(t, s, said(t, "rms", c.text), 0)
		s.Endpoint()
		g := lastFinal(t, s)
		if low := g.Turn.Confidence < policy.LowConfidence; low != c.low {
			t.Errorf("%q was heard as %q with confidence %v", c.text, g.Turn.Words.Reveal(), g.Turn.Confidence)
		}
	}
}

// Without a vocabulary anything is heard, though not all of it well.
func TestOpenSpeech(t *testing.T) {
	e, _ := engine(t)
	const text = "the children were playing in the snow until it got dark"
	for _, narrowband := range []bool{false, true} {
		s := open(t, e, transcribe.Options{Narrowband: narrowband})
		pcm := said(t, "rms", text)
		if narrowband {
			pcm = telephone(t, pcm)
		}
		hear(t, s, pcm, 0)
		s.Endpoint()
		g := lastFinal(t, s)
		if score := wer.Compare(text, g.Turn.Words.Reveal()); score.Rate() > 50 {
			t.Errorf("narrowband %v: %v %% wrong: %q", narrowband, score.Rate(), g.Turn.Words.Reveal())
		}
		t.Logf("%q, confidence %v", g.Turn.Words.Reveal(), g.Turn.Confidence)
	}
}

// A telephone's band, through a model that was never trained on one.
func TestNarrowband(t *testing.T) {
	e, _ := engine(t)
	s := open(t, e, transcribe.Options{Vocabulary: "support", Narrowband: true})
	hear(t, s, telephone(t, said(t, "slt", "reset my password")), 0)
	s.Endpoint()
	if g := lastFinal(t, s); g.Turn.Words.Reveal() != "reset my password" {
		t.Errorf("heard %q", g.Turn.Words.Reveal())
	}
}

// telephone sends pcm through 8 kHz and back.
func telephone(t *testing.T, pcm []int16) []int16 {
	t.Helper()
	for _, way := range [][2]int{{Rate, Rate / 2}, {Rate / 2, Rate}} {
		var c resample.Converter
		if err := c.Init(way[0], way[1]); err != nil {
			t.Fatal(err)
		}
		out := make([]int16, c.Room(len(pcm)))
		pcm = out[:c.Process(out, pcm)]
	}
	return pcm
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	empty := t.TempDir()
	arena := mediatest.Arena(t, 1<<16)
	for name, c := range map[string]struct {
		change func(*Config)
		err    error
		names  string
	}{
		"helper":       {func(c *Config) { c.Helper = "/nonexistent/lethe-sphinx" }, ErrHelper, "sphinx.helper"},
		"wrong helper": {func(c *Config) { c.Helper = "/bin/true" }, ErrHelper, "ended while"},
		"model":        {func(c *Config) { c.Model = empty }, ErrModel, "cmudict-en-us.dict"},
		"word":         {func(c *Config) { c.Vocabularies = map[string][]string{"a": {"order a flibbertigibbetish pie"}} }, ErrVocabulary, `"flibbertigibbetish"`},
		"number":       {func(c *Config) { c.Vocabularies = map[string][]string{"desk": {"room 12"}} }, ErrVocabulary, `"desk"`},
		"phone":        {func(c *Config) { c.Pronunciations = map[string]string{"lethe": "LIY"} }, ErrVocabulary, `"LIY"`},
		"calls":        {func(c *Config) { c.MaxCalls = 0 }, nil, "max_calls"},
	} {
		cfg := Default()
		cfg.Helper = built
		c.change(&cfg)
		e, err := New(t.Context(), cfg, arena, slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("%s: it started: %v", name, e.Close())
			continue
		}
		if c.err != nil && !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.names) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(temp, "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A word that the dictionary lacks is heard once its phones are given, and
// nothing of the set-up is left on disk.
func TestPronunciations(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	e, _ := engine(t, func(c *Config) {
		c.Pronunciations = map[string]string{"frobnicator": "F R AA B N IH K EY T ER"}
		c.Vocabularies["support"] = append(desk(), "restart my frobnicator")
	})
	if left, err := filepath.Glob(filepath.Join(temp, "lethe-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	s := open(t, e, transcribe.Options{Vocabulary: "support"})
	hear(t, s, said(t, "slt", "restart my frobnicator"), 0)
	s.Endpoint()
	if g := lastFinal(t, s); g.Turn.Words.Reveal() != "restart my frobnicator" {
		t.Errorf("heard %q", g.Turn.Words.Reveal())
	}
}
