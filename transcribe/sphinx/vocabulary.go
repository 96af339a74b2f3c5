package sphinx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"unicode"
)

// discount is taken from the count of everything that was seen and given to
// what was not (absolute discounting, Ney and Essen 1991). It is small: callers
// mostly say a phrase as it is. 0.5 was 6 points of word error worse on the
// development texts, 0.03 no better.
const discount = 0.1

// padding is how many words without a pronunciation a model is given, which
// therefore nobody can say: pocketsphinx lays all 134,000 words of its
// dictionary into a hash table whose size is that of the model's word list, and
// spent ten seconds on a model of twenty words.
const padding = 1 << 15

// split makes words of a phrase, as the dictionary writes them.
func split(phrase string) ([]string, error) {
	clean := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r):
			return unicode.ToLower(r)
		case r == '\'' || r == '’':
			return '\''
		case unicode.IsDigit(r):
			return r
		}
		return ' '
	}, phrase)
	words := strings.Fields(clean)
	for _, w := range words {
		if strings.ContainsFunc(w, unicode.IsDigit) {
			return nil, fmt.Errorf("%q: write numbers as they are spoken", w)
		}
	}
	return words, nil
}

// gram is up to three words; the unused ones are "".
type gram [3]string

// vocabulary is a trigram language model of phrases, each of which is a whole
// utterance, and may also begin or end in the middle of one.
type vocabulary struct {
	count [3]map[gram]float64 // by order
	after [2]map[gram]tally   // what follows a history of one or two words
	total float64
	words []string // sorted, with the marks of a sentence's ends
}

type tally struct {
	sum   float64
	kinds float64
}

const (
	begin = "<s>"
	end   = "</s>"
)

// learn makes the model. phrases are lists of words of the dictionary.
func learn(phrases [][]string) *vocabulary {
	v := &vocabulary{count: [3]map[gram]float64{{}, {}, {}}, after: [2]map[gram]tally{{}, {}}}
	words := map[string]bool{begin: true, end: true}
	for _, p := range phrases {
		s := slices.Concat([]string{begin}, p, []string{end})
		for i, w := range s {
			words[w] = true
			if i > 0 {
				v.see(s[:i+1])
			}
		}
	}
	v.words = slices.Sorted(maps.Keys(words))
	for n := 1; n < 3; n++ {
		for g, c := range v.count[n] {
			h := v.after[n-1][g.history(n)]
			v.after[n-1][g.history(n)] = tally{h.sum + c, h.kinds + 1}
		}
	}
	return v
}

// see counts the last word of s and what came before it.
func (v *vocabulary) see(s []string) {
	v.total++
	for n := range min(3, len(s)) {
		var g gram
		copy(g[:], s[len(s)-1-n:])
		v.count[n][g]++
	}
}

// history of a gram of order n+1 is its first n words.
func (g gram) history(n int) gram {
	g[n] = ""
	return g
}

// rest of a gram is all but its first word.
func (g gram) rest() gram { return gram{g[1], g[2], ""} }

// probability of a gram that was seen; n is its order less one.
func (v *vocabulary) probability(g gram, n int) float64 {
	if n == 0 {
		return (v.count[0][g] + discount) / (v.total + discount*float64(len(v.words)))
	}
	return (v.count[n][g] - discount) / v.after[n-1][g.history(n)].sum
}

// backoff is the weight of the shorter history when nothing was seen after h.
func (v *vocabulary) backoff(h gram, n int) float64 {
	t := v.after[n-1][h]
	if t.kinds == 0 {
		return 1
	}
	left, shorter := discount*t.kinds/t.sum, 1.0
	for g := range v.count[n] {
		if g.history(n) == h {
			shorter -= v.probability(g.rest(), n-1)
		}
	}
	return min(left/max(shorter, 1e-6), 1e3)
}

