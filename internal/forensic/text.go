package forensic

import (
	"encoding/binary"
	"math"
	"strconv"
)

// texts is what turning text back into bytes needs: a buffer, the class of
// every character, and its value in base64.
type texts struct {
	out    []byte
	class  [256]class
	sextet [256]byte
}

type class uint8

const (
	isText class = 1 << iota
	isBase64
	isHex
	isNumber
)

// fill writes the tables. Both alphabets of base64 are read at once (RFC 4648
// sections 4 and 5).
func (t *texts) fill() {
	for c := 0x20; c < 0x7f; c++ {
		t.class[c] = isText
	}
	for c := 0x09; c <= 0x0d; c++ {
		t.class[c] = isText
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for i, c := range []byte(alphabet) {
		t.class[c] |= isBase64
		t.sextet[c] = byte(i) //nolint:gosec // below 64
	}
	t.class['-'], t.sextet['-'] = t.class['-']|isBase64, 62
	t.class['_'], t.sextet['_'] = t.class['_']|isBase64, 63
	for _, c := range []byte("0123456789abcdefABCDEF") {
		t.class[c] |= isHex
	}
	for _, c := range []byte("0123456789+-.eE, \n\r\t") {
		t.class[c] |= isNumber
	}
}

// printable says whether all eight bytes of w are printable ASCII (0x20-0x7E)
// or white space that JSON and logs break lines with (0x09-0x0D).
func printable(w uint64) bool {
	const high = 0x8080808080808080
	if w&high != 0 {
		return false
	}
	// No byte below 0x20, else look at each.
	if (w|high)-0x2020202020202020&high == high {
		return true
	}
	for ; w != 0; w >>= 8 {
		if c := byte(w); c < 0x09 || c > 0x0d && c < 0x20 {
			return false
		}
	}
	return true
}

// look4text takes the run of text around hay[i:], turns what can be base64,
// hexadecimal or a list of numbers back into bytes, and looks for the needles
// in those. It returns the place after the run, a multiple of eight.
func (s *Search) look4text(hay []byte, i int, where place) int {
	from, to, class := i, i+8, &s.text.class
	for from > 0 && i-from < 8 && class[hay[from-1]]&isText != 0 {
		from--
	}
	for to < len(hay) && class[hay[to]]&isText != 0 {
		to++
	}
	run := hay[from:to]
	where = where.plus(from)
	s.each(run, isBase64, where, s.base64)
	s.each(run, isHex, where, s.hex)
	s.each(run, isNumber, where, s.numbers)
	return min((to+7)&^7, len(hay))
}

// shortText is the length of the shortest text that is turned back.
const shortText = 24

// each calls f with every stretch of b that is of one class.
func (s *Search) each(b []byte, c class, where place, f func([]byte, place)) {
	for i := 0; i+shortText <= len(b); {
		// A stretch that is long enough holds every place that is a multiple
		// of its least length.
		j := i + shortText - 1
		for j >= i && s.text.class[b[j]]&c != 0 {
			j--
		}
		if j >= i {
			i = j + 1
			continue
		}
		j = i + shortText
		for j < len(b) && s.text.class[b[j]]&c != 0 {
			j++
		}
		f(b[i:j], where.plus(i))
		i = j + 1
	}
}

// base64 decodes b from each of the four phases a cut can leave, which covers
// the three alignments of the bytes.
func (s *Search) base64(b []byte, where place) {
	value := &s.text.sextet
	for phase := range 4 {
		out := s.text.out[:0]
		for q := b[phase:]; len(q) >= 4; q = q[4:] {
			v := uint32(value[q[0]])<<18 | uint32(value[q[1]])<<12 | uint32(value[q[2]])<<6 | uint32(value[q[3]])
			out = append(out, byte(v>>16), byte(v>>8), byte(v)) //nolint:gosec // the three bytes of v
		}
		s.text.out = out
		s.every(out, base64Text, where)
	}
}

func (s *Search) hex(b []byte, where place) {
	for phase := range 2 {
		out := s.text.out[:0]
		for i := phase; i+2 <= len(b); i += 2 {
			out = append(out, nibble(b[i])<<4|nibble(b[i+1]))
		}
		s.text.out = out
		s.every(out, hexText, where)
	}
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	if c >= 'A' {
		return c - 'A' + 10
	}
	return c - '0'
}

// numbers reads lists of numbers, as encoding/json and fmt write slices: of
// samples, of bytes, or of samples in the range from -1 to 1.
func (s *Search) numbers(b []byte, where place) {
	var pcm, octets []byte
	flush := func() {
		s.every(pcm, decimalText, where)
		s.every(octets, decimalText, where)
		pcm, octets = pcm[:0], octets[:0]
	}
	for i := 0; i < len(b); {
		j := i
		for j < len(b) && b[j] > ' ' && b[j] != ',' {
			j++
		}
		if j > i {
			if v, ok := number(b[i:j]); ok {
				pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v)) //nolint:gosec // two's complement is what is looked for
				octets = append(octets, byte(v))                       //nolint:gosec // likewise
			} else {
				flush()
			}
		}
		i = j + 1
	}
	flush()
}

func number(b []byte) (int16, bool) {
	if v, err := strconv.ParseInt(string(b), 10, 16); err == nil {
		return int16(v), true
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return 0, false
	}
	if math.Abs(f) <= 1 {
		f *= 32768
	}
	return int16(max(min(math.Round(f), math.MaxInt16), math.MinInt16)), true
}

// stride is coprime to the alignment of every layout, and a find of the least
// length (12 bytes) holds eight bytes at a multiple of it.
const stride = 5

// every probes the bytes that were made of text.
func (s *Search) every(b []byte, as writing, where place) {
	for i := 0; i+8 <= len(b); i += stride {
		if w := binary.LittleEndian.Uint64(b[i:]); s.n.maybe(w) {
			if end := s.probe(b, i, as, where); end > i+8 {
				i = end - 8
			}
		}
	}
}
