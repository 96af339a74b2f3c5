//go:build forensic

package forensic

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// talk is how long the engine hears the caller before something is done.
const talk = 3 * time.Second

// after are the moments at which nothing may be left.
func after() []time.Duration {
	return []time.Duration{0, 100 * time.Millisecond, time.Second, 5 * time.Second}
}

// most is the audio that may be resident while a call goes on.
const most = 400 * time.Millisecond

// TestMemory: lane 1. The control is a lethe that keeps a frame of every
// stage, and what the same search finds in mid-call.
func TestMemory(t *testing.T) {
	t.Parallel()
	kept := keeper(t)
	for i, encoding := range codecs() {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			control := keptAfterBye(t, kept, encoding, uint64(10+i)) //nolint:gosec // small
			s := newServer(t, setting{env: []string{"GOGC=1"}})
			c := newCaller(t, s, encoding, uint64(20+i)) //nolint:gosec // small
			n := c.needles()
			c.do("dial")
			s.heard(talk)
			var mid Report
			s.frozen(func() { mid = s.memory(n) })
			var found []string
			ok := mid.Windows > 0
			c.do("bye")
			ended := time.Now()
			for _, d := range after() {
				time.Sleep(time.Until(ended.Add(d)))
				var r Report
				s.frozen(func() { r = s.memory(n) })
				ok = ok && r.Windows == 0
				found = append(found, fmt.Sprint(r.Windows))
				show(t, r)
				if d == 0 {
					ended = time.Now() // from where it goes on
				}
			}
			left := len(s.engines())
			tell(t, ok && left == 0, line{lane: laneMemory, what: encoding + ", at 0, 100, 1000, 5000 ms",
				control: fmt.Sprintf("kept %s; mid-call %d", control, mid.Windows),
				found:   fmt.Sprintf("%s windows; %d children of the engine", strings.Join(found, ", "), left)})
			tellFiles(t, s, n, encoding)
			c.leave()
			s.stop()
		})
	}
}

// show lists the places of what should not be there.
func show(t *testing.T, r Report) {
	t.Helper()
	if r.Windows == 0 {
		return
	}
	t.Log(r)
	for _, p := range r.Places {
		t.Log(p)
	}
}

// keptAfterBye is the control: every kind of what a keeper keeps is found.
func keptAfterBye(t *testing.T, binary, encoding string, seed uint64) string {
	t.Helper()
	s := newServer(t, setting{binary: binary, engine: "null"})
	c := newCaller(t, s, encoding, seed)
	n := c.needles()
	c.do("dial")
	time.Sleep(4 * time.Second)
	c.do("bye")
	r := s.memory(n)
	kinds := keptKinds(encoding)
	if m := missing(r, kinds); len(m) > 0 {
		t.Errorf("control: of a frame that was kept on purpose, the search of the memory does not find %v: %v", m, r)
	}
	f := s.files(n)
	if m := missing(f, []string{encoding, "pcm16le@16000", "pcm16le@16000 as decimals"}); len(m) > 0 && encoding != "G722" {
		t.Errorf("control: of a frame that was written to a file, the search does not find %v: %v", m, f)
	}
	c.leave()
	s.stop()
	return fmt.Sprintf("%d kinds", len(kinds)-len(missing(r, kinds)))
}

// tellFiles searches what the server has on disk.
func tellFiles(t *testing.T, s *server, n *Needles, what string) {
	t.Helper()
	f := s.files(n)
	show(t, f)
	tell(t, f.Windows == 0 && f.Bytes > 0, line{lane: laneFiles, what: what + ": data, keys, temporary files, log",
		control: fmt.Sprintf("%d KiB read", f.Bytes>>10), found: fmt.Sprintf("%d windows", f.Windows)})
}

