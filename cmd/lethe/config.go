package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"

	"lethe/agent/flite"
	"lethe/configs"
	"lethe/conversation"
	"lethe/internal/admin"
	"lethe/internal/logs"
	"lethe/internal/settings"
	"lethe/media"
	"lethe/policy"
	"lethe/sip"
	"lethe/store"
	"lethe/transcribe/sphinx"
)

// envPrefix begins the variables that override keys: LETHE_MEDIA_PORTS.
const envPrefix = "LETHE"

// Config is the whole configuration: one section for each package, and the
// numbers that are answered.
type Config struct {
	SIP          sip.Config          `yaml:"sip"`
	Media        media.Config        `yaml:"media"`
	Numbers      map[string]Number   `yaml:"numbers"`
	Conversation conversation.Config `yaml:"conversation"`
	Sphinx       sphinx.Config       `yaml:"sphinx"`
	Flite        flite.Config        `yaml:"flite"`
	Policy       policy.Rules        `yaml:"policy"`
	Store        store.Config        `yaml:"store"`
	Admin        admin.Config        `yaml:"admin"`
	Log          logs.Config         `yaml:"log"`
}

// Number is one number that is answered: the user part of a SIP address.
type Number struct {
	// Mind is what answers: script.
	Mind string `yaml:"mind"`
	// Script is the mind's file, or embedded:NAME for one that is built in.
	Script string `yaml:"script"`
	// Voice is what speaks: flite.
	Voice string `yaml:"voice"`
	// Engine is what turns speech into text: sphinx or null.
	Engine string `yaml:"engine"`
	// Vocabulary is a list of phrases that callers are expected to say, on top
	// of the script's own.
	Vocabulary []string `yaml:"vocabulary"`
	// Language is BCP 47.
	Language string `yaml:"language"`
}

// Names of what is built in.
const (
	mindScript   = "script"
	voiceFlite   = "flite"
	engineSphinx = "sphinx"
	engineNull   = "null"
)

// Defaults of a number whose keys are left out.
func (n *Number) Defaults() {
	*n = Number{Mind: mindScript, Voice: voiceFlite, Engine: engineSphinx, Language: "en-US"}
}

func defaults() Config {
	return Config{
		SIP: sip.Default(), Media: media.Default(), Conversation: conversation.Default(), Sphinx: sphinx.Default(), Flite: flite.Default(), Policy: policy.Default(),
		Store: store.Default(), Admin: admin.Default(), Log: logs.Default(),
	}
}

// section is one package's part of the configuration.
type section struct {
	name     string
	validate func() error
}

func (c *Config) sections() []section {
	return []section{
		{"sip", c.SIP.Validate}, {"sip", c.validateReach}, {"media", c.Media.Validate}, {"numbers", c.validateNumbers}, {"conversation", c.Conversation.Validate},
		{"sphinx", c.Sphinx.Validate}, {"flite", c.Flite.Validate}, {"policy", c.Policy.Validate}, {"store", c.Store.Validate}, {"admin", c.Admin.Validate}, {"log", c.Log.Validate},
	}
}

const mostNumbers, mostPhrases, longestPhrase = 1000, 5000, 200

func (c *Config) validateNumbers() error {
	if len(c.Numbers) == 0 {
		return errors.New("numbers: is missing; name a number to answer, such as support: {script: embedded:support}")
	}
	if len(c.Numbers) > mostNumbers {
		return fmt.Errorf("numbers: %d are too many; name at most %d", len(c.Numbers), mostNumbers)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Numbers)) {
		n := c.Numbers[name]
		errs = append(errs, n.validate("numbers."+name, name))
	}
	return errors.Join(errs...)
}

// validateReach holds that what a trunk may reach exists.
func (c *Config) validateReach() error {
	var errs []error
	for i, t := range c.SIP.Trunks {
		for j, n := range t.Numbers {
			if _, ok := c.Numbers[n]; !ok {
				errs = append(errs, fmt.Errorf("sip.trunks[%d].numbers[%d]: no such number; add it under numbers, or take it out here", i, j))
			}
		}
	}
	return errors.Join(errs...)
}

// keyError is an error about one key, which may hold a name with a space.
type keyError struct{ key, text string }

