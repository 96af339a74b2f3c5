//go:build endtoend

package endtoend

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// TestKill: kill -9 in mid-call, and a new start. The database opens and is
// sound, the conversation is there, marked interrupted, with every utterance
// that was finished, and no helper is left running.
func TestKill(t *testing.T) {
	home := t.TempDir()
	s := serve(t, home, "numbers: {support: {script: \"embedded:support\"}}\n")
	var out bytes.Buffer
	call := exec.CommandContext(t.Context(), program(t), "call", "support@"+s.sip, "--config", s.config,
		"--say", "where is my order", "--say", "what are your opening hours", "--say", "i lost my sim card")
	call.Dir, call.Stdout, call.Stderr = home, &out, &out
	if err := call.Start(); err != nil {
		t.Fatal(err)
	}
	s.wait("two utterances of the caller", time.Minute, func() bool {
		return len(s.calls()) == 1 && count(s.transcript(), "caller") >= 2
	})
	before := s.transcript()
	if before.Outcome == "completed" || before.Receipt != nil {
		t.Fatalf("the call is over before the server was killed: %+v", before)
	}
	s.kill()
	if err := call.Wait(); err == nil && !strings.Contains(out.String(), "nothing was received") {
		t.Errorf("the caller noticed nothing:\n%s", out.String())
	}
	orphans := []string{}
	if !poll(t.Context(), 5*time.Second, func() bool { orphans = runningIn(t, home); return len(orphans) == 0 }) {
		t.Errorf("still running: %v", orphans)
	}
	s.start()
	sound(t, filepath.Join(home, "data", "lethe.db"))
	after := s.transcript()
	if after.ID != before.ID || after.Outcome != "interrupted" {
		t.Errorf("conversation %s is %q; it was %s", after.ID, after.Outcome, before.ID)
	}
	if len(after.Turns) < len(before.Turns) || !slices.Equal(after.Turns[:len(before.Turns)], before.Turns) {
		t.Errorf("before: %v\nafter: %v", before.Turns, after.Turns)
	}
	if !strings.Contains(s.said(), "interrupted") {
		t.Error("the start does not tell that a conversation was interrupted")
	}
	t.Logf("lane: killed after %d turns, %d there after the restart, marked %s", len(before.Turns), len(after.Turns), after.Outcome)
}

func count(c told, party string) (n int) {
	for _, turn := range c.Turns {
		if turn.Party == party && turn.Text != "" {
			n++
		}
	}
	return n
}

// runningIn lists the processes whose folder is home.
func runningIn(t *testing.T, home string) (found []string) {
	t.Helper()
	all, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		if cwd, err := os.Readlink("/proc/" + e.Name() + "/cwd"); err == nil && cwd == home {
			name, err := os.ReadFile("/proc/" + e.Name() + "/comm")
			found = append(found, fmt.Sprintf("%s %s%s", e.Name(), strings.TrimSpace(string(name)), errOrNothing(err)))
		}
	}
	return found
}

// sound asks SQLite whether the file is.
func sound(t *testing.T, file string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	var verdict string
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity check: %q, %v", verdict, err)
	}
}
