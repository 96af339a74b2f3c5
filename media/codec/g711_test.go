package codec

import (
	"os"
	"slices"
	"testing"
)

// law is one of the two laws of G.711.
type law struct {
	name   string // ffmpeg's
	codec  Codec
	encode func(int16) byte
	// half is half the width, at 16 bits, of the interval that a byte stands
	// for (G.711 tables 1 and 2: the output value is its middle).
	half func(line byte) int
	// zero and minus are the bytes of 0 and of the least negative sample.
	zero, minus byte
}

func laws() []law {
	return []law{
		{"mulaw", PCMU, muByte, func(b byte) int { return 4 << (^b >> 4 & 7) }, 0xff, 0x7f},
		{"alaw", PCMA, aByte, func(b byte) int { return 8 << max(int((b^0x55)>>4&7)-1, 0) }, 0xd5, 0x55},
	}
}

func allBytes() []byte {
	out := make([]byte, 256)
	for i := range out {
		out[i] = byte(i)
	}
	return out
}

func allSamples() []int16 {
	out := make([]int16, 1<<16)
	for i := range out {
		out[i] = int16(i - 1<<15)
	}
	return out
}

func decoded(t *testing.T, c Codec, payload []byte) []int16 {
	t.Helper()
	var d Decoder
	d.Init(c)
	pcm := make([]int16, c.SamplesFor(len(payload)))
	if n, err := d.Decode(pcm, payload); err != nil || n != len(pcm) {
		t.Fatalf("decoded %d samples: %v", n, err)
	}
	return pcm
}

func encoded(t *testing.T, c Codec, pcm []int16) []byte {
	t.Helper()
	var e Encoder
	e.Init(c)
	payload := make([]byte, c.BytesFor(len(pcm)))
	if n, err := e.Encode(payload, pcm); err != nil || n != len(payload) {
		t.Fatalf("encoded %d bytes: %v", n, err)
	}
	return payload
}

// TestG711Decode: all 256 bytes of both laws, against ffmpeg's decoder.
func TestG711Decode(t *testing.T) {
	for _, l := range laws() {
		file, err := os.ReadFile("testdata/g711-" + l.name + ".s16le")
		if err != nil {
			t.Fatal(err)
		}
		if got := decoded(t, l.codec, allBytes()); !slices.Equal(got, bytesPCM(file)) {
			t.Errorf("%s: decoder differs from ffmpeg's", l.name)
		}
	}
}

// TestG711Encode: each of the 65536 samples lies in the interval of its byte.
func TestG711Encode(t *testing.T) {
	for _, l := range laws() {
		values := decoded(t, l.codec, allBytes())
		line := encoded(t, l.codec, allSamples())
		for i, s := range allSamples() {
			if !within(l, values, s, line[i]) {
				t.Errorf("%s: sample %d is coded as %#x, which stands for %d", l.name, s, line[i], values[line[i]])
			}
		}
		if l.encode(0) != l.zero || l.encode(-1) != l.minus {
			t.Errorf("%s: 0 is coded as %#x, -1 as %#x", l.name, l.encode(0), l.encode(-1))
		}
	}
}

func within(l law, values []int16, s int16, line byte) bool {
	value := int(values[line])
	if int(s) > value && value == int(slices.Max(values)) || int(s) < value && value == int(slices.Min(values)) {
		return true // beyond the outermost: clipped
	}
	off := int(s) - value
	return off <= l.half(line) && -off <= l.half(line)
}

// TestG711Oracle: ffmpeg's encoder takes the nearest output value, where G.711
// has decision values of its own: at most the neighbouring byte may come out,
// and that only for the 1.5 % of samples that lie between the two rules.
func TestG711Oracle(t *testing.T) {
	for _, l := range laws() {
		theirs := ffmpeg(t, pcmBytes(allSamples()), rawPCM(8000), []string{"-c:a", "pcm_" + l.name, "-f", l.name})
		ours := encoded(t, l.codec, allSamples())
		values := decoded(t, l.codec, allBytes())
		differ, far := 0, 0
		for i := range ours {
			if ours[i] == theirs[i] {
				continue
			}
			differ++
			a, b := values[ours[i]], values[theirs[i]]
			if slices.ContainsFunc(values, func(v int16) bool { return v > min(a, b) && v < max(a, b) }) {
				far++
			}
		}
		t.Logf("%s: %d of 65536 samples are coded as ffmpeg's neighbouring byte", l.name, differ)
		if differ > 1000 || far > 0 {
			t.Errorf("%s: %d bytes differ from ffmpeg's, %d by more than one step", l.name, differ, far)
		}
	}
}
