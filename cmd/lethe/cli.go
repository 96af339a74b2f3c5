package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// cli is the command line. Each command is a struct with Run and Help.
type cli struct {
	Serve      serveCmd      `cmd:"" help:"Answer calls."`
	Call       callCmd       `cmd:"" help:"Place a test call: speak, listen, measure."`
	Calls      callsCmd      `cmd:"" help:"List conversations, the latest first."`
	Transcript transcriptCmd `cmd:"" help:"Print what was said in a conversation, and what became of its audio."`
	Config     configCmd     `cmd:"" help:"Check or show the configuration."`
	Doctor     doctorCmd     `cmd:"" help:"Look at what is installed, what is missing and what to do."`
	Bench      benchCmd      `cmd:"" help:"Measure on this machine."`
	Completion completionCmd `cmd:"" help:"Print the completion script of a shell."`
	Version    versionCmd    `cmd:"" help:"Print the version."`
	Demo       demoCmd       `cmd:"" hidden:"" help:"Place a real call to a server of its own, and search for its audio."`
}

// place is the flag by which a command finds its configuration.
type place struct {
	Config     string `help:"Configuration file (YAML). Without it, that of $$LETHE_CONFIG." placeholder:"FILE" short:"c" type:"path" xor:"place"`
	Quickstart bool   `help:"Use the configuration that is built in: loopback only, no account, no key." xor:"place"`
}

// parser is kong with lethe's habits.
type parser struct {
	k      *kong.Kong
	exited bool
}

// parser builds the command line anew for each run: it holds state.
func (m *Main) parser() (*parser, *cli, error) {
	p, c := &parser{}, &cli{}
	k, err := kong.New(c,
		kong.Name("lethe"),
		kong.Description("A SIP voice proxy that forgets: it answers, says that a machine is speaking, writes down what is said, "+
			"and destroys the audio at once.\n\nBegin with: lethe doctor; lethe serve --quickstart; lethe call support --say \"opening hours\"\n\n"+exitCodes),
		kong.Writers(m.Stdout, m.Stderr),
		kong.Exit(func(int) { p.exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Vars{"voice_help": "Say TEXT."},
	)
	if err != nil {
		return nil, nil, fmt.Errorf("the command line does not fit together: %w", err)
	}
	p.k = k
	return p, c, nil
}

// parse gives the command to run, or nil when help was all that was wanted.
func (p *parser) parse(args []string) (*kong.Context, error) {
	k, err := p.k.Parse(args)
	if p.exited {
		return nil, nil
	}
	if err != nil {
		return nil, exit(exitUsage, fmt.Errorf("%w; try: lethe %s--help", err, known(err)))
	}
	return k, nil
}

// known is the command that a parse error is about, with a space behind it.
func known(err error) string {
	var e *kong.ParseError
	if !errors.As(err, &e) || e.Context == nil || e.Context.Command() == "" {
		return ""
	}
	var words []string
	for w := range strings.FieldsSeq(e.Context.Command()) {
		if !strings.HasPrefix(w, "<") {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ") + " "
}
