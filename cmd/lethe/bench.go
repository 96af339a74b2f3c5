package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
	"lethe/transcribe/sphinx"
	"lethe/transcribe/wer"
)

// benchCmd measures on this machine.
type benchCmd struct {
	ASR benchASRCmd `cmd:"" name:"asr" help:"Measure the word error rate of the engine on your own recordings."`
}

// benchASRCmd calls recordings in and compares what was understood.
type benchASRCmd struct {
	Dir      string   `arg:"" type:"existingdir" help:"Folder of NAME.wav (mono, 16 bits, 8 or 16 kHz) with NAME.txt, what is said in it."`
	Codec    []string `help:"PCMU, PCMA or G722; repeatable." enum:"PCMU,PCMA,G722" default:"PCMU,G722" placeholder:"NAME"`
	Number   string   `help:"Listen with the vocabulary of this number of the configuration." placeholder:"NUMBER" xor:"vocabulary"`
	Phrases  string   `help:"Listen with a vocabulary of your own: a file with one phrase a line." placeholder:"FILE" type:"existingfile" xor:"vocabulary"`
	Parallel int      `help:"Calls at the same time, 1 to 16. Each takes as long as its recording." default:"1"`
	JSON     bool     `help:"Print JSON: each recording with what was heard." name:"json"`
	place    `embed:""`
}

// Help of the command.
func (benchASRCmd) Help() string {
	return `Each recording goes the way of a call: coded, packed, through the jitter buffer, decoded, resampled and gated, to a fresh session of the engine. Without --number and --phrases the engine listens for anything. Nothing is kept.

Examples:

    lethe bench asr recordings
    lethe bench asr recordings --number support --codec PCMU
    lethe bench asr recordings --phrases menu.txt --json`
}

// Run measures each codec.
func (c benchASRCmd) Run(ctx context.Context, m *Main) (err error) {
	if c.Parallel < 1 || c.Parallel > 16 {
		return exit(exitUsage, fmt.Errorf("--parallel is %d; choose 1 to 16", c.Parallel))
	}
	cfg, _, err := m.load(m.orQuickstart(c.place))
	if err != nil {
		return exit(exitUsage, err)
	}
	cases, err := wer.Read(c.Dir)
	if errors.Is(err, wer.ErrCases) {
		return exit(exitNotFound, err)
	}
	if err != nil {
		return exit(exitUsage, err)
	}
	plane, err := media.NewPlane(cfg.Media)
	if err != nil {
		return exit(exitMissing, err)
	}
	defer func() { err = errors.Join(err, plane.Close()) }()
	setup, err := c.setup(ctx, m, cfg, plane)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, setup.Engine.Close()) }()
	results := make([]wer.Result, 0, len(c.Codec))
	for _, codec := range c.Codec {
		setup.Codec = codec
		r, err := wer.Measure(ctx, setup, cases)
		if err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		results = append(results, r)
	}
	if c.JSON {
		e := json.NewEncoder(m.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(results) //nolint:wrapcheck // of the operator's terminal
	}
	return printWER(m.Stdout, results)
}

// setup starts the engine with the vocabulary that was asked for.
func (c benchASRCmd) setup(ctx context.Context, m *Main, cfg *Config, plane *media.Plane) (wer.Setup, error) {
	sc, err := cfg.sphinx()
	if err != nil {
		return wer.Setup{}, err
	}
	name, err := c.vocabulary(&sc)
	if err != nil {
		return wer.Setup{}, err
	}
	office, err := policy.New(unkept{}, cfg.Policy, m.Now, policy.ProcessorEntry{Name: sphinx.Processor, Local: true})
	if err != nil {
		return wer.Setup{}, fmt.Errorf("bench: %w", err)
	}
	processor, err := office.Processor(sphinx.Processor)
	if err != nil {
		return wer.Setup{}, fmt.Errorf("bench: %w", err)
	}
	engine, err := sphinx.New(ctx, sc, plane.Arena(), slog.New(slog.DiscardHandler))
	if err != nil {
		return wer.Setup{}, engineError(err)
	}
	listen := func() (policy.Listen, error) {
		return office.Decide(policy.Facts{Channel: policy.SIP, To: "bench"}).Listen(processor, m.Now())
	}
	return wer.Setup{Plane: plane, Engine: engine, Listen: listen, Parallel: c.Parallel,
		Options: transcribe.Options{Language: "en-US", Vocabulary: name}}, nil
}

// vocabulary gives the name under which the engine knows what to listen for:
// "" for anything.
func (c benchASRCmd) vocabulary(sc *sphinx.Config) (string, error) {
	const own = "bench"
	switch {
	case c.Number != "":
		if _, ok := sc.Vocabularies[c.Number]; !ok {
			return "", exit(exitNotFound, fmt.Errorf("the configuration has no number %q that sphinx listens at", c.Number))
		}
		return c.Number, nil
	case c.Phrases != "":
		text, err := os.ReadFile(c.Phrases)
		if err != nil {
			return "", exit(exitUsage, fmt.Errorf("the phrases can't be read: %w", err))
		}
		phrases := slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return strings.TrimSpace(l) == "" })
		sc.Vocabularies[own] = phrases
		return own, nil
	}
	return "", nil
}

// unkept is a journal for recordings of the operator's own: nobody calls, and
// nothing that is granted outlives the command.
type unkept struct{}

// Append implements policy.Journal.
func (unkept) Append(context.Context, policy.Entry) (policy.Place, error) { return policy.Place{}, nil }

func printWER(w io.Writer, results []wer.Result) error {
	for _, r := range results {
		for _, h := range r.Cases {
			if h.Score.Errors > 0 {
				_, _ = fmt.Fprintf(w, "%s %s\n    said   %s\n    heard  %s\n", r.Codec, printable(h.Name), printable(h.Text), printable(h.Said)) // Flush shows a terminal that is gone
			}
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "codec\trecordings\twords\twrong\tword error\tfinal text p50\tp95\t")
	for _, r := range results {
		_, _ = fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.1f %%\t%d ms\t%d ms\t\n", r.Codec, len(r.Cases), r.Score.Words, r.Score.Errors, r.Score.Rate(),
			r.Latency(.5)/time.Millisecond, r.Latency(.95)/time.Millisecond)
	}
	return t.Flush() //nolint:wrapcheck // of the operator's terminal
}
