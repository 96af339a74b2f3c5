package vad

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"lethe/media/codec"
)

// A scene is human speech with pauses, its truth (where there is voice) taken
// from the clean recordings, and noise over all of it.
type scene struct {
	pcm   []float64
	truth []span // utterances: pauses shorter than the hang-over belong to them
}

type span struct{ from, to time.Duration }

const (
	prompts = "/usr/share/asterisk/sounds/en_US_f_Allison"
	readers = "/usr/share/pocketsphinx/test/data"
)

// clips are recordings at 8 kHz. Every second one, by name, served for tuning;
// the tests take half of the others.
func clips(t testing.TB, tuning bool) [][]float64 {
	t.Helper()
	var files []string
	for pattern, pkg := range map[string]string{
		filepath.Join(prompts, "*.wav"):             "asterisk-core-sounds-en-wav",
		filepath.Join(readers, "cards/*.wav"):       "pocketsphinx-testdata",
		filepath.Join(readers, "librivox/*.wav"):    "pocketsphinx-testdata",
		filepath.Join(readers, "numbers.raw"):       "pocketsphinx-testdata",
		filepath.Join(readers, "goforward.raw"):     "pocketsphinx-testdata",
		filepath.Join(readers, "something.raw"):     "pocketsphinx-testdata",
		filepath.Join(readers, "tidigits", "*.raw"): "pocketsphinx-testdata",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no human speech at %s (apt-get install %s): %v", pattern, pkg, err)
		}
		files = append(files, found...)
	}
	sort.Strings(files)
	var out [][]float64
	for i, f := range files {
		base := filepath.Base(f)
		if strings.Contains(base, "beep") || strings.Contains(base, "tone") || tuning && i%2 != 0 || !tuning && i%4 != 1 {
			continue
		}
		if clip := read(t, f); len(clip) > 8000 && len(clip) < 12*8000 {
			out = append(out, clip)
		}
	}
	return out
}

// read gives a recording at 8 kHz, its voice at -26 dBov.
func read(t testing.TB, file string) []float64 {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rate := 16000
	if strings.HasSuffix(file, ".wav") {
		rate = int(binary.LittleEndian.Uint32(data[24:]))
		data = data[44:]
	} else if strings.Contains(file, "tidigits") {
		rate = 8000
	}
	pcm := make([]float64, len(data)/2)
	for i := range pcm {
		pcm[i] = float64(int16(binary.LittleEndian.Uint16(data[2*i:])))
	}
	if rate == 16000 {
		pcm = halve(pcm)
	}
	level := speechLevel(pcm)
	for i := range pcm {
		pcm[i] *= 32768 * math.Pow(10, -26.0/20) / level
	}
	return pcm
}

// halve takes every second sample after a low-pass at 3.4 kHz of 16.
func halve(x []float64) []float64 {
	const taps = 41
	out := make([]float64, 0, len(x)/2)
	for i := 0; i < len(x); i += 2 {
		var sum float64
		for k := -taps / 2; k <= taps/2; k++ {
			if j := i + k; j >= 0 && j < len(x) {
				h := 0.45
				if k != 0 {
					h = math.Sin(0.45*math.Pi*float64(k)) / (math.Pi * float64(k))
				}
				sum += x[j] * h * (0.54 + 0.46*math.Cos(2*math.Pi*float64(k)/taps))
			}
		}
		out = append(out, sum)
	}
	return out
}

// speechLevel is the RMS of the blocks that are voice.
func speechLevel(pcm []float64) float64 {
	var sum float64
	var n int
	for i, v := range voiced(pcm) {
		if !v {
			continue
		}
		for _, x := range pcm[i*80 : i*80+80] {
			sum += x * x
			n++
		}
	}
	if n == 0 {
		return 1
	}
	return math.Sqrt(sum / float64(n))
}

// voiced says for each 10 ms of a clean recording whether it is loud enough to
// be voice: within 33 dB of its loudest 30 ms.
func voiced(pcm []float64) []bool {
	n := len(pcm) / 80
	e := make([]float64, n)
	top := 0.0
	for i := range e {
		for _, x := range pcm[i*80 : i*80+80] {
			e[i] += x * x
		}
		if i >= 2 {
			top = max(top, (e[i]+e[i-1]+e[i-2])/3)
		}
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = e[i] > top/2000
	}
	return out
}

// compose lays clips one after another with pauses between 1.0 and 2.0 s.
func compose(clips [][]float64, seed uint64) *scene {
	r := rand.New(rand.NewPCG(seed, 1))
	s := &scene{pcm: make([]float64, 3*8000)}
	for _, c := range clips {
		start := time.Duration(len(s.pcm)) * time.Second / 8000
		for i, v := range voiced(c) {
			at := start + time.Duration(i)*block
			if !v {
				continue
			}
			if n := len(s.truth); n > 0 && at-s.truth[n-1].to < Default().Hangover {
				s.truth[n-1].to = at + block
			} else {
				s.truth = append(s.truth, span{at, at + block})
			}
		}
		s.pcm = append(s.pcm, c...)
		s.pcm = append(s.pcm, make([]float64, 8000+r.IntN(8000))...)
	}
	// what is loud for less than 50 ms is a click, not an utterance
	kept := s.truth[:0]
	for _, u := range s.truth {
		if u.to-u.from >= 50*time.Millisecond {
			kept = append(kept, u)
		}
	}
	s.truth = kept
	return s
}