func (e keyError) Error() string     { return e.text }
func (e keyError) ConfigKey() string { return e.key }

func (n Number) validate(key, name string) error {
	var errs []error
	bad := func(k, format string, args ...any) {
		errs = append(errs, keyError{key + k, fmt.Sprintf(format, args...)})
	}
	if !regexp.MustCompile(`^[A-Za-z0-9+*#_-]{1,64}$`).MatchString(name) {
		bad("", "is no number; write 1 to 64 of letters, digits, + * # - and _")
	}
	one := func(k, value string, known ...string) {
		if !slices.Contains(known, value) {
			bad("."+k, "%q is none; choose from %v", value, known)
		}
	}
	one("mind", n.Mind, mindScript)
	one("voice", n.Voice, voiceFlite)
	one("engine", n.Engine, engineSphinx, engineNull)
	if n.Script == "" {
		bad(".script", "missing; write a file, or embedded:support")
	}
	if n.Language == "" {
		bad(".language", "missing; write a language tag, such as en-US")
	}
	if len(n.Vocabulary) > mostPhrases {
		bad(".vocabulary", "%d phrases are too many; keep at most %d", len(n.Vocabulary), mostPhrases)
	}
	for i, p := range n.Vocabulary {
		if p == "" || len(p) > longestPhrase {
			bad(fmt.Sprintf(".vocabulary[%d]", i), "a phrase has 1 to %d characters", longestPhrase)
		}
	}
	return errors.Join(errs...)
}

// source is the configuration that a command line asks for. Without one it is
// empty, and so refused by those commands that need one.
func (p place) source() (settings.Source, error) {
	if p.Quickstart {
		return settings.Source{Name: "quickstart.yaml (built in)", Data: configs.Quickstart()}, nil
	}
	if p.Config == "" {
		return settings.Source{Name: "(no configuration)"}, nil
	}
	data, err := os.ReadFile(p.Config)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Base(p.Config) == "quickstart": // `--config quickstart`: kong has made a path of it
		return place{Quickstart: true}.source()
	case errors.Is(err, fs.ErrNotExist):
		return settings.Source{}, exit(exitUsage, fmt.Errorf("%s: there is no such configuration; see lethe config example for one to begin with, or use --quickstart", p.Config))
	case err != nil:
		return settings.Source{}, exit(exitUsage, fmt.Errorf("the configuration can't be read: %w", err))
	}
	return settings.Source{Name: p.Config, Data: data}, nil
}

// read gives the configuration over its defaults, not yet validated.
func (m *Main) read(p place) (*Config, *settings.Loaded, error) {
	src, err := m.where(p).source()
	if err != nil {
		return nil, nil, err
	}
	docs, err := documentation()
	if err != nil {
		return nil, nil, err
	}
	c := defaults()
	l, err := settings.Read(&c, src, envPrefix, m.Environ, docs)
	return &c, l, err
}

// load is read, and each section validated; every problem has its line.
func (m *Main) load(p place) (*Config, *settings.Loaded, error) {
	p = m.where(p)
	c, l, err := m.read(p)
	if err != nil {
		return nil, nil, hint(p, err)
	}
	if err := c.validate(l); err != nil {
		return nil, nil, hint(p, err)
	}
	return c, l, nil
}

func (c *Config) validate(l *settings.Loaded) error {
	known := settings.Known(reflect.TypeFor[Config]())
	var all settings.Problems
	for _, s := range c.sections() {
		all = append(all, l.Place(s.name, l.Keys(s.name, known), s.validate())...)
	}
	return settings.Join(all)
}

// hint says what to do for somebody who has no configuration yet.
func hint(p place, err error) error {
	if err == nil || p.Config != "" || p.Quickstart {
		return err
	}
	return fmt.Errorf("a configuration is needed:\n%w\nlethe config example prints a documented one; --quickstart uses a built-in one", err)
}

// documentation is what the shipped, documented configuration says of each key.
func documentation() (map[string]string, error) {
	d, err := settings.Docs(settings.Source{Name: "lethe.yaml (built in)", Data: configs.Documented()}, reflect.TypeFor[Config]())
	if err != nil {
		return nil, fmt.Errorf("the built-in documentation: %w", err)
	}
	return d, nil
}
