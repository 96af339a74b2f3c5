package redact

import (
	"net/netip"
	"strings"
)

// Shortest runs that are masked.
const (
	minWritten = 7 // digits, however grouped: the shortest subscriber number
	minRead    = 5 // digits one by one, spoken or written: "four four two oh seven"
	minMixed   = 3 // digits one by one among pairs: "oh seven nine, eleven, twelve"
)

// run is a number as it was said or written: tokens that are digits, with what
// may stand between them.
type run struct {
	first, last int // tokens
	digits      []byte
	groups      []int // length of digits at the end of each token
	singles     int   // digits that stood alone
	said        bool  // at least one was a word
	figures     int   // digits that were written as figures
	dots        int   // spoken dots between digits
}

// numbers finds runs of digits: cards by Luhn, spoken IP addresses, and
// everything else that is long enough for a telephone number.
func numbers(s string, toks []token) []span {
	var out []span
	for i := 0; i < len(toks); {
		r, ok := readRun(s, toks, i)
		if !ok {
			i++
			continue
		}
		if kind := r.kind(s, toks); kind != "" {
			start := toks[r.first].start
			if r.first > 0 && toks[r.first-1].text == "+" && tight(toks[r.first-1], toks[r.first]) {
				start = toks[r.first-1].start
			}
			out = append(out, span{start, toks[r.last].end, kind})
		}
		i = r.last + 1
	}
	return out
}

// maxBetween bounds how many signs and filler words stand between two digits.
const maxBetween = 3

// readRun reads a number that begins at token i.
func readRun(s string, toks []token, i int) (run, bool) {
	r := run{first: i, last: -1}
	for between, dots := 0, 0; i < len(toks) && between <= maxBetween; {
		n := r.take(toks, i)
		if n > 0 {
			r.last = i + n - 1
			r.dots += dots
			i, between, dots = i+n, 0, 0
			continue
		}
		if r.last < 0 || !joins(s, toks[i]) {
			break
		}
		if toks[i].text == "dot" || toks[i].text == "point" {
			dots++
		}
		between++
		i++
	}
	return r, r.last >= 0
}

// take adds the digits of token i, and of the next after "double"; it says how
// many tokens it took.
func (r *run) take(toks []token, i int) int {
	t := toks[i]
	if !t.word {
		return 0
	}
	if d := t.digits(); d != "" {
		r.add(d, len(d) == 1)
		r.figures += len(d)
		return 1
	}
	if d, single := spoken(t.text); d != "" {
		r.said = true
		r.add(d, single)
		return 1
	}
	n := repeats(t.text)
	if n == 0 || i+1 == len(toks) {
		return 0
	}
	d, single := spoken(toks[i+1].text)
	if w := toks[i+1].digits(); len(w) == 1 {
		d, single = w, true
	}
	if !single {
		return 0
	}
	r.said = true
	for range n {
		r.add(d, true)
	}
	return 2
}

func (r *run) add(d string, single bool) {
	r.digits = append(r.digits, d...)
	r.groups = append(r.groups, len(r.digits))
	if single {
		r.singles += len(d)
	}
}

// joins says whether a token may stand between two digits of one number.
func joins(s string, t token) bool {
	if t.word {
		return filler(t.text)
	}
	switch s[t.start:t.end] {
	case "-", ".", "(", ")", "/", ",", "+", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2026", "\u00b7", "_", "*":
		return true
	}
	return false
}

// kind is what the run is, "" when it is to be left alone.
func (r *run) kind(s string, toks []token) string {
	n := len(r.digits)
	switch {
	case r.said && r.dots == 3:
		return IP
	case n >= 13 && r.card():
		return Card
	case r.singles >= minRead:
		return Phone
	case n < minWritten:
		return ""
	case r.said && r.singles < minMixed && r.figures < minWritten:
		return "" // an amount or a year in words
	case !r.said && (date(s[toks[r.first].start:toks[r.last].end]) || listed(s, toks, r)):
		return ""
	}
	return Phone
}

// card says whether some groups in a row make 13 to 19 digits that satisfy Luhn.
func (r *run) card() bool {
	from := 0
	for i := range r.groups {
		for j := i; j < len(r.groups) && r.groups[j]-from <= 19; j++ {
			if n := r.groups[j] - from; n >= 13 && luhn(r.digits[from:r.groups[j]]) {
				return true
			}
		}
		from = r.groups[i]
	}
	return false
}

// luhn is ISO/IEC 7812-1, annex B.
func luhn(d []byte) bool {
	sum, double := 0, false
	for i := len(d) - 1; i >= 0; i-- {
		v := int(d[i] - '0')
		if double {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
		double = !double
	}
	return sum%10 == 0
}

// date says whether s is a calendar date in figures: 2026-11-23, 23.11.2026.
func date(s string) bool {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '.' || r == '/' })
	if len(f) != 3 || strings.ContainsAny(s, " ,()+") {
		return false
	}
	if len(f[0]) == 4 {
		f[0], f[2] = f[2], f[0]
	}
	year := len(f[2]) == 4 && (f[2][:2] == "19" || f[2][:2] == "20")
	return year && len(f[0]) <= 2 && len(f[1]) <= 2
}

