//go:build endtoend

package endtoend

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lethe/media"
	"lethe/sip"
)

const (
	hundred = 100
	// talk is how long each caller stays.
	talk = 20 * time.Second
	// rounds of calls of length warm come before the measurement.
	rounds = 4
	warm   = 8 * time.Second
	// slack, in MiB, is what the heap breathes; a leak of 40 KiB a call is more.
	slack = 4
)

// TestHundred: a hundred calls at once, speech-shaped audio, no engine. None is
// lost; a minute later the server is as small as before, with no goroutine more.
//
// What is measured is memory that is held. Go collects garbage when the heap has
// doubled, or after two minutes, so the server collects eagerly here (GOGC=20).
// SIP keeps what it needs to answer repeats for 64*T1, 32 s (RFC 3261 timers H
// and J), so rounds of a hundred calls come before the measurement until that is
// as full as it gets.
func TestHundred(t *testing.T) {
	home := t.TempDir()
	s := serve(t, home, "numbers: {support: {script: \"embedded:support\", engine: \"null\"}}\n", "GOGC=20")
	p := newCrowd(t)
	settled := func() bool { return s.metric("lethe_calls_active") == 0 }
	for range rounds {
		p.place(t, s.sip, hundred, warm)
		s.wait("the first calls to end", 30*time.Second, settled)
	}
	goroutines, memory := s.metric("go_goroutines"), resident(t, s.cmd.Process.Pid)

	p.place(t, s.sip, hundred, talk)
	peak := resident(t, s.cmd.Process.Pid)
	s.wait("all calls to end", 30*time.Second, settled)

	calls := s.calls()
	if len(calls) != (rounds+1)*hundred {
		t.Errorf("%d conversations are listed", len(calls))
	}
	for _, c := range calls {
		if c.Receipt == nil || c.Receipt.Frames == 0 || c.Receipt.Frames != c.Receipt.Forgotten {
			t.Errorf("%s: %s, receipt %+v", c.ID, c.Outcome, c.Receipt)
		}
	}
	var last, left float64
	if !poll(t.Context(), time.Minute, func() bool {
		last, left = resident(t, s.cmd.Process.Pid), s.metric("go_goroutines")
		return last <= memory+slack && left <= goroutines+1 // the admin's own connection
	}) {
		t.Errorf("a minute later: %.0f goroutines (%.0f before), %.1f MiB (%.1f before)", left, goroutines, last, memory)
	}
	t.Logf("lane: %d calls of %v, none lost; memory %.1f MiB before, %.1f during, %.1f after; goroutines %.0f before, %.0f after",
		hundred, talk, memory, peak, last, goroutines, left)
}

// crowd is many callers on one plane.
type crowd struct {
	plane *media.Plane
	ua    *sip.UA
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	mc := media.Default()
	mc.Ports = "34000-34999"
	plane, err := media.NewPlane(mc)
	if err != nil {
		t.Fatal(err)
	}
	sc := sip.Default()
	sc.MaxCalls = 2 * hundred
	ua, err := sip.New(sc, sip.Deps{Plane: plane})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(ua.Close(ctx), plane.Close()); err != nil {
			t.Error(err)
		}
	})
	return &crowd{plane, ua}
}

// place makes n calls of length d at once and returns when all have hung up.
func (p *crowd) place(t *testing.T, target string, n int, d time.Duration) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if err := p.call(t.Context(), target, i, d); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func (p *crowd) call(ctx context.Context, target string, i int, d time.Duration) error {
	c, err := p.ua.Dial(ctx, sip.DialOptions{Target: "sip:support@" + target, Transport: "udp", From: fmt.Sprintf("crowd-%d", i)})
	if err != nil {
		return fmt.Errorf("not answered: %w", err)
	}
	s := c.Media()
	if err := s.Speech().Write(ctx, babble(uint64(i), s.Rate(), d), s.Rate()); err != nil {
		return fmt.Errorf("cut off: %w", errors.Join(err, c.Err()))
	}
	if err := s.Speech().Drained(ctx); err != nil {
		return fmt.Errorf("cut off: %w", errors.Join(err, c.Err()))
	}
	select {
	case <-c.Done():
		return fmt.Errorf("ended early: %w", c.Err())
	default:
	}
	stats := s.Stats()
	if want := uint64(d/(20*time.Millisecond)) * 9 / 10; stats.Received < want {
		return fmt.Errorf("%d packets received in %v", stats.Received, d)
	}
	hang, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Hangup(hang, 0, "")
}

// babble is audio shaped like speech: noise in syllables of a quarter of a
// second, in phrases with pauses between them.
func babble(seed uint64, rate int, d time.Duration) []int16 {
	r := rand.New(rand.NewPCG(seed, 1))
	pcm := make([]int16, int(d.Seconds()*float64(rate)))
	var low float64
	for i := range pcm {
		at := float64(i) / float64(rate)
		low += 0.3 * (r.NormFloat64() - low)
		if math.Mod(at+float64(seed)*0.37, 3.5) > 2.5 {
			continue // a pause
		}
		syllable := math.Pow(math.Sin(math.Pi*math.Mod(at, 0.25)/0.25), 2)
		pcm[i] = int16(max(-32000, min(32000, 9000*syllable*low)))
	}
	return pcm
}

// resident is the anonymous memory of pid and its children in MiB, what they
// share counted once. Pages of files are left out: their share depends on who
// else has the same library open.
func resident(t *testing.T, pid int) float64 {
	t.Helper()
	var kib float64
	for _, p := range family(t, pid) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			continue // it has ended meanwhile
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss_Anon:" {
				n, err := strconv.ParseFloat(f[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				kib += n
			}
		}
	}
	if kib == 0 {
		t.Fatal("the memory of the server could not be read")
	}
	return kib / 1024
}

// family is pid and its descendants.
func family(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lists {
		text, err := os.ReadFile(l)
		if err != nil {
			continue // that thread has ended meanwhile
		}
		for _, f := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, family(t, child)...)
		}
	}
	return all
}
