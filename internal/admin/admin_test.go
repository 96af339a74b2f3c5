package admin

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, m *Metrics, checks ...Check) string {
	t.Helper()
	s, err := Serve(t.Context(), Config{"127.0.0.1:0"}, m, checks, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + s.Addr()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func metrics() *Metrics {
	return NewMetrics("v1", func() int { return 3 }, func() Audio {
		return Audio{Received: 10, Lost: 2, Late: 1, Born: 9, Forgotten: 8, Held: 1,
			Bounds: []time.Duration{100 * time.Millisecond, time.Second}, Lifetimes: []uint64{5, 2, 1}, LifetimeSum: 3 * time.Second}
	})
}

func TestMetrics(t *testing.T) {
	m := metrics()
	m.Ended("completed_by_caller")
	m.Response(200)
	m.Response(1 << 20)
	m.Jitter(4 * time.Millisecond)
	m.Final(300 * time.Millisecond)
	m.Reply(time.Second)
	code, body := get(t, serve(t, m)+"/metrics")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	for _, want := range []string{
		"lethe_calls_active 3\n", `lethe_calls_total{result="completed_by_caller"} 1`, `lethe_sip_responses_total{code="200"} 1`,
		`lethe_sip_responses_total{code="0"} 1`, "lethe_rtp_received_total 10\n", "lethe_rtp_lost_total 2\n", "lethe_rtp_late_total 1\n",
		`lethe_rtp_jitter_seconds_bucket{le="0.005"} 1`, "lethe_frames_born_total 9\n", "lethe_frames_forgotten_total 8\n", "lethe_frames_held_total 1\n",
		`lethe_audio_lifetime_seconds_bucket{le="0.1"} 5`, `lethe_audio_lifetime_seconds_bucket{le="1"} 7`,
		`lethe_audio_lifetime_seconds_bucket{le="+Inf"} 8`, "lethe_audio_lifetime_seconds_sum 3\n", `lethe_final_latency_seconds_bucket{le="0.3"} 1`,
		`lethe_reply_latency_seconds_bucket{le="1"} 1`, "go_goroutines ", "process_resident_memory_bytes ", `lethe_build_info{version="v1"} 1`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in /metrics", want)
		}
	}
}

func TestReadinessSaysWhy(t *testing.T) {
	bad := errors.New("the database is locked")
	url := serve(t, metrics(), Check{"sip", func(context.Context) error { return nil }}, Check{"store", func(context.Context) error { return bad }})
	if code, _ := get(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("healthz: %d", code)
	}
	code, body := get(t, url+"/readyz")
	var got struct {
		Status string
		Checks []result
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if code != http.StatusServiceUnavailable || got.Status != "not ready" || len(got.Checks) != 2 || !got.Checks[0].OK ||
		got.Checks[1].OK || got.Checks[1].Reason != bad.Error() {
		t.Errorf("%d %s", code, body)
	}
	url = serve(t, metrics())
	if code, body := get(t, url+"/readyz"); code != http.StatusOK || !strings.Contains(body, `"ready"`) {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := get(t, url+"/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("another path answers %d", code)
	}
}

func TestASlowClientIsCutOff(t *testing.T) {
	s, err := Serve(t.Context(), Config{"127.0.0.1:0"}, metrics(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h := s.http
	if h.ReadTimeout == 0 || h.ReadHeaderTimeout == 0 || h.WriteTimeout == 0 || h.IdleTimeout == 0 || h.MaxHeaderBytes == 0 {
		t.Error("a time-out or bound is missing")
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // closed by the server
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nX: "+strings.Repeat("a", 64<<10)); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if !strings.Contains(string(answer), " 431 ") {
		t.Errorf("a header without end: %q, %v", answer, err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // of the test alone
	_, err = Serve(t.Context(), Config{l.Addr().String()}, metrics(), nil, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "admin.insecure_listen") || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "127.0.0.1:9090": "", "[::1]:0": "",
		"0.0.0.0:9090": "not on loopback", "127.0.0.1": "is no address", "localhost:9090": "is no IP address", "127.0.0.1:99999": "has no port",
	} {
		err := Config{in}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", in, err)
		}
	}
}
