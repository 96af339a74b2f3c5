package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lethe/policy"
)

// beLethe, in the environment, makes the test binary lethe itself.
const beLethe = "BE_LETHE"

// process is a lethe of its own, as an operator runs it.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  chan string // of its standard output
	config string
	target string // where it answers
}

func startProcess(t *testing.T, config string) *process {
	t.Helper()
	p := &process{t: t, config: config, lines: make(chan string, 100)}
	p.cmd = exec.CommandContext(context.Background(), os.Args[0], "serve", "--config", config) //nolint:gosec // this binary
	p.cmd.Env = append(os.Environ(), beLethe+"=1")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() { // of a test that failed half way; the error is that it has gone already
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	p.await("ready")
	return p
}

// await reads output up to a line that begins with what, and remembers where
// the server answers.
func (p *process) await(what string) {
	p.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("it ended before it said %q", what)
			}
			if f := strings.Fields(l); len(f) == 3 && f[0] == "sip" && f[1] == "udp" {
				p.target = "support@" + f[2]
			}
			if strings.HasPrefix(l, what) {
				return
			}
		case <-limit:
			p.t.Fatalf("it did not say %q", what)
		}
	}
}

// family are the processes that descend from pid.
func family(t *testing.T, pid int) []int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []int
	for _, f := range tasks {
		data, err := os.ReadFile(f) //nolint:gosec // of /proc
		if err != nil {
			continue // the thread has gone
		}
		for _, word := range strings.Fields(string(data)) {
			child, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			out = append(append(out, child), family(t, child)...)
		}
	}
	return out
}

// gone waits until none of the processes runs.
func gone(t *testing.T, pids []int) {
	t.Helper()
	limit := time.Now().Add(5 * time.Second)
	for _, pid := range pids {
		for running(pid) {
			if time.Now().After(limit) {
				t.Fatalf("process %d is left", pid)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}

func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") // one that nobody has waited for has ended all the same
}

// calling places a call in the background and returns when the first words of
// it are in the store, with a function that waits for its end.
func (p *process) calling(args ...string) (wait func()) {
	p.t.Helper()
	type result struct {
		code int
		out  string
	}
	called := make(chan result, 1)
	go func() {
		code, out, complaint := run(p.t, nil, append([]string{"call", p.target, "--config", p.config, "--timeout", "25s"}, args...)...)
		called <- result{code, out + complaint}
	}()
	s := &served{t: p.t, config: p.config}
	for {
		code, out, _ := run(p.t, nil, "calls", "--config", p.config)
		if code == exitOK && strings.Contains(out, "ongoing") && len(s.transcript().Turns) > 0 {
			break
		}
		select {
		case r := <-called:
			p.t.Fatalf("the call ended early: %+v", r)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return func() { <-called }
}

// SIGTERM: calls end, receipts are stored, exit code 0, no process is left.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, configure(t, engineSphinx, ""))
			wait := p.calling("--keys", "1")
			helpers := family(t, p.cmd.Process.Pid)
			for range 100 { // the engine's child comes with the end of the disclosure
				if len(helpers) >= 3 {
					break
				}
				<-time.After(50 * time.Millisecond)
				helpers = family(t, p.cmd.Process.Pid)
			}
			if len(helpers) < 3 {
				t.Errorf("only %d processes beside it: a voice, an engine and its child were expected", len(helpers))
			}
			if err := p.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			p.await("ended")
			if err := p.cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
			wait()
			gone(t, helpers)
			got := (&served{t: t, config: p.config}).transcript()
			if got.Outcome != policy.Stopped.String() || got.Receipt == nil || got.Receipt.Frames != got.Receipt.Forgotten || got.Receipt.Frames == 0 {
				t.Errorf("%s %v", got.Outcome, got.Receipt)
			}
		})
	}
}

// kill -9 in mid-call: what was said is there, the conversation is marked
// interrupted at the next start, no process is left.
func TestKilledInMidCall(t *testing.T) {
	t.Parallel()
	p := startProcess(t, configure(t, engineSphinx, ""))
	wait := p.calling("--keys", "1")
	before := (&served{t: t, config: p.config}).transcript()
	helpers := family(t, p.cmd.Process.Pid)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var ended *exec.ExitError
	if err := p.cmd.Wait(); !errors.As(err, &ended) {
		t.Errorf("it ended with %v", err)
	}
	gone(t, helpers)
	wait()

	s := startServing(t, p.config)
	if !strings.Contains(s.out.String(), "1 conversations were interrupted") {
		t.Errorf("the start does not say so: %s", s.out.String())
	}
	got := s.transcript()
	if got.ID != before.ID || got.Outcome != policy.Interrupted.String() || got.Receipt != nil {
		t.Errorf("%s %s %v", got.ID, got.Outcome, got.Receipt)
	}
	if len(got.Turns) < len(before.Turns) || got.Turns[0] != before.Turns[0] {
		t.Errorf("turns were lost: %+v, before %+v", got.Turns, before.Turns)
	}
	_, out, _ := run(t, nil, "doctor", "--config", p.config)
	if !strings.Contains(out, "entries in its journal are sound") {
		t.Error(out)
	}
}
