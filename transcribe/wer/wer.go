// Package wer measures engines: how many words they get wrong, of speech that
// was really called in (media's own coding, packets, jitter buffer, resampling
// and voice activity), a fresh session for each utterance.
//
// The recordings are test material. Nothing here is in the way of a caller's
// audio, and nothing here may be put there.
package wer

import (
	"strings"
	"unicode"
)

// Score counts words. Errors are substitutions, deletions and insertions of the
// best alignment (Levenshtein distance over words).
type Score struct {
	Words  int `json:"words"` // of the references
	Errors int `json:"errors"`
}

// Rate is the word error rate in percent. It may exceed 100.
func (s Score) Rate() float64 {
	if s.Words == 0 {
		return 0
	}
	return 100 * float64(s.Errors) / float64(s.Words)
}

// Add sums.
func (s Score) Add(o Score) Score { return Score{s.Words + o.Words, s.Errors + o.Errors} }

// Words of a text, for comparison: without case and punctuation.
func Words(text string) []string {
	return strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		case r == '\'' || r == '’':
			return '\''
		}
		return ' '
	}, text))
}

// Compare a hypothesis with what was really said.
func Compare(reference, hypothesis string) Score {
	want, got := Words(reference), Words(hypothesis)
	row := make([]int, len(got)+1)
	for j := range row {
		row[j] = j
	}
	for i, w := range want {
		diagonal := row[0]
		row[0] = i + 1
		for j, g := range got {
			change := diagonal
			if w != g {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return Score{Words: len(want), Errors: row[len(got)]}
}

// Contains says whether one of the phrases stands in the text, word for word.
func Contains(phrases []string, text string) bool {
	said := " " + strings.Join(Words(text), " ") + " "
	for _, p := range phrases {
		if w := Words(p); len(w) > 0 && strings.Contains(said, " "+strings.Join(w, " ")+" ") {
			return true
		}
	}
	return false
}
