//go:build forensic

package forensic

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// line is one line of the table.
type line struct{ lane, what, control, found, verdict string }

// results are the lines of this run, in the order of the lanes.
var results struct { //nolint:gochecknoglobals // one run makes one table
	sync.Mutex
	lines []line
}

// tell enters a line; a lane that is not ok fails the test.
func tell(t *testing.T, ok bool, l line) {
	t.Helper()
	l.verdict = "ok"
	if !ok {
		l.verdict = "FAILED"
		t.Errorf("%s, %s: control %s, found %s", l.lane, l.what, l.control, l.found)
	}
	results.Lock()
	defer results.Unlock()
	results.lines = append(results.lines, l)
}

// begin has four calls at once: the lanes mostly wait.
func begin() {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
}

// finish prints the table after all lanes.
func finish(code int) int {
	results.Lock()
	defer results.Unlock()
	if len(results.lines) == 0 {
		return code
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "\nlane\twhat\tcontrol\tfound\t") // to the terminal
	for _, lane := range []string{laneMemory, laneStopped, laneWrites, laneFiles, laneCores, laneEndings, laneMutants} {
		for _, l := range results.lines {
			if l.lane == lane {
				_, _ = fmt.Fprintln(w, strings.Join([]string{l.lane, l.what, l.control, l.found, l.verdict}, "\t")) // likewise
			}
		}
	}
	_ = w.Flush() // likewise
	return code
}

// The lanes.
const (
	laneMemory  = "1 memory after BYE"
	laneStopped = "2 memory in mid-call"
	laneWrites  = "3 writes to files"
	laneFiles   = "3 files left"
	laneCores   = "4 core files"
	laneEndings = "5 every end"
	laneMutants = "6 mutants"
)

// codecs are those that calls are made with.
func codecs() []string {
	if testing.Short() {
		return []string{"PCMU"}
	}
	return []string{"PCMU", "PCMA", "G722"}
}
