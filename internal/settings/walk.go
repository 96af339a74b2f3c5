package settings

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// walker lays a tree of YAML over a Go value and collects what does not fit.
type walker struct {
	loaded   *Loaded
	problems Problems
}

// mostProblems bounds what one file can make us say.
const mostProblems = 100

func (w *walker) fail(n *yaml.Node, key, what, remedy string) {
	switch {
	case len(w.problems) == mostProblems:
		key, what, remedy = "", "there is more that is wrong from here on", "mend what is named first"
	case len(w.problems) > mostProblems:
		return
	}
	w.problems = append(w.problems, Problem{File: w.loaded.file, Line: n.Line, Key: key, What: what, Remedy: remedy})
}

// value puts n into v, which is addressable.
func (w *walker) value(n *yaml.Node, v reflect.Value, key string) {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		w.fail(n, key, "anchors and aliases are not taken", "write the value out where it is used")
		return
	}
	if key != "" {
		w.loaded.origins[key] = Origin{File, w.loaded.file, n.Line}
		w.loaded.order = append(w.loaded.order, key)
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case ownText(v):
		w.scalar(n, v, key)
	case v.Kind() == reflect.Struct:
		w.object(n, v, key)
	case v.Kind() == reflect.Map:
		w.mapping(n, v, key)
	case v.Kind() == reflect.Slice:
		w.list(n, v, key)
	default:
		w.scalar(n, v, key)
	}
}

// ownText says that the type reads itself from one scalar.
func ownText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func (w *walker) object(n *yaml.Node, v reflect.Value, key string) {
	if !w.want(n, yaml.MappingNode, key, "a section: keys below it, indented") {
		return
	}
	known := fields(v.Type())
	w.pairs(n, key, func(k, val *yaml.Node) {
		f, ok := known[k.Value]
		if !ok {
			w.unknown(k, key, names(v.Type()))
			return
		}
		w.atKey(k, val, v.FieldByIndex(f.Index), join(key, k.Value))
	})
}

// atKey reads the value of a key; a scalar with nothing behind its colon is
// refused, because YAML would silently make it the zero value.
func (w *walker) atKey(k, val *yaml.Node, v reflect.Value, key string) {
	if val.Kind == yaml.ScalarNode && val.Tag == "!!null" {
		switch v.Kind() {
		case reflect.Struct, reflect.Map, reflect.Slice:
			if !ownText(v) {
				w.loaded.origins[key] = Origin{File, w.loaded.file, k.Line}
				return
			}
		default:
		}
		w.fail(k, key, "has no value", "write one, or delete the line to have the default")
		return
	}
	w.value(val, v, key)
	if o, ok := w.loaded.origins[key]; ok {
		o.Line = k.Line
		w.loaded.origins[key] = o
	}
}

func (w *walker) mapping(n *yaml.Node, v reflect.Value, key string) {
	if !w.want(n, yaml.MappingNode, key, "names with keys below them") {
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	w.pairs(n, key, func(k, val *yaml.Node) {
		e := newElement(v.Type().Elem())
		w.atKey(k, val, e, join(key, k.Value))
		v.SetMapIndex(reflect.ValueOf(k.Value).Convert(v.Type().Key()), e)
	})
}

func (w *walker) list(n *yaml.Node, v reflect.Value, key string) {
	if !w.want(n, yaml.SequenceNode, key, "a list: [a, b], or one `- item` to a line") {
		return
	}
	v.SetZero()
	for i, item := range n.Content {
		e := newElement(v.Type().Elem())
		at := fmt.Sprintf("%s[%d]", key, i)
		if item.Kind == yaml.ScalarNode && item.Tag == "!!null" {
			w.fail(item, at, "has no value", "write one, or delete the dash")
			continue
		}
		w.value(item, e, at)
		v.Set(reflect.Append(v, e))
	}
}

func (w *walker) want(n *yaml.Node, kind yaml.Kind, key, shape string) bool {
	if n.Kind == kind {
		return true
	}
	w.fail(n, key, "wants "+shape+"; this is "+kindOf(n), w.remedy(key))
	return false
}

// pairs calls do for each key of a mapping once.
func (w *walker) pairs(n *yaml.Node, key string, do func(k, v *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := join(key, clip(k.Value))
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" || k.Value == "" {
			w.fail(k, at, "a key is a plain name", "write the keys out")
			continue
		}
		if first, twice := seen[k.Value]; twice {
			w.fail(k, at, fmt.Sprintf("stands here a second time, first in line %d", first), "keep one of the two")
			continue
		}
		seen[k.Value] = k.Line
		do(k, v)
	}
}

