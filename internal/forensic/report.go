package forensic

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// place is where a piece of hay came from.
type place struct {
	of string // "pid 12 [heap]" or a file
	at uint64
}

func (p place) plus(i int) place { return place{p.of, p.at + uint64(i)} } //nolint:gosec // an offset in a chunk

// Place is one find. It shows no audio.
type Place struct {
	Where  string        // process and mapping, or file
	At     uint64        // address or offset
	Kind   string        // the layout
	From   int           // byte of the track
	Length time.Duration // of audio
}

func (p Place) String() string {
	return fmt.Sprintf("%s at %#x: %v of %s from byte %d", p.Where, p.At, p.Length, p.Kind, p.From)
}

// mostPlaces is how many finds are told one by one.
const mostPlaces = 64

func (s *Search) place(w place, kind string, from int, d time.Duration) {
	if len(s.places) < mostPlaces {
		s.places = append(s.places, Place{Where: w.of, At: w.at, Kind: kind, From: from, Length: d})
	}
}

// Found is what was found of one layout.
type Found struct {
	Windows int           // distinct windows of 24 bytes
	Audio   time.Duration // distinct audio
}

// Report is what a search found and how much it looked at.
type Report struct {
	Bytes   int64         // looked at
	Windows int           // distinct windows found, of all layouts
	Audio   time.Duration // distinct audio found, in whatever layout
	Kinds   map[string]Found
	Places  []Place // the first of the finds
}

// String is one line, without audio.
func (r Report) String() string {
	if r.Windows == 0 {
		return fmt.Sprintf("0 windows in %d MiB", r.Bytes>>20)
	}
	kinds := make([]string, 0, len(r.Kinds))
	for k, f := range r.Kinds {
		kinds = append(kinds, fmt.Sprintf("%s %v", k, f.Audio.Round(time.Millisecond)))
	}
	sort.Strings(kinds)
	return fmt.Sprintf("%d windows, %v of audio in %d MiB (%s)", r.Windows, r.Audio.Round(time.Millisecond), r.Bytes>>20, strings.Join(kinds, ", "))
}

// tick is the grain in which audio of different layouts is added up.
const tick = 8000

// Report adds up what has been found so far.
func (s *Search) Report() Report {
	r := Report{Bytes: s.bytes, Kinds: map[string]Found{}, Places: s.places}
	heard := newBitset(int(s.n.total*tick/time.Second) + 2*Window)
	for as := range writings {
		if s.found[as] == nil {
			continue
		}
		for _, sp := range s.n.spans {
			f := s.tell(sp, as, heard)
			if f.Windows > 0 {
				r.Windows += f.Windows
				r.Kinds[sp.Kind+as.String()] = f
			}
		}
	}
	r.Audio = duration(heard.count(), tick)
	return r
}

// tell counts the windows of one track that were found written in one way, and
// marks the time they cover.
func (s *Search) tell(sp span, as writing, heard bitset) Found {
	f, until, covered := Found{}, sp.start, 0
	for p := sp.start; p < sp.end; p++ {
		if !s.found[as].has(p) {
			continue
		}
		f.Windows++
		end := min(p+as.least(), sp.end)
		covered += end - max(p, until)
		until = end
		for t := (p - sp.start) * tick / sp.Second; t < (end-sp.start)*tick/sp.Second; t++ {
			heard.set(t)
		}
	}
	f.Audio = duration(covered, sp.Second)
	return f
}
