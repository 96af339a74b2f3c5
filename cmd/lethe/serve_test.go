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

	"lethe/policy"
	"lethe/store"
)

func TestMain(m *testing.M) {
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
	text := fmt.Sprintf(testConfig, first, first+199, engine, built(t, "lethe-flite"), filepath.Join(dir, "data", "lethe.db"), filepath.Join(dir, "keys", "lethe.keys"))
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

// One call by keys, through the null engine, from the command line to the
// transcript: everything an operator sees of it.
func TestACallByKeys(t *testing.T) {
	t.Parallel()
	s := startServing(t, configure(t, engineNull, ""))
	code, out, complaint := s.call(s.target("support"), "--keys", "1", "--keys", "#", "--codec", "PCMU", "--timeout", "90s")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s%s", code, out, complaint, s.log.String())
	}
	for _, want := range []string{"speaking with a machine", "The audio is not kept.", "Welcome to the support desk", "We are open from eight to six", "Goodbye", "PCMU"} {
		if !strings.Contains(out, want) {
			t.Errorf("the live view has no %q:\n%s", want, out)
		}
	}
	got := s.transcript()
	if got.Outcome != "completed by agent" || got.Number != "support" || got.Trunk != "local" || len(got.Turns) < 5 {
		t.Errorf("%+v", got)
	}
	if r := got.Receipt; r == nil || r.Frames < 500 || r.Forgotten != r.Frames || r.Held != 0 {
		t.Errorf("receipt: %v", r)
	}
	s.checkReading(got)
	s.checkMetrics(got)
	s.end()
	if strings.Contains(s.log.String(), `"level":"ERROR"`) {
		t.Errorf("the log has errors: %s", s.log.String())
	}
}

// checkReading reads the same conversation in every form.
func (s *served) checkReading(want transcript) {
	s.t.Helper()
	id := string(want.ID)
	code, out, _ := run(s.t, s.env, "transcript", id, "--config", s.config)
	line := fmt.Sprintf("receipt frames=%d forgotten=%d held=0 longest_ms=", want.Receipt.Frames, want.Receipt.Forgotten)
	if code != exitOK || !strings.Contains(out, line) || !strings.Contains(out, "caller: keys 1") {
		s.t.Errorf("transcript: %d\n%s", code, out)
	}
	code, out, _ = run(s.t, s.env, "transcript", id, "--vcon", "--config", s.config)
	if code != exitOK {
		s.t.Error(code)
	}
	checkVCon(s.t, []byte(out))
	code, out, _ = run(s.t, s.env, "calls", "--config", s.config)
	if code != exitOK || !strings.Contains(out, id) || !strings.Contains(out, "completed by agent") || strings.Contains(out, "test-") {
		s.t.Errorf("calls: %d\n%s", code, out)
	}
	code, out, _ = run(s.t, s.env, "calls", "--json", "--limit", "1", "--config", s.config)
	var l callLine
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != exitOK || l.ID != want.ID {
		s.t.Errorf("calls --json: %v\n%s", err, out)
	}
	code, _, complaint := run(s.t, s.env, "transcript", string(policy.NewConversationID()), "--config", s.config)
	if code != exitNotFound || !strings.Contains(complaint, "no such conversation") {
		s.t.Errorf("a conversation that is not there: %d %s", code, complaint)
	}
	if code, _, _ := run(s.t, s.env, "transcript", "xyz", "--config", s.config); code != exitUsage {
		s.t.Errorf("no id: %d", code)
	}
	code, out, _ = run(s.t, s.env, "doctor", "--config", s.config)
	if !strings.Contains(out, "entries in its journal are sound") {
		s.t.Errorf("doctor: %d\n%s", code, out)
	}
}

