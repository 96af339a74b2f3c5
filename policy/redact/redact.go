// Package redact finds and masks personal data: in text that was said or
// written (Text) and in SIP octets, parsable or not (SIP). It imports nothing
// of ours, keeps nothing, and takes time in proportion to its input.
//
// Text works on tokens, not on the sentence as a whole: the same walk that sees
// "4 4 2 0 7" sees "four four two oh seven". It prefers to mask too much: a run
// of digits that somebody reads out one by one is masked whatever it is for.
// What it does not know: names, postal addresses, dates of birth, values that
// are split across turns.
package redact

import (
	"slices"
	"strings"
)

// Kinds of what is masked. The mask is the kind in brackets.
const (
	Secret = "secret" // a credential, a token, a password, a PIN, a security code
	Email  = "email"  // an e-mail address, or anything of the form user@host
	IBAN   = "iban"
	IP     = "ip"
	Card   = "card"  // 13 to 19 digits that satisfy Luhn
	Phone  = "phone" // any other long run of digits
)

// Found is one thing that was masked: its kind and its length in bytes. It
// never holds the thing itself.
type Found struct {
	Kind string `json:"kind"`
	Len  int    `json:"len"`
}

// span is a place in the text, [start, end).
type span struct {
	start, end int
	kind       string
}

// maxPasses bounds how often Text looks: what a mask leaves beside it may be
// seen for what it is only then ("…000::1").
const maxPasses = 4

// Text masks what it finds in s: "[phone]" stands where a number stood. The
// second result says what was found, pass by pass, in order. Text of a result
// is the result.
func Text(s string) (string, []Found) {
	var all []Found
	for range maxPasses {
		found := spans(s)
		if len(found) == 0 {
			break
		}
		masked, what := mask(s, found)
		all = append(all, what...)
		if masked == s {
			break
		}
		s = masked
	}
	return s, all
}

func spans(s string) []span {
	toks := tokens(s)
	var all []span
	// The first detector to claim a place names its kind.
	all = append(all, secrets(s, toks)...)
	all = append(all, emails(s, toks)...)
	all = append(all, ibans(s, toks)...)
	all = append(all, addresses(s)...)
	all = append(all, numbers(s, toks)...)
	return union(all)
}

// union makes one span of those that overlap: a thing that two detectors see in
// part is masked whole.
func union(all []span) []span {
	type ranked struct {
		span
		rank int
	}
	byStart := make([]ranked, len(all))
	for i, p := range all {
		byStart[i] = ranked{p, i}
	}
	slices.SortStableFunc(byStart, func(a, b ranked) int { return a.start - b.start })
	out := byStart[:0]
	for _, p := range byStart {
		last := len(out) - 1
		if last < 0 || p.start >= out[last].end {
			out = append(out, p)
			continue
		}
		out[last].end = max(out[last].end, p.end)
		if p.rank < out[last].rank {
			out[last].kind, out[last].rank = p.kind, p.rank
		}
	}
	spans := make([]span, len(out))
	for i, p := range out {
		spans[i] = p.span
	}
	return spans
}

func mask(s string, spans []span) (string, []Found) {
	var b strings.Builder
	found := make([]Found, 0, len(spans))
	at := 0
	for _, p := range spans {
		b.WriteString(s[at:p.start])
		b.WriteString(maskOf(p.kind))
		found = append(found, Found{Kind: p.kind, Len: p.end - p.start})
		at = p.end
	}
	b.WriteString(s[at:])
	return b.String(), found
}

func maskOf(kind string) string { return "[" + kind + "]" }

// isMask says whether s begins with one of our own masks.
func isMask(s string) bool {
	for _, k := range [...]string{Secret, Email, IBAN, IP, Card, Phone} {
		if strings.HasPrefix(s, maskOf(k)) {
			return true
		}
	}
	return false
}
