package caller

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wav is a file with the given fmt fields and data.
func wav(tag, channels, bits uint16, rate uint32, data []byte) []byte {
	h := wavHeader(int(rate), len(data))
	le := binary.LittleEndian
	le.PutUint16(h[20:], tag)
	le.PutUint16(h[22:], channels)
	le.PutUint16(h[34:], bits)
	return append(h, data...)
}

func TestReadWAV(t *testing.T) {
	good := wav(1, 1, 16, 8000, []byte{1, 0, 255, 255})
	list := append([]byte("LIST\x03\x00\x00\x00abc\x00"), good[12:]...) // odd chunk with its padding byte
	cases := []struct {
		name string
		file []byte
		want string // "" for a good file
	}{
		{"plain", good, ""},
		{"another chunk before fmt", append(slices.Clone(good[:12]), list...), ""},
		{"empty", nil, "RIFF"},
		{"text", []byte("this is no audio at all, really"), "RIFF"},
		{"header only", good[:20], "chunk"},
		{"no data", good[:36], "no data chunk"},
		{"cut short", good[:46], "cut short"},
		{"odd", wav(1, 1, 16, 8000, []byte{1, 2, 3}), "not whole"},
		{"nothing in it", wav(1, 1, 16, 8000, nil), "no audio"},
		{"mu-law", wav(7, 1, 8, 8000, []byte{1, 2}), "16-bit PCM"},
		{"stereo", wav(1, 2, 16, 8000, []byte{1, 2, 3, 4}), "2 channels"},
		{"8 bits", wav(1, 1, 8, 8000, []byte{1, 2}), "8 bits"},
		{"44.1 kHz", wav(1, 1, 16, 44100, []byte{1, 2}), "44100 Hz"},
		{"no rate", wav(1, 1, 16, 0, []byte{1, 2}), "0 Hz"},
		{"chunk longer than the file", append(slices.Clone(good[:12]), "fmt \xff\xff\xff\xff"...), "claims"},
		{"data before fmt", append(slices.Clone(good[:12]), good[36:]...), "before its fmt"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "in.wav")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readWAV(path)
			if c.want == "" {
				if err != nil || got.rate != 8000 || !slices.Equal(got.pcm, []int16{1, -1}) {
					t.Fatalf("got %v, %v", got, err)
				}
				return
			}
			if !errors.Is(err, errWAV) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("error %v, want the path and %q", err, c.want)
			}
		})
	}
}

func TestReadWAVAbsent(t *testing.T) {
	if _, err := readWAV(filepath.Join(t.TempDir(), "none.wav")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(wav(1, 1, 16, 8000, []byte{1, 0, 2, 0}))
	f.Add(wav(0xFFFE, 1, 16, 16000, []byte{1, 0}))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00ab"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseWAV(b)
		if err != nil {
			if !errors.Is(err, errWAV) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if len(c.pcm) == 0 || 2*len(c.pcm) > len(b) || c.rate <= 0 {
			t.Fatalf("%d samples at %d Hz from %d bytes", len(c.pcm), c.rate, len(b))
		}
		again, err := parseWAV(append(wavHeader(c.rate, 2*len(c.pcm)), bytesOf(c.pcm)...))
		if err != nil || !slices.Equal(again.pcm, c.pcm) {
			t.Fatalf("what was read can't be written and read again: %v", err)
		}
	})
}

func bytesOf(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}
