package flite

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// longest is how many bytes of text are spoken as one piece: the first audio
// comes the sooner, the shorter the piece.
const longest = 240

// split takes a text apart into sentences, and long ones into pieces. Control
// characters become spaces.
func split(text string) []string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError
	}), " ")
	var out []string
	for text != "" {
		n := sentence(text)
		for piece := text[:n]; piece != ""; {
			k := short(piece)
			if p := strings.TrimSpace(piece[:k]); p != "" {
				out = append(out, p)
			}
			piece = piece[k:]
		}
		text = text[n:]
	}
	return out
}

// sentence gives the length of the first one.
func sentence(text string) int {
	for i := range len(text) - 1 {
		if strings.IndexByte(".!?", text[i]) < 0 || text[i+1] != ' ' {
			continue
		}
		if text[i] == '.' && abbreviation(text[:i]) {
			continue
		}
		return i + 2
	}
	return len(text)
}

// abbreviation says whether a full stop after this text belongs to its last word.
func abbreviation(before string) bool {
	w := strings.TrimLeft(before[strings.LastIndexByte(before, ' ')+1:], "(\"'")
	switch strings.ToLower(w) {
	case "mr", "mrs", "ms", "dr", "st", "no", "vs", "prof", "etc", "approx":
		return true
	}
	return len(w) == 1 && unicode.IsLetter(rune(w[0])) || strings.Contains(w, ".") && len(w) <= 5 // A.I., p.m.
}

// short gives how much of a sentence is spoken as one piece: up to a comma, or
// a space, where all of it would be too long.
func short(s string) int {
	if len(s) <= longest {
		return len(s)
	}
	for _, at := range []string{", ", "; ", ": ", " "} {
		if i := strings.LastIndex(s[:longest], at); i > longest/4 {
			return i + len(at)
		}
	}
	n := longest
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
