package settings

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type trunk struct {
	Name string         `yaml:"name"`
	From []netip.Prefix `yaml:"from"`
	Most int            `yaml:"most"`
}

// Defaults of a trunk.
func (t *trunk) Defaults() { t.Most = 7 }

type example struct {
	SIP struct {
		UDP    []string `yaml:"udp"`
		Trunks []trunk  `yaml:"trunks"`
		Most   int      `yaml:"most"`
	} `yaml:"sip"`
	Media struct {
		Jitter   time.Duration `yaml:"jitter"`
		ArenaKiB int           `yaml:"arena_kib"`
		Loud     bool          `yaml:"loud"`
		Secret   int           `yaml:"secret"`
	} `yaml:"media"`
	Numbers map[string]trunk `yaml:"numbers"`
}

func read(t *testing.T, text string, env ...string) (example, *Loaded, error) {
	t.Helper()
	var e example
	e.Media.Jitter = 40 * time.Millisecond
	l, err := Read(&e, Source{"c.yaml", []byte(text)}, "LETHE", env, map[string]string{"media.arena_kib": "KiB, 64 to 1048576."})
	return e, l, err
}

func TestEveryRefusalNamesFileLineKeyAndRemedy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"unknown key":      {"sip:\n  upd: [a]\n", "c.yaml:2: sip.upd: unknown key; did you mean udp?"},
		"unknown section":  {"zebra: 1\n", "c.yaml:1: zebra: unknown key; known here: sip, media, numbers"},
		"in a list":        {"sip:\n  trunks:\n    - name: a\n      form: []\n", "c.yaml:4: sip.trunks[0].form: unknown key; did you mean from?"},
		"in a map":         {"numbers:\n  support:\n    nme: a\n", "c.yaml:3: numbers.support.nme: unknown key; did you mean name?"},
		"wrong type":       {"media:\n  arena_kib: many\n", `c.yaml:2: media.arena_kib: wants a whole number, not "many"; it is documented as: KiB, 64 to 1048576.`},
		"fraction":         {"media:\n  arena_kib: 1.5\n", `c.yaml:2: media.arena_kib: wants a whole number, not "1.5"`},
		"duration":         {"media:\n  jitter: 40\n", `c.yaml:2: media.jitter: wants a duration such as 40ms, 30s or 5m, not "40"`},
		"bool":             {"media:\n  loud: maybe\n", `c.yaml:2: media.loud: wants true or false, not "maybe"`},
		"secret not shown": {"media:\n  secret: hunter2\n", "c.yaml:2: media.secret: wants a whole number;"},
		"list wanted":      {"sip:\n  udp: a\n", "c.yaml:2: sip.udp: wants a list"},
		"section wanted":   {"sip: [a]\n", "c.yaml:1: sip: wants a section: keys below it, indented; this is a list"},
		"prefix":           {"sip:\n  trunks:\n    - from: [10.0.0.0/99]\n", "c.yaml:3: sip.trunks[0].from[0]: netip.ParsePrefix"},
		"no value":         {"media:\n  jitter:\n", "c.yaml:2: media.jitter: has no value; write one, or delete the line"},
		"twice":            {"media:\n  loud: true\n  loud: false\n", "c.yaml:3: media.loud: stands here a second time, first in line 2; keep one"},
		"alias":            {"media: &a\n  loud: true\n", "c.yaml:1: media: anchors and aliases are not taken; write the value out"},
		"merge":            {"media:\n  <<: {loud: true}\n", "c.yaml:2: media.<<: a key is a plain name"},
		"second document":  {"media: {}\n---\nsip: {}\n", "c.yaml:2: a second document begins here"},
		"not a mapping":    {"- a\n", "c.yaml:1: a configuration is a mapping, this is a list"},
		"not YAML":         {"media: {loud: true\nsip: 1\n", "c.yaml:1: is not YAML"},
		"tab":              {"media:\n\tloud: true\n", "c.yaml:2: is not YAML"},
		"too long":         {strings.Repeat("#", MaxBytes+1), "c.yaml: the file has 1048577 bytes; a configuration may have 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := read(t, c.in)
			var p Problems
			if !errors.As(err, &p) || !strings.HasPrefix(err.Error(), c.want) {
				t.Fatalf("got  %v\nwant %s", err, c.want)
			}
			if p[0].Remedy == "" {
				t.Error("no remedy")
			}
		})
	}
}

