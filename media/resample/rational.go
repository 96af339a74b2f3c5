package resample

import "math"

const (
	minRate = 8000
	maxRate = 48000

	// The filter: a sinc of 32 zero crossings to each side under a Blackman
	// window, its edge at 0.92 of half the lower rate, so that it has fallen to
	// its floor at half the lower rate.
	crossings = 32
	edge      = 0.92
	past      = 512 // samples kept: a power of two, more than two times reach(48000, 8000)
)

// Resampler converts between any two rates from 8000 to 48000 Hz: for voices
// that speak at 22050, 24000, 44100 or 48000 Hz. It computes its filter as it
// goes, which costs several times what Converter costs per sample.
//
//   - Pass-band, to 0.82 of half the lower rate (3.3 kHz towards 8 kHz): ripple
//     at most 0.01 dB.
//   - Stop-band, from half the lower rate: attenuation at least 80 dB.
//   - No delay in the samples: sample 0 of the output lies on sample 0 of the
//     input, and an utterance of n samples gives n*out/in, rounded up, once
//     Flush has given the last ones (at most 4.4 ms).
//
// Between calls it holds 512 input samples at most. Plain data; call Init first.
type Resampler struct {
	in, out int32
	reach   int32   // input samples to each side of an output sample
	cutoff  float64 // of the filter, as a part of half the input rate

	taken    int64 // input samples so far
	next     int64 // the input sample at or before the next output sample
	fraction int32 // how far behind it the output sample lies, in 1/out
	line     [past]int16
}

// Init starts from a clean state; in and out are 8000 to 48000 Hz, otherwise it
// returns ErrRate.
func (r *Resampler) Init(in, out int) error {
	if in < minRate || in > maxRate || out < minRate || out > maxRate {
		return ErrRate
	}
	*r = Resampler{in: int32(in), out: int32(out)}
	r.cutoff = edge * min(1, float64(out)/float64(in))
	r.reach = int32(math.Ceil(crossings / r.cutoff))
	return nil
}

// Room is the most samples that Process makes of n, and Flush after none.
func (r *Resampler) Room(n int) int {
	if r.in == 0 {
		return n
	}
	return (n+int(r.reach)+1)*int(r.out)/int(r.in) + 2
}

// Process is like Converter.Process: dst must have Room(len(src)) samples, or
// gets nothing. Before Init it copies, as equal rates do.
func (r *Resampler) Process(dst, src []int16) int {
	if len(dst) < r.Room(len(src)) {
		return 0
	}
	if r.in == r.out {
		return copy(dst, src)
	}
	made := 0
	for _, s := range src {
		made += r.take(dst[made:], s)
	}
	return made
}

// Flush gives what is still held back, at the end of an utterance, and starts
// from a clean state for the next. dst must have Room(0) samples, or gets
// nothing.
func (r *Resampler) Flush(dst []int16) int {
	if len(dst) < r.Room(0) {
		return 0
	}
	made, end := 0, r.taken
	for range r.reach {
		if r.in == r.out || r.next >= end {
			break
		}
		room := dst[made:]
		made += r.takeUntil(room, 0, end)
	}
	*r = Resampler{in: r.in, out: r.out, reach: r.reach, cutoff: r.cutoff}
	return made
}

func (r *Resampler) take(dst []int16, s int16) int {
	return r.takeUntil(dst, s, math.MaxInt64)
}

// takeUntil takes one input sample and makes the output samples that have all
// their neighbours by then and lie before the input sample end.
func (r *Resampler) takeUntil(dst []int16, s int16, end int64) int {
	r.line[r.taken&(past-1)] = s
	r.taken++
	made := 0
	for r.next+int64(r.reach) < r.taken && r.next < end {
		dst[made] = r.sample()
		made++
		r.fraction += r.in
		r.next += int64(r.fraction / r.out)
		r.fraction %= r.out
	}
	return made
}

// sample is the output sample at next + fraction/out: a sum of the input
// samples around it, weighted by the windowed sinc. Sine and cosine of the
// steps from one input sample to the next are got by rotation.
func (r *Resampler) sample() int16 {
	reach := int64(r.reach)
	x := -float64(reach) + 1 - float64(r.fraction)/float64(r.out) // of the first, relative to the output sample
	wave := newRotor(math.Pi*r.cutoff*x, math.Pi*r.cutoff)
	window := newRotor(math.Pi*x/float64(reach), math.Pi/float64(reach))
	sum, weights := 0.0, 0.0
	for i := r.next - reach + 1; i <= r.next+reach; i++ {
		weight := r.cutoff // the limit of the sinc at 0
		if math.Abs(x) > 1e-9 {
			weight = wave.sin / (math.Pi * x)
		}
		c := window.cos
		weight *= 0.34 + 0.5*c + 0.16*c*c // Blackman: 0.42 + 0.5 cos a + 0.08 cos 2a
		sum += weight * float64(r.line[i&(past-1)])
		weights += weight
		x++
		wave.turn()
		window.turn()
	}
	return clip(int64(math.Round(sum / weights)))
}

// rotor steps through sin and cos of an angle that grows evenly.
type rotor struct{ sin, cos, stepSin, stepCos float64 }

func newRotor(angle, step float64) rotor {
	s, c := math.Sincos(angle)
	ss, sc := math.Sincos(step)
	return rotor{s, c, ss, sc}
}

func (r *rotor) turn() {
	r.sin, r.cos = r.sin*r.stepCos+r.cos*r.stepSin, r.cos*r.stepCos-r.sin*r.stepSin
}

// Wipe leaves nothing in the state.
func (r *Resampler) Wipe() { *r = Resampler{} }
