package wer

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		want, got     string
		words, errors int
	}{
		{"", "", 0, 0},
		{"pay my bill", "pay my bill", 3, 0},
		{"Pay my bill.", "pay, my BILL", 3, 0},
		{"pay my bill", "", 3, 3},
		{"", "pay my bill", 0, 3},
		{"pay my bill", "pay bill", 3, 1},
		{"pay my bill", "pay the bill", 3, 1},
		{"pay my bill", "please pay my bill", 3, 1},
		{"a b c d", "b c d e", 4, 2},
		{"i can't", "i can’t", 2, 0},
	} {
		if s := Compare(c.want, c.got); s.Words != c.words || s.Errors != c.errors {
			t.Errorf("%q against %q: %+v", c.got, c.want, s)
		}
	}
	if r := (Score{Words: 8, Errors: 2}).Rate(); r != 25 {
		t.Errorf("2 of 8 is %v %%", r)
	}
}

func TestContains(t *testing.T) {
	phrases := []string{"pay my bill", ""}
	for text, want := range map[string]bool{"please pay my bill now": true, "pay the bill": false, "repay my bills": false, "": false, "Pay my bill!": true} {
		if Contains(phrases, text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}

func TestTakenNeedsConfidenceAndAMatch(t *testing.T) {
	r := Result{Cases: []Heard{{Said: "pay my bill", Confidence: 0.9}, {Said: "pay my bill", Confidence: 0.4}, {Said: "a hill", Confidence: 0.9}}}
	taken, of := r.Taken(func(s string) bool { return Contains([]string{"pay my bill"}, s) })
	if taken != 1 || of != 3 {
		t.Errorf("%d of %d", taken, of)
	}
}

func TestLatency(t *testing.T) {
	r := Result{Cases: []Heard{{Latency: 3 * time.Second}, {}, {Latency: time.Second}, {Latency: 2 * time.Second}}}
	if d := r.Latency(0.5); d != 2*time.Second {
		t.Errorf("the middle is %v", d)
	}
	if d := r.Latency(0.95); d != 3*time.Second {
		t.Errorf("p95 is %v", d)
	}
	if d := (Result{}).Latency(0.5); d != 0 {
		t.Errorf("of nothing: %v", d)
	}
}

func file(rate uint32, channels, bits uint16, pcm ...int16) []byte {
	b := []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00\x01\x00")
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*2)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, bits)
	b = append(b, "data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*len(pcm)))
	for _, s := range pcm {
		b = binary.LittleEndian.AppendUint16(b, uint16(s))
	}
	return b
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Read(dir); !errors.Is(err, ErrCases) {
		t.Errorf("an empty folder: %v", err)
	}
	put("b.wav", file(8000, 1, 16, 1, -2, 3))
	if _, err := Read(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a recording without its text: %v", err)
	}
	put("b.txt", []byte("  pay my bill\nnot this\n"))
	put("a.wav", file(16000, 1, 16, 7))
	put("a.txt", []byte("hello"))
	cases, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 2 || cases[0].Name != "a" || cases[1].Text != "pay my bill" || cases[1].Rate != 8000 || len(cases[1].PCM) != 3 || cases[1].PCM[1] != -2 {
		t.Errorf("%+v", cases)
	}
	for name, data := range map[string][]byte{"stereo": file(8000, 2, 16, 1), "8 bit": file(8000, 1, 8, 1), "rate": file(22050, 1, 16, 1), "text": []byte("hello"), "short": file(8000, 1, 16)[:30]} {
		put("b.wav", data)
		if _, err := Read(dir); !errors.Is(err, errWAV) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzWAV(f *testing.F) {
	f.Add(file(8000, 1, 16, 1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		pcm, rate, err := parse(b)
		if err == nil && (rate < 8000 || 2*len(pcm) > len(b)) {
			t.Errorf("%d samples at %d Hz of %d bytes", len(pcm), rate, len(b))
		}
	})
}
