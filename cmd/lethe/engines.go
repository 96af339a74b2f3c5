package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lethe/transcribe"
	"lethe/transcribe/null"
	"lethe/transcribe/sphinx"
)

// engineProcessors are the names under which policy knows the engines.
func engineProcessors() []string { return []string{null.Name, sphinx.Processor} }

// openEngines starts those that a number uses.
func (s *Server) openEngines(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Numbers)) {
		engine := s.cfg.Numbers[name].Engine
		if s.engines[engine] != nil {
			continue
		}
		began := s.now()
		e, err := s.openEngine(ctx, engine)
		if err != nil {
			return err
		}
		s.engines[engine] = e
		s.onClose("engine "+engine, plain(e.Close))
		s.say.line("engine", "%s, ready in %s", e, s.now().Sub(began).Round(10*time.Millisecond))
	}
	return nil
}

func (s *Server) openEngine(ctx context.Context, name string) (transcribe.Engine, error) {
	if name == engineNull {
		return &null.Engine{}, nil
	}
	c, err := s.cfg.sphinx()
	if err != nil {
		return nil, err
	}
	s.say.line("engine", "%s loads its models", name)
	e, err := sphinx.New(ctx, c, s.plane.Arena(), s.log)
	if err != nil {
		return nil, engineError(err)
	}
	return e, nil
}

// sphinx is the engine's section with the vocabulary of each number that it
// listens for.
func (c *Config) sphinx() (sphinx.Config, error) {
	scripts, err := c.people()
	if err != nil {
		return sphinx.Config{}, exit(exitUsage, err)
	}
	out := c.Sphinx
	out.Vocabularies = map[string][]string{}
	for name, n := range c.Numbers {
		if n.Engine == engineSphinx {
			out.Vocabularies[name] = n.vocabulary(scripts[name])
		}
	}
	return out, nil
}

// engineError says which of an engine's failures is whose to mend.
func engineError(err error) error {
	switch {
	case errors.Is(err, sphinx.ErrVocabulary):
		return exit(exitUsage, fmt.Errorf("%w; change the script's phrases or numbers.*.vocabulary, or add to sphinx.pronunciations", err))
	case errors.Is(err, sphinx.ErrModel):
		return exit(exitMissing, fmt.Errorf("%w; apt-get install pocketsphinx-en-us, or set sphinx.model", err))
	}
	return exit(exitMissing, err)
}
