package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestDefaultRuling(t *testing.T) {
	o, _, now := office(t)
	f := Facts{Channel: SIP, From: Said("sip:jay@example.org"), To: "support", Trunk: "main"}
	r := o.Decide(f)
	if !r.Conversation().Valid() || r.Held(*now) {
		t.Fatal("no id, or a hold")
	}
	op, err := r.Open(*now)
	if err != nil || op.Valid() != nil {
		t.Fatal(err)
	}
	want := at("2027-05-23T20:00:00Z")
	if !op.Until().Equal(want) || !r.Until().Equal(want) || !op.Started().Equal(*now) || op.Profile() != ProfileDefault || op.PolicyVersion() != o.rules.Version() {
		t.Errorf("%+v", op)
	}
	if got := op.Facts(); got.From != f.From || got.To != f.To || got.Trunk != f.Trunk || got.Conversation != r.Conversation() {
		t.Errorf("facts %+v", got)
	}
	turn := Turn{Conversation: r.Conversation(), Seq: 1, Words: Said("my card is 4242 4242 4242 4242")}
	c, err := r.Clear(turn, *now)
	if err != nil || c.Valid() != nil || !c.Until().Equal(want) {
		t.Fatal(err, c.Until())
	}
	if c.Turn().Words.Reveal() != "my card is [card]" || len(c.Found()) != 1 || c.Found()[0].Len != 19 {
		t.Errorf("stored: %q %v", c.Turn().Words.Reveal(), c.Found())
	}
}

// A part of this machine is told the words; a third party what is left of them.
func TestTellRedactsForOthers(t *testing.T) {
	o, _, now := office(t)
	r := o.Decide(Facts{})
	turn := Turn{Conversation: r.Conversation(), Words: Said("call four four two oh seven")}
	near, err := r.Tell(processorOf(t, o, "sphinx"), turn, *now)
	if err != nil || near.Text() != "call four four two oh seven" || near.Processor() != "sphinx" {
		t.Errorf("near: %q %v", near.Text(), err)
	}
	far, err := r.Tell(processorOf(t, o, "far"), turn, *now)
	if err != nil || far.Text() != "call [phone]" || far.Turn().Words.Reveal() != "call [phone]" {
		t.Errorf("far: %q %v", far.Text(), err)
	}
	if err := near.For("far"); !errors.Is(err, ErrForeign) {
		t.Errorf("words of this machine for another: %v", err)
	}
}

