package forensic

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// role is what the test binary becomes when it is started with this variable
// set: "keep" and "clear" are processes that do so with what they read.
const role = "LETHE_FORENSIC_ROLE"

func TestMain(m *testing.M) {
	how := os.Getenv(role)
	switch how {
	case "":
		begin()
		os.Exit(finish(m.Run()))
	case "keep", "clear":
		os.Exit(keep(how))
	default:
		os.Exit(play(how))
	}
}

// keep reads 8,000 bytes, keeps or clears them, says so, and waits for the end of its input.
func keep(how string) int {
	b := make([]byte, 8000)
	in := bufio.NewReaderSize(os.Stdin, 16)
	if _, err := io.ReadFull(in, b); err != nil {
		return 1
	}
	if how == "clear" {
		clear(b)
	}
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		return 1
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		return 1
	}
	runtime.KeepAlive(b) // until it was searched for
	return 0
}

// start runs a keeper below a shell, so that the searched process is a child.
func start(t *testing.T, how string, audio []byte) (pid int) {
	t.Helper()
	c := exec.CommandContext(context.Background(), "/bin/sh", "-c", `"$0"; :`, os.Args[0]) //nolint:gosec // the test binary itself
	c.Env = append(os.Environ(), role+"="+how)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), c.Wait()); err != nil {
			t.Error(err)
		}
	})
	if _, err := in.Write(audio); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the keeper said %q: %v", line, err)
	}
	return c.Process.Pid
}

func TestProcess(t *testing.T) {
	n := needles(t, "PCMU", 50) // 1 s
	for how, want := range map[string]bool{"keep": true, "clear": false} {
		pid := start(t, how, n.spans[0].Data)
		s := n.Search()
		if err := s.Process(pid); err != nil {
			t.Fatal(err)
		}
		r := s.Report()
		t.Logf("%s: %v", how, r)
		// What was cleared may be left in a pipe's page, which is the kernel's, but not in a process.
		if got := r.Audio.Milliseconds() >= 990; got != want {
			t.Errorf("%s: all of the audio found: %v, want %v", how, got, want)
		}
		if !want && r.Windows != 0 {
			t.Errorf("%s: %v: %v", how, r, r.Places)
		}
	}
}

func TestSharedAndFileMemory(t *testing.T) {
	n := needles(t, "PCMA", 10)
	tree, err := Tree(os.Getpid())
	if err != nil || tree[0] != os.Getpid() {
		t.Fatal(tree, err)
	}
	s := n.Search()
	if err := s.Memory(os.Getpid()); err != nil {
		t.Fatal(err)
	}
	if r := s.Report(); r.Audio != n.Duration() {
		t.Errorf("the searcher holds all of its needles, and %v of %v was found", r.Audio, n.Duration())
	}
}

func TestGone(t *testing.T) {
	n := needles(t, "PCMU", 10)
	c := exec.CommandContext(t.Context(), "/bin/true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	if err := n.Search().Process(c.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("searching a process that is gone: %v", err)
	}
	if err := n.Search().Memory(2); !errors.Is(err, ErrGone) { // a kernel thread has no memory
		t.Errorf("searching what has no memory: %v", err)
	}
}

func TestDir(t *testing.T) {
	n := needles(t, "G722", 50)
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "log"), background(4, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := n.Dir(dir); err != nil || r.Windows != 0 || r.Bytes != 100_000 {
		t.Fatal(r, err)
	}
	if err := os.WriteFile(filepath.Join(deep, "x"), n.spans[0].Data[1001:1001+Window], 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := n.Dir(dir)
	if err != nil || r.Windows != 1 || r.Places[0].Where != filepath.Join(deep, "x") {
		t.Errorf("one window in one file: %v %v %v", r, r.Places, err)
	}
	if _, err := n.Dir(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that is not there was searched")
	}
}
