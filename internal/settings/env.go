package settings

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// environment puts variables over scalar keys and lists of scalars (commas
// between the items): media.arena_kib is LETHE_MEDIA_ARENA_KIB. A variable
// that begins like a section and names no key of it is refused; others that
// happen to begin with the prefix are not ours.
func (w *walker) environment(v reflect.Value, prefix string, environ []string) {
	leaves := map[string]leaf{}
	var sections []string
	for _, name := range names(v.Type()) {
		sections = append(sections, variable(prefix, name)+"_")
	}
	collect(v, "", prefix, leaves)
	for _, entry := range slices.SortedFunc(slices.Values(environ), cmp.Compare[string]) {
		name, value, _ := strings.Cut(entry, "=")
		if l, ok := leaves[name]; ok {
			w.override(l, name, value)
			continue
		}
		if slices.ContainsFunc(sections, func(s string) bool { return strings.HasPrefix(name, s) }) {
			w.strange(name, slices.Sorted(maps.Keys(leaves)))
		}
	}
}

// leaf is one key that the environment may set.
type leaf struct {
	key string
	v   reflect.Value
}

func variable(prefix, key string) string {
	return prefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// collect finds the leaves below v; what stands in a map or in a list of
// structs has no name of its own and can only be set in the file.
func collect(v reflect.Value, key, prefix string, out map[string]leaf) {
	if v.Kind() == reflect.Struct && !ownText(v) {
		for name, f := range fields(v.Type()) {
			collect(v.FieldByIndex(f.Index), join(key, name), prefix, out)
		}
		return
	}
	switch v.Kind() {
	case reflect.Map, reflect.Pointer, reflect.Interface:
		return
	case reflect.Slice:
		if e := reflect.New(v.Type().Elem()).Elem(); e.Kind() == reflect.Struct && !ownText(e) || e.Kind() == reflect.Map {
			return
		}
	default:
	}
	out[variable(prefix, key)] = leaf{key, v}
}

func (w *walker) override(l leaf, name, value string) {
	sub := &walker{loaded: &Loaded{file: "environment", origins: map[string]Origin{}, docs: w.loaded.docs, t: w.loaded.t}}
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: value}
	if l.v.Kind() == reflect.Slice && !ownText(l.v) {
		n = &yaml.Node{Kind: yaml.SequenceNode}
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: item})
			}
		}
	}
	sub.value(n, l.v, l.key)
	for _, p := range sub.problems {
		p.Key, p.What = name, p.What+" (sets "+p.Key+")"
		w.problems = append(w.problems, p)
	}
	w.loaded.origins[l.key] = Origin{Kind: Environment, Name: name}
}

func (w *walker) strange(name string, known []string) {
	remedy := "unset it; `lethe config show` names the keys"
	low := make([]string, len(known))
	for i := range known {
		low[i] = strings.ToLower(known[i])
	}
	if near := nearest(name, low); near != "" {
		remedy = fmt.Sprintf("did you mean %s?", strings.ToUpper(near))
	}
	w.problems = append(w.problems, Problem{File: "environment", Key: name, What: "sets no key", Remedy: remedy})
}
