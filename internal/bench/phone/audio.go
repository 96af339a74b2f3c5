package phone

import (
	"math"
	"math/rand/v2"
)

// Speech makes seconds of what voice activity takes for speech, at 8 kHz:
// voiced syllables of a seeded voice, 2 s of them and 1 s of faint noise.
func Speech(seed uint64, seconds int) []int16 { return voiced(seed, seconds, 2) }

// Chatter is Speech without a pause.
func Chatter(seed uint64, seconds int) []int16 { return voiced(seed, seconds, 3) }

// voiced speaks for the first seconds of every three.
func voiced(seed uint64, seconds int, speaks float64) []int16 {
	r := rand.New(rand.NewPCG(seed, 0x5eed)) //nolint:gosec // has to be the same every time
	out := make([]int16, 8000*seconds)
	pitch, phase := 90+60*r.Float64(), 0.0
	for i := range out {
		t := float64(i) / 8000
		noise := r.NormFloat64()
		if math.Mod(t, 3) >= speaks {
			out[i] = int16(12 * noise)
			continue
		}
		phase += 2 * math.Pi * pitch * (1 + .15*math.Sin(2*math.Pi*.7*t)) / 8000
		v := 0.0
		for h := 1; h < 20; h++ { // three formants
			f := pitch * float64(h)
			v += math.Sin(float64(h)*phase) * (peak(f, 600, 200) + .5*peak(f, 1400, 250) + .3*peak(f, 2600, 300))
		}
		syllable := math.Pow(math.Abs(math.Sin(math.Pi*4*t)), .5)
		out[i] = int16(max(min(4000*syllable*v+60*noise, 32000), -32000))
	}
	return out
}

// Noise makes seconds of seeded white noise at 8 kHz.
func Noise(seed uint64, seconds int) []int16 {
	r := rand.New(rand.NewPCG(seed, 0x0153)) //nolint:gosec // has to be the same every time
	out := make([]int16, 8000*seconds)
	for i := range out {
		out[i] = int16(max(min(6000*r.NormFloat64(), 32000), -32000))
	}
	return out
}

func peak(f, at, width float64) float64 { return math.Exp(-(f - at) * (f - at) / (2 * width * width)) }
