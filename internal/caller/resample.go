package caller

import "math"

// to converts a clip once, before the call, by windowed-sinc interpolation (64
// taps, Hann). It serves any pair of rates, because synthetic voices come at
// 22.05 kHz; what runs during a call is media's.
func (c clip) to(rate int) clip {
	if c.rate == rate || len(c.pcm) == 0 {
		return c
	}
	const half = 32
	ratio := float64(c.rate) / float64(rate)
	cut := min(1, 1/ratio) * 0.95 // of the lower Nyquist frequency
	out := make([]int16, int(float64(len(c.pcm))/ratio))
	for i := range out {
		at := float64(i) * ratio
		mid := int(at)
		var sum float64
		for k := mid - half + 1; k <= mid+half; k++ {
			if k < 0 || k >= len(c.pcm) {
				continue
			}
			x := at - float64(k)
			sum += float64(c.pcm[k]) * cut * sinc(x*cut) * (0.5 + 0.5*math.Cos(math.Pi*x/half))
		}
		out[i] = int16(math.Round(max(-32768, min(32767, sum))))
	}
	return clip{out, rate}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}
