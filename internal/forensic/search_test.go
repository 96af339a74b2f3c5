package forensic

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// packets are seconds of seeded noise in a codec, 20 ms each.
func packets(seed uint64, n int) [][]byte {
	r := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // has to be the same every time
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, 160)
		for j := range all[i] {
			all[i][j] = byte(r.Uint32())
		}
	}
	return all
}

func needles(t testing.TB, codec string, n int) *Needles {
	t.Helper()
	ns, err := Of(codec, packets(7, n))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// background is hay without audio: random words, text, zeros, small numbers.
func background(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 2)) //nolint:gosec // has to be the same every time
	b := make([]byte, 0, size+4096)
	for len(b) < size {
		switch r.IntN(4) {
		case 0:
			for range 512 {
				b = append(b, byte(r.Uint32()))
			}
		case 1:
			b = append(b, make([]byte, 512)...)
		case 2:
			b = append(b, []byte(base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(r.Uint64(), " GET / HTTP/1.1 ", r.Uint64()))))...)
		case 3:
			for i := range 128 {
				b = append(b, byte(i), 0, byte(r.UintN(2)), 0)
			}
		}
	}
	return b[:size]
}

func look(n *Needles, hay []byte) Report {
	s := n.Search()
	if err := s.Reader(bytes.NewReader(hay), "hay"); err != nil {
		panic(err)
	}
	return s.Report()
}

// Every valid window of every layout is found wherever it lies.
func TestWindowIsFoundAtEveryPlace(t *testing.T) {
	for _, codec := range []string{"PCMU", "PCMA", "G722"} {
		n := needles(t, codec, 25)
		r := rand.New(rand.NewPCG(3, 3)) //nolint:gosec // seeded
		for _, sp := range n.spans {
			for range 300 {
				p := sp.start + r.IntN(sp.end-sp.start-Window)
				if !n.valid.has(p) {
					continue
				}
				step := max(sp.Align, 1)
				at := 4096 + r.IntN(64)*step + (p-sp.start)%step
				hay := background(9, 3*4096)
				copy(hay[at:], n.all[p:p+Window])
				s := n.Search()
				s.look(hay, place{"hay", 0})
				if rep := s.Report(); rep.Windows == 0 {
					t.Fatalf("%s %s: window at %d not found at %d of the hay", codec, sp.Kind, p-sp.start, at)
				}
			}
		}
	}
}

func TestSeamOfChunks(t *testing.T) {
	n := needles(t, "PCMU", 25)
	for _, first := range []int{chunk + overlap, 2*chunk + overlap} {
		for d := -Window; d <= 0; d++ {
			hay := make([]byte, 3*chunk)
			copy(hay[first+d:], n.all[n.spans[0].start+800:][:Window])
			if r := look(n, hay); r.Windows != 1 {
				t.Fatalf("a window at %d of a seam: %v", d, r)
			}
		}
	}
}

func TestWritings(t *testing.T) {
	ps := packets(7, 25)
	n := needles(t, "PCMU", 25)
	pcm := n.spans[1].Data // at 8 kHz, little endian
	samples := make([]int16, len(pcm)/2)
	floats := make([]float32, len(samples))
	for i := range samples {
		samples[i] = int16(uint16(pcm[2*i]) | uint16(pcm[2*i+1])<<8) //nolint:gosec // two's complement
		floats[i] = float32(samples[i]) / 32768
	}
	asJSON := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, b := range map[string][]byte{
		"payload":             ps[4],
		"base64 of payload":   asJSON(map[string]any{"event": "media", "payload": ps[4]}),
		"base64 cut by one":   []byte(base64.StdEncoding.EncodeToString(ps[4][1:])),
		"base64 cut by two":   []byte(base64.StdEncoding.EncodeToString(ps[4][2:])),
		"base64 for URLs":     []byte(base64.RawURLEncoding.EncodeToString(ps[4])),
		"base64, 24 letters":  []byte(base64.StdEncoding.EncodeToString(ps[4])[40:64]),
		"hexadecimal":         []byte(hex.EncodeToString(ps[4])),
		"hexadecimal capital": []byte(fmt.Sprintf("%X", ps[4])),
		"hexadecimal of PCM":  []byte(fmt.Sprintf("x=%x;", samplesBytes(samples[800:960]))),
		"JSON numbers":        asJSON(samples[800:960]),
		"JSON floats":         asJSON(floats[800:960]),
		"JSON of octets":      asJSON(ints(ps[4])),
		"printed":             []byte(fmt.Sprint("frame ", samples[800:960])),
	} {
		hay := background(5, 8192)
		copy(hay[3000:], " "+string(b)+" ")
		if r := look(n, hay); r.Windows == 0 {
			t.Errorf("%s: not found", name)
		} else if want := 20 * time.Millisecond; name != "base64, 24 letters" && (r.Audio < want/2 || r.Audio > want) {
			t.Errorf("%s: %v of audio found, want about %v", name, r.Audio, want)
		}
	}
}

