//go:build bench

package bench

import (
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"lethe/internal/bench/phone"
)

// set enters a figure in the table. A goal that is missed is said, there and
// here, and fails nothing: how fast a machine is today is not a fault of the
// code. A figure that could not be taken leaves its row unmeasured, which is not
// met either.
func set(t *testing.T, row string, value float64, met bool) {
	t.Helper()
	if err := table.Set(row, value, met); err != nil {
		t.Fatal(err)
	}
	if !met {
		t.Logf("MISSED: %s: %.4g", row, value)
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// TestAllocations reads media's own benchmark: one packet in, from the socket
// to an ear at 16 kHz, and one packet of speech out.
func TestAllocations(t *testing.T) {
	c := exec.CommandContext(t.Context(), "go", "test", "-run", "^$", "-bench", "^BenchmarkFrame$", "-benchmem", "-benchtime", "20000x", "./media")
	c.Dir = root()
	b, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	found := regexp.MustCompile(`(?m)^BenchmarkFrame/(\S+)\s.*\s(\d+) allocs/op`).FindAllStringSubmatch(string(b), -1)
	if len(found) != 3 {
		t.Fatalf("want the benchmarks of three codecs:\n%s", b)
	}
	most := 0.0
	for _, f := range found {
		n, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
	}
	set(t, rowHear, most, most == 0)
	set(t, rowSpeak, most, most == 0)
}

// TestCalls measures lethe with the null engine at 50, 200 and 500 calls, each
// beside the floor program at as many.
func TestCalls(t *testing.T) {
	for _, calls := range []int{50, 200, 500} {
		t.Run(strconv.Itoa(calls), func(t *testing.T) {
			floor := floorCost(t, calls)
			l := serve(t, "null", calls, serverCore)
			idle := warmed(t, l)
			gen := load(t, phone.Config{Server: l.sip, User: "support", Calls: calls, PerSecond: 25, Codec: "PCMU", Says: says(t)})
			time.Sleep(disclosure)
			c := run(t, l.pid, gen, calls)
			c.rss = settled(t, l)
			m := l.metrics()
			gen.end()
			l.finish()
			if !floor.whole || !c.whole { // the machine could not; the rows stay unmeasured
				return
			}
			set(t, floorRow(calls), ms(floor.perCall), true)
			set(t, cpuRow(calls), ms(c.perCall), true)
			if calls == 200 {
				held(t, l, idle, c, floor, m)
			}
		})
	}
}

// warmed is the memory of a server that has had calls and has none.
func warmed(t *testing.T, l *lethe) int64 {
	t.Helper()
	gen := load(t, phone.Config{Server: l.sip, User: "support", Calls: 10, Codec: "PCMU", Says: says(t)})
	time.Sleep(disclosure)
	gen.end()
	time.Sleep(2 * time.Second)
	return settled(t, l)
}

// settled is its memory once the collector has been round a few times.
func settled(t *testing.T, l *lethe) int64 {
	t.Helper()
	for range 400 {
		l.metrics()
	}
	return resident(t, l.pid)
}

// disclosure is how long the agent speaks at the start, to a caller who does
// not wait; the figures are those of the call that follows.
const disclosure = 20 * time.Second

// held enters what is promised at 200 calls.
func held(t *testing.T, l *lethe, idle int64, c, floor cost, m map[string]float64) {
	t.Helper()
	ratio := float64(c.perCall) / float64(floor.perCall)
	set(t, rowRatio, math.Round(ratio*1000)/1000, ratio <= 1)
	// The arena is resident from the start: what of it the calls use is theirs.
	used := m["lethe_arena_used_bytes"]
	if used <= 0 {
		t.Errorf("the metrics do not tell how much of the arena is used\n%s", l.words())
	}
	kb := (float64(c.rss-idle) + used) / 200 / 1000
	t.Logf("memory per call: arena %.1f KB, other %.1f KB; stacks in all %.0f KB, goroutines %.0f", used/200/1000, float64(c.rss-idle)/200/1000,
		m["go_memstats_stack_inuse_bytes"]/1000, m["go_goroutines"])
	set(t, rowMemory, kb, kb <= 32)
	set(t, rowPacing, ms(c.totals.P99), c.totals.P99 <= 500*time.Microsecond)
	set(t, rowLifetime, longest(m), true)
}

// longest is the upper bound of the last bucket of the audio's lifetimes that
// has something in it, in ms.
func longest(m map[string]float64) float64 {
	var bounds []float64
	const prefix = `lethe_audio_lifetime_seconds_bucket{le="`
	for name := range m {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			if b, err := strconv.ParseFloat(name[len(prefix):len(name)-2], 64); err == nil {
				bounds = append(bounds, b)
			}
		}
	}
	slices.Sort(bounds)
	all := m["lethe_audio_lifetime_seconds_count"]
	for _, b := range bounds {
		if m[prefix+strconv.FormatFloat(b, 'g', -1, 64)+`"}`] >= all {
			return 1000 * b
		}
	}
	return math.Inf(1)
}
