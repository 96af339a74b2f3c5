package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"lethe/internal/settings"
	"lethe/policy"
	"lethe/store"
)

// where is the place that the command line or else the environment names.
func (m *Main) where(p place) place {
	if p.Quickstart || p.Config != "" {
		return p
	}
	for _, entry := range m.Environ {
		if file, ok := strings.CutPrefix(entry, envPrefix+"_CONFIG="); ok {
			p.Config = file
		}
	}
	return p
}

// orQuickstart is the place of a command that only reads: where none is named
// it is the built-in configuration, whose store lies in ./data.
func (m *Main) orQuickstart(p place) place {
	p = m.where(p)
	p.Quickstart = p.Quickstart || p.Config == ""
	return p
}

// archive is a store opened beside its server, and the right to read it.
type archive struct {
	*store.Store
	access policy.Access
	rules  policy.Rules
}

// visit opens the store that the configuration names. Only the sections that
// reading needs have to be right. The journal has its entry before anything
// is read.
func (m *Main) visit(ctx context.Context, p place, purpose string) (*archive, error) {
	c, l, err := m.read(m.orQuickstart(p))
	if err != nil {
		return nil, exit(exitUsage, err)
	}
	if err := settings.Join(l.Place("store", nil, c.Store.Validate()), l.Place("policy", nil, c.Policy.Validate())); err != nil {
		return nil, exit(exitUsage, err)
	}
	s, err := store.Visit(ctx, c.Store, m.Now)
	if err != nil {
		return nil, exit(exitNotFound, err)
	}
	office, err := policy.New(s.Journal(), c.Policy, m.Now)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	access, err := office.Local(ctx, purpose)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading is not possible: %w", err), s.Close())
	}
	return &archive{s, access, c.Policy}, nil
}

// purpose is the flag of what a person reads for.
type purpose struct {
	Purpose string `help:"What you read for; it is entered in the journal. One of support, diagnostics, misuse, audit, rights." enum:"support,diagnostics,misuse,audit,rights" default:"support"`
}

func lastOne() store.Filter { return store.Filter{Limit: 1} }
