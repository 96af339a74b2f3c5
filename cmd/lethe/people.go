package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"lethe/agent/script"
)

// scriptPrefix marks a script that is built in.
const scriptPrefix = "embedded:"

// people reads the script of each number: who answers there.
func (c *Config) people() (map[string]*script.Script, error) {
	out := make(map[string]*script.Script, len(c.Numbers))
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Numbers)) {
		s, err := readScript(c.Numbers[name].Script)
		if err != nil {
			errs = append(errs, fmt.Errorf("numbers.%s.script: %w", name, err))
			continue
		}
		out[name] = s
	}
	return out, errors.Join(errs...)
}

func readScript(name string) (*script.Script, error) {
	if inner, ok := strings.CutPrefix(name, scriptPrefix); ok {
		data, err := script.Embedded(inner)
		if err != nil {
			return nil, err //nolint:wrapcheck // it names the key and the remedy
		}
		return script.Parse(name, data) //nolint:wrapcheck // it names file and line
	}
	data, err := os.ReadFile(name) //nolint:gosec // the operator names it
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w; write the path of a script from the folder in which lethe is started, or embedded:support", err)
	}
	if err != nil {
		return nil, fmt.Errorf("the script can't be read: %w", err)
	}
	return script.Parse(name, data) //nolint:wrapcheck // it names file and line
}

// vocabulary is what callers of a number are expected to say: the phrases of
// its script, then those of the configuration.
func (n Number) vocabulary(s *script.Script) []string {
	return slices.Concat(s.Vocabulary(), n.Vocabulary)
}