func samplesBytes(s []int16) []byte {
	var b []byte
	for _, v := range s {
		b = append(b, byte(v), byte(v>>8)) //nolint:gosec // the two bytes of v
	}
	return b
}

func ints(b []byte) []int {
	out := make([]int, len(b))
	for i, v := range b {
		out[i] = int(v)
	}
	return out
}

func TestAmount(t *testing.T) {
	n := needles(t, "PCMA", 100) // 2 s
	wire := n.spans[0].Data
	for _, ms := range []int{3, 20, 400, 2000} {
		r := look(n, append(background(1, 5001), wire[len(wire)-8*ms:]...))
		if want := time.Duration(ms) * time.Millisecond; r.Audio < want-2*time.Millisecond || r.Audio > want {
			t.Errorf("%d ms in the hay: %v found", ms, r.Audio)
		}
	}
	// The same audio in two layouts, twice each, is the same audio.
	hay := bytes.Join([][]byte{wire[800:1600], n.spans[1].Data[1600:3200], wire[800:1600], n.spans[1].Data[1600:3200]}, []byte("..."))
	if r := look(n, hay); r.Audio < 99*time.Millisecond || r.Audio > 100*time.Millisecond || len(r.Kinds) != 2 {
		t.Errorf("100 ms in two layouts: %v", r)
	}
}

func TestNoChanceFinds(t *testing.T) {
	for _, codec := range []string{"PCMU", "G722"} {
		n := needles(t, codec, 500) // 10 s
		for seed := range uint64(4) {
			if r := look(n, background(seed, 16<<20)); r.Windows != 0 {
				t.Fatalf("%s: %v", codec, r)
			}
		}
		other, err := Of(codec, packets(8, 500))
		if err != nil {
			t.Fatal(err)
		}
		if r := look(n, other.all); r.Windows != 0 {
			t.Fatalf("%s: another call's audio is taken for this one's: %v %v", codec, r, r.Places)
		}
	}
}

func TestSilenceIsNoNeedle(t *testing.T) {
	quiet := make([][]byte, 50)
	for i := range quiet {
		quiet[i] = bytes.Repeat([]byte{0xff}, 160)
	}
	if _, err := Of("PCMU", quiet); err == nil {
		t.Error("needles were made of silence")
	}
	if _, err := Of("L16", quiet); err == nil {
		t.Error("needles were made of an unknown codec")
	}
	ladder := make([]byte, 256)
	for i := range ladder {
		ladder[i] = byte(i)
	}
	if _, err := New([]Track{{Kind: "PCMU", Data: ladder, Second: 8000}}); err == nil {
		t.Error("needles were made of a table of constants")
	}
}

func BenchmarkSearch(b *testing.B) {
	n := needles(b, "PCMU", 500)
	for _, kind := range []string{"binary", "base64"} {
		hay := make([]byte, 0, 64<<20)
		r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // seeded
		for len(hay) < 32<<20 {
			hay = binary.LittleEndian.AppendUint64(hay, r.Uint64())
		}
		if kind == "base64" {
			hay = []byte(base64.StdEncoding.EncodeToString(hay))
		}
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(hay)))
			for b.Loop() {
				if r := look(n, hay); r.Windows != 0 {
					b.Fatal(r)
				}
			}
		})
	}
}

func BenchmarkNeedles(b *testing.B) {
	ps := packets(7, 500)
	for b.Loop() {
		if _, err := Of("PCMU", ps); err != nil {
			b.Fatal(err)
		}
	}
}
