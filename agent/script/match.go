package script

import (
	"strings"
	"unicode"

	"lethe/internal/settings"
)

// matcher finds the intent that a sentence means. Each phrase is laid over the
// sentence in order (the heaviest common subsequence, where words that differ by
// a small recognition error count a little less). A phrase matches if most of
// its weight is found in the sentence and not too much of the sentence is left
// unexplained. Two intents that match equally well are no match.
type matcher struct {
	phrases []phrase
	rarity  map[string]float64 // of the content words of phrases
}

type phrase struct {
	intent int
	words  []word
	weight float64
	solid  float64 // the weight of its content words
}

type word struct {
	text, stem string
	weight     float64
}

const (
	enough    = 0.72 // of a phrase's weight
	explained = 0.45 // of a sentence's weight
	contained = 0.30 // the same for a phrase that is there completely
	margin    = 0.04 // by which the best intent has to be better than the next
	content   = 0.5  // weight from which a word says what is meant
	longest   = 60   // words of a sentence that are looked at
)

func newMatcher(intents []Intent) *matcher {
	m := &matcher{rarity: map[string]float64{}}
	in := map[string]map[int]bool{}
	for i, it := range intents {
		for _, p := range it.Phrases {
			for _, w := range tokens(p) {
				s := stem(w)
				if in[s] == nil {
					in[s] = map[int]bool{}
				}
				in[s][i] = true
			}
		}
	}
	for s, of := range in {
		m.rarity[s] = [...]float64{1, 1, 0.8, 0.6}[min(len(of), 3)]
	}
	for i, it := range intents {
		for _, p := range it.Phrases {
			ph := phrase{intent: i, words: m.words(p)}
			for _, w := range ph.words {
				ph.weight += w.weight
				if w.weight >= content {
					ph.solid += w.weight
				}
			}
			m.phrases = append(m.phrases, ph)
		}
	}
	return m
}

// find gives the intent that the sentence matches best.
func (m *matcher) find(sentence string) (intent int, ok bool) {
	said := m.words(sentence)
	if len(said) > longest {
		said = said[:longest]
	}
	var all float64
	for _, w := range said {
		all += w.weight
	}
	if all == 0 {
		return 0, false
	}
	best, next := 0.0, 0.0 // next: the best of another intent
	for _, p := range m.phrases {
		s := p.score(said, all)
		switch {
		case s > best:
			if p.intent != intent {
				next = best
			}
			best, intent = s, p.intent
		case p.intent != intent:
			next = max(next, s)
		}
	}
	return intent, best > 0 && best-next >= margin
}

// score is 0 for no match, and up to 1.
func (p *phrase) score(said []word, all float64) float64 {
	found, solid := p.overlap(said)
	recall, precision := found/p.weight, found/all
	floor := explained
	if recall > 0.95 && p.solid >= 2 {
		floor = contained
	}
	if recall < enough || precision < floor || p.solid > 0 && solid == 0 {
		return 0
	}
	return 0.6*recall + 0.4*precision
}

// overlap is the weight of the heaviest common subsequence, and how much of
// that are content words.
func (p *phrase) overlap(said []word) (found, solid float64) {
	type cell struct{ found, solid float64 }
	row := make([]cell, len(said)+1)
	for _, w := range p.words {
		diagonal := cell{}
		for j, s := range said {
			above := row[j+1]
			best := above
			if row[j].found > best.found {
				best = row[j]
			}
			if a := alike(w, s); a > 0 {
				c := diagonal
				c.found += a * w.weight
				if w.weight >= content {
					c.solid += a * w.weight
				}
				if c.found > best.found {
					best = c
				}
			}
			diagonal, row[j+1] = above, best
		}
	}
	end := row[len(said)]
	return end.found, end.solid
}

// alike says how well two words agree: 1, a little less for a small error, 0.
func alike(a, b word) float64 {
	switch {
	case a.text == b.text:
		return 1
	case a.stem == b.stem:
		return 0.95
	case a.weight < content || b.weight < content:
		return 0
	}
	n := min(len(a.stem), len(b.stem))
	switch d := settings.Distance(a.stem, b.stem); {
	case n >= 7 && d <= 2, n >= 5 && d <= 1:
		return 0.8
	}
	return 0
}

func (m *matcher) words(sentence string) []word {
	ts := tokens(sentence)
	ws := make([]word, len(ts))
	for i, t := range ts {
		s := stem(t)
		w := 1.0
		if l := lightness(t); l > 0 {
			w = l
		} else if r := m.rarity[s]; r > 0 {
			w = r
		}
		ws[i] = word{t, s, w}
	}
	return ws
}

// lightness is the weight of words that say little about what is meant; 0 for
// all others.
func lightness(w string) float64 {
	switch w {
	case "uh", "um", "er", "erm", "ah", "oh", "hm", "hmm", "mm", "well", "please", "okay", "ok", "so", "just", "actually",
		"like", "hello", "hi", "hey", "good", "morning", "afternoon", "evening", "thanks", "thank", "maybe", "really", "kind":
		return 0.1
	case "a", "an", "the", "i", "you", "he", "she", "it", "we", "they", "me", "us", "my", "your", "our", "their", "is", "are",
		"was", "were", "be", "am", "been", "do", "does", "did", "to", "of", "in", "on", "at", "for", "with", "and", "or", "but",
		"if", "that", "this", "there", "here", "can", "could", "would", "will", "shall", "should", "may", "might", "have", "has",
		"had", "get", "got", "want", "wanted", "need", "know", "tell", "about", "some", "any", "as", "by", "from", "one", "again",
		"im", "not", "let", "try", "trying":
		return 0.3
	case "what", "when", "where", "who", "how", "why", "which":
		return 0.45
	}
	return 0
}

// tokens are the words of a sentence, in lower case, contractions taken apart
// and digits spelled.
func tokens(s string) []string {
	fields := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' && r != '’'
	})
	var out []string
	for _, f := range fields {
		f = strings.Trim(strings.ReplaceAll(f, "’", "'"), "'")
		out = append(out, expand(f)...)
	}
	return out
}

func expand(f string) []string {
	switch f {
	case "":
		return nil
	case "can't", "cannot":
		return []string{"can", "not"}
	case "won't":
		return []string{"will", "not"}
	}
	if len(f) == 1 && f[0] >= '0' && f[0] <= '9' {
		return []string{[...]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}[f[0]-'0']}
	}
	for _, c := range [...]struct{ end, full string }{
		{"n't", "not"}, {"'re", "are"}, {"'m", "am"}, {"'ll", "will"}, {"'d", "would"}, {"'ve", "have"}, {"'s", "is"},
	} {
		if head, ok := strings.CutSuffix(f, c.end); ok && head != "" {
			return []string{head, c.full}
		}
	}
	return []string{f}
}

// stem takes the commonest endings off a word.
func stem(w string) string {
	for _, end := range [...]string{"ings", "ing", "ied", "ies", "ed", "es", "s"} {
		if head, ok := strings.CutSuffix(w, end); ok && len(head) >= 3 {
			w = head
			if end == "ied" || end == "ies" {
				return w + "y"
			}
			break
		}
	}
	if n := len(w); n >= 4 && w[n-1] == w[n-2] && w[n-1] != 'l' && w[n-1] != 's' {
		w = w[:n-1] // stopped, stop
	}
	return strings.TrimSuffix(w, "e")
}
