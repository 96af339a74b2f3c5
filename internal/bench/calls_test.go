//go:build bench

package bench

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lethe/internal/bench/phone"
	"lethe/media/codec"
)

// window is how long CPU is measured, warm how long the calls run before.
const (
	window = 20 * time.Second
	warm   = 4 * time.Second
)

// says is 30 s of speech-shaped audio in 20 ms payloads of mu-law. It never
// pauses: all of it goes through voice activity to the engine, and the agent,
// whose voice is not what is measured, has no cause to answer.
func says(t *testing.T) [][]byte {
	t.Helper()
	var e codec.Encoder
	e.Init(codec.PCMU)
	pcm := phone.Chatter(1, 30)
	var out [][]byte
	for ; len(pcm) >= 160; pcm = pcm[160:] {
		b := make([]byte, 160)
		if _, err := e.Encode(b, pcm[:160]); err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// cost is what a server took while calls ran.
type cost struct {
	perCall time.Duration // CPU of a call-second
	rss     int64         // bytes
	totals  phone.Totals
	whole   bool // every call sent and received all the time
}

// run measures the server pid under a load that is up.
func run(t *testing.T, server int, gen *process, calls int) cost {
	t.Helper()
	time.Sleep(warm)
	gen.say("mark")
	before, began := cpu(t, server), time.Now()
	time.Sleep(window)
	after, took := cpu(t, server), time.Since(began)
	c := cost{totals: gen.totals(), rss: resident(t, server)}
	c.perCall = time.Duration(float64(after-before) / took.Seconds() / float64(calls))
	want := uint64(float64(calls) * took.Seconds() * 50)
	c.whole = c.totals.Received >= want*98/100 && c.totals.Ended == 0 && c.totals.Calls == calls
	if !c.whole {
		t.Logf("NOT MEASURED: %d calls were not full duplex: %+v, want %d packets", calls, c.totals, want)
	}
	t.Logf("%d calls: %v a call-second, resident %d KiB; sent %d, received %d; pacing p50 %v p99 %v p99.9 %v max %v",
		calls, c.perCall, c.rss>>10, c.totals.Sent, c.totals.Received, c.totals.P50, c.totals.P99, c.totals.P999, c.totals.Most)
	return c
}

// floorCost measures the floor program at so many calls.
func floorCost(t *testing.T, calls int) cost {
	t.Helper()
	f := begin(t, serverCore, "floor", nil, buildFloor(t), strconv.Itoa(calls))
	defer f.end()
	c := phone.Config{Calls: calls, Codec: "PCMU", Says: says(t)}
	for range calls {
		c.Direct = append(c.Direct, loopback(t, f.line()))
	}
	gen := load(t, c)
	defer gen.end()
	return run(t, f.cmd.Process.Pid, gen, calls)
}

// TestPlane measures media alone. It has no row: it is for whoever tunes it.
func TestPlane(t *testing.T) {
	if os.Getenv("LETHE_BENCH_PLANE") == "" {
		t.Log("not asked for: LETHE_BENCH_PLANE=200 measures media alone at 200 calls")
		return
	}
	calls, err := strconv.Atoi(os.Getenv("LETHE_BENCH_PLANE"))
	if err != nil {
		t.Fatal(err)
	}
	floor := floorCost(t, calls)
	p := begin(t, serverCore, "plane", []string{role + "=plane"}, os.Args[0])
	defer p.end()
	c := phone.Config{Calls: calls, Codec: "PCMU", Says: says(t)}
	for range calls {
		p.say("9") // the source lock finds the true port
		c.Direct = append(c.Direct, loopback(t, p.line()))
	}
	gen := load(t, c)
	defer gen.end()
	plane := run(t, p.cmd.Process.Pid, gen, calls)
	t.Logf("plane %v, floor %v", plane.perCall, floor.perCall)
}

func loopback(t *testing.T, port string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddrPort("127.0.0.1:" + port)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// cpu is the user and system time of a process and its children, waited for or
// alive, in /proc/PID/stat's grain of 10 ms.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	sum := time.Duration(0)
	for _, p := range family(t, pid) {
		f := stat(p)
		for i := 11; i < 15 && i < len(f); i++ { // utime, stime, cutime, cstime
			n, err := strconv.Atoi(f[i])
			if err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

// resident is the memory of a process and its children, shared pages once
// (Pss), in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	sum := int64(0)
	for _, p := range family(t, pid) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p))
		if err != nil {
			continue // gone meanwhile
		}
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) == 3 && f[0] == "Pss:" {
				n, err := strconv.ParseInt(f[1], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				sum += n << 10
			}
		}
	}
	return sum
}

// stat is what follows the name in /proc/PID/stat: state, parent, ...
func stat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
}

// family is pid and its descendants.
func family(t *testing.T, pid int) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	children := map[int][]int{}
	for _, d := range dirs {
		p, err1 := strconv.Atoi(filepath.Base(d))
		f := stat(p)
		if err1 != nil || len(f) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(f[1]); err == nil {
			children[parent] = append(children[parent], p)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}
