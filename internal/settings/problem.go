package settings

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration: where it stands,
// which key it is about, what is wrong and what to do about it.
type Problem struct {
	File   string // name of the file, or "environment"
	Line   int    // from 1; 0 when the key stands in no file
	Key    string // dotted path: media.ports, sip.trunks[0].from
	What   string
	Remedy string
}

// Error is one line: FILE:LINE: KEY: WHAT; REMEDY.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:", p.Line)
		}
		b.WriteByte(' ')
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Problems are all that is wrong with one configuration, in order of line, so
// that an operator mends a file in one go.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// orNil sorts the problems and is nil when there are none.
func (p Problems) orNil() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p
}

// Join is the problems of several steps as one error, nil when there are none.
func Join(lists ...Problems) error {
	return Problems(slices.Concat(lists...)).orNil()
}

// nearest is the name among names that a person most likely meant, or "".
func nearest(name string, names []string) string {
	best, bound := "", 1+len(name)/3
	if len(name) > longestName {
		return ""
	}
	for _, n := range names {
		if d := Distance(strings.ToLower(name), n); d <= bound {
			best, bound = n, d-1
		}
	}
	return best
}

// longestName is longer than any key: what is longer is no slip of the hand.
const longestName = 80

// Distance is Levenshtein's, in bytes: what is compared is ASCII.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