// listed says whether a run in figures is an amount with commas, or a list of
// short numbers: "1,000,000", "10, 20, 30, 40".
func listed(s string, toks []token, r *run) bool {
	for i := r.first; i < r.last; i++ {
		if toks[i].word && toks[i+1].word || !toks[i].word && s[toks[i].start:toks[i].end] != "," {
			return false
		}
		if toks[i].word && len(toks[i].text) > 3 {
			return false
		}
	}
	return r.last > r.first && len(toks[r.last].text) <= 3
}

// addresses finds IP addresses in figures, version 4 and 6.
func addresses(s string) []span {
	var out []span
	for i := 0; i < len(s); {
		if !addressByte(s[i]) {
			i++
			continue
		}
		j := i
		for j < len(s) && addressByte(s[j]) {
			j++
		}
		if p, ok := address(s, i, j); ok {
			out = append(out, p)
		}
		i = j
	}
	return out
}

func addressByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == ':' || c == '.'
}

// address looks at s[i:j]: whole, without a full stop or a colon at its end,
// and without a port.
func address(s string, i, j int) (span, bool) {
	if j-i > 64 || strings.Count(s[i:j], ".") < 3 && strings.Count(s[i:j], ":") < 2 {
		return span{}, false
	}
	for j > i && (s[j-1] == '.' || s[j-1] == ':' && (j < i+2 || s[j-2] != ':')) {
		j--
	}
	for i < j && s[i] == '.' {
		i++
	}
	if a, err := netip.ParseAddr(s[i:j]); err == nil && a != netip.IPv6Unspecified() {
		return span{i, j, IP}, true
	}
	if k := strings.LastIndexByte(s[i:j], ':'); k > 0 {
		if _, err := netip.ParseAddrPort(s[i:j]); err == nil {
			return span{i, i + k, IP}, true
		}
	}
	return span{}, false
}

// ibans finds IBANs (ISO 13616), written with or without spaces, or spelt out
// in words: "d e eight nine three seven".
func ibans(_ string, toks []token) []span {
	var out []span
	for i := 0; i < len(toks); i++ {
		if end, ok := iban(toks, i); ok {
			out = append(out, span{toks[i].start, toks[end].end, IBAN})
			i = end
		}
	}
	return out
}

// ibanLength is the length of a country's IBANs by the registry of ISO 13616, 0
// for a country without.
func ibanLength(country string) int {
	const registry = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27" +
		"GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27" +
		"MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"
	for i := 0; i < len(registry); i += 4 {
		if registry[i:i+2] == country {
			return int(registry[i+2]-'0')*10 + int(registry[i+3]-'0')
		}
	}
	return 0
}

// iban reads one that begins at token i and returns its last token.
func iban(toks []token, i int) (last int, ok bool) {
	want := ibanLength(ibanHead(toks, i))
	if want == 0 {
		return 0, false
	}
	b := make([]byte, 0, want)
	for j := i; j < len(toks); j++ {
		part := ibanPart(toks[j])
		if lettersOnly(part) && j != i && (j > i+2 || len(part) != 4) {
			break // a word: an IBAN has letters in groups in its bank's code alone
		}
		if part == "" && j > i && !toks[j].word && (toks[j].text == "-" || toks[j].text == ",") {
			continue
		}
		if part == "" || len(b)+len(part) > want {
			break
		}
		if b = append(b, part...); len(b) == want {
			return j, mod97(b)
		}
	}
	return 0, false
}

// ibanHead is the country of an IBAN that may begin at token i: two letters, with
// a digit after them; "" when none can.
func ibanHead(toks []token, i int) string {
	var b []byte
	for j := i; j < len(toks) && j < i+4 && len(b) < 3; j++ {
		part := ibanPart(toks[j])
		if part == "" {
			return ""
		}
		b = append(b, part...)
	}
	if len(b) < 3 || !isLetter(b[0]) || !isLetter(b[1]) || isLetter(b[2]) {
		return ""
	}
	return string(b[:2])
}

func isLetter(c byte) bool { return c >= 'A' && c <= 'Z' }

// ibanPart is what a token adds to an IBAN: its letters and digits, or the
// digit that it is a word for.
func ibanPart(t token) string {
	if !t.word {
		return ""
	}
	if d, single := spoken(t.text); single && t.text != "o" {
		return d
	}
	hasDigit := false
	for k := range len(t.text) {
		c := t.text[k]
		if c >= '0' && c <= '9' {
			hasDigit = true
		} else if c < 'a' || c > 'z' {
			return ""
		}
	}
	if !hasDigit && len(t.text) > 4 {
		return ""
	}
	return strings.ToUpper(t.text)
}

// lettersOnly says whether a part is two letters or more, and no digit.
func lettersOnly(part string) bool {
	for k := range len(part) {
		if !isLetter(part[k]) {
			return false
		}
	}
	return len(part) > 1
}

// mod97 is ISO/IEC 7064, MOD 97-10: the first four signs go last, a letter is
// its number from 10 on.
func mod97(b []byte) bool {
	m := 0
	for k := range len(b) {
		c := b[(k+4)%len(b)]
		if isLetter(c) {
			m = (m*100 + int(c-'A') + 10) % 97
		} else {
			m = (m*10 + int(c-'0')) % 97
		}
	}
	return m == 1
}
