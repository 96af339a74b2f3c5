package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// findings is `lethe doctor --json`.
func findings(t *testing.T, env []string, config string) (int, map[string][]finding) {
	t.Helper()
	code, out, complaint := run(t, env, "doctor", "--json", "--config", config)
	var got struct{ Findings []finding }
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s %s", err, out, complaint)
	}
	if complaint != "" {
		t.Errorf("it complains: %s", complaint)
	}
	by := map[string][]finding{}
	for _, f := range got.Findings {
		by[f.Name] = append(by[f.Name], f)
	}
	return code, by
}

func TestDoctorFindsNothingMissing(t *testing.T) {
	t.Parallel()
	code, by := findings(t, nil, configure(t, engineSphinx, ""))
	if code != exitOK {
		t.Errorf("exit code %d: %+v", code, by)
	}
	for _, name := range []string{"config", "arena", "files", "flite", "model", "sphinx", "store", "keys", "port"} {
		if len(by[name]) == 0 {
			t.Errorf("it did not look at %s", name)
		}
	}
}

// Whatever is missing is named, with what to do, and nothing else is.
func TestDoctorNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // the subtests go on when this function has returned
	for name, c := range map[string]struct{ env, finding, verdict, detail, remedy string }{
		"voice":           {"LETHE_FLITE_HELPER=/nonexistent", "flite", verdictMissing, "/nonexistent", "apt-get install"},
		"voice runs not":  {"LETHE_FLITE_HELPER=/bin/false", "flite", verdictMissing, "helper failed", "apt-get install"},
		"engine":          {"LETHE_SPHINX_HELPER=/nonexistent", "sphinx", verdictMissing, "/nonexistent", "apt-get install"},
		"engine runs not": {"LETHE_SPHINX_HELPER=/bin/false", "sphinx", verdictMissing, "sphinx", "apt-get install"},
		"model":           {"LETHE_SPHINX_MODEL=/nonexistent", "model", verdictMissing, "/nonexistent/en-us/mdef", "apt-get install pocketsphinx-en-us"},
		"port in use":     {"LETHE_SIP_INSECURE_UDP=" + taken.LocalAddr().String(), "port", verdictWarning, "in use", "otherwise set sip.insecure_udp"},
		"not ours":        {"LETHE_SIP_INSECURE_UDP=192.0.2.1:5060", "port", verdictMissing, "cannot assign", "set sip.insecure_udp"},
		"folder":          {"LETHE_STORE_FILE=/etc/hostname/data/lethe.db", "store", verdictMissing, "is no folder", "set store.file"},
		"configuration":   {"LETHE_MEDIA_PORTS=1", "config", verdictMissing, "media.ports", "lethe config check"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, by := findings(t, []string{c.env}, configure(t, engineSphinx, ""))
			if want := map[string]int{verdictMissing: exitMissing, verdictWarning: exitOK}[c.verdict]; code != want {
				t.Errorf("exit code %d, want %d", code, want)
			}
			found := false
			for _, f := range by[c.finding] {
				found = found || f.Verdict == c.verdict && strings.Contains(f.Detail, c.detail) && strings.Contains(f.Remedy, c.remedy)
			}
			if !found {
				t.Errorf("%+v", by[c.finding])
			}
		})
	}
}

func TestDoctorLooksAtKeys(t *testing.T) {
	t.Parallel()
	config := configure(t, engineNull, "")
	startServing(t, config).end()
	keys := filepath.Join(filepath.Dir(config), "keys", "lethe.keys")
	code, by := findings(t, nil, config)
	if code != exitOK || by["keys"][0].Verdict != verdictOK {
		t.Errorf("%d %+v", code, by)
	}
	if err := os.Chmod(keys, 0o644); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	code, by = findings(t, nil, config)
	if code != exitMissing || !strings.Contains(fmt.Sprint(by["store"], by["keys"]), "chmod 600") {
		t.Errorf("%d %+v", code, by)
	}
}
