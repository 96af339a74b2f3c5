package caller

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/media"
	"lethe/media/mediatest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tone is d of a sine at hz.
func tone(hz float64, amplitude float64, rate int, d time.Duration) clip {
	pcm := make([]int16, int(d.Seconds()*float64(rate)))
	for i := range pcm {
		pcm[i] = int16(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return clip{pcm, rate}
}

func TestAddress(t *testing.T) {
	for in, want := range map[string]string{
		"support":                     "sip:support@127.0.0.1:5060",
		"support@example.net":         "sip:support@example.net:5060",
		"sip:support@127.0.0.1:15060": "sip:support@127.0.0.1:15060",
		"support@[::1]":               "sip:support@[::1]:5060",
	} {
		if got, err := address(in, "udp"); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	if got, err := address("support", "tls"); err != nil || got != "sip:support@127.0.0.1:5061" {
		t.Errorf("tls: %q, %v", got, err)
	}
	for _, in := range []string{"", "@host", "a@", "a b@host", "a@h\r\nVia: x", "a@h;lr"} {
		if got, err := address(in, "udp"); err == nil {
			t.Errorf("%q was taken for %q", in, got)
		}
	}
}

// TestBadOptions: what can't work is refused before anything is dialled, and
// the error names the line.
func TestBadOptions(t *testing.T) {
	notWAV := filepath.Join(t.TempDir(), "notes.wav")
	if err := os.WriteFile(notWAV, []byte("shopping list"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		o    Options
		want string
		is   error
	}{
		{Options{}, "target", nil},
		{Options{Target: "x", Transport: "carrier pigeon"}, "carrier pigeon", nil},
		{Options{Target: "x", Codec: "opus"}, "OPUS", nil},
		{Options{Target: "x", Timeout: -1}, "negative", nil},
		{Options{Target: "x", Lines: []Line{{Say: "a"}, {}}}, "line 2", ErrLine},
		{Options{Target: "x", Lines: []Line{{Say: "a", Keys: "1"}}}, "line 1", ErrLine},
		{Options{Target: "x", Lines: []Line{{Keys: "12x"}}}, `"x"`, ErrLine},
		{Options{Target: "x", Lines: []Line{{WAV: notWAV}}}, notWAV, errWAV},
		{Options{Target: "x", Lines: []Line{{Say: "a"}}, Voice: Voice{Program: notWAV + "/none"}}, "voice", ErrLine},
	}
	for _, c := range cases {
		_, err := Run(t.Context(), c.o, io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

// fliteHelper is build/lethe-flite, as make builds it.
func fliteHelper(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "-s", "build/lethe-flite")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("lethe-flite can't be built (make setup-test): %v\n%s", err, out)
	}
	return "../../build/lethe-flite"
}

// TestVoiceSpeaks: the text goes in by standard input, and speech comes out.
func TestVoiceSpeaks(t *testing.T) {
	const text = "where is my parcel"
	for _, v := range []Voice{{Program: "espeak-ng"}, {Program: fliteHelper(t)}} {
		v, err := v.find()
		if err != nil {
			t.Fatal(err)
		}
		if args := strings.Join(v.command(t.Context()).Args, " "); strings.Contains(args, "parcel") {
			t.Fatalf("the text is on the command line: %s", args)
		}
		c, err := v.say(t.Context(), text)
		if err != nil {
			t.Fatalf("%v (make setup-test installs what is missing)", err)
		}
		d := time.Duration(len(c.pcm)) * time.Second / 16000
		if c.rate != 16000 || d < 500*time.Millisecond || d > 5*time.Second || level(c.pcm) < loud {
			t.Fatalf("%s: %v at %d Hz, level %.0f: this is not that sentence", v.Program, d, c.rate, level(c.pcm))
		}
	}
}

// TestVoiceFails: a voice that is not one is an error that says so.
func TestVoiceFails(t *testing.T) {
	helper := fliteHelper(t)
	for name, c := range map[string]struct {
		voice Voice
		want  string
	}{
		"no such voice":       {Voice{Program: helper, Name: "nobody"}, "choose slt"},
		"another program":     {Voice{Program: "/bin/cat", Name: "-"}, "LFL1"},
		"a program that dies": {Voice{Program: "/bin/false", Name: "x"}, "exit status 1"},
		"too much to say":     {Voice{Program: helper, Name: "rms"}, "not understood"},
	} {
		text := "hello"
		if name == "too much to say" {
			text = strings.Repeat("hello ", 2000)
		}
		if _, err := c.voice.say(t.Context(), text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestResample: a tone keeps its level, and what the lower rate can't carry is
// at least 50 dB down.
func TestResample(t *testing.T) {
	for _, c := range []struct {
		from, to int
		hz       float64
		pass     bool
	}{{22050, 16000, 1000, true}, {22050, 16000, 6500, true}, {16000, 8000, 3000, true}, {22050, 16000, 9500, false}, {16000, 8000, 5500, false}} {
		out := tone(c.hz, 10000, c.from, time.Second).to(c.to)
		if n := len(out.pcm); out.rate != c.to || n < c.to-2 || n > c.to {
			t.Fatalf("%d samples at %d Hz", n, out.rate)
		}
		db := 20 * math.Log10(max(1e-9, level(out.pcm[200:len(out.pcm)-200]))/(10000/math.Sqrt2))
		if c.pass && math.Abs(db) > 0.5 || !c.pass && db > -50 {
			t.Errorf("%v Hz from %d to %d: %.1f dB", c.hz, c.from, c.to, db)
		}
	}
}

func TestTrailing(t *testing.T) {
	c := tone(300, 8000, 16000, time.Second)
	c.pcm = append(c.pcm, make([]int16, 4800)...)
	if got := c.trailing(); got < 290*time.Millisecond || got > 310*time.Millisecond {
		t.Errorf("300 ms of silence were taken for %v", got)
	}
	for i := 16000; i < len(c.pcm); i++ {
		c.pcm[i] = int16(200 - 400*(i%2)) // the room
	}
	if got := c.trailing(); got < 290*time.Millisecond || got > 310*time.Millisecond {
		t.Errorf("300 ms of a room were taken for %v", got)
	}
	if got := (clip{make([]int16, 100), 16000}).trailing(); got < 0 {
		t.Errorf("silence alone: %v", got)
	}
}

// TestListener: speech is told from silence and from comfort noise, and its
// beginning is timed once.
func TestListener(t *testing.T) {
	l := newListener()
	hear := func(c clip) {
		f, forget := mediatest.Frame(c.pcm, media.Caller, c.rate, 0)
		defer forget()
		if err := l.Hear(f); err != nil {
			t.Fatal(err)
		}
	}
	quiet := tone(300, 60, 8000, 20*time.Millisecond)
	speech := tone(300, 4000, 8000, 20*time.Millisecond)
	hear(quiet)
	if _, ok := l.answer(); ok || l.silence(time.Now()) < time.Hour {
		t.Fatal("comfort noise was taken for speech")
	}
	hear(speech)
	first, ok := l.answer()
	if !ok {
		t.Fatal("speech was not heard")
	}
	hear(speech)
	if again, _ := l.answer(); again != first {
		t.Error("the beginning moved")
	}
	if got := l.silence(time.Now().Add(time.Second)); got < time.Second {
		t.Errorf("silence of %v", got)
	}
	l.arm()
	if _, ok := l.answer(); ok {
		t.Error("arm did not forget")
	}
	if got := time.Duration(l.heard.Load()); got != 40*time.Millisecond {
		t.Errorf("%v of speech, want 40 ms", got)
	}
}

func TestListenerAllocatesNothing(t *testing.T) {
	f, forget := mediatest.Frame(tone(300, 4000, 8000, 20*time.Millisecond).pcm, media.Caller, 8000, 0)
	defer forget()
	l := newListener()
	if n := testing.AllocsPerRun(100, func() { _ = l.Hear(f) }); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func TestView(t *testing.T) {
	events := []Event{
		{At: 10, Kind: "answered", Text: "by PCMU"},
		{At: 1500, Kind: "heard", Party: "agent", Text: "hello\x1b[2J\nthere", Final: true},
		{At: 2500, Kind: "said", Party: "caller", Text: "good morning", Final: true},
		{At: 3000, Kind: "latency", Latency: 420},
	}
	var human, machine bytes.Buffer
	h, j := newView(&human, false), newView(&machine, true)
	for _, e := range events {
		h.emit(e)
		j.emit(e)
	}
	const want = "   0.0s  call:    answered by PCMU\n   1.5s  agent:   hello [2J there\n   2.5s  caller:  good morning\n   3.0s  call:    the answer began 420 ms after the end of speech\n"
	if human.String() != want {
		t.Errorf("the view is\n%s\nwant\n%s", human.String(), want)
	}
	lines := strings.Split(strings.TrimSpace(machine.String()), "\n")
	if len(lines) != len(events) {
		t.Fatalf("%d lines of JSON for %d events", len(lines), len(events))
	}
	for i, l := range lines {
		var e Event
		if err := json.Unmarshal([]byte(l), &e); err != nil || e != events[i] {
			t.Errorf("%s: %+v, %v", l, e, err)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestViewTellsThatItFailed(t *testing.T) {
	v := newView(broken{}, false)
	v.emit(Event{Kind: "answered"})
	if err := v.failed(); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("got %v", err)
	}
}
