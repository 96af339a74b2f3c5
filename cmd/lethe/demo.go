package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"lethe/internal/caller"
	"lethe/internal/forensic"
	"lethe/policy"
)

// demoCmd shows the whole of lethe in one call: `make demo`.
type demoCmd struct{}

// Help of the command.
func (demoCmd) Help() string {
	return `A server with its built-in configuration is started in a folder of its own. A caller in another process calls it, speaks, and listens. While the caller speaks, and again when the call is over, the server's memory, that of its children, and its files are searched for the caller's audio.`
}

// demoScript is what the caller says. Each line is answered by an intent of
// the built-in script.
func demoScript() []caller.Line {
	return []caller.Line{
		{Say: "where is my order"},
		{Say: "what are your opening hours"},
		{Say: "goodbye"},
	}
}

// errDemo says that the demonstration did not show what it is there to show.
var errDemo = errors.New("the demonstration failed")

// Run places the call and searches.
func (demoCmd) Run(ctx context.Context, m *Main) (err error) {
	home, err := os.MkdirTemp("", "lethe-demo-")
	if err != nil {
		return fmt.Errorf("a folder for the demonstration: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	s, err := startServer(ctx, m, home)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	d := &demo{out: m.Stdout, server: s}
	return d.run(ctx, m)
}

// demo is one demonstration.
type demo struct {
	out    io.Writer
	server *demoServer
}

func (d *demo) say(format string, args ...any) error {
	_, err := fmt.Fprintf(d.out, format+"\n", args...)
	return err //nolint:wrapcheck // of the operator's terminal
}

func (d *demo) run(ctx context.Context, m *Main) (err error) {
	if err := d.say("lethe answers %s; its data lies in %s", d.server.sip, d.server.home); err != nil {
		return err
	}
	reader := *m
	reader.Environ = d.server.environ
	a, err := reader.visit(ctx, place{Quickstart: true}, policy.PurposeDiagnostics)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	w := newWatch(d.server.pid())
	defer w.stop()
	from := testCaller()
	f := &follower{a: a, from: from, since: m.Now()}
	r, err := caller.Run(ctx, caller.Options{
		Target: "support@" + d.server.sip, From: from, Codec: "PCMU", Lines: demoScript(), Timeout: 3 * time.Minute,
		Follow: f.follow, Prepared: w.prepared, Sent: w.sent,
	}, m.Stdout)
	if err != nil {
		return err //nolint:wrapcheck // the caller's errors say what they are about
	}
	if err := d.figures(r); err != nil {
		return err
	}
	return d.proof(ctx, f, w)
}

// figures are what the caller measured.
func (d *demo) figures(r caller.Result) error {
	var ms []string
	for _, l := range r.Replies {
		ms = append(ms, fmt.Sprintf("%d ms", l.Milliseconds()))
	}
	return d.say("\n%s\nend of speech to first sound of the answer: %s", r, strings.Join(ms, ", "))
}

// proof prints the receipt and what the search finds.
func (d *demo) proof(ctx context.Context, f *follower, w *watch) error {
	record, err := d.record(ctx, f)
	if err != nil {
		return err
	}
	line := lineOf(record)
	if line.Receipt == nil {
		return fmt.Errorf("%w: the conversation has no receipt", errDemo)
	}
	control, err := w.control()
	if err != nil {
		return err
	}
	found, err := w.search(d.server.home)
	if err != nil {
		return err
	}
	if err := d.say("%s\ncontrol=%d found=%d", line.Receipt, control, found.Windows); err != nil {
		return err
	}
	if err := d.say("\nThe control is what the search found of the caller's audio in the server's memory while the caller spoke;\n"+
		"found is what is left of it after the call in %d MiB: the memory of the server and its children, and its files.", found.Bytes>>20); err != nil {
		return err
	}
	return verdict(record, len(demoScript()), control, found)
}

// verdict says what the demonstration did not show, if anything.
func verdict(r policy.Record, lines, control int, found forensic.Report) error {
	heard := 0
	for _, t := range r.Turns {
		if t.Party == policy.Caller && !t.Words.Empty() {
			heard++
		}
	}
	switch rc := r.Receipt; {
	case control == 0:
		return fmt.Errorf("%w: the search found nothing in mid-call, so what it finds after it says nothing", errDemo)
	case found.Windows != 0:
		return fmt.Errorf("%w: audio is left: %v", errDemo, found.Places)
	case rc.Born == 0 || rc.Born != rc.Forgotten || rc.Held != 0:
		return fmt.Errorf("%w: the receipt does not balance", errDemo)
	case heard < lines:
		return fmt.Errorf("%w: %d of %d lines were written down", errDemo, heard, lines)
	}
	return nil
}

// record is the conversation as it was stored.
func (d *demo) record(ctx context.Context, f *follower) (policy.Record, error) {
	id, err := f.find(ctx)
	if err != nil {
		return policy.Record{}, err
	}
	r, err := f.a.Conversation(ctx, f.a.access, id)
	if err != nil {
		return policy.Record{}, fmt.Errorf("transcript: %w", err)
	}
	return r, nil
}

// testCaller is the user part of a caller's address that nobody else has, so
// that its conversation can be told from others.
func testCaller() string { return "demo-" + strings.ToLower(rand.Text()) }
