package forensic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Window is the length in bytes of the shortest piece of audio that counts as
// found: 3 ms of G.711, 1.5 ms of 8 kHz PCM16.
const Window = 24

// ErrNoNeedles means that the packets hold nothing that can be told from
// silence, so that a search for them would prove nothing.
var ErrNoNeedles = errors.New("forensic: the packets hold no audio that can be told from silence")

// Track is the caller's audio in one layout, as one string of bytes in the
// order of time.
type Track struct {
	Kind   string // as it is reported, for example "PCMU" or "pcm16le@16000"
	Data   []byte
	Second int // bytes to one second
	Align  int // layouts with wide elements lie at multiples of this; 0 means 1
}

// separator keeps tracks apart in the one buffer of all.
const separator = 64

// span is where a track lies in Needles.all.
type span struct {
	Track
	start, end int
}

// Needles are the windows of all tracks of one call. They are not changed
// after New and may be used by several searches at once.
type Needles struct {
	all    []byte
	spans  []span
	keys   []uint64 // open addressing; 0 is empty
	pos    []uint32
	shift  uint
	filter []uint64
	fshift uint
	valid  bitset // starts of windows that are not too uniform
	total  time.Duration
}

// New makes needles of the given tracks. Windows that are too uniform to be
// told from silence or from a table of constants are left out.
func New(tracks []Track) (*Needles, error) {
	n := &Needles{}
	size := separator
	for _, t := range tracks {
		size += len(t.Data) + separator
	}
	if size > math.MaxUint32 {
		return nil, fmt.Errorf("forensic: %d bytes of needles are more than the index can hold", size)
	}
	n.all = make([]byte, separator, size)
	for _, t := range tracks {
		start := len(n.all)
		n.all = append(n.all, t.Data...)
		n.spans = append(n.spans, span{Track: t, start: start, end: len(n.all)})
		n.all = append(n.all, make([]byte, separator)...)
		n.total = max(n.total, duration(len(t.Data), t.Second))
	}
	n.valid = newBitset(len(n.all))
	count := 0
	for _, s := range n.spans {
		count += n.judge(s)
	}
	if count == 0 {
		return nil, ErrNoNeedles
	}
	n.index(count)
	return n, nil
}

// Duration is the length of the audio looked for.
func (n *Needles) Duration() time.Duration { return n.total }

// Windows is the number of distinct windows looked for, in all tracks.
func (n *Needles) Windows() int { return n.valid.count() }

// String shows no audio.
func (n *Needles) String() string {
	return fmt.Sprintf("%d windows of %d layouts of %v of audio", n.Windows(), len(n.spans), n.total)
}

// Least number of distinct byte values in a window, and in a key.
const (
	windowVariety = 8
	keyVariety    = 3
)

// judge marks the windows of s that can be told from silence.
func (n *Needles) judge(s span) int {
	var seen [256]uint8
	distinct, marked := 0, 0
	for i := s.start; i < s.end; i++ {
		if seen[n.all[i]]++; seen[n.all[i]] == 1 {
			distinct++
		}
		if i-s.start >= Window {
			if seen[n.all[i-Window]]--; seen[n.all[i-Window]] == 0 {
				distinct--
			}
		}
		start := i - Window + 1
		if start >= s.start && distinct >= windowVariety && !ramp(n.all[start:i+1]) {
			n.valid.set(start)
			marked++
		}
	}
	return marked
}

// ramp says whether b is an arithmetic progression of bytes or of 16-bit
// words, as the tables of a codec are.
func ramp(b []byte) bool {
	same := true
	for i := 2; i < len(b) && same; i++ {
		same = b[i]-b[i-1] == b[1]-b[0]
	}
	if same {
		return true
	}
	word := func(i int) uint16 { return binary.LittleEndian.Uint16(b[i:]) }
	for i := 4; i+1 < len(b); i += 2 {
		if word(i)-word(i-2) != word(2)-word(0) {
			return false
		}
	}
	return true
}

// index enters the first eight bytes of every place in a valid window, so that
// any 24 bytes found anywhere hold one whole key at a multiple of eight.
func (n *Needles) index(count int) {
	bits := uint(16)
	for 1<<bits < 3*count {
		bits++
	}
	n.keys, n.pos, n.shift = make([]uint64, 1<<bits), make([]uint32, 1<<bits), 64-bits
	n.filter, n.fshift = make([]uint64, 1<<(bits-4)), 64-(bits-4)
	for _, s := range n.spans {
		step := max(s.Align, 1)
		until := s.start // the end of the last valid window
		for i := s.start; i+8 <= s.end; i++ {
			if n.valid.has(i) {
				until = i + Window
			}
			if i+8 <= until && (i-s.start)%step == 0 {
				n.enter(i)
			}
		}
	}
}

// sameKey is how often one key is entered; a key that is more frequent than
// that is not specific, and its neighbours stand for it.
const sameKey = 8

func (n *Needles) enter(at int) {
	if variety(n.all[at:at+8]) < keyVariety {
		return
	}
	key := binary.LittleEndian.Uint64(n.all[at:])
	mask, same := uint64(len(n.keys)-1), 0
	for i := key * mix >> n.shift; ; i = (i + 1) & mask {
		if n.keys[i] == key {
			if same++; same == sameKey {
				return
			}
		}
		if n.keys[i] == 0 {
			n.keys[i], n.pos[i] = key, uint32(at) //nolint:gosec // New refuses more than 4 GiB
			break
		}
	}
	f := key * mix
	n.filter[f>>n.fshift] |= 1<<(f&63) | 1<<(f>>6&63)
}

// maybe says whether key can have been entered: two bits of one word.
func (n *Needles) maybe(key uint64) bool {
	f := key * mix
	bits := uint64(1)<<(f&63) | 1<<(f>>6&63)
	return n.filter[f>>n.fshift]&bits == bits
}

// mix is 2^64 divided by the golden ratio: Fibonacci hashing.
const mix = 0x9E3779B97F4A7C15

func variety(b []byte) int {
	v := 0
	for i, c := range b {
		v++
		for _, d := range b[:i] {
			if c == d {
				v--
				break
			}
		}
	}
	return v
}

// spanOf is the track that holds place p of n.all.
func (n *Needles) spanOf(p int) span {
	lo, hi := 0, len(n.spans)-1
	for lo < hi {
		if m := (lo + hi + 1) / 2; n.spans[m].start <= p {
			lo = m
		} else {
			hi = m - 1
		}
	}
	return n.spans[lo]
}

func duration(bytes, second int) time.Duration {
	return time.Duration(bytes) * time.Second / time.Duration(second)
}
