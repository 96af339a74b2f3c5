package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lethe/policy"
)

// secret is something that must not be seen: text is what is logged, needles
// are what must not be found in the output.
type secret struct {
	text    string
	needles []string
}

// secrets are of every kind that can come near a log.
func secrets() []secret {
	out := []secret{
		{"call from +44 20 3475 2074", []string{"3475"}},
		{"dialled 0044-20-3475-2074 twice", []string{"3475"}},
		{"she said four four two oh three four seven five two oh seven four", []string{"four seven five"}},
		{"mail jay.smith@example.com now", []string{"jay.smith"}},
		{"jay dot smith at example dot com", []string{"jay dot smith"}},
		{"card 4111 1111 1111 1111", []string{"4111 1111"}},
		{"IBAN GB82 WEST 1234 5698 7654 32", []string{"5698"}},
		{"peer 192.0.2.77 and 2001:db8::77", []string{"192.0.2.77", "2001:db8::77"}},
		{"sip:+442034752074@192.0.2.77:5060;transport=udp", []string{"442034752074"}},
		{"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz", []string{"WVNfX19z"}},
		{"a=ice-pwd:asd88fgpdd777uzjYhagZg4f", []string{"asd88fgpdd777"}},
		{"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJl", []string{"eyJhbGci", "c2lnbmF0dX"}},
		{"password=correct-horse-battery", []string{"correct-horse"}},
		{message("Authorization: Digest username=\"alice\", realm=\"r\", nonce=\"f84f1cec41e6cbe5aea9c8e88d359\", response=\"6629fae49393a05397450978507c4ef1\""),
			[]string{"alice", "6629fae4", "f84f1cec", "2034752074"}},
		{message("Proxy-Authorization: Digest username=\"carol\", response=\"0123456789abcdef0123456789abcdef\""), []string{"carol", "0123456789abcdef"}},
		{message("P-Asserted-Identity: <tel:+14155550123>"), []string{"4155550123"}},
		{strings.ReplaceAll(message("Authorization: Digest username=\"dave\", response=\"aaaabbbbccccddddaaaabbbbccccdddd\""), "\r\n", "\n"), []string{"dave", "aaaabbbb"}},
	}
	for i := range 36 {
		n := fmt.Sprintf("+4477009%05d", 13*i+10007)
		out = append(out, secret{"number " + n, []string{n[4:]}})
	}
	return out
}

func message(header string) string {
	return "INVITE sip:support@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:+442034752074@example.net>;tag=1\r\n" +
		"To: <sip:support@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n" + header + "\r\nContent-Length: 0\r\n\r\n"
}

type (
	stringer  struct{ s string }
	valuer    struct{ v slog.Value }
	marshaler struct{ s string }
	quiet     struct {
		Number string
		inner  []byte
	}
	ownString string
	ownBytes  []byte
	panicky   struct{ s string }
	endless   struct{ s string }
	jsonOnly  struct{ s string }
)

func (s stringer) String() string                { return s.s }
func (v valuer) LogValue() slog.Value            { return v.v }
func (m marshaler) MarshalText() ([]byte, error) { return []byte(m.s), nil }
func (p panicky) String() string                 { panic(p.s) }
func (e endless) LogValue() slog.Value           { return slog.GroupValue(slog.Any(e.s, e)) }
func (j jsonOnly) MarshalJSON() ([]byte, error)  { return json.Marshal(j.s) }

