package main

import (
	"encoding/json"
	"fmt"
	"reflect"

	"lethe/configs"
	"lethe/internal/settings"
)

// configCmd is about the configuration; it starts nothing.
type configCmd struct {
	Check   configCheckCmd   `cmd:"" help:"Read and check it; every problem is named with its line, key and remedy."`
	Show    configShowCmd    `cmd:"" help:"Print the effective configuration, with the origin of each value."`
	Example configExampleCmd `cmd:"" help:"Print a configuration to begin with: every key, documented."`
}

type configCheckCmd struct {
	place `embed:""`
	File  string `arg:"" optional:"" type:"path" help:"The file, as with --config."`
}

// Help of the command.
func (configCheckCmd) Help() string {
	return `Nothing is opened and nothing is listened on. The environment (LETHE_SECTION_KEY) counts.

Examples:

    lethe config check /etc/lethe/lethe.yaml
    LETHE_MEDIA_PORTS=20000-20999 lethe config check lethe.yaml`
}

// Run says nothing but ok when all is well.
func (c configCheckCmd) Run(m *Main) error {
	if c.File != "" {
		if c.Config != "" || c.Quickstart {
			return exit(exitUsage, fmt.Errorf("name one configuration: FILE, --config or --quickstart"))
		}
		c.Config = c.File
	}
	cfg, _, err := m.load(c.place)
	if err != nil {
		return exit(exitUsage, err)
	}
	if _, err := cfg.people(); err != nil {
		return exit(exitUsage, err)
	}
	_, err = fmt.Fprintln(m.Stdout, "ok")
	return err //nolint:wrapcheck // of the operator's terminal
}

type configShowCmd struct {
	place `embed:""`
	JSON  bool `help:"Print a JSON list of keys, values and origins." name:"json" xor:"form"`
	Docs  bool `help:"Print what each key means instead." xor:"form"`
}

// Help of the command.
func (configShowCmd) Help() string {
	return `Behind each value stands where it comes from: default, FILE:LINE or env NAME. Secrets are files, and only their names are shown.

Examples:

    lethe config show --quickstart
    lethe config show --config lethe.yaml --json
    lethe config show --docs`
}

// Run prints it even if it would not be accepted: that is when it is wanted.
func (c configShowCmd) Run(m *Main) error {
	if c.Docs {
		return m.showDocs()
	}
	cfg, l, err := m.read(c.place)
	if err != nil {
		return exit(exitUsage, err)
	}
	if c.JSON {
		list, err := l.List(cfg)
		if err != nil {
			return err
		}
		e := json.NewEncoder(m.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(list) //nolint:wrapcheck // of the operator's terminal
	}
	text, err := l.Show(cfg)
	if err != nil {
		return err
	}
	_, err = m.Stdout.Write(text)
	return err //nolint:wrapcheck // of the operator's terminal
}

func (m *Main) showDocs() error {
	docs, err := documentation()
	if err != nil {
		return err
	}
	for _, key := range settings.Known(reflect.TypeFor[Config]()) {
		if _, err := fmt.Fprintf(m.Stdout, "%s\n    %s\n", key, docs[key]); err != nil {
			return err //nolint:wrapcheck // of the operator's terminal
		}
	}
	return nil
}

type configExampleCmd struct {
	Quickstart bool `help:"Print the one behind --quickstart instead."`
}

// Help of the command.
func (configExampleCmd) Help() string {
	return `Examples:

    lethe config example > lethe.yaml
    lethe config example --quickstart > lethe.yaml`
}

// Run prints it.
func (c configExampleCmd) Run(m *Main) error {
	text := configs.Documented()
	if c.Quickstart {
		text = configs.Quickstart()
	}
	_, err := m.Stdout.Write(text)
	return err //nolint:wrapcheck // of the operator's terminal
}