func TestRulingRefuses(t *testing.T) {
	o, _, now := office(t)
	r := o.Decide(Facts{})
	p := processorOf(t, o, "sphinx")
	id := r.Conversation()
	other := Turn{Conversation: NewConversationID()}
	late := r.Until()
	odd := o.Decide(Facts{Conversation: "1 or 1=1"})
	for name, c := range map[string]struct{ err, want error }{
		"clear another's turn":  {second(r.Clear(other, *now)), ErrForeign},
		"tell another's turn":   {second(r.Tell(p, other, *now)), ErrForeign},
		"tell nobody":           {second(r.Tell(Processor{}, Turn{Conversation: id}, *now)), ErrNotGranted},
		"listen for nobody":     {second(r.Listen(Processor{}, *now)), ErrNotGranted},
		"open when expired":     {second(r.Open(late)), ErrNotGranted},
		"clear when expired":    {second(r.Clear(Turn{Conversation: id}, late)), ErrNotGranted},
		"open an odd id":        {second(odd.Open(*now)), ErrNotGranted},
		"settle as ongoing":     {second(o.Decide(Facts{Conversation: id}).Settle(Receipt{Conversation: id}, Ongoing, *now)), nil},
		"settle as 99":          {second(o.Decide(Facts{Conversation: id}).Settle(Receipt{Conversation: id}, 99, *now)), nil},
		"settle a negative":     {second(o.Decide(Facts{Conversation: id}).Settle(Receipt{Conversation: id, Longest: -1}, Failed, *now)), nil},
		"settle another's":      {second(o.Decide(Facts{Conversation: id}).Settle(Receipt{Conversation: other.Conversation}, Failed, *now)), ErrForeign},
		"settle without an id":  {second(o.Decide(Facts{Conversation: id}).Settle(Receipt{}, Failed, *now)), ErrForeign},
		"clear after Settle":    {afterSettle(o, func(r Ruling) error { return second(r.Clear(Turn{Conversation: r.Conversation()}, *now)) }, *now), ErrSettled},
		"tell after Settle":     {afterSettle(o, func(r Ruling) error { return second(r.Tell(p, Turn{Conversation: r.Conversation()}, *now)) }, *now), ErrSettled},
		"settle after Settle":   {afterSettle(o, func(r Ruling) error { return second(r.Settle(Receipt{Conversation: r.Conversation()}, Failed, *now)) }, *now), ErrSettled},
		"open after Settle":     {afterSettle(o, func(r Ruling) error { return second(r.Open(*now)) }, *now), ErrSettled},
		"listen after a broken": {afterSettle(o, func(r Ruling) error { return second(r.Listen(p, *now)) }, *now), ErrSettled},
	} {
		if c.err == nil || c.want != nil && !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}

func afterSettle(o *Office, do func(Ruling) error, now time.Time) error {
	r := o.Decide(Facts{})
	if _, err := r.Settle(Receipt{Conversation: r.Conversation()}, Failed, now); err != nil {
		return err
	}
	return do(r)
}

func TestSettle(t *testing.T) {
	o, _, now := office(t)
	r := o.Decide(Facts{})
	c := Receipt{Conversation: r.Conversation(), Born: 7, Forgotten: 6, Held: 1, Longest: time.Second}
	s, err := r.Settle(c, MediaTimeout, now.Add(time.Minute))
	if err != nil || s.Valid() != nil || s.Receipt() != c || s.Outcome() != MediaTimeout || !s.Ended().Equal(now.Add(time.Minute)) || !s.Until().Equal(r.Until()) {
		t.Fatalf("%+v %v", s, err)
	}
}

// "The audio is not kept" is said where it is true, and nowhere else.
func TestDisclosure(t *testing.T) {
	o, _, now := office(t)
	near, far := processorOf(t, o, "sphinx"), processorOf(t, o, "far")
	const first = "Hello. You are speaking with a machine, an A.I. agent of Example Telecom. What you say is written down and kept for six months."
	const last = " The audio is not kept."
	r := o.Decide(Facts{})
	if got := r.Disclosure(near); got != first+last {
		t.Errorf("near: %s", got)
	}
	if got := r.Disclosure(far); got != first {
		t.Errorf("far: %s", got)
	}
	if got := r.Disclosure(Processor{}); got != first {
		t.Errorf("no engine: %s", got)
	}
	if got := r.DisclosureIn("xx-YY", near); got != first+last {
		t.Errorf("a language without a text: %s", got)
	}
	for name, g := range map[string]*grant{"held": {}, "about to end": {until: now.Add(time.Nanosecond)}} {
		held := o.Decide(Facts{})
		held.r.hold = Hold{g}
		if got := held.Disclosure(near); got != first {
			t.Errorf("%s: %s", name, got)
		}
		if !held.Held(*now) {
			t.Errorf("%s: not held", name)
		}
	}
	rules := testRules()
	rules.Keep, rules.Organisation = 12, "Acme Ltd."
	year, err := New(&journal{}, rules, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	if got := year.Decide(Facts{}).Disclosure(near); !strings.Contains(got, "agent of Acme Ltd. What") || !strings.Contains(got, "for twelve months.") {
		t.Errorf("a year: %s", got)
	}
	if err := o.Withdraw(t.Context(), "sphinx"); err != nil {
		t.Fatal(err)
	}
	if got := r.Disclosure(near); got != first {
		t.Errorf("withdrawn: %s", got)
	}
}

// Nothing that holds words prints them, by any way of printing.
func TestWordsDoNotPrint(t *testing.T) {
	o, _, now := office(t)
	r := o.Decide(Facts{From: Said("canary")})
	turn := Turn{Conversation: r.Conversation(), Words: Said("canary")}
	told, err := r.Tell(processorOf(t, o, "sphinx"), turn, *now)
	if err != nil {
		t.Fatal(err)
	}
	cleared, err := r.Clear(turn, *now)
	if err != nil {
		t.Fatal(err)
	}
	opening, err := r.Open(*now)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{turn.Words, &turn.Words, turn, &turn, told, &told, cleared, opening, opening.Facts(), r, Record{From: turn.Words, Turns: []Turn{turn}}} {
		var log strings.Builder
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		js, err := json.Marshal(v)
		if err != nil {
			js = nil // what can't be marshalled shows nothing
		}
		all := log.String() + string(js)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
			all += fmt.Sprintf(verb, v)
		}
		if strings.Contains(all, "canary") || strings.Contains(all, "63616e617279") || strings.Contains(all, "63616E617279") {
			t.Errorf("%T prints its words", v)
		}
	}
	if got := fmt.Sprint(turn.Words); got != "[6 chars]" {
		t.Error(got)
	}
}

func TestNames(t *testing.T) {
	for p := Caller; p <= System; p++ {
		if got, ok := ParseParty(p.String()); !ok || got != p {
			t.Error(p)
		}
	}
	for c := SIP; c <= Support; c++ {
		if got, ok := ParseChannel(c.String()); !ok || got != c {
			t.Error(c)
		}
	}
	for o := Ongoing; o <= Interrupted; o++ {
		if got, ok := ParseOutcome(o.String()); !ok || got != o {
			t.Error(o)
		}
	}
	if _, ok := ParseOutcome("unknown"); ok {
		t.Error("unknown is an outcome")
	}
	if _, ok := ParseParty("unknown"); ok {
		t.Error("unknown is a party")
	}
}

func TestConversationID(t *testing.T) {
	seen := map[ConversationID]bool{}
	for range 1000 {
		id := NewConversationID()
		if !id.Valid() || id[14] != '8' || !strings.ContainsRune("89ab", rune(id[19])) || seen[id] {
			t.Fatal(id)
		}
		seen[id] = true
	}
	for _, id := range []ConversationID{"", "x", "00000000-0000-8000-8000-00000000000G", "00000000-0000-8000-8000-00000000000A", "000000000000-8000-8000-000000000000-0"} {
		if id.Valid() {
			t.Errorf("%q is valid", id)
		}
	}
}
