package bench

import "fmt"

// Names of the rows that are measured at several numbers of calls.
func cpuRow(calls int) string { return fmt.Sprintf("CPU per call-second, %d calls", calls) }
func floorRow(calls int) string {
	return fmt.Sprintf("CPU per call-second, %d calls, floor program", calls)
}

// Names of the other rows.
const (
	rowHear     = "allocations per frame, socket to ear"
	rowSpeak    = "allocations per frame, agent to socket"
	rowRatio    = "CPU of lethe / CPU of the floor, 200 calls"
	rowMemory   = "resident memory per call, 200 calls"
	rowPacing   = "deviation of outgoing packets from 20 ms, p99, 200 calls"
	rowKnown    = "word error, G.711, in the vocabulary"
	rowOpen     = "word error, G.711, open speech"
	rowWide     = "word error, G.722, open speech"
	rowOutside  = "sentences outside the vocabulary taken for an intent"
	rowFinal    = "end of speech to final text, p95"
	rowReply    = "end of speech to first agent audio, p95"
	rowLifetime = "longest life of a caller's frame, 200 calls"
)

// goals is the table before anything is measured.
func goals() *Table {
	t := &Table{}
	t.Goal(rowHear, "allocs", "0")
	t.Goal(rowSpeak, "allocs", "0")
	for _, n := range []int{50, 200, 500} {
		t.Goal(floorRow(n), "ms", "")
		t.Goal(cpuRow(n), "ms", "")
	}
	t.Goal(rowRatio, "", "<= 1")
	t.Goal(rowMemory, "KB", "<= 32")
	t.Goal(rowPacing, "ms", "<= 0.5 (2 on a busy machine)")
	t.Goal(rowLifetime, "ms", "")
	t.Goal(rowKnown, "%", "<= 8")
	t.Goal(rowOpen, "%", "<= 38")
	t.Goal(rowWide, "%", "<= 25")
	t.Goal(rowOutside, "%", "<= 5")
	t.Goal(rowFinal, "ms", "<= 700")
	t.Goal(rowReply, "ms", "<= 1200")
	return t
}
