package script

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"lethe/agent"
	"lethe/policy"
	"lethe/policy/policytest"
)

// talk has one conversation with a mind, under a real ruling.
type talk struct {
	t      *testing.T
	mind   agent.Mind
	ruling policy.Ruling
	to     policy.Processor
	seq    int
}

func begin(t *testing.T, s *Script) *talk {
	t.Helper()
	office, _ := policytest.Office(t, policy.ProcessorEntry{Name: Processor, Local: true}, policy.ProcessorEntry{Name: "other", Local: true})
	to, err := office.Processor(Processor)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r := office.Decide(policy.Facts{Channel: policy.SIP, To: "support"})
	return &talk{t: t, mind: m, ruling: r, to: to}
}

func (k *talk) told(words string, confidence float32) policy.Told {
	k.t.Helper()
	k.seq++
	told, err := k.ruling.Tell(k.to, policy.Turn{Conversation: k.ruling.Conversation(), Seq: k.seq, Party: policy.Caller,
		Words: policy.Said(words), Confidence: confidence}, time.Now())
	if err != nil {
		k.t.Fatal(err)
	}
	return told
}

func (k *talk) all(replies <-chan agent.Reply, err error) []agent.Reply {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
	var got []agent.Reply
	for r := range replies {
		got = append(got, r)
	}
	return got
}

func (k *talk) say(words string) []agent.Reply {
	k.t.Helper()
	return k.all(k.mind.Hear(k.t.Context(), k.told(words, 0.9)))
}

func words(rs []agent.Reply) string {
	var all []string
	for _, r := range rs {
		if !r.Words.Empty() {
			all = append(all, r.Words.Reveal())
		}
	}
	return strings.Join(all, " | ")
}

func act(rs []agent.Reply) agent.Act {
	if len(rs) == 0 {
		return agent.Listen
	}
	return rs[len(rs)-1].Act
}

func TestConversation(t *testing.T) {
	s := support(t)
	k := begin(t, s)
	if got := words(k.all(k.mind.Greet(t.Context()))); got != s.cfg.Greeting {
		t.Errorf("greeting %q", got)
	}
	hours := s.cfg.Intents[0]
	for i := range 3 { // alternatives in turn, the same in every run
		if got, want := words(k.say("when are you open")), hours.Replies[i%len(hours.Replies)]; got != want {
			t.Errorf("time %d: %q, want %q", i, got, want)
		}
	}
	if got, want := words(k.say("can you repeat that")), hours.Replies[0]; got != want {
		t.Errorf("repeated %q, want %q", got, want)
	}
	end := k.say("goodbye")
	if act(end) != agent.End || words(end) != "You are welcome. | "+s.cfg.Goodbye {
		t.Errorf("end: %v, %q", act(end), words(end))
	}
}

func TestNotUnderstood(t *testing.T) {
	s := support(t)
	k := begin(t, s)
	f := s.cfg.Fallback
	if got := words(k.say("the weather will be fine tomorrow")); got != f.Replies[0] {
		t.Errorf("first: %q", got)
	}
	// good words that the engine does not trust count as not understood
	if got := words(k.all(k.mind.Hear(t.Context(), k.told("when are you open", policy.LowConfidence-0.01)))); got != f.Replies[1] {
		t.Errorf("low confidence: %q", got)
	}
	if got := words(k.say("when are you open")); got != s.cfg.Intents[0].Replies[0] {
		t.Errorf("understood: %q", got)
	}
	p := k.mind.(agent.Prompter)
	for i := range f.Limit {
		got := k.all(p.Unclear(t.Context()))
		want := agent.Listen
		if i == f.Limit-1 {
			want = agent.Transfer
		}
		if act(got) != want {
			t.Errorf("fallback %d: %v, want %v", i, act(got), want)
		}
	}
}

func TestQuiet(t *testing.T) {
	s := support(t)
	p := begin(t, s).mind.(agent.Prompter)
	for times := 1; times <= s.cfg.NoInput.Limit; times++ {
		replies, err := p.Quiet(t.Context(), times)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.Collect(func(yield func(agent.Reply) bool) {
			for r := range replies {
				yield(r)
			}
		})
		if want := times == s.cfg.NoInput.Limit; (act(got) == agent.End) != want {
			t.Errorf("after %d silences: %v", times, act(got))
		}
	}
}

