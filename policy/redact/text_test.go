package redact_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"lethe/policy/redact"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		// telephone numbers, written
		{"call +44 20 7946 0958 please", "call [phone] please"},
		{"call +442079460958.", "call [phone]."},
		{"call 020 7946 0958", "call [phone]"},
		{"(020) 7946-0958 is mine", "([phone] is mine"},
		{"ring 555-0199 now", "ring [phone] now"},
		{"٠٧٩١١١٢٣٤٥٦ it is", "[phone] it is"},
		// and spoken
		{"four four two oh seven", "[phone]"},
		{"my number is four four two oh seven nine four six oh nine five eight thanks", "my number is [phone] thanks"},
		{"it is oh seven nine double one uh one two three four five six", "it is [phone]"},
		{"oh seven nine eleven twelve thirteen fourteen", "[phone]"},
		{"plus four four dash two oh seven", "plus [phone]"},
		{"Zero, seven, nine, one, one.", "[phone]."},
		{"4 4 2 0 7", "[phone]"},
		{"triple five one two", "[phone]"},
		// what is no telephone number
		{"I have four tickets and two bags", "I have four tickets and two bags"},
		{"nineteen eighty four", "nineteen eighty four"},
		{"two hundred and twenty five thousand", "two hundred and twenty five thousand"},
		{"on 2026-11-23 or 23.11.2026", "on 2026-11-23 or 23.11.2026"},
		{"it costs 1,000,000", "it costs 1,000,000"},
		{"order 12345", "order 12345"},
		{"oh one more thing", "oh one more thing"},
		// cards
		{"4242 4242 4242 4242", "[card]"},
		{"4242-4242-4242-4242 12/27", "[card]"},
		{"378282246310005", "[card]"},
		{"four two four two four two four two four two four two four two four two", "[card]"},
		{"four triple one triple one triple one triple one triple one", "[card]"},
		// e-mail
		{"write to jay.smith@example.com!", "write to [email]!"},
		{"jay dot smith at example dot com", "[email]"},
		{"it is j s m i t h at mail dot example dot co dot u k okay", "it is [email] okay"},
		{"jay underscore smith four at example.com", "[email]"},
		{"<sip:alice@pbx>", "<sip:[email]>"},
		{"jörg@müller.example", "[email]"},
		{"look at example dot com", "look at example dot com"},
		{"meet me at noon. Then call", "meet me at noon. Then call"},
		{"I am at work", "I am at work"},
		// IBAN
		{"DE89 3704 0044 0532 0130 00 it is", "[iban] it is"},
		{"GB82WEST12345698765432", "[iban]"},
		{"d e eight nine three seven oh four oh oh four four oh five three two oh one three oh oh oh", "[iban]"},
		// IP
		{"from 192.0.2.17:5060 to 2001:db8::1.", "from [ip]:5060 to [ip]."},
		{"one nine two dot oh dot two dot one seven", "[ip]"},
		{"at 10:15:30 in v1.2.3", "at 10:15:30 in v1.2.3"},
		// credentials
		{"my password is correct horse battery staple, and so on", "my password is [secret], and so on"},
		{"password: hunter2", "password: [secret]"},
		{"my pin is one two three four", "my pin is [secret]"},
		{"PIN 1234 please", "PIN [secret] please"},
		{"the security code is 123", "the security code is [secret]"},
		{"my password is wrong", "my password is wrong"},
		{"the secret is out", "the secret is out"},
		{"token=abc123", "token=[secret]"},
		{"Authorization: Bearer abcdef0123456789xyz", "Authorization: [secret]"},
		{"key sk-live-abcdefghijklmnop1234", "key [secret]"},
		{"https://bob:pa55@example.org/x", "[secret]/x"},
		{"0123456789abcdef0123456789abcdef", "[secret]"},
		{"", ""},
	} {
		if got, _ := redact.Text(c.in); got != c.want {
			t.Errorf("Text(%q)\n got %q\nwant %q", c.in, got, c.want)
		}
	}
}

func TestFoundIsKindAndLength(t *testing.T) {
	_, found := redact.Text("mail a@b.example or 4242 4242 4242 4242")
	want := []redact.Found{{Kind: redact.Email, Len: 11}, {Kind: redact.Card, Len: 19}}
	if len(found) != 2 || found[0] != want[0] || found[1] != want[1] {
		t.Fatalf("got %v, want %v", found, want)
	}
}

// digitsGen draws a number of n digits.
func digitsGen(lo, hi int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.ByteRange('0', '9'), lo, hi).Draw(t, "digits"))
	})
}

