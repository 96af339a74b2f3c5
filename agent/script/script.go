// Package script is the embedded mind: it answers from a file, by matching
// what was said against the phrases of its intents. It needs no network, knows
// nothing of audio and touches nothing but the words it is told.
//
// A file is YAML: a greeting, intents (phrases that callers say, keys that they
// press, replies), what to say when nothing was understood or nothing was said,
// and where to transfer to. Parse reads it and forgives nothing; each
// conversation then gets a Mind of its own from New.
package script

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"lethe/internal/settings"
)

// Processor is the name under which policy knows this mind. It is a part of
// lethe: nothing that it is told leaves the machine.
const Processor = "script"

//go:embed *.yaml
var shipped embed.FS

// Embedded gives the text of a script that is shipped with lethe: "support".
func Embedded(name string) ([]byte, error) {
	b, err := shipped.ReadFile(name + ".yaml")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("script: %q is not shipped with lethe: choose from %s", name, strings.Join(Shipped(), ", "))
	}
	return b, err
}

// Shipped are the names that Embedded knows.
func Shipped() []string {
	files, err := fs.Glob(shipped, "*.yaml")
	if err != nil {
		return nil // the pattern is a constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".yaml")
	}
	return files
}

// Config is a script's file.
type Config struct {
	// Language of all the sentences, BCP 47.
	Language string `yaml:"language"`
	// Greeting is said first, after the disclosure.
	Greeting string   `yaml:"greeting"`
	Intents  []Intent `yaml:"intents"`
	// Fallback is said when nothing matched.
	Fallback Prompts `yaml:"fallback"`
	// NoInput is said when the caller said nothing.
	NoInput Prompts `yaml:"no_input"`
	// Goodbye is said before the agent hangs up, after the reply.
	Goodbye string `yaml:"goodbye"`
	// Transfer is where a call goes to whose reply says so.
	Transfer Transfer `yaml:"transfer"`
}

// Intent is something that callers want.
type Intent struct {
	Name    string   `yaml:"name"`
	Phrases []string `yaml:"phrases"`
	// Keys that mean the same: digits, * and #, one each.
	Keys []string `yaml:"keys"`
	// Replies are said in turn: the first, then the second, and so on.
	Replies []string `yaml:"replies"`
	// Then is what follows: listen (the default), end, transfer or repeat.
	Then string `yaml:"then"`
}

// Prompts are said one after the other; after Limit in a row Then follows.
type Prompts struct {
	Replies []string `yaml:"replies"`
	Limit   int      `yaml:"limit"` // 0 for none
	Then    string   `yaml:"then"`
}

// Transfer is a target.
type Transfer struct {
	Target string `yaml:"target"` // a SIP or tel URI
	Say    string `yaml:"say"`
}

// What follows a reply.
const (
	thenListen   = "listen"
	thenEnd      = "end"
	thenTransfer = "transfer"
	thenRepeat   = "repeat"
)

// Script is a file that was read and found good. It is immutable.
type Script struct {
	cfg   Config
	keys  map[byte]int // key to intent
	match *matcher
}

// Parse reads a script. name is what errors call it. The error names file,
// line, key and remedy of everything that is wrong.
func Parse(name string, data []byte) (*Script, error) {
	c := Config{Language: "en-US"}
	loaded, err := settings.Read(&c, settings.Source{Name: name, Data: data}, "", nil, nil)
	if err != nil {
		return nil, err
	}
	if err := c.check(finder{name, loaded}); err != nil {
		return nil, err
	}
	return compile(c), nil
}

func compile(c Config) *Script {
	s := &Script{cfg: c, keys: map[byte]int{}, match: newMatcher(c.Intents)}
	for i, in := range c.Intents {
		for _, k := range in.Keys {
			s.keys[k[0]] = i
		}
	}
	return s
}

// Vocabulary gives all phrases: hints for an engine's language model.
func (s *Script) Vocabulary() []string {
	var all []string
	for _, in := range s.cfg.Intents {
		all = append(all, in.Phrases...)
	}
	return slices.Clone(all)
}

// Sentences are those that the script may say, the likeliest first.
func (s *Script) Sentences() []string {
	all := slices.Concat([]string{s.cfg.Greeting}, s.cfg.NoInput.Replies, s.cfg.Fallback.Replies,
		[]string{s.cfg.Goodbye, s.cfg.Transfer.Say})
	for _, in := range s.cfg.Intents {
		all = append(all, in.Replies...)
	}
	return slices.DeleteFunc(all, func(w string) bool { return w == "" })
}

// Language of the script, BCP 47.
func (s *Script) Language() string { return s.cfg.Language }

// Intent gives the name of the intent that these words match, or false.
func (s *Script) Intent(words string) (string, bool) {
	i, ok := s.match.find(words)
	if !ok {
		return "", false
	}
	return s.cfg.Intents[i].Name, true
}

// String names the mind.
func (s *Script) String() string { return fmt.Sprintf("script of %d intents", len(s.cfg.Intents)) }
