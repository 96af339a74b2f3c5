package policy

import (
	"fmt"
	"strings"
)

// DefaultLanguage is the language of a disclosure where no other is to be had.
const DefaultLanguage = "en"

// Disclosure is the first thing a caller hears, computed from the ruling and
// from the engine that will listen: that a machine speaks, for whom, that the
// words are written down and for how long. That the audio is not kept is said
// only where it is true: no hold, and an engine on this machine.
func (r Ruling) Disclosure(engine Processor) string {
	return r.DisclosureIn(DefaultLanguage, engine)
}

// DisclosureIn is Disclosure in a language (BCP 47), or in DefaultLanguage
// where there is no text in that one. It is empty for the zero Ruling.
func (r Ruling) DisclosureIn(language string, engine Processor) string {
	if r.r == nil {
		return ""
	}
	n := notice{
		organisation: strings.TrimSpace(r.r.office.rules.Organisation),
		keep:         r.r.office.rules.Keep,
		forgotten:    r.r.forgets(engine),
	}
	primary, _, _ := strings.Cut(strings.ToLower(language), "-")
	switch primary {
	case "en":
		return n.english()
	default:
		return n.english()
	}
}

// forgets says whether no audio is kept anywhere. A hold counts however long it
// has left: one that is in force when a sentence is begun must not be denied.
func (r *ruling) forgets(engine Processor) bool {
	return r.hold.g == nil && engine.Local() && engine.p.check(r.office.now()) == nil
}

// notice is what a disclosure has to say, in any language.
type notice struct {
	organisation string
	keep         Period
	forgotten    bool
}

func (n notice) english() string {
	s := fmt.Sprintf("Hello. You are speaking with a machine, an A.I. agent of %s. What you say is written down and kept for %s.",
		strings.TrimRight(n.organisation, "."), n.keep.english())
	if n.forgotten {
		s += " The audio is not kept."
	}
	return s
}

// english is the period in words, as a voice reads it best.
func (p Period) english() string {
	words := [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
	switch {
	case p == 1:
		return "one month"
	case p >= 0 && int(p) < len(words):
		return words[p] + " months"
	}
	return fmt.Sprintf("%d months", int(p))
}
