package resample

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// sine has a peak amplitude of 20000.
func sine(hz float64, rate, samples int) []int16 {
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(math.Round(20000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)+0.3)))
	}
	return out
}

func noise(samples int) []int16 {
	rng := rand.New(rand.NewPCG(8, 16))
	out := make([]int16, samples)
	for i := range out {
		out[i] = int16(rng.Uint32())
	}
	return out
}

// tone is the amplitude of one frequency in pcm, and the RMS of all the rest.
// It is fitted by least squares, so any frequency and length do.
func tone(pcm []int16, hz float64, rate int) (amplitude, rest float64) {
	var cc, ss, cs, xc, xs, xx float64
	for i, v := range pcm {
		s, c := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		x := float64(v)
		cc, ss, cs = cc+c*c, ss+s*s, cs+c*s
		xc, xs, xx = xc+x*c, xs+x*s, xx+x*x
	}
	det := cc*ss - cs*cs
	if det < 1e-6 { // 0 Hz and half the rate have one component only
		a := xc / cc
		return math.Abs(a), math.Sqrt(max(xx-a*xc, 0) / float64(len(pcm)))
	}
	a, b := (xc*ss-xs*cs)/det, (xs*cc-xc*cs)/det
	return math.Hypot(a, b), math.Sqrt(max(xx-a*xc-b*xs, 0) / float64(len(pcm)))
}

func rms(pcm []int16) float64 {
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(pcm)))
}

func decibels(ratio float64) float64 { return 20 * math.Log10(max(ratio, 1e-9)) }

// chunks cuts pcm into pieces of random lengths, empty ones among them.
func chunks(pcm []int16, each func([]int16)) {
	rng := rand.New(rand.NewPCG(3, uint64(len(pcm))))
	for len(pcm) > 0 {
		n := min(rng.IntN(400), len(pcm))
		each(pcm[:n])
		pcm = pcm[n:]
	}
}

// plainData fails if a value of this type could not lie in locked memory.
func plainData(t *testing.T, typ reflect.Type) {
	t.Helper()
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			plainData(t, typ.Field(i).Type)
		}
	case reflect.Array:
		plainData(t, typ.Elem())
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
	default:
		t.Errorf("%v is not plain data", typ)
	}
}
