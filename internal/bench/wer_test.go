//go:build bench

package bench

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestWordError runs package wer's own measurement, over real calls with the
// embedded engine, and takes over its rows.
func TestWordError(t *testing.T) {
	if testing.Short() { // ten minutes of calls: its rows stay unmeasured
		t.Log("NOT MEASURED in the short run: word error")
		return
	}
	c := exec.CommandContext(t.Context(), "go", "test", "-tags", "bench", "-count", "1", "-timeout", "12m", "-v", "-run", "^TestFigures$", "./transcribe/wer")
	c.Dir = root()
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	rows := 0
	for line := range strings.Lines(string(out)) {
		var r struct {
			Name  string
			Value float64
			Met   bool
		}
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &r) == nil {
			set(t, r.Name, r.Value, r.Met)
			rows++
		} else if strings.Contains(line, "set ") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if rows != 4 {
		t.Errorf("%d rows of word error, want 4\n%s", rows, out)
	}
}
