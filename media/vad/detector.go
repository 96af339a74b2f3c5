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
	peak   float32        // level of the voice that was heard lately, in dBov
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
	d := detector{pairs: rate == 16000, threshold: float32(c.Sensitivity), quietest: float32(c.Quietest), peak: faintest}
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
		level += p
		d.smooth[b] += (e - d.smooth[b]) / 2
		score += min(max(d.smooth[b]-d.floor[b], -3), 18)
	}
	loud := decibel(level)
	active := score > bands*d.threshold && loud > d.quietest && loud > d.peak-distant
	d.track(active)
	d.follow(active, loud)
	return active
}

const (
	// distant is how far, in dB, a voice in the background is below the one that
	// speaks to us, at least.
	distant = 16
	// faintest is the level, in dBov, that the nearest voice is taken to have
	// before there was one, and after a long silence.
	faintest = -40
)

// follow keeps the level of the nearest voice: it rises within 80 ms and falls
// by 1 dB a second, or by 3 in silence.
func (d *detector) follow(active bool, loud float32) {
	switch {
	case active && loud > d.peak:
		d.peak += (loud - d.peak) / 8
	case active:
		d.peak -= 0.01
	default:
		d.peak -= 0.03
	}
	d.peak = max(d.peak, faintest)
}

// split is a tree of sums and differences (Haar's wavelet): each level halves
// the band. It costs a few operations per sample, and bands that leak into
// their neighbours are good enough to tell a voice from a floor. The result is
// the mean power of each band and the number of samples read at 8 kHz.
func (d *detector) split(pcm []int16) (power [bands]float32, n int) {
	var e [bands]int64
	if d.pairs {
		var t [group]int32
		for ; len(pcm) >= 2*group; pcm = pcm[2*group:] {
			x := (*[2 * group]int16)(pcm)
			for i := range t {
				t[i] = (int32(x[2*i]) + int32(x[2*i+1])) / 2
			}
			fork(&e, &t)
			n += group
		}
		clear(t[:])
	} else {
		var t [group]int32
		for ; len(pcm) >= group; pcm = pcm[group:] {
			x := (*[group]int16)(pcm)
			for i := range t {
				t[i] = int32(x[i])
			}
			fork(&e, &t)
			n += group
		}
		clear(t[:])
	}
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

// fork takes one group down the tree. It is written out because it is where
// the time goes.
func fork(e *[bands]int64, t *[group]int32) {
	a0, b0 := pair(t[0], t[1])
	a1, b1 := pair(t[2], t[3])
	a2, b2 := pair(t[4], t[5])
	a3, b3 := pair(t[6], t[7])
	a4, b4 := pair(t[8], t[9])
	a5, b5 := pair(t[10], t[11])
	a6, b6 := pair(t[12], t[13])
	a7, b7 := pair(t[14], t[15])
	e[3] += b0 + b1 + b2 + b3 + b4 + b5 + b6 + b7
	a0, b0 = pair(a0, a1)
	a1, b1 = pair(a2, a3)
	a2, b2 = pair(a4, a5)
	a3, b3 = pair(a6, a7)
	e[2] += b0 + b1 + b2 + b3
	a0, b0 = pair(a0, a1)
	a1, b1 = pair(a2, a3)
	e[1] += b0 + b1
	_, b0 = pair(a0, a1)
	e[0] += b0
}

// pair gives the sum of two neighbours and the square of their difference.
func pair(l, r int32) (sum int32, power int64) {
	d := int64(l - r)
	return l + r, d * d
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
