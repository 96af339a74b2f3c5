package policy

import (
	"fmt"
	"log/slog"
	"strconv"
	"unique"
)

// Words is text that a person said or will hear. It prints as a length and
// yields only to Reveal, whose callers internal/arch lists. Two Words are equal
// when their texts are.
//
// The text is behind a handle because fmt ignores methods on what lies in
// another type's unexported field: a plain string there would be printed.
type Words struct{ h unique.Handle[string] }

// Said makes Words of s.
func Said(s string) Words {
	if s == "" {
		return Words{}
	}
	return Words{unique.Make(s)}
}

// Reveal is the one way to the text itself.
func (w Words) Reveal() string {
	if w.Empty() {
		return ""
	}
	return w.h.Value()
}

// Empty says whether there is no text.
func (w Words) Empty() bool { return w.h == unique.Handle[string]{} }

// String is the length of the text in bytes: "[12 chars]".
func (w Words) String() string { return "[" + strconv.Itoa(len(w.Reveal())) + " chars]" }

// GoString is String: %#v shows no more than %v.
func (w Words) GoString() string { return w.String() }

// Format prints String whatever the verb.
func (w Words) Format(s fmt.State, _ rune) { fmt.Fprint(s, w.String()) }

// LogValue is String.
func (w Words) LogValue() slog.Value { return slog.StringValue(w.String()) }

// MarshalText is String, so that JSON and YAML show no more than a log does.
func (w Words) MarshalText() ([]byte, error) { return []byte(w.String()), nil }