func (s *served) checkMetrics(want transcript) {
	s.t.Helper()
	frames := float64(want.Receipt.Frames)
	for name, v := range map[string]float64{
		"lethe_calls_active": 0, `lethe_calls_total{result="agent"}`: 1, "lethe_frames_born_total": frames, "lethe_frames_forgotten_total": frames,
		"lethe_frames_held_total": 0, "lethe_audio_lifetime_seconds_count": frames, "lethe_reply_latency_seconds_count": 2,
		`lethe_sip_responses_total{code="200"}`: 1, "lethe_arena_used_bytes": 0, "lethe_call_panics_total": 0, "lethe_rtp_jitter_seconds_count": 1,
	} {
		if got := s.metric(name); got != v {
			s.t.Errorf("%s is %v, want %v", name, got, v)
		}
	}
	if s.metric("lethe_rtp_received_total") < frames {
		s.t.Error("fewer packets than frames")
	}
	_, body := s.get("/metrics")
	if strings.Contains(body, "support") || strings.Contains(body, "test-") || strings.Contains(body, "127.0.0.1") {
		s.t.Error("a number or an address is among the metrics")
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if code, body := s.get(path); code != http.StatusOK {
			s.t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// A server that is told to stop ends its calls and keeps what was said.
func TestStoppedInMidCall(t *testing.T) {
	t.Parallel()
	s := startServing(t, configure(t, engineNull, ""))
	type result struct {
		code           int
		out, complaint string
	}
	called := make(chan result, 1)
	go func() {
		code, out, complaint := s.call(s.target("support"), "--keys", "1", "--timeout", "60s")
		called <- result{code, out, complaint}
	}()
	for s.metric("lethe_frames_born_total") < 50 {
		select {
		case r := <-called:
			t.Fatalf("the call ended early: %+v", r)
		case <-time.After(50 * time.Millisecond):
		}
	}
	if n := s.metric("lethe_calls_active"); n != 1 {
		t.Errorf("%v calls are active", n)
	}
	s.end()
	r := <-called
	if r.code != exitFailed || !strings.Contains(r.complaint, "before every line was spoken") {
		t.Errorf("the caller saw %+v", r)
	}
	got := s.transcript()
	if got.Outcome != policy.Stopped.String() || got.Receipt == nil || got.Receipt.Frames != got.Receipt.Forgotten || got.Receipt.Frames < 50 {
		t.Errorf("%+v %v", got.callLine, got.Receipt)
	}
	if !strings.Contains(s.out.String(), "nothing is left running") {
		t.Error(s.out.String())
	}
}

func TestCallsThatAreNotTaken(t *testing.T) {
	t.Parallel()
	s := startServing(t, configure(t, engineNull, ""))
	code, _, complaint := s.call(s.target("nobody"), "--keys", "1")
	if code != exitRefused || !strings.Contains(complaint, "404") {
		t.Errorf("an unknown number: %d %s", code, complaint)
	}
	code, _, complaint = run(t, nil, "call", "support@127.0.0.1:1", "--transport", "tcp", "--keys", "1")
	if code != exitRefused {
		t.Errorf("no server: %d %s", code, complaint)
	}
	s.end()
	if n := strings.Count(s.log.String(), "nobody"); n != 0 {
		t.Errorf("the number that was dialled is in the log: %s", s.log.String())
	}
}

// What keeps lethe from starting is named, with the key to change; nothing is
// left behind.
func TestStartsThatFail(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // the subtests go on when this function has returned
	for name, c := range map[string]struct {
		env  string
		code int
		want []string
	}{
		"SIP port":   {"LETHE_SIP_INSECURE_TCP=" + taken.Addr().String(), exitFailed, []string{"sip.insecure_tcp[0]", "address already in use"}},
		"admin port": {"LETHE_ADMIN_INSECURE_LISTEN=" + taken.Addr().String(), exitFailed, []string{"admin.insecure_listen", "address already in use", "ss -ltnp"}},
		"helper":     {"LETHE_FLITE_HELPER=/nonexistent/lethe-flite", exitMissing, []string{"flite.helper", "/nonexistent/lethe-flite"}},
		"folder":     {"LETHE_STORE_FILE=/proc/lethe/lethe.db", exitFailed, []string{"/proc/lethe"}},
		"one file":   {"LETHE_STORE_KEYS=/tmp/../tmp/x.db", exitUsage, []string{"store.keys"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := []string{c.env}
			if name == "one file" {
				env = append(env, "LETHE_STORE_FILE=/tmp/x.db")
			}
			code, out, complaint := run(t, env, "serve", "--config", configure(t, engineNull, ""))
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s%s", code, c.code, out, complaint)
			}
			for _, w := range c.want {
				if !strings.Contains(complaint, w) {
					t.Errorf("%q is not in %s", w, complaint)
				}
			}
			if strings.Contains(out, "\nready") {
				t.Error("it says that it is ready")
			}
		})
	}
}

func TestTwoServersOnOneStore(t *testing.T) {
	t.Parallel()
	s := startServing(t, configure(t, engineNull, ""))
	code, _, complaint := run(t, []string{"LETHE_ADMIN_INSECURE_LISTEN=127.0.0.1:0"}, "serve", "--config", s.config)
	if code != exitFailed || !strings.Contains(complaint, store.ErrServed.Error()) {
		t.Errorf("%d %s", code, complaint)
	}
}
