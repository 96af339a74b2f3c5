package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(beLethe) != "" {
		main()
	}
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		_, _ = fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if left := children(); len(left) > 0 && code == 0 {
		_, _ = fmt.Fprintln(os.Stderr, "children are left:", left)
		code = 1
	}
	os.Exit(code)
}

// children are the processes that this one has started and that still run.
func children() []string {
	var out []string
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return nil
	}
	for _, f := range tasks {
		data, err := os.ReadFile(f)
		if err == nil {
			out = append(out, strings.Fields(string(data))...)
		}
	}
	return out
}

// built is a helper that `make build` has built.
func built(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../build", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make build` first", err)
	}
	return path
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// served is a real server in this process, on ports of its own.
type served struct {
	t        *testing.T
	config   string // its file
	env      []string
	server   *Server
	out, log buffer
	stop     context.CancelFunc
	done     chan error
	arena    float64 // bytes in use before the first call
}

const testConfig = `
sip:
  insecure_udp: ["127.0.0.1:0"]
  insecure_tcp: ["127.0.0.1:0"]
  trunks:
    - {name: local, from: ["127.0.0.0/8"]}
media: {ports: "%d-%d"}
numbers:
  support: {script: "embedded:support", engine: "%s"}
flite: {helper: "%s"}
sphinx: {helper: "%s"}
policy:
  organisation: the support desk
  privacy_policy_url: https://example.com/privacy
  agent_policy_url: https://example.com/agent-privacy
store: {file: "%s", keys: "%s"}
admin: {insecure_listen: "127.0.0.1:0"}
`

// configure writes a configuration with a folder and ports of its own.
func configure(t *testing.T, engine, more string) string {
	t.Helper()
	dir := t.TempDir()
	first := freePorts(t)
	text := fmt.Sprintf(testConfig, first, first+199, engine, built(t, "lethe-flite"), built(t, "lethe-sphinx"), filepath.Join(dir, "data", "lethe.db"), filepath.Join(dir, "keys", "lethe.keys"))
	file := filepath.Join(dir, "lethe.yaml")
	if err := os.WriteFile(file, []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// freePorts gives the first of 200 ports that are likely to be free.
func freePorts(t *testing.T) int {
	t.Helper()
	c, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()                                              //nolint:errcheck // of the test alone
	return 20000 + c.LocalAddr().(*net.UDPAddr).Port%64*200 + 34 //nolint:forcetypeassert // it is one
}

// startServing runs `lethe serve` until stop, or the end of the test.
func startServing(t *testing.T, config string, env ...string) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{t: t, config: config, env: env, stop: cancel, done: make(chan error, 1)}
	ready := make(chan *Server, 1)
	m := &Main{Stdin: strings.NewReader(""), Stdout: &s.out, Stderr: &s.log, Environ: env, Now: time.Now, Ready: func(s *Server) { ready <- s }}
	go func() { s.done <- errors.Join(m.Run(ctx, []string{"serve", "--config", config}), m.Close()) }()
	select {
	case s.server = <-ready:
	case err := <-s.done:
		cancel()
		t.Fatalf("it did not start: %v\n%s", err, s.out.String())
	}
	t.Cleanup(func() { s.end() })
	s.arena = s.metric("lethe_arena_used_bytes")
	return s
}

// end asks the server to stop, as SIGTERM does, and gives what Run returned.
func (s *served) end() {
	s.t.Helper()
	if s.done == nil {
		return
	}
	s.stop()
	if err := <-s.done; err != nil {
		s.t.Errorf("the server ended with %v", err)
	}
	s.done = nil
}

func (s *served) target(number string) string { return number + "@" + s.server.Addr("UDP").String() }

// call places a call with the command line.
func (s *served) call(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	return run(s.t, s.env, append([]string{"call", "--config", s.config}, args...)...)
}

func (s *served) get(path string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.server.AdminAddr()+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// metric is the value of one line of /metrics.
func (s *served) metric(name string) float64 {
	s.t.Helper()
	_, body := s.get("/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return v
		}
	}
	s.t.Errorf("there is no metric %s", name)
	return -1
}

// transcript is what `lethe transcript last --json` gives.
type transcript struct {
	callLine
	Turns []turnLine
}

func (s *served) transcript() transcript {
	s.t.Helper()
	code, out, complaint := run(s.t, s.env, "transcript", "last", "--json", "--config", s.config)
	var got transcript
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK {
		s.t.Fatalf("%v %s %s", err, out, complaint)
	}
	return got
}