func TestAllProblemsAtOnceInOrder(t *testing.T) {
	t.Parallel()
	_, _, err := read(t, "numbers: 1\nsip:\n  a: 1\n  b: 1\nmedia:\n  loud: 3\n")
	var p Problems
	errors.As(err, &p)
	var lines []int
	for _, q := range p {
		lines = append(lines, q.Line)
	}
	if d := cmp.Diff([]int{1, 3, 4, 6}, lines); d != "" {
		t.Error(d)
	}
}

func TestAFileOfNothingButMistakesIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := 0; b.Len() < MaxBytes-100; i++ {
		fmt.Fprintf(&b, "k%d:\n", i)
	}
	_, _, err := read(t, b.String())
	var p Problems
	if !errors.As(err, &p) || len(p) != mostProblems+1 || !strings.Contains(p[mostProblems].What, "there is more") {
		t.Errorf("%d problems", len(p))
	}
	if _, _, err := read(t, strings.Repeat("x", MaxBytes-10)+": 1\n"); err == nil || len(err.Error()) > 1000 {
		t.Error("a key of a megabyte is taken, or repeated")
	}
}

func TestFileAndEnvironmentOverDefaults(t *testing.T) {
	t.Parallel()
	e, l, err := read(t, "sip:\n  trunks:\n    - {name: a, from: [10.0.0.0/8]}\n    - {name: b, most: 2}\nmedia:\n  arena_kib: 100\nnumbers:\n  support: {name: s}\n",
		"LETHE_MEDIA_ARENA_KIB=200", "LETHE_SIP_UDP=1.2.3.4:5060, [::1]:5060", "HOME=/", "LETHE_OTHER=1")
	if err != nil {
		t.Fatal(err)
	}
	var want example
	want.SIP.UDP = []string{"1.2.3.4:5060", "[::1]:5060"}
	want.SIP.Trunks = []trunk{{"a", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, 7}, {Name: "b", Most: 2}}
	want.Media.Jitter, want.Media.ArenaKiB = 40*time.Millisecond, 200
	want.Numbers = map[string]trunk{"support": {Name: "s", Most: 7}}
	if d := cmp.Diff(want, e, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
	for key, want := range map[string]string{"media.jitter": "default", "media.arena_kib": "env LETHE_MEDIA_ARENA_KIB",
		"sip.trunks[1].most": "c.yaml:4", "numbers.support.name": "c.yaml:8"} {
		if got := l.Origin(key).String(); got != want {
			t.Errorf("origin of %s: %s, want %s", key, got, want)
		}
	}
}

func TestEnvironmentIsStrict(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"LETHE_MEDIA_ARENAKIB=1": "environment: LETHE_MEDIA_ARENAKIB: sets no key; did you mean LETHE_MEDIA_ARENA_KIB?",
		"LETHE_MEDIA_LOUD=loud":  `environment: LETHE_MEDIA_LOUD: wants true or false, not "loud" (sets media.loud)`,
		"LETHE_SIP_TRUNKS=a":     "environment: LETHE_SIP_TRUNKS: sets no key",
	} {
		if _, _, err := read(t, "", in); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", in, err, want)
		}
	}
}

