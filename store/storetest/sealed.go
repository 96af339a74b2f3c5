package storetest

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lethe/policy"
)

// needles are words that no file may hold.
func needles() []string { return []string{"xylophonecanary", "sip:jaycanary@"} }

// testSealed plants words and looks for them in every file, while the store is
// open and after it was closed.
func testSealed(t *testing.T, b Backend) {
	dir := t.TempDir()
	d := NewDesk(t, b, dir, time.Now)
	control := filepath.Join(dir, "control")
	if err := os.WriteFile(control, []byte("... "+strings.Join(needles(), " ")+" ..."), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := search(t, dir); n != len(needles()) {
		t.Fatalf("the search finds %d of %d on purpose", n, len(needles()))
	}
	if err := os.Remove(control); err != nil {
		t.Fatal(err)
	}
	r := d.Start(t, policy.Facts{From: policy.Said("sip:jaycanary@example.org")})
	for i := range 50 {
		d.Say(t, r, i+1, "the xylophonecanary again")
	}
	if n := search(t, dir); n != 0 {
		t.Errorf("%d found while it goes on", n)
	}
	d.End(t, r)
	if got := d.Read(t, r.Conversation()); got.Turns[49].Words.Reveal() != "the xylophonecanary again" {
		t.Error("the words did not come back")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := search(t, dir); n != 0 {
		t.Errorf("%d found after the end", n)
	}
}

// search counts needles in all files below dir, of which there must be some.
func search(t *testing.T, dir string) int {
	t.Helper()
	n, files := 0, 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path) //nolint:gosec // a file of the test's own
		files++
		for _, w := range needles() {
			n += strings.Count(string(b), w)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files read: %v", files, err)
	}
	return n
}
