package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"lethe/internal/caller"
	"lethe/policy"
	"lethe/store"
)

// callCmd places a test call.
type callCmd struct {
	Target    string        `arg:"" help:"A number, NUMBER@HOST, NUMBER@HOST:PORT or a SIP URI."`
	Say       []string      `help:"Say TEXT with a synthetic voice. Repeatable, in order with --wav and --keys." placeholder:"TEXT" sep:"none"`
	WAV       []string      `help:"Play a WAV file: mono, 16 bits, 8 or 16 kHz." placeholder:"FILE" name:"wav" sep:"none"`
	Keys      []string      `help:"Press keys (RFC 4733): 0-9 * # A-D." placeholder:"KEYS" sep:"none"`
	Interrupt bool          `help:"Speak without waiting for the agent to finish."`
	Codec     string        `help:"PCMU, PCMA or G722; without it all are offered." enum:",PCMU,PCMA,G722" default:"" placeholder:"NAME"`
	Transport string        `help:"udp, tcp or tls." enum:"udp,tcp,tls" default:"udp"`
	Insecure  bool          `help:"With tls: don't check the certificate."`
	Record    string        `help:"Write what is heard to a WAV file. Nothing is recorded otherwise." placeholder:"FILE" type:"path"`
	Timeout   time.Duration `help:"Longest that the whole call may last." default:"5m"`
	JSON      bool          `help:"Print one JSON object a line: party, text, final, times." name:"json"`
	place     `embed:""`
}

// Help of the command.
func (callCmd) Help() string {
	return `The caller waits until the agent has finished before it says the next line. What is said is shown as text if the server's store can be read from here: name the server's configuration, or call from the folder where the quickstart runs.

Examples:

    lethe call support --say "what are your opening hours" --say goodbye
    lethe call support@192.0.2.10:5060 --wav question.wav --codec G722 --record answer.wav
    lethe call support --keys 1 --json
    lethe call support --say "stop" --interrupt --timeout 30s`
}

// script gives the lines in order. kong keeps the flags apart; their order is
// in the trace of the command line.
func (c callCmd) script(k *kong.Context) []caller.Line {
	next := map[string]int{}
	var out []caller.Line
	for _, p := range k.Path {
		if p.Flag == nil || p.Resolved {
			continue
		}
		i := next[p.Flag.Name]
		next[p.Flag.Name]++
		l := caller.Line{Interrupt: c.Interrupt}
		switch {
		case p.Flag.Name == "say" && i < len(c.Say):
			l.Say = c.Say[i]
		case p.Flag.Name == "wav" && i < len(c.WAV):
			l.WAV = c.WAV[i]
		case p.Flag.Name == "keys" && i < len(c.Keys):
			l.Keys = c.Keys[i]
		default:
			continue
		}
		out = append(out, l)
	}
	return out
}

// Run places the call.
func (c callCmd) Run(ctx context.Context, m *Main, k *kong.Context) error {
	from := make([]byte, 6)
	if _, err := rand.Read(from); err != nil {
		return fmt.Errorf("random numbers: %w", err)
	}
	o := caller.Options{Target: c.Target, From: "test-" + hex.EncodeToString(from), Transport: c.Transport, Codec: c.Codec, Lines: c.script(k),
		Record: c.Record, JSON: c.JSON, Timeout: c.Timeout, Insecure: c.Insecure}
	a, err := m.visit(ctx, c.place, policy.PurposeDiagnostics)
	switch {
	case err == nil:
		defer func() { err = errors.Join(err, a.Close()) }()
		o.Follow = (&follower{a: a, from: o.From, since: m.Now()}).follow
	case c.Config != "" || c.Quickstart:
		return fmt.Errorf("the text of the call can't be followed: %w", err)
	}
	r, err := caller.Run(ctx, o, m.Stdout)
	if !c.JSON && r.CallID != "" {
		_, _ = fmt.Fprintln(m.Stdout, r)
	}
	return callError(r, err)
}

// callError gives what went wrong with a call its exit code.
func callError(r caller.Result, err error) error {
	switch {
	case errors.Is(err, caller.ErrTimeout) && r.Answered == 0:
		return exit(exitRefused, fmt.Errorf("nobody answered: %w", err))
	case err == nil, errors.Is(err, caller.ErrRefused), errors.Is(err, caller.ErrUnsaid), errors.Is(err, context.Canceled), r.CallID != "":
		return err
	}
	if strings.HasPrefix(err.Error(), "caller: ") { // nothing was dialled: an option makes no sense
		return exit(exitUsage, err)
	}
	return exit(exitMissing, err) // no memory to lock, no port
}

// follower finds the conversation of a test call in the store, and tells its
// turns as they are stored.
type follower struct {
	a     *archive
	from  string
	since time.Time
}

const followEvery = 200 * time.Millisecond

// follow implements caller.Follower.
func (f *follower) follow(ctx context.Context, _ string, emit func(caller.Event)) error {
	id, err := f.find(ctx)
	if err != nil || id == "" {
		return err
	}
	err = f.a.Follow(ctx, f.a.access, id, func(t policy.Turn) {
		emit(caller.Event{Kind: "heard", Party: t.Party.String(), Text: t.Words.Reveal(), Final: true,
			Start: t.Start.Milliseconds(), End: t.End.Milliseconds()})
	})
	if ctx.Err() != nil {
		return nil
	}
	return err //nolint:wrapcheck // store says what it is about
}

// find waits for the conversation whose caller we are.
func (f *follower) find(ctx context.Context) (policy.ConversationID, error) {
	seen := map[policy.ConversationID]bool{}
	t := time.NewTicker(followEvery)
	defer t.Stop()
	for {
		list, err := f.a.Conversations(ctx, f.a.access, store.Filter{Since: f.since.Add(-time.Second), Limit: 20})
		if err != nil {
			return "", fmt.Errorf("following: %w", err)
		}
		for _, r := range list {
			if seen[r.Conversation] {
				continue
			}
			seen[r.Conversation] = true
			whole, err := f.a.Conversation(ctx, f.a.access, r.Conversation)
			if err != nil {
				return "", fmt.Errorf("following: %w", err)
			}
			if strings.Contains(whole.From.Reveal(), f.from) {
				return r.Conversation, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", nil
		case <-t.C:
		}
	}
}
