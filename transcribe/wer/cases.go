package wer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrCases says that a folder has nothing to measure with.
var ErrCases = errors.New("wer: no recordings to measure with")

// maxFile is the longest recording: half an hour at 16 kHz.
const maxFile = 64 << 20

// Case is one recorded utterance and what is said in it.
type Case struct {
	Name string
	Text string
	PCM  []int16 // mono
	Rate int     // Hz: 8000 or 16000
}

// Read takes every NAME.wav of dir (16-bit PCM, mono, 8 or 16 kHz) with what is
// said in it: the first line of NAME.txt beside it.
func Read(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.wav"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%w: put NAME.wav and NAME.txt into %s", ErrCases, dir)
	}
	slices.Sort(files)
	var out []Case
	for _, f := range files {
		c, err := readCase(f)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func readCase(path string) (Case, error) {
	c := Case{Name: strings.TrimSuffix(filepath.Base(path), ".wav")}
	var err error
	if c.PCM, c.Rate, err = ReadPCM(path); err != nil {
		return Case{}, err
	}
	if c.Rate != 8000 && c.Rate != 16000 {
		return Case{}, fmt.Errorf("wer: %s: %d Hz: %w", path, c.Rate, errWAV)
	}
	text, err := os.ReadFile(strings.TrimSuffix(path, ".wav") + ".txt") //nolint:gosec // the operator's own
	if err != nil {
		return Case{}, fmt.Errorf("wer: what is said in %s: %w", path, err)
	}
	c.Text, _, _ = strings.Cut(strings.TrimSpace(string(text)), "\n")
	return c, nil
}

// ReadPCM reads a WAV file of 16-bit PCM, mono, at any rate.
func ReadPCM(path string) (pcm []int16, rate int, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, fmt.Errorf("wer: %w", err)
	}
	if info.Size() > maxFile {
		return nil, 0, fmt.Errorf("wer: %s: longer than %d bytes", path, maxFile)
	}
	data, err := os.ReadFile(path) //nolint:gosec // the operator's own recordings
	if err != nil {
		return nil, 0, fmt.Errorf("wer: %w", err)
	}
	if pcm, rate, err = parse(data); err != nil {
		return nil, 0, fmt.Errorf("wer: %s: %w", path, err)
	}
	return pcm, rate, nil
}

var errWAV = errors.New("not a WAV file of 16-bit PCM, mono, at 8 or 16 kHz; convert it with: sox IN -r 16000 -c 1 -b 16 OUT.wav")

// parse walks the chunks of RIFF/WAVE; fmt comes before data.
func parse(b []byte) (pcm []int16, rate int, err error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, 0, errWAV
	}
	for b = b[12:]; len(b) >= 8; {
		name, size := string(b[:4]), int(min(binary.LittleEndian.Uint32(b[4:]), maxFile))
		b = b[8:]
		body := b[:min(size, len(b))] // a recorder that was cut off left a wrong size
		switch {
		case name == "fmt " && len(body) >= 16:
			tag, channels, bits := binary.LittleEndian.Uint16(body), binary.LittleEndian.Uint16(body[2:]), binary.LittleEndian.Uint16(body[14:])
			rate = int(binary.LittleEndian.Uint32(body[4:]))
			if tag != 1 || channels != 1 || bits != 16 || rate < 8000 || rate > 192000 {
				return nil, 0, errWAV
			}
		case name == "data" && rate != 0:
			return samples(body), rate, nil
		}
		b = b[min(len(body)+size%2, len(b)):]
	}
	return nil, 0, errWAV
}

func samples(b []byte) []int16 {
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:])) //nolint:gosec // two's complement
	}
	return pcm
}
