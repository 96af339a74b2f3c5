package main

import (
	"context"

	"lethe/transcribe/null"
)

func engineProcessors() []string { return []string{null.Name} }

// openEngines starts those that a number uses.
func (s *Server) openEngines(context.Context) error {
	for _, n := range s.cfg.Numbers {
		if s.engines[n.Engine] != nil {
			continue
		}
		s.engines[n.Engine] = &null.Engine{}
	}
	return nil
}

func examineHelpers(context.Context, *Config) []finding { return nil }
