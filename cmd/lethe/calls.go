package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"lethe/policy"
	"lethe/store"
)

// callsCmd lists conversations.
type callsCmd struct {
	place   `embed:""`
	purpose `embed:""`
	Limit   int       `help:"At most so many, 1 to 1000." default:"50" short:"n"`
	Number  string    `help:"Only those to this number of yours." placeholder:"NUMBER"`
	Since   time.Time `help:"Only those that began at or after this time (RFC 3339)." placeholder:"TIME"`
	JSON    bool      `help:"Print one JSON object a line." name:"json"`
}

// Help of the command.
func (callsCmd) Help() string {
	return `Neither callers nor words are shown: see lethe transcript. Without --config the store of the quickstart is read (./data/lethe.db). Each reading is entered in the journal, with its purpose.

Examples:

    lethe calls
    lethe calls --limit 5 --json
    lethe calls --config lethe.yaml --number support --since 2026-01-31T08:00:00Z`
}

// Run lists them.
func (c callsCmd) Run(ctx context.Context, m *Main) (err error) {
	if c.Limit < 1 || c.Limit > store.MaxLimit {
		return exit(exitUsage, fmt.Errorf("--limit is %d; choose 1 to %d", c.Limit, store.MaxLimit))
	}
	a, err := m.visit(ctx, c.place, c.Purpose)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	list, err := a.Conversations(ctx, a.access, store.Filter{Since: c.Since, Number: c.Number, Limit: c.Limit})
	if err != nil {
		return fmt.Errorf("listing: %w", err)
	}
	if c.JSON {
		return listJSON(m.Stdout, list)
	}
	return listTable(m.Stdout, list)
}

// callLine is one conversation of `calls --json`, and the head of a transcript.
type callLine struct {
	ID      policy.ConversationID `json:"id"`
	Number  string                `json:"number"`
	Trunk   string                `json:"trunk"`
	Channel string                `json:"channel"`
	Started time.Time             `json:"started"`
	Ended   *time.Time            `json:"ended,omitempty"`
	Expires time.Time             `json:"expires"`
	Outcome string                `json:"outcome"`
	Profile string                `json:"profile"`
	Policy  string                `json:"policy_version"`
	Receipt *receiptLine          `json:"receipt,omitempty"`
}

// receiptLine is what became of the audio; it is there once it was counted.
type receiptLine struct {
	Frames    uint64  `json:"frames"`
	Forgotten uint64  `json:"forgotten"`
	Held      uint64  `json:"held"`
	LongestMS float64 `json:"longest_ms"`
}

func (r receiptLine) String() string {
	return fmt.Sprintf("receipt frames=%d forgotten=%d held=%d longest_ms=%.0f", r.Frames, r.Forgotten, r.Held, r.LongestMS)
}

func lineOf(r policy.Record) callLine {
	l := callLine{ID: r.Conversation, Number: r.To, Trunk: r.Trunk, Channel: r.Channel.String(), Started: r.Started, Expires: r.Expires,
		Outcome: r.Outcome.String(), Profile: r.Profile, Policy: r.PolicyVersion}
	if !r.Ended.IsZero() {
		l.Ended = &r.Ended
	}
	if r.Counted {
		l.Receipt = &receiptLine{Frames: r.Receipt.Born, Forgotten: r.Receipt.Forgotten, Held: r.Receipt.Held,
			LongestMS: float64(r.Receipt.Longest) / float64(time.Millisecond)}
	}
	return l
}

func listJSON(w io.Writer, list []policy.Record) error {
	e := json.NewEncoder(w)
	for _, r := range list {
		if err := e.Encode(lineOf(r)); err != nil {
			return err //nolint:wrapcheck // of the operator's terminal
		}
	}
	return nil
}

func listTable(w io.Writer, list []policy.Record) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no conversations")
		return err //nolint:wrapcheck // of the operator's terminal
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "CONVERSATION\tSTARTED\tLASTED\tNUMBER\tOUTCOME\tFRAMES\tFORGOTTEN")
	for _, r := range list {
		lasted, frames, forgotten := "-", "-", "-"
		if !r.Ended.IsZero() {
			lasted = r.Ended.Sub(r.Started).Round(100 * time.Millisecond).String()
		}
		if r.Counted {
			frames, forgotten = fmt.Sprint(r.Receipt.Born), fmt.Sprint(r.Receipt.Forgotten)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Conversation, r.Started.Local().Format("2006-01-02 15:04:05"), lasted, r.To, r.Outcome, frames, forgotten)
	}
	return t.Flush() //nolint:wrapcheck // of the operator's terminal
}
