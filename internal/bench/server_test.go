//go:build bench

package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// lethe is a real server that is measured.
type lethe struct {
	*process
	pid   int
	sip   netip.AddrPort
	admin string
	log   *os.File
}

// The ports of the measured server, away from those of a lethe that may run.
const (
	sipPort   = 25060
	adminPort = 29090
)

const configuration = `
sip:
  insecure_udp: ["127.0.0.1:%d"]
  max_calls: 2000
  trunks: [{name: local, from: ["127.0.0.0/8"], codecs: [PCMU, PCMA, G722]}]
media: {ports: "12000-19999", arena_kib: %d}
numbers:
  support: {script: "embedded:support", engine: "%s"}
conversation: {no_input: 10m, voice: {longest: 10m}}
policy:
  organisation: the support desk
  privacy_policy_url: https://example.com/privacy
  agent_policy_url: https://example.com/agent
store: {file: data/lethe.db, keys: keys/lethe.keys}
admin: {insecure_listen: "127.0.0.1:%d"}
log: {level: warn}
`

// serve starts build/lethe on the server's core, or on any for core -1.
func serve(t *testing.T, engine string, calls, core int) *lethe {
	t.Helper()
	dir := t.TempDir()
	arena := max(6144, 64*calls)
	text := fmt.Sprintf(configuration, sipPort, arena, engine, adminPort)
	file := filepath.Join(dir, "lethe.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log")) //nolint:gosec // a folder of the test
	if err != nil {
		t.Fatal(err)
	}
	l := &lethe{sip: netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", sipPort)), admin: fmt.Sprintf("http://127.0.0.1:%d", adminPort), log: log}
	l.process = prepare(t, core, "lethe", nil, filepath.Join(root(), "build", "lethe"), "serve", "--config", file)
	l.cmd.Dir, l.cmd.Stdout, l.cmd.Stderr = dir, log, log
	if err := l.cmd.Start(); err != nil {
		t.Fatalf("%v: is it built? (make build)", err)
	}
	l.pid = l.cmd.Process.Pid
	l.await()
	return l
}

// await waits until it is ready.
func (l *lethe) await() {
	l.t.Helper()
	for until := time.Now().Add(90 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if _, err := l.get("/readyz"); err == nil {
			return
		}
	}
	l.t.Fatalf("lethe is not ready after 90 s\n%s", l.words())
}

func (l *lethe) words() string {
	b, err := os.ReadFile(l.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

// get reads from the admin listener.
func (l *lethe) get(path string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.admin+path, nil)
	if err != nil {
		return "", err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = errors.New(r.Status)
	}
	return string(b), errors.Join(err, r.Body.Close())
}

// metrics are all samples by name and labels.
func (l *lethe) metrics() map[string]float64 {
	l.t.Helper()
	text, err := l.get("/metrics")
	if err != nil {
		l.t.Fatalf("metrics: %v\n%s", err, l.words())
	}
	out := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		var v float64
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if ok {
			name += "}"
		} else {
			name, value, ok = strings.Cut(lines.Text(), " ")
		}
		if _, err := fmt.Sscan(value, &v); ok && err == nil && !strings.HasPrefix(name, "#") {
			out[name] = v
		}
	}
	return out
}

// finish ends it in an orderly way.
func (l *lethe) finish() {
	l.t.Helper()
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		l.t.Fatal(err)
	}
	if err := l.cmd.Wait(); err != nil {
		l.t.Errorf("lethe: %v\n%s", err, l.words())
	}
	if err := l.log.Close(); err != nil {
		l.t.Error(err)
	}
}
