//go:build bench

package wer_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lethe/media"
	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/transcribe/sphinx"
	"lethe/transcribe/wer"
	"lethe/transcribe/wer/corpus"
)

// helper is lethe-sphinx, built of its sources.
func helper(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "lethe-sphinx")
	line := "gcc -O2 -o " + out + " ../sphinx/helper/*.c $(pkg-config --cflags --libs pocketsphinx sphinxbase) -lm"
	if text, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s: apt install gcc pkg-config libpocketsphinx-dev", err, text)
	}
	return out
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatalf("%s=%q: %v", name, s, err)
	}
	return n
}

func grants(t *testing.T, name string) func() (policy.Listen, error) {
	t.Helper()
	o, _ := policytest.Office(t, policy.ProcessorEntry{Name: name, Local: true})
	p, err := o.Processor(name)
	if err != nil {
		t.Fatal(err)
	}
	return func() (policy.Listen, error) {
		now := time.Now()
		r := o.Decide(policy.Facts{Channel: policy.SIP, From: policy.Said("anonymous"), To: "support", Trunk: "test"})
		if _, err := r.Open(now); err != nil {
			return policy.Listen{}, err
		}
		return r.Listen(p, now)
	}
}

// TestFigures measures the embedded engine over real calls and prints a row for
// each goal. LETHE_WER_EVERY=n takes each n-th recording, LETHE_WER_CALLS=n
// calls at the same time; LETHE_WER_FILE gets everything that was heard.
func TestFigures(t *testing.T) {
	phrases, err := corpus.Sentences(corpus.Support)
	if err != nil {
		t.Fatal(err)
	}
	mc := media.Default()
	mc.Ports = "30000-31999"
	plane, err := media.NewPlane(mc)
	if err != nil {
		t.Fatal(err)
	}
	c := sphinx.Default()
	c.Helper, c.Vocabularies = helper(t), map[string][]string{corpus.Support: phrases}
	engine, err := sphinx.New(t.Context(), c, plane.Arena(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rows, results, err := corpus.Figures(t.Context(), wer.Setup{
		Plane: plane, Engine: engine, Listen: grants(t, engine.Processor()), Parallel: number(t, "LETHE_WER_CALLS", 4),
	}, func(text string) bool { return wer.Contains(phrases, text) }, number(t, "LETHE_WER_EVERY", 4))
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		t.Logf("set %d: %d cases, missed %d, latency p50 %v p95 %v: %s", i, len(r.Cases), r.Missed(), r.Latency(0.5), r.Latency(0.95), byVoice(r))
	}
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(string(line))
	}
	if f := os.Getenv("LETHE_WER_FILE"); f != "" {
		all, err := json.MarshalIndent(results, "", " ")
		if err == nil {
			err = os.WriteFile(f, all, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	if err := plane.Close(); err != nil {
		t.Error(err)
	}
}

func byVoice(r wer.Result) string {
	sum, order := map[string]wer.Score{}, []string{}
	for _, c := range r.Cases {
		v := c.Name[:strings.LastIndexAny(c.Name, "-:")]
		if _, ok := sum[v]; !ok {
			order = append(order, v)
		}
		sum[v] = sum[v].Add(c.Score)
	}
	var b strings.Builder
	for _, v := range order {
		fmt.Fprintf(&b, "%s %.1f%%  ", v, sum[v].Rate())
	}
	return b.String()
}
