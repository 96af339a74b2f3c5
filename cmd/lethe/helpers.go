package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lethe/agent/flite"
	"lethe/media"
	"lethe/transcribe/sphinx"
)

// examineHelpers looks for the helpers and the model, and then starts each
// helper as the server would: a program that is there may yet not run.
func examineHelpers(ctx context.Context, c *Config) []finding {
	out := []finding{examineFlite(ctx, c)}
	if c.uses(engineSphinx) {
		out = append(out, examineModel(c), examineSphinx(ctx, c))
	}
	return out
}

func (c *Config) uses(engine string) bool {
	for _, n := range c.Numbers {
		if n.Engine == engine {
			return true
		}
	}
	return false
}

const fliteRemedy = "apt-get install gcc flite1-dev, then make build"

func examineFlite(ctx context.Context, c *Config) finding {
	path, err := flite.Find(c.Flite.Helper)
	if err != nil {
		return missing("flite", fmt.Errorf("%w; %s", err, fliteRemedy))
	}
	err = withArena(c.Flite.PromptsKiB<<10, func(a *media.Arena) error {
		v, err := flite.New(ctx, c.Flite, a)
		if err != nil {
			return err
		}
		return v.Close()
	})
	if err != nil {
		return missing("flite", fmt.Errorf("%w; %s", err, fliteRemedy))
	}
	return fine("flite", "%s speaks with the voice %s", path, c.Flite.Voice)
}

// examineModel names the file of the model that is not there.
func examineModel(c *Config) finding {
	for _, f := range []string{"en-us/mdef", "en-us.lm.bin", "cmudict-en-us.dict"} {
		path := filepath.Join(c.Sphinx.Model, f)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return missing("model", fmt.Errorf("%s is not there; apt-get install pocketsphinx-en-us, or set sphinx.model", path))
		} else if err != nil {
			return missing("model", fmt.Errorf("%w; let the user that runs lethe read it", err))
		}
	}
	return fine("model", "%s", c.Sphinx.Model)
}

const sphinxRemedy = "apt-get install gcc pkg-config libpocketsphinx-dev pocketsphinx-en-us, then make build"

func examineSphinx(ctx context.Context, c *Config) finding {
	path, err := sphinx.Find(c.Sphinx.Helper)
	if err != nil {
		return missing("sphinx", fmt.Errorf("%w; %s", err, sphinxRemedy))
	}
	began := time.Now()
	err = withArena(0, func(a *media.Arena) error {
		sc, err := c.sphinx()
		if err != nil {
			return err
		}
		e, err := sphinx.New(ctx, sc, a, slog.New(slog.DiscardHandler))
		if err != nil {
			return engineError(err)
		}
		return e.Close()
	})
	if err != nil {
		if !strings.Contains(err.Error(), ";") {
			err = fmt.Errorf("%w; %s", err, sphinxRemedy)
		}
		return missing("sphinx", err)
	}
	return fine("sphinx", "%s loads its models and vocabularies in %s", path, time.Since(began).Round(100*time.Millisecond))
}

// withArena lends an arena with a little more than that many bytes.
func withArena(bytes int, f func(*media.Arena) error) error {
	const beside = 512 << 10
	a, err := media.NewArena(bytes + beside)
	if err != nil {
		return err //nolint:wrapcheck // it names the limit and the remedy
	}
	return errors.Join(f(a), a.Close())
}
