package sphinx

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/mediatest"
	"lethe/policy"
)

func lists(t *testing.T, phrases ...string) [][]string {
	t.Helper()
	var out [][]string
	for _, p := range phrases {
		w, err := split(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, w)
	}
	return out
}

// After any history the probabilities of all words add up to one.
func TestProbabilitiesAddUp(t *testing.T) {
	v := learn(lists(t, desk()...))
	histories := [][]string{{}, {"my"}, {begin}, {"status"}, {begin, "cancel"}, {"check", "my"}, {"my", "my"}}
	for _, h := range histories {
		sum := 0.0
		for _, w := range v.words {
			if w != begin {
				sum += v.given(h, w)
			}
		}
		if math.Abs(sum-1) > 0.02 { // of the unigrams, <s> has a little
			t.Errorf("after %v: %v", h, sum)
		}
	}
}

// given is the probability of w after h, as a decoder computes it.
func (v *vocabulary) given(h []string, w string) float64 {
	n := len(h)
	var g gram
	copy(g[:], h)
	g[n] = w
	if _, ok := v.count[n][g]; ok || n == 0 {
		return v.probability(g, n)
	}
	var history gram
	copy(history[:], h)
	return v.backoff(history, n) * v.given(h[1:], w)
}

func TestARPA(t *testing.T) {
	v := learn(lists(t, "pay my bill", "pay now"))
	var b bytes.Buffer
	if err := v.arpa(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"ngram 1=32774", "ngram 2=6", "ngram 3=5", " <s> pay my\n", " my bill </s>", "-99.0000 <s>", "\\end\\"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "-") {
			if p, err := strconv.ParseFloat(f[0], 64); err != nil || p > 0 {
				t.Errorf("%q", line)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	for in, want := range map[string][]string{
		"Pay my bill, please!": {"pay", "my", "bill", "please"},
		"what’s my balance":    {"what's", "my", "balance"},
		"check-in":             {"check", "in"},
		" ":                    nil,
	} {
		if got, err := split(in); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := split("room 12"); err == nil || !strings.Contains(err.Error(), `"12"`) {
		t.Errorf("digits: %v", err)
	}
}

func TestConfidence(t *testing.T) {
	v := learn(lists(t, desk()...))
	for text, low := range map[string]bool{
		"check my order status":           false,
		"please check my order status":    false,
		"the snow is on the order":        true,
		"my agent status bill password a": true,
		"hello":                           true,
	} {
		c := confidence(message{score: -30000}, strings.Fields(text), v)
		if c < 0 || c > 1 || c < policy.LowConfidence != low {
			t.Errorf("%q: %v", text, c)
		}
	}
	if c := confidence(message{}, nil, v); c != 0 {
		t.Errorf("nothing: %v", c)
	}
	good, bad := confidence(message{score: -25000}, []string{"a"}, nil), confidence(message{score: -90000}, []string{"a"}, nil)
	if good <= policy.LowConfidence || bad >= policy.LowConfidence {
		t.Errorf("open speech: %v and %v", good, bad)
	}
}

// What the vocabulary alone makes of a sentence is believed only if it is a
// phrase and fits.
func TestHolds(t *testing.T) {
	v := learn(lists(t, desk()...))
	for _, c := range []struct {
		m    message
		want bool
	}{
		{message{own: "pay my bill", margin: 1000}, true},
		{message{own: "pay my bill", margin: 9000}, false},
		{message{own: "agent a my order password to check"}, false},
		{message{}, false},
	} {
		if v.holds(c.m) != c.want {
			t.Errorf("%+v: %v", c.m, !c.want)
		}
	}
	if (*vocabulary)(nil).holds(message{own: "pay my bill"}) {
		t.Error("no vocabulary holds a phrase")
	}
}

func TestParse(t *testing.T) {
	m, ok := parse([]byte("F 12 340 -30123.45 12.5 pay my hill\tpay my bill"))
	if !ok || m.kind != 'F' || m.start != 12 || m.end != 340 || m.score != -30123.45 || m.margin != 12.5 || m.text != "pay my hill" || m.own != "pay my bill" {
		t.Errorf("%+v, %v", m, ok)
	}
	if m, ok := parse([]byte("F 0 0 0.00 0.00 \t")); !ok || m.text != "" {
		t.Errorf("%+v, %v", m, ok)
	}
	for _, bad := range []string{"F", "F 1 2", "P x 2 0 0 a", "F 1 2 x 0 a"} {
		if _, ok := parse([]byte(bad)); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

// A child counts what it heard; stream time may have jumped meanwhile.
func TestTimesOverAGap(t *testing.T) {
	u := &utterance{}
	for i, at := range []time.Duration{1000, 1020, 1040, 5000, 5020} {
		f, forget := mediatest.Frame(make([]int16, Rate/50), media.Caller, Rate, at*time.Millisecond)
		u.add(f)
		forget()
		if i == 2 && len(u.marks) != 1 {
			t.Errorf("%d marks without a jump", len(u.marks))
		}
	}
	for frame, want := range map[int]time.Duration{0: 1000, 3: 1030, 6: 5000, 9: 5030, 99: 5040} {
		if got := u.at(frame); got != want*time.Millisecond {
			t.Errorf("frame %d is at %v", frame, got)
		}
	}
}

// The narrow model is an image of the wide one: as many Gaussians, all with a
// width, and further apart than they are wide in the first of its features.
func TestNarrowModel(t *testing.T) {
	s, err := newSetup(Default())
	if err != nil {
		t.Fatal(err)
	}
	means, spreads, features := narrow(s.means, s.spreads)
	if len(means.values) != len(s.means.values) || len(features) != cepstra || len(features[0]) != lowFilters {
		t.Fatalf("%d means, map of %d by %d", len(means.values), len(features), len(features[0]))
	}
	for i, v := range spreads.values {
		if !(v > 0.01) || math.IsNaN(float64(means.values[i])) {
			t.Fatalf("Gaussian %d: mean %v, variance %v", i, means.values[i], v)
		}
	}
	between, within := scatter(means, spreads)
	if first, last := between[0][0]/within[0][0], between[cepstra-1][cepstra-1]/within[cepstra-1][cepstra-1]; first < 1 || first < last {
		t.Errorf("the first feature tells apart by %v, the last by %v", first, last)
	}
}

func TestGaussiansRefused(t *testing.T) {
	w := &writer{dir: t.TempDir()}
	good := gaussians{mgau: 1, density: 1, values: make([]float32, streams*cepstra)}.bytes()
	for name, data := range map[string][]byte{"empty": nil, "text": []byte("hello"), "cut": good[:len(good)-1], "header alone": good[:30]} {
		path := w.file(name, data)
		if _, err := readGaussians(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readGaussians(w.file("good", good)); err != nil {
		t.Error(err)
	}
}
