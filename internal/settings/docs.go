package settings

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Docs reads the comments of a documented configuration file: for each key, in
// its general form (numbers.*.engine, sip.trunks[].from), what is written
// above it or behind it, as one line. t is the type that the file is read into.
func Docs(src Source, t reflect.Type) (map[string]string, error) {
	root, err := parse(src)
	if err != nil || root == nil {
		return map[string]string{}, err
	}
	out := map[string]string{}
	documented(root, "", t, out)
	return out, nil
}

func documented(n *yaml.Node, key string, t reflect.Type, out map[string]string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			at := join(key, k.Value)
			if i == 0 && k.HeadComment == "" { // the parser gives it to the item of a list
				k.HeadComment = n.HeadComment
			}
			if text := comment(k, v); text != "" {
				out[general(t, at)] = text
			}
			documented(v, at, t, out)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			documented(item, key+"[0]", t, out)
		}
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
}

// comment joins the paragraph directly above a key with what stands behind it.
func comment(k, v *yaml.Node) string {
	head := k.HeadComment
	if i := strings.LastIndex(head, "\n\n"); i >= 0 {
		head = head[i+2:]
	}
	var words []string
	for _, part := range []string{head, k.LineComment, v.LineComment} {
		for line := range strings.Lines(part) {
			words = append(words, strings.Fields(strings.TrimLeft(line, "# "))...)
		}
	}
	return strings.Join(words, " ")
}

// general replaces what a file is free to name or number by its kind: the
// names in a map by *, the places in a list by [].
func general(t reflect.Type, key string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(key, ".") {
		name, index, listed := strings.Cut(part, "[")
		if t != nil && t.Kind() == reflect.Map {
			t, name = t.Elem(), "*"
		} else if t != nil && t.Kind() == reflect.Struct {
			f, ok := fields(t)[name]
			t = nil
			if ok {
				t = f.Type
			}
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(name)
		for ; listed; _, index, listed = strings.Cut(index, "[") {
			out.WriteString("[]")
			if t != nil && t.Kind() == reflect.Slice {
				t = t.Elem()
			}
		}
	}
	return out.String()
}

// Known are the general forms of every key that t has: sections, scalars, the
// keys of an element of a list or a map.
func Known(t reflect.Type) []string {
	var out []string
	known(t, "", &out)
	return out
}

func known(t reflect.Type, key string, out *[]string) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if ownText(reflect.New(t).Elem()) {
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		all := fields(t)
		for _, name := range names(t) {
			at := join(key, name)
			*out = append(*out, at)
			known(all[name].Type, at, out)
		}
	case reflect.Map:
		known(t.Elem(), join(key, "*"), out)
	case reflect.Slice:
		known(t.Elem(), key+"[]", out)
	default:
	}
}

// Written are the general forms of the keys that stand in src.
func Written(src Source, t reflect.Type) ([]string, error) {
	root, err := parse(src)
	if err != nil || root == nil {
		return nil, err
	}
	var out []string
	seen := map[string]bool{}
	written(root, "", t, func(key string) {
		if g := general(t, key); !seen[g] {
			seen[g] = true
			out = append(out, g)
		}
	})
	return out, nil
}

func written(n *yaml.Node, key string, t reflect.Type, see func(string)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			at := join(key, n.Content[i].Value)
			if g := general(t, at); !strings.HasSuffix(g, ".*") {
				see(at)
			}
			written(n.Content[i+1], at, t, see)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			written(item, key+"[0]", t, see)
		}
	case yaml.DocumentNode, yaml.ScalarNode, yaml.AliasNode:
	}
}
