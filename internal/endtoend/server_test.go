//go:build endtoend

package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is build/lethe, beside its helpers.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../build/lethe")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-sphinx", path + "-flite"} {
		if _, err := os.Stat(p); err != nil {
			t.Fatalf("%v: run make build first", err)
		}
	}
	return path
}

// tool is a program of another's that a test needs.
func tool(t *testing.T, name, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s (make test does)", name, pkg)
	}
	return path
}

// server is a lethe in a folder of its own.
type server struct {
	t          *testing.T
	home       string
	sip, admin string
	config     string // path
	cmd        *exec.Cmd
	log        *os.File
	environ    []string // beside ours
}

// serve starts lethe in home. settings is YAML below the sections that every
// test needs; environ comes on top of ours.
func serve(t *testing.T, home, settings string, environ ...string) *server {
	t.Helper()
	s := &server{t: t, home: home, sip: free(t), admin: free(t), config: filepath.Join(home, "lethe.yaml"), environ: environ}
	text := fmt.Sprintf("sip:\n  insecure_udp: [%q]\n  insecure_tcp: [%q]\n  trunks: [{name: local, from: [127.0.0.0/8]}]\n  max_calls: 200\n"+
		"admin: {insecure_listen: %q}\n"+
		"policy: {organisation: the test desk, privacy_policy_url: \"https://example.com/privacy\", agent_policy_url: \"https://example.com/agent\"}\n"+
		"store: {file: data/lethe.db, keys: keys/lethe.keys}\n", s.sip, s.sip, s.admin)
	if err := os.WriteFile(s.config, []byte(text+settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	var err error
	if s.log, err = os.OpenFile(filepath.Join(s.home, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(program(s.t), "serve", "--config", s.config)
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.home, s.log, s.log
	s.cmd.Env = append(os.Environ(), s.environ...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.wait("the server to be ready", 2*time.Minute, func() bool {
		if s.gone() {
			s.t.Fatalf("the server ended:\n%s", s.said())
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		_, status := s.get(ctx, "/readyz")
		return status == http.StatusOK
	})
}

// gone says whether the server's process has ended.
func (s *server) gone() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(rest, "Z")
}

// said is the server's log.
func (s *server) said() string {
	b, err := os.ReadFile(filepath.Join(s.home, "log"))
	return fmt.Sprintf("%s%v", b, errOrNothing(err))
}

func errOrNothing(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// stop ends the server in good order; it is no error if it was killed.
func (s *server) stop() {
	if s.cmd.ProcessState != nil {
		return
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Error(err)
	}
	kill := time.AfterFunc(30*time.Second, func() { _ = s.cmd.Process.Kill() })
	defer kill.Stop()
	if err := s.cmd.Wait(); err != nil {
		s.t.Errorf("the server ended badly: %v\n%s", err, s.said())
	}
	if err := s.log.Close(); err != nil {
		s.t.Error(err)
	}
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.cmd.Wait() // it was killed: that is its error
	if err := s.log.Close(); err != nil {
		s.t.Error(err)
	}
}

// get asks the admin listener.
func (s *server) get(ctx context.Context, path string) (string, int) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error(), 0
	}
	defer func() { _ = res.Body.Close() }()
	var body bytes.Buffer
	if _, err := body.ReadFrom(res.Body); err != nil {
		return err.Error(), 0
	}
	return body.String(), res.StatusCode
}

// metric is the value of one metric without labels.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	text, status := s.get(s.t.Context(), "/metrics")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+" "); ok {
			f, err := strconv.ParseFloat(value, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return f
		}
	}
	s.t.Fatalf("no metric %s: %d\n%s", name, status, text)
	return 0
}

// wait looks every 50 ms until ready is.
func (s *server) wait(what string, limit time.Duration, ready func() bool) {
	s.t.Helper()
	if !poll(s.t.Context(), limit, ready) {
		s.t.Fatalf("waited %v for %s\n%s", limit, what, s.said())
	}
}

func poll(ctx context.Context, limit time.Duration, ready func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ready() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// lethe runs one command of the binary and gives what it prints.
func (s *server) lethe(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program(s.t), args...)
	cmd.Dir, cmd.Env = s.home, append(os.Environ(), "LETHE_CONFIG="+s.config)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("lethe %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), complaint.String())
	}
	return out.String()
}

// spoken is one turn of `lethe transcript --json`.
type spoken struct {
	Party string
	Text  string
}

// told is one conversation of `lethe transcript --json`.
type told struct {
	ID      string `json:"id"`
	Outcome string
	Turns   []spoken
	Receipt *struct {
		Frames, Forgotten, Held uint64
	}
}

// by is everything that party said.
func (c told) by(party string) string {
	var all []string
	for _, t := range c.Turns {
		if t.Party == party {
			all = append(all, t.Text)
		}
	}
	return strings.Join(all, " ")
}

// transcript is that of the last conversation.
func (s *server) transcript() told {
	s.t.Helper()
	var c told
	if err := json.Unmarshal([]byte(s.lethe("transcript", "last", "--json")), &c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// calls is what `lethe calls --json` lists.
func (s *server) calls() []told {
	s.t.Helper()
	var all []told
	d := json.NewDecoder(strings.NewReader(s.lethe("calls", "--json", "--limit", "1000")))
	for d.More() {
		var c told
		if err := d.Decode(&c); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// free is an address whose port nobody has, over UDP and TCP.
func free(t *testing.T) string {
	t.Helper()
	for range 50 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		a := l.Addr().String()
		p, uerr := net.ListenPacket("udp", a)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if uerr == nil {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			return a
		}
	}
	t.Fatal("no port is free over both UDP and TCP")
	return ""
}
