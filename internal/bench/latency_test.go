//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// questions are put in every call of TestLatency.
func questions() []string {
	return []string{
		"what are your opening hours", "my internet is not working", "how can i pay",
		"my internet is very slow", "i have a question about my bill", "please send a technician",
	}
}

// TestLatency measures a conversation with the embedded engine and voice, one
// call at a time: the reply as the caller hears it, the text by the metrics.
func TestLatency(t *testing.T) {
	l := serve(t, "sphinx", 1, -1)
	var replies []float64
	asked := 0
	for range 4 {
		args := []string{"call", "support@" + l.sip.String(), "--json"}
		for _, q := range questions() {
			args = append(args, "--say", q)
			asked++
		}
		replies = append(replies, call(t, args)...)
	}
	m := l.metrics()
	l.finish()
	if len(replies) < asked*9/10 {
		t.Errorf("of %d questions %d were answered", asked, len(replies))
	}
	slices.Sort(replies)
	if len(replies) > 0 {
		p95 := replies[min(len(replies)-1, int(math.Ceil(.95*float64(len(replies))))-1)]
		t.Logf("replies: %v ms", replies)
		set(t, rowReply, p95, p95 <= 1200)
	}
	final, n := quantile(m, "lethe_final_latency_seconds", .95)
	t.Logf("finals: %d, p95 %.3f s", n, final)
	if n < asked*9/10 {
		t.Errorf("of %d questions %d became text", asked, n)
		return
	}
	set(t, rowFinal, 1000*final, final <= .7)
}

// call places a call with lethe's own caller and gives its latencies in ms.
func call(t *testing.T, args []string) []float64 {
	t.Helper()
	c := exec.CommandContext(t.Context(), filepath.Join(root(), "build", "lethe"), args...) //nolint:gosec // our own
	var errs bytes.Buffer
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("lethe call: %v\n%s%s", err, out, errs.String())
	}
	var found []float64
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var e struct {
			Kind    string  `json:"kind"`
			Latency float64 `json:"latency_ms"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("lethe call --json: %v: %s", err, lines.Text())
		}
		if e.Kind == "latency" {
			found = append(found, e.Latency)
		}
	}
	return found
}

// quantile of a histogram, in its unit: the bound that a share q stays within,
// interpolated within its bucket.
func quantile(m map[string]float64, name string, q float64) (value float64, n int) {
	type bucket struct{ le, count float64 }
	var all []bucket
	prefix := name + `_bucket{le="`
	for k, v := range m {
		if rest, ok := strings.CutPrefix(k, prefix); ok {
			if le, err := strconv.ParseFloat(strings.TrimSuffix(rest, `"}`), 64); err == nil && !math.IsInf(le, 0) {
				all = append(all, bucket{le, v})
			}
		}
	}
	slices.SortFunc(all, func(a, b bucket) int { return int(math.Copysign(1, a.le-b.le)) })
	total := m[name+"_count"]
	want, low := q*total, bucket{}
	for _, b := range all {
		if b.count >= want && b.count > low.count {
			return low.le + (b.le-low.le)*(want-low.count)/(b.count-low.count), int(total)
		}
		low = b
	}
	return math.Inf(1), int(total)
}

func TestQuantile(t *testing.T) {
	m := map[string]float64{}
	for le, n := range map[string]float64{"0.1": 0, "0.5": 50, "1": 100, "+Inf": 100} {
		m[fmt.Sprintf(`x_bucket{le="%s"}`, le)] = n
	}
	m["x_count"] = 100
	if v, n := quantile(m, "x", .75); v != .75 || n != 100 {
		t.Errorf("%v of %d, want 0.75 of 100", v, n)
	}
	m["x_count"] = 200 // half of them are longer than any bound
	if v, _ := quantile(m, "x", .95); !math.IsInf(v, 1) {
		t.Errorf("%v, want what is beyond all bounds", v)
	}
}
