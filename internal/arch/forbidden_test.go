package arch

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is one file of testdata. Its first lines say where in the house it
// pretends to stand and, if it must not compile, what the refusal says:
//
//	// at: conversation/forged
//	// want: cannot refer to unexported field
type program struct{ path, at, want string }

func programs(t *testing.T, folder string) []program {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.go"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no programs in testdata/%s: %v", folder, err)
	}
	var ps []program
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		p := program{path: path}
		for _, line := range strings.Split(string(text), "\n") {
			if at, ok := strings.CutPrefix(line, "// at: "); ok {
				p.at = at
			}
			if want, ok := strings.CutPrefix(line, "// want: "); ok {
				p.want = want
			}
		}
		if p.at == "" || (p.want == "") != (folder == "allowed") {
			t.Fatalf("%s: its first lines must say at: and, only if forbidden, want:", path)
		}
		ps = append(ps, p)
	}
	return ps
}

// compile builds p as if its file stood in the house.
func compile(t *testing.T, p program) (string, error) {
	t.Helper()
	top := root(t)
	real, err := filepath.Abs(p.path)
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(top, p.at, "program.go"): real},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", file, "-o", os.DevNull, "./"+p.at)
	cmd.Dir = top
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestForbidden: what the types exist to prevent does not compile, and for the
// reason that was meant.
func TestForbidden(t *testing.T) {
	for _, p := range programs(t, "forbidden") {
		t.Run(filepath.Base(p.path), func(t *testing.T) {
			out, err := compile(t, p)
			if err == nil {
				t.Fatalf("%s compiles", p.path)
			}
			if !strings.Contains(out, p.want) {
				t.Errorf("it is refused, but not because %q:\n%s", p.want, out)
			}
		})
	}
}

// TestAllowed is the control: the same machinery compiles an honest program.
func TestAllowed(t *testing.T) {
	for _, p := range programs(t, "allowed") {
		if out, err := compile(t, p); err != nil {
			t.Errorf("%s: %v\n%s", p.path, err, out)
		}
	}
}