// ways are all that slog offers to bring s into a line.
func ways(s string) map[string]func(*slog.Logger) {
	err := errors.New(s)
	return map[string]func(*slog.Logger){
		"message":                 func(l *slog.Logger) { l.Info(s) },
		"string":                  func(l *slog.Logger) { l.Info("m", "k", s) },
		"key":                     func(l *slog.Logger) { l.Info("m", s, 1) },
		"lone argument":           func(l *slog.Logger) { l.Info("m", []any{s}...) },
		"error":                   func(l *slog.Logger) { l.Info("m", "err", err) },
		"wrapped error":           func(l *slog.Logger) { l.Info("m", "err", fmt.Errorf("a: %w", err)) },
		"joined error":            func(l *slog.Logger) { l.Info("m", "err", errors.Join(io.EOF, err)) },
		"Stringer":                func(l *slog.Logger) { l.Info("m", "k", stringer{s}) },
		"pointer to Stringer":     func(l *slog.Logger) { l.Info("m", "k", &stringer{s}) },
		"url":                     func(l *slog.Logger) { l.Info("m", "k", &url.URL{Opaque: s, Scheme: "x"}) },
		"LogValuer":               func(l *slog.Logger) { l.Info("m", "k", valuer{slog.StringValue(s)}) },
		"LogValuer of error":      func(l *slog.Logger) { l.Info("m", "k", valuer{slog.AnyValue(err)}) },
		"LogValuer of group":      func(l *slog.Logger) { l.Info("m", "k", valuer{slog.GroupValue(slog.String("n", s))}) },
		"LogValuer in one":        func(l *slog.Logger) { l.Info("m", "k", valuer{slog.AnyValue(valuer{slog.StringValue(s)})}) },
		"LogValuer that ends not": func(l *slog.Logger) { l.Info("m", "k", endless{s}) },
		"TextMarshaler":           func(l *slog.Logger) { l.Info("m", "k", marshaler{s}) },
		"json.Marshaler":          func(l *slog.Logger) { l.Info("m", "k", jsonOnly{s}) },
		"bytes":                   func(l *slog.Logger) { l.Info("m", "k", []byte(s)) },
		"json.RawMessage":         func(l *slog.Logger) { l.Info("m", "k", json.RawMessage(s)) },
		"own string":              func(l *slog.Logger) { l.Info("m", "k", ownString(s)) },
		"own bytes":               func(l *slog.Logger) { l.Info("m", "k", ownBytes(s)) },
		"struct":                  func(l *slog.Logger) { l.Info("m", "k", quiet{s, []byte(s)}) },
		"pointer to struct":       func(l *slog.Logger) { l.Info("m", "k", &quiet{s, nil}) },
		"map":                     func(l *slog.Logger) { l.Info("m", "k", map[string]string{s: s}) },
		"strings":                 func(l *slog.Logger) { l.Info("m", "k", []string{"a", s}) },
		"a string cut up":         func(l *slog.Logger) { l.Info("m", "k", strings.Split(s, " ")) },
		"errors":                  func(l *slog.Logger) { l.Info("m", "k", []error{err}) },
		"anys":                    func(l *slog.Logger) { l.Info("m", "k", []any{s, err}) },
		"pointer to string":       func(l *slog.Logger) { l.Info("m", "k", &s) },
		"group":                   func(l *slog.Logger) { l.Info("m", slog.Group("g", "k", s)) },
		"group's name":            func(l *slog.Logger) { l.Info("m", slog.Group(s, "k", 1)) },
		"group in groups":         func(l *slog.Logger) { l.Info("m", slog.Group("g", slog.Group("h", slog.Any("k", err)))) },
		"inlined group":           func(l *slog.Logger) { l.Info("m", slog.Group("", "k", s)) },
		"With":                    func(l *slog.Logger) { l.With("k", s).Info("m") },
		"With of error":           func(l *slog.Logger) { l.With("k", err).Info("m") },
		"With of group":           func(l *slog.Logger) { l.With(slog.Group("g", "k", stringer{s})).Info("m") },
		"WithGroup":               func(l *slog.Logger) { l.WithGroup(s).Info("m", "k", 1) },
		"With in WithGroup":       func(l *slog.Logger) { l.WithGroup("g").With("k", s).WithGroup("h").Info("m", "l", s) },
		"attr as value":           func(l *slog.Logger) { l.Info("m", "k", slog.String("n", s)) },
		"attrs as value":          func(l *slog.Logger) { l.Info("m", "k", []slog.Attr{slog.String("n", s)}) },
		"value as value":          func(l *slog.Logger) { l.Info("m", "k", slog.AnyValue(slog.StringValue(s))) },
		"LogAttrs":                func(l *slog.Logger) { l.LogAttrs(nil, slog.LevelError, "m", slog.Any("k", err)) }, //nolint:staticcheck // slog takes nil
		"log.Logger":              func(l *slog.Logger) { slog.NewLogLogger(l.Handler(), slog.LevelInfo).Print(s) },
		"panic":                   func(l *slog.Logger) { l.Info("m", Panic(s)) },
		"panic with an error":     func(l *slog.Logger) { l.Info("m", Panic(err)) },
		"panic while printing":    func(l *slog.Logger) { l.Info("m", "k", panicky{s}) },
		"Words": func(l *slog.Logger) {
			l.Info("m", "k", policy.Said(s), "e", fmt.Errorf("%v %s %q %x", policy.Said(s), policy.Said(s), policy.Said(s), policy.Said(s)))
		},
		"Words in a list": func(l *slog.Logger) { l.Info("m", "k", []policy.Words{policy.Said(s)}) },
		"Words in a turn": func(l *slog.Logger) { l.Info("m", "k", policy.Turn{Words: policy.Said(s)}) },
		"func":            func(l *slog.Logger) { l.Info("m", "k", func() string { return s }) },
	}
}

