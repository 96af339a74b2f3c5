package redact

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is a word (letters and digits) or one other sign; white space is none.
type token struct {
	start, end int
	text       string // in lower case
	word       bool
}

func tokens(s string) []token {
	out := make([]token, 0, len(s)/5+1)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case unicode.IsSpace(r):
			i += n
		case isWord(r):
			j := i + n
			for j < len(s) {
				r, n := utf8.DecodeRuneInString(s[j:])
				if !isWord(r) {
					break
				}
				j += n
			}
			out = append(out, token{i, j, strings.ToLower(s[i:j]), true})
			i = j
		default:
			out = append(out, token{i, i + n, s[i : i+n], false})
			i += n
		}
	}
	return out
}

func isWord(r rune) bool {
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r))
}

// tight says whether nothing stands between a token and the one after it.
func tight(a, b token) bool { return a.end == b.start }

// letter says whether a token is one letter, as in a word that is spelt.
func (t token) letter() bool {
	r, n := utf8.DecodeRuneInString(t.text)
	return t.word && n == len(t.text) && unicode.IsLetter(r)
}

// digits are a token's digits in ASCII, or "" when it is not all digits.
func (t token) digits() string {
	if !t.word {
		return ""
	}
	ascii := true
	for i := range len(t.text) {
		if t.text[i] < '0' || t.text[i] > '9' {
			ascii = false
			break
		}
	}
	if ascii {
		return t.text
	}
	var b strings.Builder
	for _, r := range t.text {
		d, ok := digit(r)
		if !ok {
			return ""
		}
		b.WriteByte('0' + d)
	}
	return b.String()
}

// digit is the value of a decimal digit of any script: in Unicode the digits of
// a script are ten code points in a row, from zero.
func digit(r rune) (byte, bool) {
	if r >= '0' && r <= '9' {
		return byte(r - '0'), true
	}
	if r < 0x80 {
		return 0, false
	}
	for _, t := range unicode.Nd.R16 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) {
			return byte((r - rune(t.Lo)) % 10), true //nolint:gosec // 0 to 9
		}
	}
	for _, t := range unicode.Nd.R32 {
		if rune(t.Lo) <= r && r <= rune(t.Hi) { //nolint:gosec // a code point
			return byte((r - rune(t.Lo)) % 10), true //nolint:gosec // 0 to 9
		}
	}
	return 0, false
}

// spoken is a word for a digit: the digits it stands for, "" for other words.
// single says that it is one digit, as when a number is read out.
func spoken(w string) (digits string, single bool) {
	switch w {
	case "zero", "oh", "o", "nought", "naught", "nil":
		return "0", true
	case "one":
		return "1", true
	case "two":
		return "2", true
	case "three":
		return "3", true
	case "four":
		return "4", true
	case "five":
		return "5", true
	case "six":
		return "6", true
	case "seven":
		return "7", true
	case "eight":
		return "8", true
	case "nine", "niner":
		return "9", true
	}
	return spokenPair(w), false
}

func spokenPair(w string) string {
	switch w {
	case "ten":
		return "10"
	case "eleven":
		return "11"
	case "twelve":
		return "12"
	case "thirteen":
		return "13"
	case "fourteen":
		return "14"
	case "fifteen":
		return "15"
	case "sixteen":
		return "16"
	case "seventeen":
		return "17"
	case "eighteen":
		return "18"
	case "nineteen":
		return "19"
	case "twenty":
		return "20"
	case "thirty":
		return "30"
	case "forty", "fourty":
		return "40"
	case "fifty":
		return "50"
	case "sixty":
		return "60"
	case "seventy":
		return "70"
	case "eighty":
		return "80"
	case "ninety":
		return "90"
	case "hundred":
		return "00"
	}
	return ""
}

// repeats is how often the next digit counts: "double four".
func repeats(w string) int {
	switch w {
	case "double":
		return 2
	case "triple", "treble":
		return 3
	}
	return 0
}

// filler is a word that may stand inside a number that is read out.
func filler(w string) bool {
	switch w {
	case "dash", "hyphen", "minus", "space", "slash", "uh", "um", "er", "erm", "then", "and", "plus", "dot", "point", "pause":
		return true
	}
	return false
}
