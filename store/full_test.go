package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"lethe/policy"
	"lethe/store"
	"lethe/store/storetest"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$") //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), childFills+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	var (
		id          policy.ConversationID
		last        int
		full, helps bool
	)
	if _, err := fmt.Sscan(string(out), &id, &last, &full, &helps); err != nil || !full || !helps || last == 0 {
		t.Fatalf("the child said %q: %v", out, err)
	}
	if err := sound(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	d := storetest.NewDesk(t, backend(), dir, time.Now)
	if r := d.Read(t, id); len(r.Turns) != last || r.Outcome != policy.Interrupted {
		t.Errorf("%d turns, %d were stored; %v", len(r.Turns), last, r.Outcome)
	}
	r := d.Start(t, policy.Facts{}) // with room again all goes on
	d.Say(t, r, 1, "x")
	d.End(t, r)
}

func BenchmarkAppend(b *testing.B) {
	d := storetest.NewDesk(b, backend(), b.TempDir(), time.Now)
	r := d.Start(b, policy.Facts{})
	seq := 0
	for b.Loop() {
		seq++
		d.Say(b, r, seq, "I should like to know what became of my order")
	}
}

// A call of six turns, 200 at once: what a second of a busy server asks for.
func BenchmarkCalls(b *testing.B) {
	d := storetest.NewDesk(b, backend(), b.TempDir(), time.Now)
	b.SetParallelism(100)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := d.Start(b, policy.Facts{From: policy.Said("sip:jay@example.org")})
			for i := range 6 {
				d.Say(b, r, i+1, "I should like to know what became of my order")
			}
			d.End(b, r)
		}
	})
}

var _ storetest.Store = (*store.Store)(nil)
