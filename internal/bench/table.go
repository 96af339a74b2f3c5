// Package bench holds the speed table: every figure that lethe promises, with
// its goal beside it. `make bench` measures them (build tag bench), prints the
// table and writes build/bench.json. A goal that was not measured is not met.
//
// What is measured is the real lethe, as a process of its own, beside a floor
// program in the same run (floor/), by a phone that is neither (phone/).
package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
)

// Row is one figure and what it has to be.
type Row struct {
	Name  string   `json:"name"`
	Value *float64 `json:"value"` // nil: not measured
	Unit  string   `json:"unit"`
	Goal  string   `json:"goal"` // empty: for information
	Met   bool     `json:"met"`
}

// Table is the rows in the order of the goals.
type Table struct{ rows []Row }

// Goal enters a row that is still to be measured.
func (t *Table) Goal(name, unit, goal string) {
	t.rows = append(t.rows, Row{Name: name, Unit: unit, Goal: goal})
}

// Set enters a measured value; met says whether it reaches the goal. A row
// without a goal is met once it is measured.
func (t *Table) Set(name string, value float64, met bool) error {
	for i := range t.rows {
		if r := &t.rows[i]; r.Name == name {
			r.Value, r.Met = &value, met
			return nil
		}
	}
	return fmt.Errorf("bench: no row is called %q", name)
}

// Tell changes a goal that is known only in the run, such as the floor's cost.
func (t *Table) Tell(name, goal string) error {
	for i := range t.rows {
		if r := &t.rows[i]; r.Name == name {
			r.Goal = goal
			return nil
		}
	}
	return fmt.Errorf("bench: no row is called %q", name)
}

// Unmet are the names of the rows whose goal is not met.
func (t *Table) Unmet() []string {
	var out []string
	for _, r := range t.rows {
		if !r.Met {
			out = append(out, r.Name)
		}
	}
	return out
}

// Write writes the rows as JSON.
func (t *Table) Write(file string) error {
	b, err := json.MarshalIndent(t.rows, "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// String is the table as it is printed.
func (t *Table) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	put := func(cells ...string) { _, _ = fmt.Fprintln(w, strings.Join(cells, "\t")) } // a strings.Builder never fails
	put("figure", "value", "unit", "goal", "")
	for _, r := range t.rows {
		value, mark := "not measured", "NOT MET"
		if r.Value != nil {
			value = fmt.Sprintf("%.4g", *r.Value)
		}
		if r.Met {
			mark = "met"
			if r.Goal == "" {
				mark = ""
			}
		}
		put(r.Name, value, r.Unit, r.Goal, mark)
	}
	_ = w.Flush() // likewise
	return b.String()
}
