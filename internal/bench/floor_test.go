//go:build bench

package bench

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// buildFloor compiles the floor program.
func buildFloor(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "floor")
	cc := exec.CommandContext(t.Context(), "gcc", "-O2", "-Wall", "-Werror", "-o", out, "floor/floor.c") //nolint:gosec // fixed arguments
	if b, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("compiling the floor program: %v: %s (apt-get install gcc)", err, b)
	}
	return out
}
