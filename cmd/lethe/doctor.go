package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// doctorCmd looks at the machine; it changes nothing.
type doctorCmd struct {
	place `embed:""`
	JSON  bool `help:"Print JSON." name:"json"`
}

// Help of the command.
func (doctorCmd) Help() string {
	return `Exit code 0: nothing is missing. 5: something is; behind each finding stands what to do. Without --config the quickstart's needs are looked at. Ports that a running lethe holds are reported as in use.

Examples:

    lethe doctor
    lethe doctor --config lethe.yaml --json`
}

// Verdicts of a finding.
const (
	verdictOK      = "ok"
	verdictWarning = "warning"
	verdictMissing = "missing"
)

// finding is one thing that was looked at.
type finding struct {
	Name    string `json:"name"`
	Verdict string `json:"verdict"`
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy,omitempty"`
}

func fine(name, format string, args ...any) finding {
	return finding{name, verdictOK, fmt.Sprintf(format, args...), ""}
}

// missing is a finding whose remedy stands behind the last semicolon of err.
func missing(name string, err error) finding {
	detail, remedy := split(err)
	return finding{name, verdictMissing, detail, remedy}
}

func warning(name string, err error) finding {
	f := missing(name, err)
	f.Verdict = verdictWarning
	return f
}

// split takes a remedy off an error, where our errors have it: behind "; " or
// behind a colon that begins an instruction.
func split(err error) (detail, remedy string) {
	text := strings.ReplaceAll(err.Error(), "\n", " | ")
	if i := strings.LastIndex(text, "; "); i > 0 {
		return text[:i], text[i+2:]
	}
	return text, ""
}

// Run looks at everything, and says all that it found.
func (c doctorCmd) Run(ctx context.Context, m *Main) error {
	findings := m.examine(ctx, m.orQuickstart(c.place))
	print := printFindings
	if c.JSON {
		print = printFindingsJSON
	}
	if err := print(m.Stdout, findings); err != nil {
		return err
	}
	bad := 0
	for _, f := range findings {
		if f.Verdict == verdictMissing {
			bad++
		}
	}
	if bad > 0 {
		return silent{failure{exitMissing, fmt.Errorf("%d of %d are missing", bad, len(findings))}}
	}
	return nil
}

func printFindings(w io.Writer, findings []finding) error {
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-8s %-10s %s\n", f.Verdict, f.Name, f.Detail)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "%-19s -> %s\n", "", f.Remedy)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // of the operator's terminal
}

func printFindingsJSON(w io.Writer, findings []finding) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"version": build().Version, "findings": findings}) //nolint:wrapcheck // of the operator's terminal
}

// examine goes from the configuration down to the ports.
func (m *Main) examine(ctx context.Context, p place) []finding {
	c, l, err := m.read(p)
	if err == nil {
		err = c.validate(l)
	}
	if err != nil {
		out := []finding{{"config", verdictMissing, strings.ReplaceAll(err.Error(), "\n", " | "), "mend it: lethe config check names every line"}}
		if c == nil {
			return out
		}
		return append(out, examineMachine(ctx, c)...)
	}
	src, err := p.source()
	if err != nil {
		return []finding{missing("config", err)}
	}
	out := []finding{fine("config", "%s", src.Name)}
	out = append(out, examineMachine(ctx, c)...)
	out = append(out, m.examineStore(ctx, c)...)
	return append(out, examinePorts(ctx, c)...)
}
