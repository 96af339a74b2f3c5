package codec

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestG722Vectors: ffmpeg's bytes and ffmpeg's samples, both bit for bit.
func TestG722Vectors(t *testing.T) {
	in, line := bytesPCM(file(t, "g722-in.s16le")), file(t, "g722-line.bin")
	if got := encoded(t, G722, in); !bytes.Equal(got, line) {
		t.Errorf("encoder differs from byte %d", firstDifference(got, line))
	}
	for _, v := range [][2]string{{"g722-line.bin", "g722-out.s16le"}, {"g722-garbage.bin", "g722-garbage.s16le"}} {
		want := bytesPCM(file(t, v[1]))
		if got := decoded(t, G722, file(t, v[0])); !slices.Equal(got, want) {
			t.Errorf("%s: decoder differs from sample %d", v[0], firstDifference(got, want))
		}
	}
}

func firstDifference[T comparable](a, b []T) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// g722Signals reach what the quantisers and the limits have: speech, its
// whisper, full-scale noise and squares, silence.
func g722Signals() map[string][]int16 {
	quiet := speech(16000, 32000, 3)
	for i := range quiet {
		quiet[i] /= 64
	}
	square := make([]int16, 16000)
	for i := range square {
		square[i] = 32767
		if i/80%2 == 1 {
			square[i] = -32768
		}
	}
	return map[string][]int16{
		"speech": speech(16000, 160000, 1), "quiet": quiet, "noise": noise(32000, 2),
		"square": square, "silence": make([]int16, 8000),
	}
}

// TestG722Oracle: encoder and decoder are ffmpeg's bit for bit, the decoder also
// on bytes that no encoder would send.
func TestG722Oracle(t *testing.T) {
	lines := map[string][]byte{"garbage": garbage(64000, 1)}
	for name, pcm := range g722Signals() {
		theirs := ffmpeg(t, pcmBytes(pcm), rawPCM(16000), []string{"-c:a", "g722", "-f", "g722"})
		ours := encoded(t, G722, pcm)
		if !bytes.Equal(ours, theirs) {
			t.Errorf("%s: encoder differs from byte %d of %d", name, firstDifference(ours, theirs), len(theirs))
		}
		lines[name] = theirs
	}
	for name, line := range lines {
		theirs := bytesPCM(ffmpeg(t, line, []string{"-f", "g722"}, []string{"-c:a", "pcm_s16le", "-f", "s16le"}))
		ours := decoded(t, G722, line)
		if !slices.Equal(ours, theirs) {
			t.Errorf("%s: decoder differs from sample %d of %d", name, firstDifference(ours, theirs), len(theirs))
		}
		t.Logf("%s: %d samples equal", name, len(theirs))
	}
}

func garbage(n int, seed uint64) []byte {
	rng := rand.New(rand.NewPCG(seed, 9))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(rng.Uint32())
	}
	return out
}

// TestG722Sounds: speech comes back as it was, 22 samples later.
func TestG722Sounds(t *testing.T) {
	pcm := speech(16000, 32000, 1)
	back := decoded(t, G722, encoded(t, G722, pcm))
	if got := snr(pcm[:len(pcm)-22], back[22:]); got < 18 {
		t.Errorf("SNR %.1f dB", got)
	}
}

// TestG722Packets: cut into packets of any size it is the same stream.
func TestG722Packets(t *testing.T) {
	line := garbage(4000, 2)
	whole := decoded(t, G722, line)
	var d Decoder
	var e Encoder
	d.Init(G722)
	e.Init(G722)
	var pcm []int16
	var again []byte
	for at, n := 0, 1; at < len(line); at, n = at+n, n%160+1 {
		n = min(n, len(line)-at)
		out := make([]int16, 2*n)
		if _, err := d.Decode(out, line[at:at+n]); err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, out...)
		coded := make([]byte, n)
		if _, err := e.Encode(coded, out); err != nil {
			t.Fatal(err)
		}
		again = append(again, coded...)
	}
	if !slices.Equal(pcm, whole) {
		t.Error("decoding packets is not decoding the stream")
	}
	if !bytes.Equal(again, encoded(t, G722, whole)) {
		t.Error("encoding packets is not encoding the stream")
	}
}

// FuzzG722Decode: any bytes decode, in any cut, and leave a state that can be
// wiped.
func FuzzG722Decode(f *testing.F) {
	f.Add(file(f, "g722-line.bin")[:320], uint8(7))
	f.Add([]byte{0}, uint8(0))
	f.Add(bytes.Repeat([]byte{0xff}, 400), uint8(160))
	f.Fuzz(func(t *testing.T, payload []byte, cut uint8) {
		var a, b Decoder
		a.Init(G722)
		b.Init(G722)
		whole, parts := make([]int16, 2*len(payload)), make([]int16, 2*len(payload))
		if n, err := a.Decode(whole, payload); (err != nil) != (len(payload) == 0) || n != len(whole) {
			t.Fatalf("%d bytes gave %d samples: %v", len(payload), n, err)
		}
		at := min(int(cut), len(payload))
		for _, piece := range [][2]int{{0, at}, {at, len(payload)}} {
			if piece[0] < piece[1] {
				if _, err := b.Decode(parts[2*piece[0]:], payload[piece[0]:piece[1]]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(whole, parts) || a.g722.low != b.g722.low || a.g722.high != b.g722.high {
			t.Fatal("two packets decode to something else than one")
		}
		a.Wipe()
		if a != (Decoder{}) {
			t.Fatal("Wipe left something")
		}
	})
}

// FuzzG722Encode: any samples encode, and decode again.
func FuzzG722Encode(f *testing.F) {
	f.Add(file(f, "g722-in.s16le")[:640])
	f.Add(bytes.Repeat([]byte{0xff, 0x7f, 0, 0x80}, 80))
	f.Fuzz(func(t *testing.T, raw []byte) {
		pcm := bytesPCM(raw)
		var e Encoder
		e.Init(G722)
		line := make([]byte, len(pcm))
		n, err := e.Encode(line, pcm)
		if (err != nil) != (len(pcm) == 0 || len(pcm)%2 == 1) {
			t.Fatalf("%d samples: %v", len(pcm), err)
		}
		if err == nil {
			decoded(t, G722, line[:n])
		}
	})
}
