package vad

import (
	"math"
	"time"
)

const (
	block = 10 * time.Millisecond
	bands = 4  // 250-500, 500-1000, 1000-2000 and 2000-4000 Hz
	group = 16 // samples at 8 kHz that the filter tree takes at a time
	// windows of minimum statistics: a floor is the least of the last two
	window = 80 // blocks
)

// detector decides for each block of 10 ms whether it is voice. It keeps
// energies in dB and no sample.
type detector struct {
	pairs     bool // 16 kHz: neighbours are added first
	threshold float32
	quietest  float32

	smooth [bands]float32
	floor  [bands]float32
	least  [bands]float32 // of this window
	before [bands]float32 // of the last one
	age    int            // blocks in this window
	seen   int            // blocks since the start, up to warm
}

// warm is how many blocks the floor takes to find its level at the start.
const warm = 20

// lowest is the level, in dBov of a band, that a floor never sinks below: the
// rounding noise of G.711 and of a resampler is not to be amplified.
const lowest = -72

func newDetector(rate int, c Config) (detector, error) {
	if rate != 8000 && rate != 16000 {
		return detector{}, ErrRate
	}
	d := detector{pairs: rate == 16000, threshold: float32(c.Sensitivity), quietest: float32(c.Quietest)}
	for b := range bands {
		d.smooth[b], d.floor[b] = lowest, lowest
		d.least[b], d.before[b] = 0, 0
	}
	return d, nil
}

// samples in a block of 10 ms.
func (d *detector) samples() int {
	if d.pairs {
		return 160
	}
	return 80
}

// voice reads one block. A block shorter than 2 ms counts as silence.
func (d *detector) voice(pcm []int16) bool {
	power, n := d.split(pcm)
	if n == 0 {
		return false
	}
	var score, level float32
	for b, p := range power {
		e := decibel(p)
		level = max(level, p)
		d.smooth[b] += (e - d.smooth[b]) / 2
		score += min(max(d.smooth[b]-d.floor[b], -3), 18)
	}
	active := score > bands*d.threshold && decibel(level) > d.quietest
	d.track(active)
	return active
}

// split is a tree of sums and differences (Haar's wavelet): each level halves
// the band. It costs three operations per sample, and bands that leak into
// their neighbours are good enough to tell a voice from a floor. The result is
// the mean power of each band and the number of samples read at 8 kHz.
func (d *detector) split(pcm []int16) (power [bands]float32, n int) {
	var e [bands]int64
	var t [group]int32
	step := group
	if d.pairs {
		step = 2 * group
	}
	for ; len(pcm) >= step; pcm = pcm[step:] {
		d.gather(&t, pcm[:step])
		half := group / 2
		for b := bands - 1; b >= 0; b-- {
			var sum int64
			for i := range half {
				l, r := t[2*i], t[2*i+1]
				diff := int64(l - r)
				sum += diff * diff
				t[i] = l + r
			}
			e[b] += sum
			half /= 2
		}
		n += group
	}
	clear(t[:])
	if n == 0 {
		return power, 0
	}
	// a level's differences carry twice the power of the level above, and there
	// are half as many of them
	scale := float32(1) / (2 * float32(n) * 32768 * 32768)
	for b := bands - 1; b >= 0; b-- {
		power[b] = float32(e[b]) * scale
		scale /= 2
	}
	return power, n
}

func (d *detector) gather(t *[group]int32, pcm []int16) {
	if !d.pairs {
		for i := range t {
			t[i] = int32(pcm[i])
		}
		return
	}
	for i := range t {
		t[i] = (int32(pcm[2*i]) + int32(pcm[2*i+1])) / 2
	}
}

// track lets the floors follow: quickly down, slowly up, and not at all while
// there is voice, except that what has been the least for a window and longer
// is a floor, whatever it sounds like.
func (d *detector) track(active bool) {
	rise := float32(1) / 32
	switch {
	case d.seen < warm:
		d.seen++
		rise = 1.0 / 4
	case active:
		rise = 0
	}
	for b := range bands {
		s := d.smooth[b]
		if s < d.floor[b] {
			d.floor[b] += (s - d.floor[b]) / 8
		} else {
			d.floor[b] += min(s-d.floor[b], 6) * rise
		}
		d.floor[b] = max(d.floor[b], lowest)
		d.least[b] = min(d.least[b], s)
	}
	if d.age++; d.age < window {
		return
	}
	d.age = 0
	for b := range bands {
		d.floor[b] = max(d.floor[b], min(d.least[b], d.before[b])+1)
		d.before[b], d.least[b] = d.least[b], 0
	}
}

// decibel of a power relative to full scale; good to 0.3 dB, and -120 for
// nothing.
func decibel(p float32) float32 {
	const perOctave = 3.0103
	if p < 1e-12 {
		return -120
	}
	bits := math.Float32bits(p)
	exp := float32(int32(bits>>23) - 127) //nolint:gosec // p is positive: 8 bits are left
	frac := float32(bits&(1<<23-1)) / (1 << 23)
	return perOctave * (exp + frac)
}