func TestPlaceFindsTheLineOfACheck(t *testing.T) {
	t.Parallel()
	_, l, err := read(t, "sip:\n  most: 3\n  trunks:\n    - name: a\n      most: 9\nmedia:\n  loud: true\n", "LETHE_MEDIA_ARENA_KIB=5")
	if err != nil {
		t.Fatal(err)
	}
	known := Known(reflect.TypeFor[example]())
	for _, c := range []struct{ section, text, want string }{
		{"sip", "sip: most is 3, above 2", "c.yaml:2: sip.most: is 3, above 2"},
		{"sip", "sip: trunks[0].most: is above the sum", "c.yaml:5: sip.trunks[0].most: is above the sum"},
		{"media", "media.loud: jitter is 0", "c.yaml:7: media.loud: jitter is 0"},
		{"sip", "sip: no listener", "c.yaml:1: sip: no listener"},
		{"media", "media: arena_kib 5 is below 64", "environment LETHE_MEDIA_ARENA_KIB: media.arena_kib: 5 is below 64; it is documented as: KiB"},
		{"media", "media: jitter is shorter than a frame", "c.yaml:6: media.jitter: is shorter than a frame"},
	} {
		got := l.Place(c.section, l.Keys(c.section, known), fmt.Errorf("%s", c.text)).Error()
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if got := l.Place("sip", nil, fmt.Errorf("a: %w", keyed{})).Error(); !strings.HasPrefix(got, "c.yaml:1: sip.a key: a: wrong") {
		t.Error(got)
	}
	both := fmt.Errorf("sip: %w", errors.Join(errors.New("most: a"), errors.Join(errors.New("udp: b"))))
	if got := l.Place("sip", l.Keys("sip", known), both); len(got) != 2 || got[0].Key != "sip.most" || got[1].Key != "sip.udp" {
		t.Errorf("joined errors: %v", got)
	}
}

type keyed struct{}

func (keyed) Error() string     { return "wrong" }
func (keyed) ConfigKey() string { return "sip.a key" }

func TestShowCanBeReadAgain(t *testing.T) {
	t.Parallel()
	e, l, err := read(t, "sip:\n  udp: [a]\n  trunks:\n    - {name: a, from: [10.0.0.0/8]}\nmedia:\n  secret: 7\nnumbers:\n  \"123\": {name: \"yes\"}\n")
	if err != nil {
		t.Fatal(err)
	}
	text, err := l.Show(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"jitter: 40ms # default\n", "from:\n        - 10.0.0.0/8 # c.yaml:4\n", "secret: (not shown)"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	again, _, err := read(t, strings.ReplaceAll(string(text), "(not shown)", "7"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(e, again, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
		t.Error(d)
	}
}

func TestDocs(t *testing.T) {
	t.Parallel()
	src := Source{"c.yaml", []byte(`# The file.

# Signalling.
sip:
  # Where.
  udp: [a]
  # Who may
  # call.
  trunks:
    # Its name.
    - name: a
      most: 3 # Calls.
# Names.
numbers:
  # An example.
  support:
    # Of it.
    name: x
`)}
	got, err := Docs(src, reflect.TypeFor[example]())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"sip": "Signalling.", "sip.udp": "Where.", "sip.trunks": "Who may call.", "sip.trunks[].name": "Its name.",
		"sip.trunks[].most": "Calls.", "numbers": "Names.", "numbers.*": "An example.", "numbers.*.name": "Of it."}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	keys, err := Written(src, reflect.TypeFor[example]())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"sip", "sip.udp", "sip.trunks", "sip.trunks[].name", "sip.trunks[].most", "numbers", "numbers.*.name"}, keys); d != "" {
		t.Error(d)
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{"", "sip:\n  udp: [a]\n", "media: {jitter: 1s}\n---\n", "a: &b [*b]\n", "? [x]\n: y\n", "numbers: {a: {from: [::/0]}}", "<<: {}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var e example
		l, err := Read(&e, Source{"f.yaml", data}, "LETHE", nil, nil)
		if err != nil {
			var p Problems
			if !errors.As(err, &p) {
				t.Fatalf("not a Problems: %v", err)
			}
			return
		}
		if _, err := l.Show(e); err != nil {
			t.Fatal(err)
		}
	})
}
