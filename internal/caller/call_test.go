package caller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"lethe/media"
	"lethe/policy"
	"lethe/sip"
)

// far is the far end of a test call: it greets with a tone and answers each
// utterance with another.
type far struct {
	ua    *sip.UA
	plane *media.Plane
	ear   *listener
	once  bool // hang up after the first answer
	mu    sync.Mutex
	keys  []byte
}

func newFar(t *testing.T, once bool) (*far, string) {
	t.Helper()
	cfg := media.Default()
	cfg.Ports, cfg.ArenaKiB = "32000-32499", 512
	plane, err := media.NewPlane(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f := &far{plane: plane, ear: newListener(), once: once}
	sc := sip.Default()
	sc.InsecureUDP, sc.InsecureTCP = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}
	sc.Trunks = []sip.Trunk{{Name: "test", From: []string{"127.0.0.1"}}}
	f.ua, err = sip.New(sc, sip.Deps{Plane: plane, Serve: f.serve, Numbers: func(user string) bool { return user == "far" }})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.ua.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(f.ua.Close(ctx), plane.Close()); err != nil {
			t.Error(err)
		}
	})
	return f, fmt.Sprintf("far@%s", f.ua.Addrs()[0].Address)
}

func (f *far) serve(ctx context.Context, c *sip.Call, _ policy.Facts) error {
	s := c.Media()
	if _, err := s.Listen(media.Caller, 0, f.ear); err != nil {
		return err
	}
	if err := f.say(ctx, s, 700*time.Millisecond); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case k := <-s.Keys():
			f.mu.Lock()
			f.keys = append(f.keys, k.Digit)
			f.mu.Unlock()
		case now := <-tick.C:
			if _, ok := f.ear.answer(); !ok || f.ear.silence(now) < 200*time.Millisecond {
				continue
			}
			f.ear.arm()
			if err := f.say(ctx, s, 400*time.Millisecond); err != nil || f.once {
				return err
			}
		}
	}
}

func (f *far) say(ctx context.Context, s *media.Stream, d time.Duration) error {
	c := tone(440, 6000, s.Rate(), d)
	if err := s.Speech().Write(ctx, c.pcm, c.rate); err != nil {
		return err
	}
	return s.Speech().Drained(ctx)
}

// wavOf writes c to a file.
func wavOf(t *testing.T, c clip) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "line.wav")
	if err := os.WriteFile(path, append(wavHeader(c.rate, 2*len(c.pcm)), bytesOf(c.pcm)...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCall: a whole call, over both transports in the clear and all codecs:
// what is said arrives, what is heard is measured and recorded.
func TestCall(t *testing.T) {
	for i, codec := range []string{"PCMU", "PCMA", "G722"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			far, target := newFar(t, false)
			transport := []string{"udp", "tcp", "udp"}[i]
			if transport == "tcp" {
				target = fmt.Sprintf("far@%s", far.ua.Addrs()[1].Address)
			}
			line := tone(300, 8000, 16000, 1200*time.Millisecond)
			var sent int
			recording := filepath.Join(t.TempDir(), "heard.wav")
			var out bytes.Buffer
			r, err := Run(t.Context(), Options{
				Target: target, Transport: transport, Codec: codec, Timeout: 30 * time.Second, Linger: 3 * time.Second, Record: recording,
				Lines: []Line{{WAV: wavOf(t, line)}, {Keys: "42#", Wait: 100 * time.Millisecond}},
				Sent:  func(pcm []int16) { sent += len(pcm) },
			}, &out)
			if err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			judge(t, r, codec)
			far.mu.Lock()
			defer far.mu.Unlock()
			if string(far.keys) != "42#" {
				t.Errorf("the keys arrived as %q", far.keys)
			}
			if got := time.Duration(far.ear.heard.Load()); got < 1100*time.Millisecond || got > 1400*time.Millisecond {
				t.Errorf("the far end heard %v of 1.2 s", got)
			}
			if sent == 0 {
				t.Error("nothing was lent to Sent")
			}
			heard, err := readWAV(recording)
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Duration(len(heard.pcm)) * time.Second / time.Duration(heard.rate); d < r.Lasted-time.Second || d > r.Lasted+time.Second || level(heard.pcm) < loud {
				t.Errorf("the recording has %v of a call of %v, level %.0f", d, r.Lasted, level(heard.pcm))
			}
		})
	}
}

func judge(t *testing.T, r Result, codec string) {
	t.Helper()
	if r.Said != 2 || r.HungUp || r.Codec != codec || r.CallID == "" || r.Sent == 0 || r.Received == 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Replies) != 1 || r.Replies[0] < 150*time.Millisecond || r.Replies[0] > time.Second {
		t.Errorf("answers after %v, the far end waits 200 ms", r.Replies)
	}
	if r.Heard < time.Second || r.Heard > 1300*time.Millisecond {
		t.Errorf("%v heard of 1.1 s", r.Heard)
	}
}

// TestCallEnds: what is told when the far end does not play along.
func TestCallEnds(t *testing.T) {
	line := wavOf(t, tone(300, 8000, 8000, 400*time.Millisecond))
	t.Run("it hangs up", func(t *testing.T) {
		t.Parallel()
		_, target := newFar(t, true)
		r, err := Run(t.Context(), Options{Target: target, Timeout: 20 * time.Second, Linger: 2 * time.Second,
			Lines: []Line{{WAV: line}, {WAV: line}}}, &bytes.Buffer{})
		if !errors.Is(err, ErrUnsaid) || !strings.Contains(err.Error(), "1 of 2") || !r.HungUp || r.Said != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("no such number", func(t *testing.T) {
		t.Parallel()
		_, target := newFar(t, true)
		_, err := Run(t.Context(), Options{Target: "x" + target, Lines: []Line{{WAV: line}}}, &bytes.Buffer{})
		var e *sip.Ended
		if !errors.Is(err, ErrRefused) || !errors.As(err, &e) || e.Code != 404 {
			t.Errorf("got %v", err)
		}
	})
	t.Run("it takes too long", func(t *testing.T) {
		t.Parallel()
		_, target := newFar(t, false)
		r, err := Run(t.Context(), Options{Target: target, Timeout: 1500 * time.Millisecond, Lines: []Line{{WAV: line, Wait: time.Minute}}}, &bytes.Buffer{})
		if !errors.Is(err, ErrTimeout) || r.Said != 0 || r.Lasted > 5*time.Second {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// TestInterrupt: a line that interrupts begins while the far end is speaking.
func TestInterrupt(t *testing.T) {
	far, target := newFar(t, false)
	var out bytes.Buffer
	r, err := Run(t.Context(), Options{Target: target, Timeout: 20 * time.Second, Linger: 2 * time.Second,
		Lines: []Line{{WAV: wavOf(t, tone(300, 8000, 8000, 900*time.Millisecond)), Interrupt: true}}}, &out)
	if err != nil || r.Said != 1 {
		t.Fatalf("%+v, %v\n%s", r, err, out.String())
	}
	if far.ear.heard.Load() == 0 {
		t.Error("the far end heard nothing")
	}
}
