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
// ("media.ports: ..."), else the one of keys that is its first word, behind the
// name of a package; a text that begins with none is about the whole section.
// An error with a method ConfigKey() string says it itself.
func (l *Loaded) Place(section string, keys []string, err error) Problems {
	var out Problems
	for _, e := range flatten(err) {
		key, text := spelled(section, e.Error())
		var named interface{ ConfigKey() string }
		if errors.As(e, &named) {
			key, text = named.ConfigKey(), e.Error()
		} else if key == "" {
			key, text = searched(section, keys, text)
		}
		p := Problem{Key: key, What: clean(text, key, section)}
		if !strings.ContainsAny(p.What, ":;") { // it does not say itself what to do
			p.Remedy = l.remedy(key)
		}
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

// searched takes names of packages off the head of a text until a key stands
// there.
func searched(section string, keys []string, text string) (key, rest string) {
	head := regexp.MustCompile(`^[a-z]+: `)
	for {
		if key = named(section, keys, text); key != section || !head.MatchString(text) {
			return key, text
		}
		text = text[len(head.FindString(text)):]
	}
}

// named finds the key that a text begins with: a path below the section
// (trunks[0].from) or the last part of one. Of several the longest path is
// taken, then the key that stands highest.
func named(section string, keys []string, text string) string {
	word, _, _ := strings.Cut(text, " ")
	word = strings.TrimRight(word, ":,;")
	best, rank := section, -1<<31
	for _, k := range keys {
		path := strings.TrimPrefix(k, section+".")
		if word == path {
			return k
		}
		if word == path[strings.LastIndexByte(path, '.')+1:] && -len(path) > rank {
			best, rank = k, -len(path)
		}
	}
	return best
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
