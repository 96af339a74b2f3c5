package codec

import (
	"math"
	"math/rand/v2"
)

// speech is a signal with the shape of speech, the same for the same seed:
// syllables of a glottal pulse train with a gliding pitch (90 to 220 Hz) and
// harmonics under two moving formants, hisses, and pauses.
func speech(rate, samples int, seed uint64) []int16 {
	rng := rand.New(rand.NewPCG(seed, 711))
	out := make([]int16, samples)
	phase, low := 0.0, 0.0
	for at := 0; at < samples; {
		n := min(int((0.06+0.18*rng.Float64())*float64(rate)), samples-at)
		kind := rng.IntN(6)
		from, to := 90+130*rng.Float64(), 90+130*rng.Float64()
		f1, f2 := 300+500*rng.Float64(), 1000+1500*rng.Float64()
		for i := range n {
			x := float64(i) / float64(n)
			swell := math.Sin(math.Pi * x)
			v := 0.0
			switch {
			case kind < 4: // a vowel
				pitch := from + (to-from)*x
				phase += 2 * math.Pi * pitch / float64(rate)
				for h := 1; float64(h)*pitch < 3600; h++ {
					f := float64(h) * pitch
					gain := math.Exp(-(f-f1)*(f-f1)/30000) + 0.4*math.Exp(-(f-f2)*(f-f2)/90000) + 0.03
					v += gain * math.Cos(float64(h)*phase)
				}
				v *= 0.25 * swell
			case kind == 4: // a hiss
				white := rng.NormFloat64()
				v, low = 0.05*swell*(white-low), white
			}
			out[at+i] = int16(max(-32768, min(32767, 16000*v)))
		}
		at += n
	}
	return out
}

// noise is white noise at full scale.
func noise(samples int, seed uint64) []int16 {
	rng := rand.New(rand.NewPCG(seed, 722))
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(rng.Uint32())
	}
	return out
}

// snr is the signal-to-noise ratio of got against want in dB.
func snr(want, got []int16) float64 {
	signal, noise := 0.0, 1e-9
	for i, w := range want {
		e := float64(w) - float64(got[i])
		signal += float64(w) * float64(w)
		noise += e * e
	}
	return 10 * math.Log10(signal/noise)
}
