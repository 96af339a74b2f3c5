package sphinx

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// helperName is the program that goes with this package.
const helperName = "lethe-sphinx"

// debianModel is where Debian's pocketsphinx-en-us lies.
const debianModel = "/usr/share/pocketsphinx/model/en-us"

// Errors of this package.
var (
	// ErrHelper says that the helper could not be run.
	ErrHelper = errors.New("sphinx: the helper failed")
	// ErrModel says that a file of the model is missing or not understood.
	ErrModel = errors.New("sphinx: the model cannot be used")
	// ErrVocabulary says that a phrase cannot be listened for.
	ErrVocabulary = errors.New("sphinx: the vocabulary cannot be used")
	// ErrClosed says that the engine was closed.
	ErrClosed = errors.New("sphinx: closed")
)

// Config is the section sphinx of the configuration.
type Config struct {
	// Helper is the path of lethe-sphinx; "" looks beside lethe and in PATH.
	Helper string `yaml:"helper"`
	// Model is the folder of Debian's pocketsphinx-en-us, or one like it.
	Model string `yaml:"model"`
	// MaxCalls is how many calls may be heard at the same time.
	MaxCalls int `yaml:"max_calls"`
	// Pronunciations of words that the model's dictionary lacks, in its phones:
	// "LIY TH IY" is no phone, "L IY TH IY" are four.
	Pronunciations map[string]string `yaml:"pronunciations"`
	// Vocabularies are the phrases that callers are expected to say, by the name
	// that Options.Vocabulary gives. A vocabulary without phrases is open speech.
	Vocabularies map[string][]string `yaml:"-"`
}

// Default is Debian's model and room for 32 calls.
func Default() Config { return Config{Model: debianModel, MaxCalls: 32} }

// Validate says which key has to be changed. Phrases are looked at by New,
// which knows the dictionary.
func (c Config) Validate() error {
	var errs []error
	if c.MaxCalls < 1 || c.MaxCalls > 4096 {
		errs = append(errs, fmt.Errorf("sphinx: max_calls is %d: give a number from 1 to 4096", c.MaxCalls))
	}
	if c.Model == "" {
		errs = append(errs, errors.New("sphinx: model is empty: give the folder of pocketsphinx-en-us, usually "+debianModel))
	}
	for word, phones := range c.Pronunciations {
		if words, err := split(word); err != nil || len(words) != 1 || phones == "" {
			errs = append(errs, fmt.Errorf("sphinx: pronunciations: %q: give one word and its phones", word))
		}
	}
	return errors.Join(errs...)
}

// Find gives the path of the helper: configured, beside lethe, or in PATH.
func Find(configured string) (string, error) {
	if configured != "" {
		path, err := exec.LookPath(configured)
		if err != nil {
			return "", fmt.Errorf("%w: sphinx.helper: %w", ErrHelper, err)
		}
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), helperName)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(helperName)
	if err != nil {
		return "", fmt.Errorf("%w: %s is neither beside lethe nor in PATH: run `make build`, or set sphinx.helper", ErrHelper, helperName)
	}
	return path, nil
}