// arpa writes the model in the format of the same name.
func (v *vocabulary) arpa(out io.Writer) error {
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "\\data\\\nngram 1=%d\nngram 2=%d\nngram 3=%d\n", len(v.words)+padding, len(v.count[1]), len(v.count[2]))
	fmt.Fprint(w, "\n\\1-grams:\n")
	for _, word := range v.words {
		g, p := gram{word}, -99.0
		if word != begin {
			p = math.Log10(v.probability(g, 0))
		}
		fmt.Fprintf(w, "%.4f %s %.4f\n", p, word, math.Log10(v.backoff(g, 1)))
	}
	for i := range padding {
		fmt.Fprintf(w, "-99.0000 #%d 0.0000\n", i)
	}
	for n := 1; n < 3; n++ {
		fmt.Fprintf(w, "\n\\%d-grams:\n", n+1)
		for _, g := range v.sorted(n) {
			fmt.Fprintf(w, "%.4f %s", math.Log10(v.probability(g, n)), strings.Join(g[:n+1], " "))
			if n == 1 {
				fmt.Fprintf(w, " %.4f", math.Log10(v.backoff(g, 2)))
			}
			fmt.Fprintln(w)
		}
	}
	fmt.Fprint(w, "\n\\end\\\n")
	return w.Flush() //nolint:wrapcheck // the caller names the file
}

func (v *vocabulary) sorted(n int) []gram {
	return slices.SortedFunc(maps.Keys(v.count[n]), func(a, b gram) int { return slices.Compare(a[:], b[:]) })
}

// known is the share of the words of a sentence that stand where a phrase of
// the vocabulary puts them: those that are in a pair which was seen. 0 to 1.
func (v *vocabulary) known(words []string) float64 {
	if len(words) == 0 {
		return 0
	}
	s := slices.Concat([]string{begin}, words, []string{end})
	seen := 0
	for i := 1; i < len(s); i++ {
		if _, ok := v.count[1][gram{s[i-1], s[i]}]; ok {
			seen++
		}
	}
	return float64(seen) / float64(len(s)-1)
}

// dictionary is what the model can pronounce.
type dictionary struct {
	path   string
	words  map[string]bool
	phones map[string]bool
}

// readDictionary looks up only the words that are asked for; all of its phones
// are kept.
func readDictionary(path string, wanted map[string]bool) (_ *dictionary, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator's own model
	if err != nil {
		return nil, fmt.Errorf("%w: the dictionary: %w", ErrModel, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	d := &dictionary{path: path, words: map[string]bool{}, phones: map[string]bool{}}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		word, phones, _ := strings.Cut(lines.Text(), " ")
		if wanted[word] {
			d.words[word] = true
		}
		for p := range strings.FieldsSeq(phones) {
			d.phones[p] = true
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: the dictionary: %w", ErrModel, err)
	}
	return d, nil
}

// learnAll makes a model of each vocabulary that has phrases. A word that
// nobody can pronounce is an error, which names all of them.
func (c Config) learnAll() (map[string]*vocabulary, *dictionary, error) {
	var errs []error
	phrases, wanted := map[string][][]string{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.Vocabularies)) {
		for _, phrase := range c.Vocabularies[name] {
			words, err := split(phrase)
			if err != nil {
				errs = append(errs, fmt.Errorf("%w: number %q: %w", ErrVocabulary, name, err))
				continue
			}
			if len(words) > 0 {
				phrases[name] = append(phrases[name], words)
			}
			for _, w := range words {
				wanted[w] = true
			}
		}
	}
	d, err := readDictionary(c.dictionary(), wanted)
	if err != nil {
		return nil, nil, err
	}
	for word, said := range c.Pronunciations {
		for p := range strings.FieldsSeq(said) {
			if !d.phones[p] {
				errs = append(errs, fmt.Errorf("%w: sphinx.pronunciations: %q: the dictionary has no phone %q", ErrVocabulary, word, p))
			}
		}
		d.words[word] = true
	}
	for _, word := range slices.Sorted(maps.Keys(wanted)) {
		if !d.words[word] {
			errs = append(errs, fmt.Errorf("%w: the dictionary lacks %q: write another word, or give its phones in sphinx.pronunciations", ErrVocabulary, word))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	out := make(map[string]*vocabulary, len(phrases))
	for name, p := range phrases {
		out[name] = learn(p)
	}
	return out, d, nil
}
