package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lethe/policy"
	"lethe/store"
)

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
	var doc struct {
		UUID   string `json:"uuid"`
		Dialog []any  `json:"dialog"`
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil || doc.UUID != id || len(doc.Dialog) != len(want.Turns) {
		s.t.Errorf("vcon: %v\n%s", err, out)
	}
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
		`lethe_sip_responses_total{code="200"}`: 1, "lethe_arena_used_bytes": s.arena, "lethe_call_panics_total": 0, "lethe_rtp_jitter_seconds_count": 1,
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

// The whole product: a caller speaks, is understood, is answered aloud, and
// nothing of the sound is left.
func TestASpokenCall(t *testing.T) {
	t.Setenv("PATH", filepath.Dir(built(t, "lethe-flite"))+":"+os.Getenv("PATH")) // the caller's voice
	s := startServing(t, configure(t, engineSphinx, ""))
	code, out, complaint := s.call(s.target("support"), "--say", "where is my order", "--say", "goodbye", "--json", "--codec", "PCMU", "--timeout", "110s")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s%s%s", code, out, complaint, s.log.String())
	}
	var heard []string
	for line := range strings.Lines(out) {
		var e struct {
			Kind, Party, Text string
			Final             bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if e.Final && e.Kind != "said" {
			heard = append(heard, e.Party+": "+e.Text)
		}
	}
	all := strings.Join(heard, "\n")
	for _, want := range []string{"agent: Hello. You are speaking with a machine", "caller: where is my order", "agent: Orders take three", "caller: goodbye", "agent: Thank you for calling. Goodbye."} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	got := s.transcript()
	if r := got.Receipt; r == nil || r.Frames < 500 || r.Forgotten != r.Frames || got.Outcome != policy.CompletedByAgent.String() {
		t.Errorf("%v %s", r, got.Outcome)
	}
	if n := s.metric("lethe_final_latency_seconds_count"); n != 2 {
		t.Errorf("%v finals were timed", n)
	}
	s.end()
}
