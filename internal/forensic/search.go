package forensic

import (
	"encoding/binary"
)

// How a find was written: as it is, or as text of it.
type writing uint8

const (
	plain writing = iota
	base64Text
	hexText
	decimalText
	writings
)

func (w writing) String() string {
	return [...]string{"", " as base64", " as hex", " as decimals"}[w]
}

// least is the length in bytes of audio of the shortest find: 24 characters of
// base64 are 18 bytes, of hexadecimal 12.
func (w writing) least() int { return [...]int{Window, 18, 12, Window}[w] }

// Search looks for one set of needles and adds up what it finds. It belongs to
// one goroutine.
type Search struct {
	n      *Needles
	found  [writings]bitset // starts of found windows in n.all
	places []Place
	bytes  int64
	text   texts
	frames map[uint64]struct{} // of memory that were looked at; nil while processes run
}

// Search begins a search.
func (n *Needles) Search() *Search {
	s := &Search{n: n}
	s.text.fill()
	return s
}

// Chunk is how much is looked at in one go, and overlap how much of the former
// chunk is looked at again, so that nothing is lost at a seam.
const (
	chunk   = 4 << 20
	overlap = 4 << 10
)

// look searches one chunk. Every eighth place is probed, which is enough: see
// Needles.index.
func (s *Search) look(hay []byte, where place) {
	n := s.n
	for i := 0; i+8 <= len(hay); {
		w := binary.LittleEndian.Uint64(hay[i:])
		if w == 0 {
			i += 8
			continue
		}
		if n.maybe(w) {
			if end := s.probe(hay, i, plain, where); end > i+8 {
				i = end &^ 7
				continue
			}
		}
		if printable(w) {
			i = s.look4text(hay, i, where)
			continue
		}
		i += 8
	}
}

// probe extends every needle that has the eight bytes at hay[i:] to both
// sides, notes those that are long enough, and returns the end of the longest.
func (s *Search) probe(hay []byte, i int, as writing, where place) (end int) {
	n := s.n
	key := binary.LittleEndian.Uint64(hay[i:])
	if key == 0 {
		return 0
	}
	mask := uint64(len(n.keys) - 1)
	for h := key * mix >> n.shift; n.keys[h] != 0; h = (h + 1) & mask {
		if n.keys[h] != key {
			continue
		}
		p := int(n.pos[h])
		sp := n.spanOf(p)
		left, right := 0, 8
		for i-left > 0 && p-left > sp.start && hay[i-left-1] == n.all[p-left-1] {
			left++
		}
		for i+right < len(hay) && p+right < sp.end && hay[i+right] == n.all[p+right] {
			right++
		}
		if left+right >= as.least() && s.note(p-left, p+right, as, sp, where.plus(i-left)) {
			end = max(end, i+right)
		}
	}
	return end
}

// note enters the windows of n.all[from:to] as found; it says whether there
// was one that is not too uniform.
func (s *Search) note(from, to int, as writing, sp span, where place) bool {
	n := s.n
	if s.found[as] == nil {
		s.found[as] = newBitset(len(n.all))
	}
	any := false
	for p := from; p+as.least() <= to; p++ {
		if !n.valid.has(p) || (as.least() < Window && variety(n.all[p:p+as.least()]) < windowVariety) {
			continue
		}
		any = true
		s.found[as].set(p)
	}
	if any {
		s.place(where, sp.Kind+as.String(), from-sp.start, duration(to-from, sp.Second))
	}
	return any
}
