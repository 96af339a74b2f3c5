package sphinx

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lethe/transcribe"
	"lethe/transcribe/transcribetest"
)

// children of a process, by the kernel's account.
func children(t testing.TB, pid int) []int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("the helper %d has no tasks: %v", pid, err)
	}
	var out []int
	for _, f := range tasks {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for s := range strings.FieldsSeq(string(data)) {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, n)
		}
	}
	return out
}

func signal(t testing.TB, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Error(err)
	}
}

func TestContract(t *testing.T) {
	transcribetest.Run(t, func(t testing.TB) transcribetest.Fixture {
		e, arena := engine(t)
		return transcribetest.Fixture{
			Engine: e, Arena: arena,
			Speech:  said(t, "slt", "check my order status"),
			Words:   []string{"order", "status"},
			Options: transcribe.Options{Language: "en-US", Vocabulary: "support"},
			Crash: func(t testing.TB) {
				for _, pid := range children(t, e.Helper()) {
					signal(t, pid, syscall.SIGSEGV)
				}
			},
			Hang: func(t testing.TB) func() {
				all := children(t, e.Helper())
				for _, pid := range all {
					signal(t, pid, syscall.SIGSTOP)
				}
				return func() {}
			},
			Patience: 5 * time.Second,
		}
	})
}
