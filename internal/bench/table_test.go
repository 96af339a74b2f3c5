package bench

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var tab Table
	tab.Goal("a", "ms", "<= 1")
	tab.Goal("b", "ms", "<= 2")
	if err := tab.Set("a", .5, true); err != nil {
		t.Fatal(err)
	}
	if err := tab.Set("c", 1, true); err == nil {
		t.Error("a row that nobody asked for was entered")
	}
	if u := tab.Unmet(); len(u) != 1 || u[0] != "b" {
		t.Errorf("unmet: %v, want what was not measured", u)
	}
	if s := tab.String(); !strings.Contains(s, "not measured") || !strings.Contains(s, "NOT MET") {
		t.Errorf("the table does not say what is missing:\n%s", s)
	}
	file := filepath.Join(t.TempDir(), "bench.json")
	if err := tab.Write(file); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file) //nolint:gosec // just written
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(b, &rows); err != nil || len(rows) != 2 || rows[1]["met"] != false || rows[0]["value"] != .5 {
		t.Errorf("%v: %s", err, b)
	}
	for _, key := range []string{"name", "value", "unit", "goal", "met"} {
		if _, ok := rows[1][key]; !ok {
			t.Errorf("a row has no %q", key)
		}
	}
}
