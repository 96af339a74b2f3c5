package settings

import (
	"bytes"
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Entry is one effective value, as text, and where it came from.
type Entry struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Show prints the effective configuration as YAML that could be read again,
// with the origin of each value behind it.
func (l *Loaded) Show(cfg any) ([]byte, error) {
	n, err := l.node(reflect.ValueOf(cfg), "", nil)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("settings: printing: %w", err)
	}
	return out.Bytes(), e.Close()
}

// List is the same as a list of keys and values.
func (l *Loaded) List(cfg any) ([]Entry, error) {
	var out []Entry
	_, err := l.node(reflect.ValueOf(cfg), "", func(e Entry) { out = append(out, e) })
	return out, err
}

func (l *Loaded) node(v reflect.Value, key string, see func(Entry)) (*yaml.Node, error) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}, nil
		}
		v = v.Elem()
	}
	if _, ok := reflect.New(v.Type()).Interface().(encoding.TextUnmarshaler); ok {
		return l.single(v, key, see)
	}
	switch v.Kind() {
	case reflect.Struct:
		return l.structNode(v, key, see)
	case reflect.Map:
		return l.mapNode(v, key, see)
	case reflect.Slice:
		return l.sliceNode(v, key, see)
	default:
		return l.single(v, key, see)
	}
}

func (l *Loaded) structNode(v reflect.Value, key string, see func(Entry)) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode}
	all := fields(v.Type())
	for _, name := range names(v.Type()) {
		val, err := l.node(v.FieldByIndex(all[name].Index), join(key, name), see)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: name}, val)
	}
	return out, nil
}

func (l *Loaded) mapNode(v reflect.Value, key string, see func(Entry)) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.MappingNode}
	keys := slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int {
		return cmp.Compare(a.String(), b.String())
	})
	for _, k := range keys {
		val, err := l.node(v.MapIndex(k), join(key, k.String()), see)
		if err != nil {
			return nil, err
		}
		name := &yaml.Node{}
		name.SetString(k.String())
		out.Content = append(out.Content, name, val)
	}
	return out, nil
}

func (l *Loaded) sliceNode(v reflect.Value, key string, see func(Entry)) (*yaml.Node, error) {
	out := &yaml.Node{Kind: yaml.SequenceNode}
	for i := range v.Len() {
		item, err := l.node(v.Index(i), fmt.Sprintf("%s[%d]", key, i), see)
		if err != nil {
			return nil, err
		}
		out.Content = append(out.Content, item)
	}
	if len(out.Content) == 0 {
		out.Style = yaml.FlowStyle
		out.LineComment = l.origins[key].String()
		if see != nil {
			see(Entry{key, "[]", l.origins[key].String()})
		}
	}
	return out, nil
}

// single prints one scalar as its own type writes it.
func (l *Loaded) single(v reflect.Value, key string, see func(Entry)) (*yaml.Node, error) {
	n := &yaml.Node{}
	if err := n.Encode(v.Interface()); err != nil {
		return nil, fmt.Errorf("settings: printing %s: %w", key, err)
	}
	if n.Kind != yaml.ScalarNode { // a type that reads text and doesn't write it
		n = &yaml.Node{}
		n.SetString(fmt.Sprint(v.Interface()))
	}
	if secret(key) && n.Value != "" {
		n.SetString("(not shown)")
	}
	n.LineComment = l.origins[key].String()
	if see != nil {
		see(Entry{key, n.Value, n.LineComment})
	}
	return n, nil
}
