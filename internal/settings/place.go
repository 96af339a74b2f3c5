package settings

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

// Place turns the error of a package's Validate into problems with their
// lines. section is the key of the package's section. An error that joins
// several is taken apart. The key is the one that the text begins with in full
// ("media.ports: ..."), else the first of keys that it names; a text that names
// none is about the whole section.
func (l *Loaded) Place(section string, keys []string, err error) Problems {
	var out Problems
	for _, e := range flatten(err) {
		key, text := spelled(section, e.Error())
		if key == "" {
			text = strings.TrimPrefix(text, section+": ")
			key = l.named(section, keys, text)
		}
		p := Problem{Key: key, What: clean(text, key, section), Remedy: l.remedy(key)}
		p.File, p.Line = l.where(key)
		out = append(out, p)
	}
	return out
}

// spelled gives the dotted key that a text begins with, and the rest.
func spelled(section, text string) (key, rest string) {
	m := regexp.MustCompile(`^(` + regexp.QuoteMeta(section) + `(?:\.[^\s:;,]+|\[\d+\])+):? `).FindStringSubmatch(text)
	if m == nil {
		return "", text
	}
	return m[1], text[len(m[0]):]
}

// flatten takes apart what errors.Join joined, also below a %w; an error that
// wraps two causes in one sentence stays one.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return []error{err}
	}
	parts := several.Unwrap()
	if !strings.Contains(err.Error(), errors.Join(parts...).Error()) {
		return []error{err}
	}
	var out []error
	for _, e := range parts {
		out = append(out, flatten(e)...)
	}
	return out
}

// named finds the dotted key that text speaks of: the one named first, and of
// several in one place the longest full path (trunks[0].from), then the key
// that stands highest.
func (l *Loaded) named(section string, keys []string, text string) string {
	best, at, rank := section, len(text)+1, 0
	consider := func(key string, i, r int) {
		if i >= 0 && (i < at || i == at && r > rank) {
			best, at, rank = key, i, r
		}
	}
	for _, k := range keys {
		path := strings.TrimPrefix(k, section+".")
		consider(k, wordIndex(text, path), len(path))
		consider(k, wordIndex(text, path[strings.LastIndexByte(path, '.')+1:]), -len(path))
	}
	return best
}

func wordIndex(text, word string) int {
	re := regexp.MustCompile(`(^|[^A-Za-z0-9_.\]])` + regexp.QuoteMeta(word) + `($|[^A-Za-z0-9_])`)
	m := re.FindStringIndex(text)
	if m == nil {
		return -1
	}
	if text[m[0]:m[0]+1] == word[:1] && strings.HasPrefix(text[m[0]:], word) {
		return m[0]
	}
	return m[0] + 1
}

// where is the line of a key, or of the nearest thing above it that stands in
// the file.
func (l *Loaded) where(key string) (string, int) {
	for key != "" {
		switch o, ok := l.origins[key]; {
		case ok && o.Kind == File:
			return o.Name, o.Line
		case ok && o.Kind == Environment:
			return "environment " + o.Name, 0
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return l.file, 0
}

// clean drops the key from the head of a text that begins with it.
func clean(text, key, section string) string {
	for _, head := range []string{key, strings.TrimPrefix(key, section+"."), key[strings.LastIndexByte(key, '.')+1:]} {
		if rest, ok := strings.CutPrefix(text, head+": "); ok {
			return rest
		}
		if rest, ok := strings.CutPrefix(text, head+" "); ok {
			return rest
		}
	}
	return text
}

// Keys are the dotted keys of the file below a section, and those that its
// struct knows, most specific first.
func (l *Loaded) Keys(section string, known []string) []string {
	var out []string
	for _, k := range slices.Concat(l.order, known) {
		if strings.HasPrefix(k, section+".") && !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}
