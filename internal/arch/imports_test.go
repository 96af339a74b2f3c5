package arch

import (
	"slices"
	"strings"
	"testing"
)

// row is what a package may import of ours, and what its tests may on top of it.
type row struct{ code, tests string }

// table is the import graph: the path of the audio from media to the store.
// "*" is everything. What is not here is not a package of this house.
func table() map[string]row {
	return map[string]row{
		"media/internal/frame": {},
		"media/codec":          {},
		"media/resample":       {},
		"media/sdp":            {"media/codec", ""},
		"media":                {"media/internal/frame media/codec media/resample media/sdp", "media/raw media/mediatest"},
		"media/raw":            {"media media/internal/frame", "media/mediatest"},
		"media/mediatest":      {"media media/internal/frame media/raw", ""},
		"media/vad":            {"media media/raw transcribe", "media/codec media/mediatest policy transcribe"},

		"policy/redact":     {},
		"policy":            {"policy/redact", ""},
		"policy/policytest": {"policy", ""},

		"transcribe":                {"media policy", ""},
		"transcribe/transcribetest": {"media media/mediatest media/raw policy policy/policytest transcribe", "transcribe/null"},
		"transcribe/null":           {"media media/raw policy transcribe", "media/mediatest transcribe/transcribetest"},
		"transcribe/sphinx":         {"media media/raw policy transcribe", "media/mediatest media/codec media/resample transcribe/transcribetest transcribe/wer"},
		"transcribe/wer":            {"media media/vad policy transcribe", "media/codec media/mediatest media/raw media/resample policy/policytest transcribe/null transcribe/sphinx transcribe/wer/corpus"},
		"transcribe/wer/corpus":     {"media/resample transcribe/wer", ""},

		"agent":        {"media policy", ""},
		"agent/script": {"agent policy internal/settings", "policy/policytest"},
		"agent/flite":  {"agent media policy", "media/mediatest media/raw policy/policytest"},

		"conversation": {"agent media media/vad policy transcribe", "media/codec media/mediatest media/raw policy/policytest transcribe/null agent/script"},

		"sip":             {"media policy", ""},
		"store":           {"policy", "policy/policytest store/storetest"},
		"store/storetest": {"policy policy/policytest store", ""},
		"rights":          {"policy", "policy/policytest store"},

		"configs":              {},
		"internal/settings":    {},
		"internal/admin":       {},
		"internal/logs":        {"policy policy/redact", ""},
		"internal/caller":      {"media media/raw sip", "media/mediatest policy"},
		"internal/forensic":    {"media/codec media/resample", "*"},
		"internal/bench":       {"*", "*"},
		"internal/bench/phone": {"media/codec media/sdp", "*"},
		"internal/endtoend":    {"", "media sip"},
		"internal/setup":       {},
		"internal/arch":        {},
		"cmd/lethe":            {"*", "*"},
	}
}

// testOnly may be imported by tests alone.
func testOnly() []string {
	return []string{"media/mediatest", "policy/policytest", "transcribe/transcribetest", "store/storetest", "internal/forensic", "internal/bench"}
}

// mayHelpTests are packages that are themselves for tests, or measure, and the
// command that starts them.
func mayHelpTests() []string {
	return []string{"transcribe/transcribetest", "store/storetest", "internal/forensic", "internal/bench", "cmd/lethe"}
}

func TestImports(t *testing.T) {
	rows := table()
	for _, p := range list(t, module+"/...") {
		name := ours(p.ImportPath)
		r, known := rows[name]
		if !known {
			t.Errorf("%s is not in the import table: say in internal/arch what it may import", name)
			continue
		}
		may := strings.Fields(r.code)
		refuse(t, name, p.Imports, may)
		refuse(t, name+" (tests)", slices.Concat(p.TestImports, p.XTestImports), append(may, append(strings.Fields(r.tests), name)...))
		for _, i := range p.Imports {
			if slices.Contains(testOnly(), ours(i)) && !slices.Contains(mayHelpTests(), name) {
				t.Errorf("%s imports %s, which is for tests alone", name, ours(i))
			}
		}
	}
}

// refuse reports what of ours is imported without being in may.
func refuse(t *testing.T, name string, imports, may []string) {
	t.Helper()
	if slices.Contains(may, "*") {
		return
	}
	for _, i := range imports {
		if i == module || strings.HasPrefix(i, module+"/") {
			if !slices.Contains(may, ours(i)) {
				t.Errorf("%s must not import %s", name, ours(i))
			}
		}
	}
}

func ours(path string) string { return strings.TrimPrefix(path, module+"/") }

// TestTableIsNeeded: a row for a package that is gone is an open door.
func TestTableIsNeeded(t *testing.T) {
	have := map[string]bool{}
	for _, p := range list(t, module+"/...") {
		have[ours(p.ImportPath)] = true
	}
	for name := range table() {
		if !have[name] {
			t.Errorf("the import table has %s, which is not there", name)
		}
	}
}

// TestPathOfAudio holds the two ends apart: what handles audio can't reach
// what writes to disk or to the network at large, not even through others.
func TestPathOfAudio(t *testing.T) {
	never := map[string][]string{
		"media":     {"encoding/json", "encoding/base64", "encoding/gob", "bufio", "log/slog", "net/http", "database/sql"},
		"media/vad": {"encoding/json", "encoding/base64", "encoding/gob", "bufio", "net/http", "database/sql"},
		"policy":    {"os", "net", "net/http", "database/sql"},
		"store":     {"lethe/media", "lethe/media/raw", "lethe/transcribe"},
		"sip":       {"lethe/media/raw", "lethe/store", "lethe/transcribe"},
	}
	for _, p := range list(t, module+"/...") {
		for _, i := range p.Imports {
			if slices.Contains(never[ours(p.ImportPath)], i) {
				t.Errorf("%s must never import %s", ours(p.ImportPath), i)
			}
		}
	}
}
