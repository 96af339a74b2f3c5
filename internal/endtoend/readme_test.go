//go:build endtoend

package endtoend

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// block is one fenced block of the README.
type block struct{ kind, text string }

func readme(t *testing.T) []block {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllSubmatch(text, -1) {
		blocks = append(blocks, block{string(m[1]), string(m[2])})
	}
	if len(blocks) < 5 {
		t.Fatalf("only %d blocks were found", len(blocks))
	}
	return blocks
}

// copyOf is a folder with what a reader of the README has after `make build`.
func copyOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Symlink(filepath.Dir(program(t)), filepath.Join(dir, "build")); err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(top, "agent"), filepath.Join(dir, "agent")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestREADME runs every command of the README, in its order. The lanes of `make
// demo` and `make test` are this run itself; here they have to exist.
func TestREADME(t *testing.T) {
	dir, where := copyOf(t), newPlaces(t)
	ran := 0
	for _, b := range readme(t) {
		switch b.kind {
		case "yaml":
			if err := os.WriteFile(filepath.Join(dir, "lethe.yaml"), []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
		case "sh":
			for line := range strings.Lines(b.text) {
				if line = strings.TrimSpace(line); line != "" {
					where.command(t, dir, line)
					ran++
				}
			}
		}
	}
	t.Logf("lane: %d commands of the README were run", ran)
}

// places are the addresses of the quickstart, or others where those are taken.
type places struct {
	sip, admin string
	environ    []string
}

func newPlaces(t *testing.T) places {
	p := places{sip: "127.0.0.1:5060", admin: "127.0.0.1:9090", environ: os.Environ()}
	if !answers(t.Context(), p.sip) && !answers(t.Context(), p.admin) {
		return p
	}
	p.sip, p.admin = free(t), free(t)
	p.environ = append(p.environ, "LETHE_SIP_INSECURE_UDP="+p.sip, "LETHE_SIP_INSECURE_TCP="+p.sip, "LETHE_ADMIN_INSECURE_LISTEN="+p.admin)
	return p
}

func (p places) command(t *testing.T, dir, line string) {
	t.Helper()
	if p.sip != "127.0.0.1:5060" {
		line = strings.Replace(line, "call support ", "call support@"+p.sip+" ", 1)
	}
	switch {
	case strings.HasPrefix(line, "make "):
		cmd := exec.CommandContext(t.Context(), "make", "-n", strings.TrimPrefix(line, "make "))
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	case strings.Contains(line, " serve "):
		server := exec.Command("sh", "-c", "exec "+line)
		var out bytes.Buffer
		server.Dir, server.Env, server.Stdout, server.Stderr = dir, p.environ, &out, &out
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Process.Signal(os.Interrupt); err != nil {
				t.Error(err)
			}
			if err := server.Wait(); err != nil {
				t.Errorf("%s: %v\n%s", line, err, out.String())
			}
		})
		if !poll(t.Context(), 2*time.Minute, func() bool { return answers(t.Context(), p.admin) && answers(t.Context(), p.sip) }) {
			t.Fatalf("%s: it does not listen", line)
		}
	default:
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, p.environ
		out, err := cmd.CombinedOutput()
		if err != nil || len(out) == 0 && !strings.HasPrefix(line, "cp ") {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
}

func answers(ctx context.Context, address string) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	return err == nil && c.Close() == nil
}

// TestREADMENames: what the README names is there.
func TestREADMENames(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`\]\(([A-Z]+(?:\.md)?)\)`).FindAllSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("../..", string(m[1]))); err != nil {
			t.Error(err)
		}
	}
	for _, m := range regexp.MustCompile("`make ([a-z-]+)`").FindAllSubmatch(text, -1) {
		cmd := exec.CommandContext(t.Context(), "make", "-n", string(m[1]))
		cmd.Dir = "../.."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("make %s: %v\n%s", m[1], err, out)
		}
	}
	if bytes.Contains(text, []byte("@@")) {
		t.Error("the README has a place that was left open")
	}
}