// noise of a kind at so many dB below the voice's -26 dBov.
func (s *scene) noise(kind string, snr float64, seed uint64, others [][]float64) {
	r := rand.New(rand.NewPCG(seed, 2))
	n := make([]float64, len(s.pcm))
	var low float64
	for i := range n {
		w := r.NormFloat64()
		switch kind {
		case "white", "step":
			n[i] = w
		case "car":
			low += (w - low) / 12
			n[i] = low
		case "hum":
			n[i] = math.Sin(2*math.Pi*50*float64(i)/8000) + 0.5*math.Sin(2*math.Pi*150*float64(i)/8000) + 0.1*w
		}
	}
	if kind == "babble" {
		for range 8 {
			at := r.IntN(8000)
			for at < len(n) {
				c := others[r.IntN(len(others))]
				for i, x := range c {
					if at+i < len(n) {
						n[at+i] += x
					}
				}
				at += len(c)
			}
		}
	}
	var sum float64
	for _, x := range n {
		sum += x * x
	}
	gain := 32768 * math.Pow(10, (-26-snr)/20) / math.Sqrt(sum/float64(len(n)))
	for i := range n {
		g := gain
		if kind == "step" && i < len(n)/2 {
			g /= 10 // the line gets 20 dB louder in the middle
		}
		s.pcm[i] += g * n[i]
	}
}

// samples are what comes out of G.711.
func (s *scene) samples(t testing.TB) []int16 {
	t.Helper()
	pcm := make([]int16, len(s.pcm)/160*160)
	for i := range pcm {
		pcm[i] = int16(max(-32768, min(32767, s.pcm[i])))
	}
	var enc codec.Encoder
	var dec codec.Decoder
	enc.Init(codec.PCMU)
	dec.Init(codec.PCMU)
	payload := make([]byte, 160)
	for i := 0; i < len(pcm); i += 160 {
		if _, err := enc.Encode(payload, pcm[i:i+160]); err != nil {
			t.Fatal(err)
		}
		if _, err := dec.Decode(pcm[i:i+160], payload); err != nil {
			t.Fatal(err)
		}
	}
	return pcm
}

// widen is how an engine of 16 kHz would hear it, roughly.
func widen(pcm []int16) []int16 {
	wide := make([]int16, 2*len(pcm))
	for i, x := range pcm {
		next := x
		if i+1 < len(pcm) {
			next = pcm[i+1]
		}
		wide[2*i], wide[2*i+1] = x, int16((int(x)+int(next))/2)
	}
	return wide
}

// score is how well a detector did.
type score struct {
	utterances, missed, late, early int
	falseStarts                     int
	silence, falseSpeech            time.Duration
	lag                             []time.Duration // end of speech as it was, to as it was reported
}

// judge runs the turns of a detector over what a scene sounds like.
func judge(t testing.TB, truth []span, pcm []int16, rate int, c Config) score {
	t.Helper()
	d, err := newDetector(rate, c)
	if err != nil {
		t.Fatal(err)
	}
	tr := newTurn(c)
	var heard []span
	n := d.samples()
	at := time.Duration(0)
	for ; len(pcm) >= n; pcm = pcm[n:] {
		e := tr.block(d.voice(pcm[:n]), at, block)
		switch e.Kind {
		case Started:
			heard = append(heard, span{e.At, math.MaxInt64})
		case Stopped:
			heard[len(heard)-1].to = e.At
		}
		at += block
	}
	if k := len(heard); k > 0 && heard[k-1].to == math.MaxInt64 {
		heard[k-1].to = at
	}
	return compare(truth, heard, at)
}

const slack = 150 * time.Millisecond

func compare(truth, heard []span, end time.Duration) score {
	sc := score{utterances: len(truth), silence: end}
	for _, u := range truth {
		sc.silence -= u.to - u.from
		first, last := time.Duration(-1), time.Duration(0)
		for _, h := range heard {
			if h.to > u.from && h.from < u.to {
				if first < 0 {
					first = h.from
				}
				last = max(last, h.to)
			}
		}
		switch {
		case first < 0:
			sc.missed++
			continue
		case first > u.from+slack:
			sc.late++
		}
		if last < u.to-2*slack {
			sc.early++
		}
		sc.lag = append(sc.lag, last-u.to)
	}
	for _, h := range heard {
		overlap, left := false, h.to-h.from
		for _, u := range truth {
			lo, hi := max(h.from, u.from-slack), min(h.to, u.to+slack)
			if hi > lo {
				overlap = true
				left -= hi - lo
			}
		}
		if !overlap {
			sc.falseStarts++
		}
		sc.falseSpeech += max(0, left)
	}
	sort.Slice(sc.lag, func(i, j int) bool { return sc.lag[i] < sc.lag[j] })
	return sc
}

func (s score) lagAt(q float64) time.Duration {
	if len(s.lag) == 0 {
		return 0
	}
	return s.lag[int(q*float64(len(s.lag)-1))]
}