// TestStopped: lane 2. Ten points of a call at which everything is stopped.
func TestStopped(t *testing.T) {
	t.Parallel()
	for i, encoding := range codecs() {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, setting{})
			worst, engine, seen := stops(t, s, encoding, uint64(30+i), 10) //nolint:gosec // small
			tell(t, seen > 0 && worst <= most, line{lane: laneStopped, what: encoding + ", ten stops",
				control: fmt.Sprintf("audio found at %d, in the engine at %d", seen, engine),
				found:   fmt.Sprintf("at most %v", worst.Round(time.Millisecond))})
			s.stop()
		})
	}
}

// stops makes a call and stops it at so many points. It returns the most audio
// that was resident, at how many points any was, and in how many of them in
// the engine's child.
func stops(t *testing.T, s *server, encoding string, seed uint64, points int) (worst time.Duration, engine, seen int) {
	t.Helper()
	c := newCaller(t, s, encoding, seed)
	n := c.needles()
	c.do("dial")
	for range points {
		time.Sleep(16 * time.Second / time.Duration(points))
		s.frozen(func() {
			r := s.memory(n)
			t.Log(r)
			worst = max(worst, r.Audio)
			if r.Windows > 0 {
				seen++
			}
			if r.Audio > most {
				show(t, r)
			}
			if s.inEngine(r) {
				engine++
			}
		})
	}
	c.do("bye")
	c.leave()
	return worst, engine, seen
}

// inEngine says whether something was found in the child that serves the call.
func (s *server) inEngine(r Report) bool {
	for _, pid := range s.engines() {
		for _, p := range r.Places {
			if strings.HasPrefix(p.Where, fmt.Sprintf("pid %d ", pid)) {
				return true
			}
		}
	}
	return false
}

// TestEndings: lane 5.
func TestEndings(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Log("only in the full run: make forensic")
		return
	}
	for what, end := range map[string]func(*server, *caller){
		"BYE":           func(_ *server, c *caller) { c.do("bye") },
		"media timeout": func(_ *server, c *caller) { c.do("mute"); c.hungUp() },
		"engine crash":  func(s *server, c *caller) { s.crashEngine(); time.Sleep(time.Second); c.do("bye") },
		"caller gone":   func(_ *server, c *caller) { c.vanish() },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, setting{silent: what == "media timeout" || what == "caller gone"})
			c := newCaller(t, s, "PCMU", uint64(40+len(what))) //nolint:gosec // small
			n := c.needles()
			c.do("dial")
			s.heard(talk)
			var mid Report
			s.frozen(func() { mid = s.memory(n) })
			end(s, c)
			s.idle(10 * time.Second)
			s.nothing(n, what, fmt.Sprintf("mid-call %d", mid.Windows), mid.Windows > 0)
			if what != "caller gone" {
				c.leave()
			}
			s.stop()
		})
	}
	t.Run("CANCEL", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, setting{})
		c := newCaller(t, s, "PCMU", 49)
		n := c.needles()
		answer := c.do("cancel")
		s.idle(10 * time.Second)
		s.nothing(n, answer, "lane 1's", true)
		c.leave()
		s.stop()
	})
}

// nothing searches at once and a second later, memory and files.
func (s *server) nothing(n *Needles, what, control string, ok bool) {
	s.t.Helper()
	var now, later Report
	s.frozen(func() { now = s.memory(n) })
	time.Sleep(time.Second)
	s.frozen(func() { later = s.memory(n) })
	files := s.files(n)
	for _, r := range []Report{now, later, files} {
		show(s.t, r)
	}
	left := len(s.engines())
	tell(s.t, ok && now.Windows+later.Windows+files.Windows+left == 0, line{lane: laneEndings, what: what, control: control,
		found: fmt.Sprintf("%d, %d windows; in files %d; %d children of the engine", now.Windows, later.Windows, files.Windows, left)})
}

// hungUp waits for the server's BYE.
func (c *caller) hungUp() {
	c.t.Helper()
	if a := c.do("ended"); a != "ended yes" {
		c.t.Errorf("the server did not hang up: %s", a)
	}
}
