package redact

import (
	"regexp"
	"strings"
)

// Forms of credentials. Go's regexp takes time in proportion to its input.
var (
	// Tokens that say what they are.
	tokenForm = regexp.MustCompile(`\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj-|ant-)?[A-Za-z0-9_-]{16,}|\bgh[pousr]_[A-Za-z0-9]{20,}|` +
		`\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{16,}|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|` +
		`\bAIza[A-Za-z0-9_-]{30,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}`)
	privateKeyForm = regexp.MustCompile(`-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[A-Za-z0-9+/=\s:,-]*`)
	// Credentials of HTTP and SIP.
	schemeForm = regexp.MustCompile(`(?i)\b(?:bearer|basic|digest)\s+[A-Za-z0-9._~+/-]*[0-9=+/][A-Za-z0-9._~+/=-]{7,}`)
	// user:password@ of a URL.
	urlForm = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]{1,20}://[^\s/@:]{1,128}:[^\s/@]{1,256}@`)
)

// secrets finds credentials: by their form, by the word before them, and by
// being long and random.
func secrets(s string, toks []token) []span {
	var out []span
	for _, f := range [...]*regexp.Regexp{tokenForm, privateKeyForm, schemeForm, urlForm} {
		for _, m := range f.FindAllStringIndex(s, -1) {
			out = append(out, span{m[0], m[1], Secret})
		}
	}
	out = append(out, random(s)...)
	return append(out, named(s, toks)...)
}

// minRandom is the length from which a word of mixed signs is taken for a key.
const minRandom, minHex = 24, 32

// random finds words that nobody says: long, of letters in both cases and
// digits, or long hexadecimal.
func random(s string) []span {
	var out []span
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && keyByte(s[j]) {
			j++
		}
		if j-i >= minRandom && looksRandom(s[i:j]) {
			out = append(out, span{i, j, Secret})
		}
		i = max(j, i+1)
	}
	return out
}

func keyByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '/' || c == '=' || c == '_'
}

func looksRandom(w string) bool {
	var lower, upper, digits, hexes int
	for i := range len(w) {
		c := w[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
			hexes++
		case c >= 'a' && c <= 'z':
			lower++
			if c <= 'f' {
				hexes++
			}
		case c >= 'A' && c <= 'Z':
			upper++
			if c <= 'F' {
				hexes++
			}
		}
	}
	if len(w) >= minHex && hexes == len(w) && digits > 0 && digits < len(w) {
		return true
	}
	return lower > 1 && upper > 1 && digits > 1
}

// named finds what follows "password is", "pin", "security code" and the like.
func named(s string, toks []token) []span {
	var out []span
	for i := 0; i < len(toks); i++ {
		n, digitsOnly := label(toks, i)
		if n == 0 {
			continue
		}
		first, last, ok := value(s, toks, i+n, digitsOnly)
		if !ok {
			continue
		}
		out = append(out, span{toks[first].start, toks[last].end, Secret})
		i = last
	}
	return out
}

// label says how many tokens at i name a secret; digitsOnly, that its value is
// a short number and no word.
func label(toks []token, i int) (n int, digitsOnly bool) {
	next := func(k int) string {
		if i+k < len(toks) {
			return toks[i+k].text
		}
		return ""
	}
	switch toks[i].text {
	case "password", "passwd", "passphrase", "pwd", "passwort", "apikey", "api_key":
		return 1, false
	case "secret", "token": // in speech the words are too common
		if w := next(1); w == ":" || w == "=" {
			return 1, false
		}
	case "pass":
		if w := next(1); w == "phrase" || w == "word" {
			return 2, false
		}
		if next(1) == "code" {
			return 2, true
		}
	case "api", "access", "private", "secret_key":
		if w := next(1); w == "key" || w == "token" {
			return 2, false
		}
		if (next(1) == "_" || next(1) == "-") && (next(2) == "key" || next(2) == "token") {
			return 3, false
		}
	case "pin", "passcode", "otp", "cvv", "cvc", "cvv2", "cvc2":
		if w := next(1); w == "code" || w == "number" {
			return 2, true
		}
		return 1, true
	case "security", "verification", "access_code", "time", "sms":
		if next(1) == "code" {
			return 2, true
		}
	}
	return 0, false
}

// minCode is the least digits of a code.
const minCode = 3

// value finds what a label is followed by, from token i on: digits, written or
// said, or after "is" or a sign, words up to the end of the clause.
func value(s string, toks []token, i int, digitsOnly bool) (first, last int, ok bool) {
	linked := false
	for n := 0; i < len(toks) && n < 3; n++ {
		switch toks[i].text {
		case "is", "was", "equals", ":", "=", "\"", "'":
			linked = true
			i++
			continue
		}
		break
	}
	if i >= len(toks) || isMask(s[toks[i].start:]) {
		return 0, 0, false
	}
	if r, ok := readRun(s, toks, i); ok && len(r.digits) >= minCode && (digitsOnly || linked) {
		if digitsOnly {
			return i, r.last, true
		}
		return i, max(r.last, clause(s, toks, i)), true
	}
	if digitsOnly || !linked || common(toks[i].text) {
		return 0, 0, false
	}
	return i, clause(s, toks, i), true
}

// maxClause bounds how many words a password that is said may have.
const maxClause = 6

// clause is the last token of what begins at i: signs that stand close belong
// to it; a comma, a stop, or a word that begins something else ends it.
func clause(s string, toks []token, i int) int {
	last := i
	for words := 1; last+1 < len(toks); {
		next := toks[last+1]
		if !tight(toks[last], next) {
			if words++; !next.word || words > maxClause || common(next.text) {
				break
			}
		} else if !next.word && strings.ContainsAny(next.text, ".,;!?") && (last+2 == len(toks) || !tight(next, toks[last+2])) {
			break
		}
		if isMask(s[next.start:]) {
			break
		}
		last++
	}
	return last
}

// common is a word that a password is not: what is said of one, or what comes
// after it.
func common(w string) bool {
	switch w {
	case "not", "wrong", "incorrect", "invalid", "expired", "required", "missing", "too", "the", "being", "in", "on", "to", "for",
		"it", "reset", "locked", "and", "but", "please", "can", "could", "thanks", "thank", "so", "or", "if", "when", "no", "never",
		"forgotten", "lost", "what", "that", "still", "always", "also", "set", "needed", "rejected", "refused", "accepted", "safe":
		return true
	}
	return false
}
