// Package settings reads a configuration file into Go structs and forgives
// nothing: an unknown key, a value of the wrong type, a key twice, a second
// document are each refused with file, line, key and remedy, all of them at
// once. Scalar keys may be overridden by the environment. It remembers where
// each value came from, so that a later check (a package's Validate) can be
// traced back to its line and the whole can be printed with its origins.
//
// It knows nothing of lethe's own sections: give it any struct with yaml tags.
// A type may have a method Defaults(), which is called on each new element of
// a list or a map before the file's values are put into it.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxBytes is the size above which a configuration is refused unread.
const MaxBytes = 1 << 20

// Source is a configuration as it was read: Name is what problems call it.
type Source struct {
	Name string
	Data []byte
}

// Kind says where a value came from.
type Kind uint8

// Kinds of origin.
const (
	Default Kind = iota
	File
	Environment
)

// Origin is where one value came from.
type Origin struct {
	Kind Kind
	Name string // of the file or of the variable
	Line int
}

func (o Origin) String() string {
	switch o.Kind {
	case File:
		return fmt.Sprintf("%s:%d", o.Name, o.Line)
	case Environment:
		return "env " + o.Name
	case Default:
	}
	return "default"
}

// Loaded is what Read remembers of a configuration.
type Loaded struct {
	file    string
	origins map[string]Origin
	order   []string // keys in the order of the file
	docs    map[string]string
	t       reflect.Type
}

// Origin of the value at a dotted key.
func (l *Loaded) Origin(key string) Origin { return l.origins[key] }

// Read puts src and then the environment (entries NAME=value) over dst, which
// points to a struct that already holds the defaults. prefix is what variables
// begin with ("LETHE"). docs, from Docs, supplies remedies; it may be nil. The
// error is a Problems.
func Read(dst any, src Source, prefix string, environ []string, docs map[string]string) (*Loaded, error) {
	l := &Loaded{file: src.Name, origins: map[string]Origin{}, docs: docs, t: reflect.TypeOf(dst).Elem()}
	w := &walker{loaded: l}
	root, err := parse(src)
	if err != nil {
		return l, err
	}
	v := reflect.ValueOf(dst).Elem()
	if root != nil {
		w.value(root, v, "")
	}
	w.environment(v, prefix, environ)
	return l, w.problems.orNil()
}

// parse gives the root mapping of the only document, or nil for an empty file.
func parse(src Source) (*yaml.Node, error) {
	if len(src.Data) > MaxBytes {
		return nil, Problems{{File: src.Name, What: fmt.Sprintf("the file has %d bytes", len(src.Data)),
			Remedy: fmt.Sprintf("a configuration may have %d", MaxBytes)}}
	}
	d := yaml.NewDecoder(bytes.NewReader(src.Data))
	var doc yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, Problems{syntax(src.Name, err)}
	}
	var second yaml.Node
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, Problems{syntax(src.Name, err)}
		}
		return nil, Problems{{File: src.Name, Line: second.Line, What: "a second document begins here",
			Remedy: "keep one document to a file: delete the --- line"}}
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, Problems{{File: src.Name, Line: root.Line, What: "a configuration is a mapping, this is " + kindOf(root),
			Remedy: "begin with a section, as in `sip:`"}}
	}
	return root, nil
}

// syntax turns the parser's "yaml: line 3: ..." into a Problem.
func syntax(file string, err error) Problem {
	p := Problem{File: file, Remedy: "mend the YAML: indent with spaces, quote values that hold a colon or a brace"}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if _, scanErr := fmt.Sscanf(text, "line %d:", &p.Line); scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	p.What = "is not YAML: " + text
	return p
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "empty"
		}
		return "a single value"
	case yaml.DocumentNode:
	}
	return "a document"
}