func (w *walker) unknown(k *yaml.Node, key string, known []string) {
	remedy := "known here: " + strings.Join(known, ", ")
	if near := nearest(k.Value, known); near != "" {
		remedy = "did you mean " + near + "?"
	}
	w.fail(k, join(key, clip(k.Value)), "unknown key", remedy)
}

func (w *walker) scalar(n *yaml.Node, v reflect.Value, key string) {
	if !w.want(n, yaml.ScalarNode, key, wanted(v)) {
		return
	}
	if err := decode(n, v); err != nil {
		what := fmt.Sprintf("wants %s, not %q", wanted(v), clip(n.Value))
		if secret(key) {
			what = "wants " + wanted(v)
		}
		if ownText(v) {
			what = strings.TrimPrefix(clip(err.Error()), "yaml: ")
		}
		w.fail(n, key, what, w.remedy(key))
	}
}

// decode is yaml's, without its habit of cutting a fraction off.
func decode(n *yaml.Node, v reflect.Value) error {
	if (v.CanInt() || v.CanUint()) && !ownText(v) && n.ShortTag() == "!!float" {
		return errors.New("a fraction")
	}
	return n.Decode(v.Addr().Interface()) //nolint:wrapcheck // the caller words it
}

// remedy is what the documentation says of the key.
func (w *walker) remedy(key string) string { return w.loaded.remedy(key) }

func (l *Loaded) remedy(key string) string {
	g := general(l.t, key)
	for _, k := range []string{g, strings.TrimSuffix(g, "[]")} {
		if d := l.docs[k]; d != "" {
			return "it is documented as: " + d
		}
	}
	return "see `lethe config show --docs`"
}

// wanted describes a scalar type in a person's words.
func wanted(v reflect.Value) string {
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return "a duration such as 40ms, 30s or 5m"
	}
	if ownText(v) {
		return "a value of its own form"
	}
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Float32, reflect.Float64:
		return "a number"
	default:
		return "a single value"
	}
}

// newElement is a settable value of t, with its defaults.
func newElement(t reflect.Type) reflect.Value {
	e := reflect.New(t)
	if d, ok := e.Interface().(interface{ Defaults() }); ok {
		d.Defaults()
	}
	return e.Elem()
}

// fields are the keys of a struct by their yaml name.
func fields(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for f := range t.Fields() {
		if name := yamlName(f); name != "" {
			out[name] = f
		}
	}
	return out
}

// names are the same in the order of the struct.
func names(t reflect.Type) []string {
	var out []string
	for f := range t.Fields() {
		if name := yamlName(f); name != "" {
			out = append(out, name)
		}
	}
	return out
}

func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	switch {
	case !f.IsExported() || name == "-":
		return ""
	case name == "":
		return strings.ToLower(f.Name)
	}
	return name
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// clip bounds what of a file's text goes into a message, and keeps it on one
// line.
func clip(s string) string {
	const most = 120
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// secret says that the value of a key must not be shown, should somebody put
// there what belongs into a file.
func secret(key string) bool {
	last := strings.ToLower(key[strings.LastIndexByte(key, '.')+1:])
	return slices.ContainsFunc([]string{"secret", "password", "token", "passphrase", "credential"}, func(s string) bool {
		return strings.Contains(last, s) && !strings.HasSuffix(last, "_file")
	})
}