func TestNoSecretPassesByAnyWay(t *testing.T) {
	t.Parallel()
	planted := 0
	for i, sec := range secrets() {
		all := ways(sec.text)
		for j, way := range slices.Sorted(maps.Keys(all)) {
			if i >= 20 && j%5 != i%5 { // each of the rest goes a fifth of the ways
				continue
			}
			log := all[way]
			planted++
			var out bytes.Buffer
			log(slog.New(NewHandler(&out, slog.LevelDebug)))
			line := out.String()
			if strings.Count(line, "\n") != 1 || !json.Valid([]byte(line)) {
				t.Errorf("%s: not one line of JSON: %q", way, line)
			}
			var plain strings.Builder
			flatten(&plain, line)
			for _, n := range sec.needles {
				if strings.Contains(line, n) || strings.Contains(plain.String(), n) {
					t.Errorf("%s: %q passed: %s", way, n, line)
				}
			}
		}
	}
	if len(secrets()) < 50 || planted < 1000 {
		t.Errorf("only %d were planted", planted)
	}
}

// flatten writes all strings of a JSON line one after the other, unescaped.
func flatten(b *strings.Builder, line string) {
	d := json.NewDecoder(strings.NewReader(line))
	for {
		tok, err := d.Token()
		if err != nil {
			return
		}
		fmt.Fprintf(b, "%v ", tok)
	}
}

// The control: without the seam, the same ways show the same secrets.
func TestTheWaysDoShow(t *testing.T) {
	t.Parallel()
	const plain = "number +447700910007"
	// slog's own handler prints nothing of these, or prints them as numbers.
	hidden := []string{"Words", "Words in a list", "Words in a turn", "panic while printing", "func", "LogValuer that ends not", "bytes", "own bytes",
		"errors", "json.RawMessage", "anys", "Stringer", "pointer to Stringer", "With of group", "attr as value", "attrs as value", "a string cut up"}
	for way, log := range ways(plain) {
		if slices.Contains(hidden, way) {
			continue
		}
		var out bytes.Buffer
		log(slog.New(slog.NewJSONHandler(&out, nil)))
		if !strings.Contains(out.String(), "7700910007") {
			t.Errorf("%s shows nothing even without the seam: %s", way, out.String())
		}
	}
}

func TestNumbersAsIntegers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := slog.New(NewHandler(&out, slog.LevelInfo))
	l.Info("m", "a", 442034752074, "b", uint64(442034752074), "c", 442034752074.0, "d", int64(442034752074), "e", 1500, "f", 2.5, "g", math.NaN())
	if strings.Contains(out.String(), "3475") || strings.Contains(out.String(), "4.42") {
		t.Error(out.String())
	}
	if !strings.Contains(out.String(), `"e":1500,"f":2.5`) {
		t.Errorf("a plain number was lost: %s", out.String())
	}
}