func sayDigits(t *rapid.T, digits string) string {
	words := [...][]string{{"zero", "oh", "o"}, {"one"}, {"two"}, {"three"}, {"four"}, {"five"}, {"six"}, {"seven"}, {"eight"}, {"nine"}}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 {
			b.WriteString(rapid.SampledFrom([]string{" ", ", ", " - ", " uh "}).Draw(t, "gap"))
		}
		b.WriteString(rapid.SampledFrom(words[digits[i]-'0']).Draw(t, "word"))
	}
	return b.String()
}

// A number read out in any way, of any length from five, leaves none of its
// words behind.
func TestSpokenNumbersGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		said := sayDigits(t, digitsGen(5, 20).Draw(t, "number"))
		got, found := redact.Text("well it is " + said + " that is all")
		if len(found) != 1 || got != "well it is ["+found[0].Kind+"] that is all" {
			t.Fatalf("%q became %q", said, got)
		}
	})
}

func TestWrittenNumbersGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := digitsGen(7, 15).Draw(t, "number")
		cut := rapid.IntRange(1, len(d)-1).Draw(t, "cut")
		sep := rapid.SampledFrom([]string{"", " ", "-", ".", ") ", "/", "\u2011"}).Draw(t, "sep")
		s := "+" + d[:cut] + sep + d[cut:]
		got, _ := redact.Text("ring " + s + " soon")
		if strings.Contains(got, d[:cut]) && cut > 2 || strings.Contains(got, d[cut:]) && len(d)-cut > 2 {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestEmailsGo(t *testing.T) {
	word := rapid.StringMatching(`[a-z]{2,9}`)
	rapid.Check(t, func(t *rapid.T) {
		user, host := word.Draw(t, "user")+"q", word.Draw(t, "host")+"q"
		s := rapid.SampledFrom([]string{user + "@" + host + ".com", user + " at " + host + " dot com", user + " at " + host + ".com", user + "@" + host + " dot com"}).Draw(t, "form")
		got, _ := redact.Text("it is " + s)
		if strings.Contains(got, user) || strings.Contains(got, host) && !strings.Contains(s, "@"+host+" ") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

// check holds what is true of every input.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string,
) {
	t.Helper()
	once, found := redact.Text(s)
	if len(found) == 0 && once != s {
		t.Fatalf("%q was changed and nothing found", s)
	}
	twice, again := redact.Text(once)
	if twice != once {
		t.Fatalf("%q became %q and then %q (%v)", s, once, twice, again)
	}
	for _, f := range found {
		if f.Len <= 0 || f.Kind == "" {
			t.Fatalf("%q: found %v", s, f)
		}
	}
}

func TestTextTwiceIsOnce(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"four", "oh", "double", "7", "4242", " ", ", ", ".", "@", "at", "dot", "com", "a", "password", "is", ":", "pin", "[phone]", "[secret]", "+",
		"-", "DE89", "192.0.2.1", "x", "://", "bearer ", "sk-", "hundred", "u", "k", "\n", "é", "\xff", "[", "]", "and", "'",
	})
	rapid.Check(t, func(t *rapid.T) {
		check(t, strings.Join(rapid.SliceOfN(piece, 0, 30).Draw(t, "pieces"), rapid.SampledFrom([]string{"", " "}).Draw(t, "gap")))
	})
}

func FuzzText(f *testing.F) {
	f.Add("call +44 20 7946 0958 or jay dot smith at example dot com")
	f.Add("my pin is one two three four; DE89 3704 0044 0532 0130 00; 2001:db8::1")
	f.Add("password: [secret] x@y @@ at at dot dot")
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}

// Twice the input takes no more than about twice the time, whatever it is made of.
func TestTextIsLinear(t *testing.T) {
	for _, unit := range []string{"a", "1", "1 ", "@", "a@", "at ", "dot ", "a dot ", "one ", "double ", "DE8", "d e 8 ", "password is ", "[", "sk-", "eyJ", "a.", ":", "-----BEGIN ", "://", "x at y ", "uh "} {
		linear(t, unit, func(s string) { redact.Text(s) })
	}
}

// linear measures eight times the input against the input. What is slower than
// it should be is measured again: other processes run as well.
func linear(t *testing.T, unit string, do func(string)) {
	t.Helper()
	const small = 1 << 11
	var a, b time.Duration
	for range 4 {
		start := time.Now()
		do(strings.Repeat(unit, small/len(unit)))
		a = time.Since(start)
		do(strings.Repeat(unit, 8*small/len(unit)))
		b = time.Since(start) - a
		if b < 24*a+20*time.Millisecond {
			return
		}
	}
	t.Errorf("%q: %v for 2 KiB and %v for 16 KiB", unit, a, b)
}

func BenchmarkText(b *testing.B) {
	s := "well my number is four four two oh seven nine four six oh nine five eight and you can write to jay dot smith at example dot com thanks"
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		redact.Text(s)
	}
}