func TestKeysAndTransfer(t *testing.T) {
	s := support(t)
	k := begin(t, s)
	got := k.all(k.mind.(agent.Keypad).Keyed(t.Context(), k.told("0", 1)))
	if act(got) != agent.Transfer || got[len(got)-1].To != s.cfg.Transfer.Target || words(got) != s.cfg.Transfer.Say {
		t.Errorf("key 0: %v to %q, %q", act(got), got[len(got)-1].To, words(got))
	}
	if got := words(k.all(k.mind.(agent.Keypad).Keyed(t.Context(), k.told("9", 1)))); got != s.cfg.Fallback.Replies[0] {
		t.Errorf("a key without meaning: %q", got)
	}
}

// What was meant for another processor, and what no ruling made, is refused.
func TestForeignWords(t *testing.T) {
	k := begin(t, support(t))
	if _, err := k.mind.Hear(t.Context(), policy.Told{}); !errors.Is(err, policy.ErrNotGranted) {
		t.Errorf("no grant: %v", err)
	}
	if _, err := k.mind.(agent.Keypad).Keyed(t.Context(), policy.Told{}); !errors.Is(err, policy.ErrNotGranted) {
		t.Errorf("no grant: %v", err)
	}
}

const good = `greeting: hello
intents:
  - name: a
    phrases: [one two]
    keys: ["1"]
    replies: [yes]
fallback: {replies: [what]}
no_input: {replies: [hm]}
`

func TestParseGood(t *testing.T) {
	s, err := Parse("a.yaml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if s.Language() != "en-US" || len(s.Vocabulary()) != 1 {
		t.Errorf("%q, %v", s.Language(), s.Vocabulary())
	}
}

// Each mistake is refused with file, line, key and remedy.
func TestParseBad(t *testing.T) {
	for _, c := range []struct{ from, to, want, remedy string }{
		{"greeting: hello", "greting: hello", "a.yaml:1: greting:", "greeting"},
		{"greeting: hello", "greeting: ' '", "a.yaml:1: greeting:", "write what the agent says"},
		{"    replies: [yes]", "    reply: [yes]", "a.yaml:6: intents[0].reply:", "replies"},
		{"    replies: [yes]", "    replies: [yes, '']", "a.yaml:6: intents[0].replies[1]:", "write a sentence"},
		{"name: a", "name: ''", "a.yaml:3: intents[0].name:", "give the intent a name"},
		{"[one two]", "['...']", "a.yaml:4: intents[0].phrases[0]:", "write what a caller says"},
		{"[one two]", "[one two, 'One, two!']", "a.yaml:4: intents[0].phrases[1]:", "delete one"},
		{`["1"]`, `["12"]`, "a.yaml:5: intents[0].keys[0]:", "write one of 0 to 9"},
		{"    replies: [yes]", "    replies: [yes]\n    then: stop", "a.yaml:7: intents[0].then:", "listen, end, transfer or repeat"},
		{"    replies: [yes]", "    replies: [yes]\n    then: transfer", "a.yaml:7: intents[0].then:", "set transfer.target"},
		{"[what]}", "[what], limit: 2}", "a.yaml:7: fallback.then:", "write end or transfer"},
		{"[what]}", "[]}", "a.yaml:7: fallback.replies:", "list at least one"},
		{"[hm]}", "[hm], then: repeat}", "a.yaml:8: no_input.then:", "listen, end or transfer"},
		{"no_input: {replies: [hm]}", "no_input: {replies: [hm]}\ntransfer: {target: somebody}", "a.yaml:9: transfer.target:", "sip:"},
		{"fallback: {replies: [what]}\n", "", "fallback.replies:", "list at least one"},
	} {
		text := strings.Replace(good, c.from, c.to, 1)
		if text == good {
			t.Fatalf("%q changes nothing", c.from)
		}
		_, err := Parse("a.yaml", []byte(text))
		if err == nil {
			t.Errorf("%q was accepted", c.to)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.remedy) {
			t.Errorf("%q: %v\nwant %q and %q", c.to, err, c.want, c.remedy)
		}
	}
}

func TestEmbedded(t *testing.T) {
	if _, err := Embedded("nothing"); err == nil || !strings.Contains(err.Error(), "support") {
		t.Errorf("error %v does not say what there is", err)
	}
	for _, name := range Shipped() {
		data, err := Embedded(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(name+".yaml", data); err != nil {
			t.Error(err)
		}
	}
}
