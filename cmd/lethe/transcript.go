package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"lethe/policy"
	"lethe/rights"
)

// transcriptCmd prints one conversation.
type transcriptCmd struct {
	ID      string `arg:"" help:"The conversation, as lethe calls shows it; or: last."`
	place   `embed:""`
	purpose `embed:""`
	JSON    bool `help:"Print one JSON object." name:"json" xor:"form"`
	VCon    bool `help:"Print a vCon 0.4.0 (draft-ietf-vcon-vcon-core)." name:"vcon" xor:"form"`
}

// Help of the command.
func (transcriptCmd) Help() string {
	return `The words are shown as they are stored: redacted. The reading is entered in the journal, with its purpose.

Examples:

    lethe transcript last
    lethe transcript 0b54e3f0-7a52-4c8e-9a53-3f2f0d3f9c11 --json
    lethe transcript last --vcon > call.vcon.json`
}

// Run prints it.
func (c transcriptCmd) Run(ctx context.Context, m *Main) (err error) {
	a, err := m.visit(ctx, c.place, c.Purpose)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	id, err := c.find(ctx, a)
	if err != nil {
		return err
	}
	r, err := a.Conversation(ctx, a.access, id)
	if err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	switch {
	case c.VCon:
		doc, err := rights.VCon(a.access, r, a.rules, m.Now())
		if err != nil {
			return fmt.Errorf("transcript: %w", err)
		}
		_, err = m.Stdout.Write(doc)
		return err //nolint:wrapcheck // of the operator's terminal
	case c.JSON:
		return transcriptJSON(m.Stdout, r)
	}
	return transcriptText(m.Stdout, r)
}

// find gives the conversation that is meant.
func (c transcriptCmd) find(ctx context.Context, a *archive) (policy.ConversationID, error) {
	if c.ID != "last" {
		id := policy.ConversationID(strings.ToLower(c.ID))
		if !id.Valid() {
			return "", exit(exitUsage, errors.New("that is no id of a conversation; lethe calls lists them"))
		}
		return id, nil
	}
	list, err := a.Conversations(ctx, a.access, lastOne())
	if err != nil {
		return "", fmt.Errorf("listing: %w", err)
	}
	if len(list) == 0 {
		return "", exit(exitNotFound, errors.New("there is no conversation yet"))
	}
	return list[0].Conversation, nil
}

// turnLine is one turn of `transcript --json`.
type turnLine struct {
	Seq         int     `json:"seq"`
	Party       string  `json:"party"`
	Text        string  `json:"text"`
	Final       bool    `json:"final"`
	StartMS     int64   `json:"start_ms"`
	EndMS       int64   `json:"end_ms"`
	Confidence  float32 `json:"confidence"`
	Interrupted bool    `json:"interrupted,omitempty"`
}

func turnOf(t policy.Turn) turnLine {
	return turnLine{Seq: t.Seq, Party: t.Party.String(), Text: t.Words.Reveal(), Final: true, StartMS: t.Start.Milliseconds(), EndMS: t.End.Milliseconds(),
		Confidence: t.Confidence, Interrupted: t.Interrupted}
}

func transcriptJSON(w io.Writer, r policy.Record) error {
	out := struct {
		callLine
		Turns []turnLine `json:"turns"`
	}{lineOf(r), []turnLine{}}
	for _, t := range r.Turns {
		out.Turns = append(out.Turns, turnOf(t))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out) //nolint:wrapcheck // of the operator's terminal
}

func transcriptText(w io.Writer, r policy.Record) error {
	var b strings.Builder
	fmt.Fprintf(&b, "conversation %s\nnumber       %s\nstarted      %s\n", r.Conversation, r.To, r.Started.Local().Format(time.RFC3339))
	if !r.Ended.IsZero() {
		fmt.Fprintf(&b, "lasted       %s\n", r.Ended.Sub(r.Started).Round(100*time.Millisecond))
	}
	fmt.Fprintf(&b, "outcome      %s\nkept until   %s\n\n", r.Outcome, r.Expires.Local().Format(time.RFC3339))
	for _, t := range r.Turns {
		mark := ""
		if t.Interrupted {
			mark = " --"
		}
		if t.Party == policy.Caller && t.Confidence < policy.LowConfidence {
			mark += fmt.Sprintf("  [not understood well: %.2f]", t.Confidence)
		}
		fmt.Fprintf(&b, "%6.1fs  %-8s%s%s\n", t.Start.Seconds(), t.Party.String()+":", printable(t.Words.Reveal()), mark)
	}
	if l := lineOf(r); l.Receipt != nil {
		fmt.Fprintf(&b, "\n%s\n", l.Receipt)
	} else if r.Outcome == policy.Ongoing {
		b.WriteString("\nno receipt yet: the conversation goes on\n")
	} else {
		b.WriteString("\nno receipt: lethe ended before the audio was counted\n")
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // of the operator's terminal
}

// printable keeps what a caller or an engine produced off the terminal's controls.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
