//go:build forensic

package forensic

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCores: lane 4. Core files in mid-call. One that was not produced, or in
// which the heap is missing, is a failure.
func TestCores(t *testing.T) {
	if testing.Short() {
		t.Log("only in the full run: make forensic")
		return
	}
	t.Parallel()
	corePattern(t)
	kept := keeper(t)
	for i, encoding := range codecs() {
		t.Run("control "+encoding, func(t *testing.T) {
			s, n := midCall(t, setting{binary: kept, engine: "null"}, encoding, uint64(70+i)) //nolint:gosec // small
			r := s.core(s.gcore(s.pid), canary, n)
			if m := missing(r, keptKinds(encoding)); len(m) > 0 {
				t.Errorf("control: of a frame that was kept on purpose, the search of a core file does not find %v: %v", m, r)
			}
			tell(t, r.Windows > 0, line{lane: laneCores, what: encoding + ", gcore of a lethe that keeps frames",
				control: fmt.Sprintf("%d kinds", len(r.Kinds)), found: fmt.Sprintf("%d windows, as it has to be", r.Windows)})
		})
	}
	ulimit := []string{"/bin/sh", "-c", `ulimit -c unlimited; exec "$0" "$@"`}
	crash := []string{"GOTRACEBACK=crash"}
	panics := build(t, nil, []added{{"media/panic.go", panicSource}})
	for what, c := range map[string]struct {
		setting
		core func(*server) string
		word string
	}{
		"gcore":           {setting{}, func(s *server) string { return s.gcore(s.pid) }, canary},
		"gcore of engine": {setting{}, func(s *server) string { return s.gcore(s.engine()) }, dictionaryWord},
		"panic":           {setting{binary: panics, under: ulimit, env: crash}, func(s *server) string { return s.signal(s.pid, syscall.SIGUSR2) }, canary},
		"SIGABRT":         {setting{under: ulimit, env: crash}, func(s *server) string { return s.signal(s.pid, syscall.SIGABRT) }, canary},
		"SIGSEGV, engine": {setting{under: ulimit}, func(s *server) string { return s.signal(s.engine(), syscall.SIGSEGV) }, dictionaryWord},
		"SIGABRT, engine": {setting{under: ulimit}, func(s *server) string { return s.signal(s.engine(), syscall.SIGABRT) }, dictionaryWord},
	} {
		t.Run(what, func(t *testing.T) {
			s, n := midCall(t, c.setting, "PCMU", uint64(80+len(what))) //nolint:gosec // small
			var mid Report
			s.frozen(func() { mid = s.memory(n) })
			r := s.core(c.core(s), c.word, n)
			show(t, r)
			tell(t, r.Windows == 0 && mid.Windows > 0, line{lane: laneCores, what: what, control: fmt.Sprintf("canary found; mid-call %d", mid.Windows),
				found: fmt.Sprintf("%d windows in %d MiB", r.Windows, r.Bytes>>20)})
		})
	}
	t.Run("kill -9", func(t *testing.T) {
		s, n := midCall(t, setting{}, "PCMU", 99)
		s.kill()
		s.over <- nil // killed, and waited for
		tellFiles(t, s, n, "PCMU, after kill -9")
	})
}

// dictionaryWord is in the engine's dictionary, and so on the heap of its child.
const dictionaryWord = "zyuganov's"

// panicSource panics where nothing recovers.
const panicSource = `package media

import (
	"os"
	"os/signal"
	"syscall"
)

func init() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR2)
	go func() { <-c; panic("asked for") }()
}
`

// corePattern has the kernel write core files into the folder of the process.
func corePattern(t *testing.T) {
	t.Helper()
	const file = "/proc/sys/kernel/core_pattern"
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(old)) == "core" {
		return
	}
	if err := os.WriteFile(file, []byte("core\n"), 0); err != nil {
		t.Fatalf("core files go to %q and that can't be changed (%v): run make forensic as root, or: sysctl kernel.core_pattern=core",
			strings.TrimSpace(string(old)), err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(file, old, 0); err != nil {
			t.Errorf("restoring core_pattern: %v", err)
		}
	})
}

// midCall is a server in the middle of a call.
func midCall(t *testing.T, o setting, encoding string, seed uint64) (*server, *Needles) {
	t.Helper()
	s := newServer(t, o)
	c := newCaller(t, s, encoding, seed)
	n := c.needles()
	c.beyond = true
	c.do("dial")
	s.heard(talk)
	t.Cleanup(c.leave)
	return s, n
}

// engine is the child that serves the one call.
func (s *server) engine() int {
	s.t.Helper()
	e := s.engines()
	if len(e) == 0 {
		s.t.Fatal("no child of the engine serves the call")
	}
	return e[len(e)-1]
}

// gcore makes a core file of a process that goes on.
func (s *server) gcore(pid int) string {
	s.t.Helper()
	to := filepath.Join(s.t.TempDir(), "gcore")
	if b, err := exec.CommandContext(s.t.Context(), "gcore", "-o", to, fmt.Sprint(pid)).CombinedOutput(); err != nil { //nolint:gosec // a number
		s.t.Fatalf("gcore: %v: %s (apt-get install gdb)", err, b)
	}
	return fmt.Sprintf("%s.%d", to, pid)
}

// signal kills a process so that the kernel writes its core file, and finds it.
func (s *server) signal(pid int, sig syscall.Signal) string {
	s.t.Helper()
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatal(err)
	}
	for until := time.Now().Add(15 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		for _, name := range []string{"core", fmt.Sprintf("core.%d", pid)} {
			file := filepath.Join(dir, name)
			if _, err := os.Stat(file); err == nil {
				s.written(pid)
				return file
			}
		}
	}
	s.t.Fatalf("no core file was produced by %v\n%s", sig, s.log())
	return ""
}

// written waits until the process is gone: its core file is complete then.
func (s *server) written(pid int) {
	s.t.Helper()
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if _, state, ok := parentOf(pid); !ok || state == 'Z' {
			return
		}
	}
	s.t.Fatalf("process %d survived its core file", pid)
}

// core searches a core file, which has to hold the word.
func (s *server) core(file, word string, n *Needles) Report {
	s.t.Helper()
	b, err := os.ReadFile(file) //nolint:gosec // just written
	if err != nil {
		s.t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte("\x7fELF")) {
		s.t.Fatalf("%s is no core file", file)
	}
	if !bytes.Contains(b, []byte(word)) {
		s.t.Fatalf("the core file of %d MiB lacks %q, which was on the heap: it proves nothing", len(b)>>20, word)
	}
	k := n.Search()
	if err := k.File(file); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		s.t.Error(err)
	}
	return k.Report()
}

// crashEngine kills the child that serves the call.
func (s *server) crashEngine() {
	s.t.Helper()
	if err := syscall.Kill(s.engine(), syscall.SIGSEGV); err != nil {
		s.t.Fatal(err)
	}
}