func TestWhatIsHarmlessStays(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, err := New(&out, Config{Level: "info"})
	if err != nil {
		t.Fatal(err)
	}
	id := policy.ConversationID("77720611-17eb-8633-8d26-a400fff4a398") // its digits look like a number
	l.Debug("not written")
	l.With("conversation", id).Info("call ended", "conversation", string(id), "took", 1500*time.Millisecond, "frames", 1450, "ok", true,
		"at", time.Unix(0, 0).UTC(), "n", nil, "codecs", []string{"PCMU", "G722"}, "type", struct{ A int }{1})
	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"msg": "call ended", "conversation": string(id), "took": "1.5s", "frames": 1450.0, "ok": true,
		"at": "1970-01-01T00:00:00Z", "n": nil, "codecs": "PCMU G722", "type": "[struct { A int }]", "level": "INFO"} {
		if line[k] != want {
			t.Errorf("%s: %v, want %v", k, line[k], want)
		}
	}
}

func TestLinesAreBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", 1<<20)
	var many []any
	for i := range 5000 {
		many = append(many, fmt.Sprintf("k%d", i), long)
	}
	for name, log := range map[string]func(*slog.Logger){
		"message":    func(l *slog.Logger) { l.Info(long) },
		"value":      func(l *slog.Logger) { l.Info("m", "k", long) },
		"key":        func(l *slog.Logger) { l.Info("m", long, 1) },
		"attributes": func(l *slog.Logger) { l.Info("m", many...) },
		"group":      func(l *slog.Logger) { l.Info("m", slog.Group("g", many...)) },
		"With": func(l *slog.Logger) {
			l.With(many...).With(many...).With(many...).With(many...).With(many...).Info("m")
		},
		"controls": func(l *slog.Logger) {
			l.Info("m", "a", strings.Repeat("\x01", 1<<20), "b", strings.Repeat("\x02", 1<<20), "c", strings.Repeat("\x03", 1<<20))
		},
		"bytes":  func(l *slog.Logger) { l.Info("m", "k", bytes.Repeat([]byte{0xff}, 1<<20)) },
		"groups": func(l *slog.Logger) { deep(l, 2000).Info("m", "k", 1) },
	} {
		var out bytes.Buffer
		log(slog.New(NewHandler(&out, slog.LevelInfo)))
		if out.Len() == 0 || out.Len() > MaxLine || !json.Valid(out.Bytes()) {
			t.Errorf("%s: %d bytes, valid %v", name, out.Len(), json.Valid(out.Bytes()))
		}
	}
}

func deep(l *slog.Logger, n int) *slog.Logger {
	for range n {
		l = l.WithGroup("group of groups").With("k", 1)
	}
	return l
}

// A number that is cut in two by the bound must not leave its first half, where
// what stands before it was masked to a few bytes.
func TestABoundDoesNotUncover(t *testing.T) {
	t.Parallel()
	for shift := range 14 {
		s := strings.Repeat("7", maxInput-13-shift) + " and number +442034752074 and so on"
		if got := text(s); !strings.Contains(got, "and") || strings.Contains(got, "+4") || strings.Contains(got, "2034") {
			t.Errorf("shift %d: %q", shift, got)
		}
	}
}

func TestLinesStayWhole(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := slog.New(NewHandler(&out, slog.LevelInfo))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				l.With("a", i).Info("m", "k", strings.Repeat("x", 500))
			}
		})
	}
	wg.Wait()
	n := 0
	for line := range strings.Lines(out.String()) {
		n++
		if !json.Valid([]byte(line)) {
			t.Fatalf("torn: %q", line)
		}
	}
	if n != 800 {
		t.Errorf("%d lines", n)
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, c := range []string{"debug", "info", "warn", "error"} {
		if err := (Config{c}).Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []string{"", "loud", "INFO"} {
		if err := (Config{c}).Validate(); err == nil || !strings.Contains(err.Error(), "log.level: ") {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func BenchmarkLine(b *testing.B) {
	l := slog.New(NewHandler(io.Discard, slog.LevelInfo))
	for b.Loop() {
		l.Info("call ended", "conversation", "77720611-17eb-8633-8d26-a400fff4a398", "outcome", "completed by caller", "frames", 1450)
	}
}
