package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// emails finds user@host as it is written, and as it is said: "jay dot smith at
// example dot com".
func emails(s string, toks []token) []span {
	var out []span
	done := 0 // tokens before this one belong to an address already
	for i := range toks {
		var p span
		var last int
		ok := false
		switch toks[i].text {
		case "@":
			if p, ok = writtenEmail(s, toks[i].start); !ok {
				p, last, ok = spokenEmail(toks, done, i)
			}
		case "at":
			p, last, ok = spokenEmail(toks, done, i)
		}
		if ok {
			out = append(out, p)
			done = max(last+1, i+1)
		}
	}
	return out
}

// writtenEmail is whatever stands close around the @ at s[at]. The host needs no
// dot: user@host names somebody too.
func writtenEmail(s string, at int) (span, bool) {
	i := at
	for i > 0 && at-i < maxLocal {
		r, n := utf8.DecodeLastRuneInString(s[:i])
		if !localRune(r) {
			break
		}
		i -= n
	}
	j := at + 1
	for j < len(s) && j-at < maxHost {
		r, n := utf8.DecodeRuneInString(s[j:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '-' || r == utf8.RuneError {
			break
		}
		j += n
	}
	for j > at+1 && (s[j-1] == '.' || s[j-1] == '-') {
		j--
	}
	return span{i, j, Email}, i < at && j > at+1
}

const maxLocal, maxHost = 320, 256

func localRune(r rune) bool {
	return r != utf8.RuneError && !unicode.IsSpace(r) && !unicode.IsControl(r) && !strings.ContainsRune("<>()[],;:\"@", r)
}

// spokenEmail reads back from the "at" to where the user begins, and on to
// where the host ends.
func spokenEmail(toks []token, done, at int) (span, int, bool) {
	first, ok := local(toks, done, at)
	if !ok {
		return span{}, 0, false
	}
	last, ok := host(toks, at)
	if !ok {
		return span{}, 0, false
	}
	return span{toks[first].start, toks[last].end, Email}, last, true
}

// local finds the first token of the user before the "at": words that are
// joined by "dot" and the like, or a name that is spelt letter by letter.
func local(toks []token, done, at int) (int, bool) {
	i := at - 1
	if i < done || !toks[i].word || place(toks[i].text) {
		return 0, false
	}
	for steps := 0; i > done && steps < 64; steps++ {
		prev := toks[i-1]
		switch {
		case i-2 >= done && joint(toks, i-1) && toks[i-2].word:
			i -= 2
		case prev.word && spelt(prev) && spelt(toks[i]):
			i--
		case prev.word && spelt(toks[i]) && !toks[i].letter() && !place(prev.text):
			i-- // "smith four at": a number that is said ends a name
		default:
			return i, true
		}
	}
	return i, true
}

// place is a word before "at" after which a host is a place to look at, and no
// address: "look at example dot com".
func place(w string) bool {
	switch w {
	case "us", "look", "looking", "visit", "website", "site", "page", "online", "available", "hosted":
		return true
	}
	return false
}

// spelt says whether a token is a letter or a digit of something that is spelt.
func spelt(t token) bool {
	_, single := spoken(t.text)
	return single || t.letter() || len(t.digits()) == 1 || repeats(t.text) > 0
}

// joint says whether token i joins two words of an address.
func joint(toks []token, i int) bool {
	switch toks[i].text {
	case "dot", "period", "point", "underscore", "dash", "hyphen", "plus", "minus":
		return true
	case ".", "_", "-", "+":
		return i > 0 && i+1 < len(toks) && tight(toks[i-1], toks[i]) && tight(toks[i], toks[i+1])
	}
	return false
}

func dot(t token) bool {
	return t.text == "dot" || t.text == "." || t.text == "point" || t.text == "period"
}

// host finds the last token of the host after the "at". It has a dot, and its
// last part is letters.
func host(toks []token, at int) (int, bool) {
	i := at + 1
	if i < len(toks) && toks[i].text == "sign" {
		i++
	}
	if i >= len(toks) || !toks[i].word || toks[i].text == "www" {
		return 0, false
	}
	i = spell(toks, i)
	dots, steps := 0, 0
	for ; i+2 < len(toks) && joint(toks, i+1) && toks[i+2].word && steps < 16; steps++ {
		if dot(toks[i+1]) {
			dots++
		}
		i = spell(toks, i+2)
	}
	r, _ := utf8.DecodeRuneInString(toks[i].text)
	return i, dots > 0 && unicode.IsLetter(r)
}

// spell goes on over a part that is spelt: "u k".
func spell(toks []token, i int) int {
	for n := 0; n < 32 && i+1 < len(toks) && toks[i].letter() && toks[i+1].letter(); n++ {
		i++
	}
	return i
}
