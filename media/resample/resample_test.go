package resample

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
)

// What the comment of Converter promises.
const (
	passEdge   = 3400.0
	passRipple = 0.01 // dB
	stopEdge   = 4600.0
	stopFloor  = 62.0 // dB
)

// convert runs the whole of src through a new Converter, in one piece.
func convert(t *testing.T, in, out int, src []int16) []int16 {
	t.Helper()
	var c Converter
	if err := c.Init(in, out); err != nil {
		t.Fatal(err)
	}
	dst := make([]int16, c.Room(len(src)))
	return dst[:c.Process(dst, src)]
}

// settled leaves out where the filter starts.
func settled(pcm []int16) []int16 { return pcm[100:] }

func TestPassBand(t *testing.T) {
	for _, way := range [][2]int{{8000, 16000}, {16000, 8000}} {
		worst := 0.0
		for hz := 50.0; hz <= passEdge; hz += 67 {
			out := settled(convert(t, way[0], way[1], sine(hz, way[0], way[0])))
			amplitude, _ := tone(out, hz, way[1])
			worst = max(worst, math.Abs(decibels(amplitude/20000)))
		}
		t.Logf("%d to %d Hz: pass-band ripple %.4f dB", way[0], way[1], worst)
		if worst > passRipple {
			t.Errorf("%d to %d Hz: ripple %.4f dB to %v Hz, promised %v", way[0], way[1], worst, passEdge, passRipple)
		}
	}
}

// TestStopBandDown feeds tones that 8 kHz cannot carry: they must all but vanish.
func TestStopBandDown(t *testing.T) {
	least := 1e9
	for hz := stopEdge; hz < 8000; hz += 43 {
		out := settled(convert(t, 16000, 8000, sine(hz, 16000, 16000)))
		least = min(least, -decibels(rms(out)*math.Sqrt2/20000))
	}
	t.Logf("16000 to 8000 Hz: attenuation %.1f dB from %v Hz", least, stopEdge)
	if least < stopFloor {
		t.Errorf("attenuation %.1f dB, promised %v", least, stopFloor)
	}
}

// TestStopBandUp: what is not the tone is its mirror image above 4 kHz.
func TestStopBandUp(t *testing.T) {
	least := 1e9
	for hz := 50.0; hz <= 8000-stopEdge; hz += 43 {
		out := settled(convert(t, 8000, 16000, sine(hz, 8000, 8000)))
		_, rest := tone(out, hz, 16000)
		least = min(least, -decibels(rest*math.Sqrt2/20000))
	}
	t.Logf("8000 to 16000 Hz: attenuation %.1f dB of the image", least)
	if least < stopFloor {
		t.Errorf("attenuation %.1f dB, promised %v", least, stopFloor)
	}
}

// TestDelay: an impulse comes out 23 samples of 16 kHz later.
func TestDelay(t *testing.T) {
	up := make([]int16, 100)
	up[40] = 10000
	out := convert(t, 8000, 16000, up)
	if peak := indexOfPeak(out); peak != 2*40+23 || out[peak] != 10000 {
		t.Errorf("towards 16 kHz the impulse of sample 40 comes out at %d with %d", peak, out[peak])
	}
	down := make([]int16, 200)
	down[80] = 10000
	out = convert(t, 16000, 8000, down) // sample k of the output is at 2k+1
	if peak := indexOfPeak(out); peak != (80+23-1)/2 {
		t.Errorf("towards 8 kHz the impulse of sample 80 comes out at %d", peak)
	}
}

func indexOfPeak(pcm []int16) int {
	peak := 0
	for i, v := range pcm {
		if v > pcm[peak] {
			peak = i
		}
	}
	return peak
}

func TestAnyChunks(t *testing.T) {
	src := noise(5001)
	for _, way := range [][2]int{{8000, 16000}, {16000, 8000}, {8000, 8000}, {16000, 16000}} {
		whole := convert(t, way[0], way[1], src)
		if want := len(src) * way[1] / way[0]; len(whole) != want {
			t.Errorf("%v: %d samples, want %d", way, len(whole), want)
		}
		var c Converter
		if err := c.Init(way[0], way[1]); err != nil {
			t.Fatal(err)
		}
		var got []int16
		chunks(src, func(piece []int16) {
			dst := make([]int16, c.Room(len(piece)))
			got = append(got, dst[:c.Process(dst, piece)]...)
		})
		if !slices.Equal(got, whole) {
			t.Errorf("%v: pieces give other samples than the whole", way)
		}
	}
}

// TestClips: a square wave of full scale overshoots; clipped it keeps its sign
// beside an edge, wrapped around it would not.
func TestClips(t *testing.T) {
	square := make([]int16, 400)
	for i := range square {
		square[i] = 32767
		if i/10%2 == 1 {
			square[i] = -32768
		}
	}
	for _, way := range [][2]int{{8000, 16000}, {16000, 8000}} {
		out := convert(t, way[0], way[1], square)
		if slices.Max(out) != 32767 || slices.Min(out) != -32768 {
			t.Errorf("%v: does not reach the limits: %d to %d", way, slices.Min(out), slices.Max(out))
		}
		for i, v := range settled(out) {
			at := float64(i+100) * float64(way[0]) / float64(way[1]) // in the input, of 16 kHz or 8 kHz
			at -= 23 * float64(way[0]) / 16000
			if way[0] > way[1] {
				at++ // sample k is made when 2k+1 is there
			}
			into := math.Mod(at, 10)
			if into < 0.9 || into > 8.1 {
				continue // on an edge
			}
			if want := square[int(at)]; (v > 0) != (want > 0) {
				t.Errorf("%v: sample %d is %d where the input is %d", way, i+100, v, want)
			}
		}
	}
}

func TestShortDestination(t *testing.T) {
	var c Converter
	if err := c.Init(8000, 16000); err != nil {
		t.Fatal(err)
	}
	before := c
	if n := c.Process(make([]int16, 319), noise(160)); n != 0 || c != before {
		t.Errorf("a destination one too short gave %d samples, state changed: %v", n, c != before)
	}
	if n := c.Process(make([]int16, 320), noise(160)); n != 320 {
		t.Errorf("a destination with room gave %d samples", n)
	}
}

func TestBadRates(t *testing.T) {
	var c Converter
	for _, way := range [][2]int{{0, 8000}, {8000, 44100}, {-8000, 16000}, {11025, 8000}} {
		if err := c.Init(way[0], way[1]); !errors.Is(err, ErrRate) {
			t.Errorf("%v: %v", way, err)
		}
	}
	var r Resampler
	for _, way := range [][2]int{{0, 8000}, {7999, 8000}, {8000, 48001}} {
		if err := r.Init(way[0], way[1]); !errors.Is(err, ErrRate) {
			t.Errorf("%v: %v", way, err)
		}
	}
}

// TestHoldsLittle: what is not needed for the next samples is not there.
func TestHoldsLittle(t *testing.T) {
	for _, way := range [][2]int{{8000, 16000}, {16000, 8000}} {
		var c Converter
		if err := c.Init(way[0], way[1]); err != nil {
			t.Fatal(err)
		}
		src := noise(1000)
		c.Process(make([]int16, c.Room(len(src))), src)
		held := 0
		for _, v := range c.line {
			if v != 0 {
				held++
			}
		}
		if held == 0 || held > 48 {
			t.Errorf("%v: holds %d samples after a call, promised 48 at most", way, held)
		}
		if c.two != [len(c.two)]int64{} {
			t.Errorf("%v: what it worked with is still there", way)
		}
		c.Wipe()
		if c != (Converter{}) {
			t.Errorf("%v: Wipe left something", way)
		}
	}
}

func TestPlainData(t *testing.T) {
	plainData(t, reflect.TypeFor[Converter]())
	plainData(t, reflect.TypeFor[Resampler]())
}

func TestNoAllocation(t *testing.T) {
	src, dst := noise(160), make([]int16, 1000)
	var up, down Converter
	var r Resampler
	if err := errors.Join(up.Init(8000, 16000), down.Init(16000, 8000), r.Init(24000, 8000)); err != nil {
		t.Fatal(err)
	}
	n := testing.AllocsPerRun(100, func() {
		up.Process(dst, src)
		down.Process(dst, src)
		r.Process(dst, src)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The hot path: 20 ms of one call.
func BenchmarkUp(b *testing.B)   { benchmark(b, 8000, 16000) }
func BenchmarkDown(b *testing.B) { benchmark(b, 16000, 8000) }

func benchmark(b *testing.B, in, out int) {
	var c Converter
	if err := c.Init(in, out); err != nil {
		b.Fatal(err)
	}
	src := noise(in / 50)
	dst := make([]int16, c.Room(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		c.Process(dst, src)
	}
}

// BenchmarkUpFloat32 is the same filter with float32 sums, one sample at a time,
// for comparison.
func BenchmarkUpFloat32(b *testing.B) {
	var line [208]float32
	src, dst := noise(160), make([]int16, 320)
	coefficient := [taps]float32{41546, -13388, 7504, -4831, 3262, -2225, 1501, -985, 620, -367, 198, -109}
	b.ReportAllocs()
	for b.Loop() {
		for i, v := range src {
			line[48+i] = float32(v)
		}
		for i := range src {
			x := (*[24]float32)(line[25+i:])
			sum := coefficient[0]*(x[11]+x[12]) + coefficient[1]*(x[10]+x[13]) +
				coefficient[2]*(x[9]+x[14]) + coefficient[3]*(x[8]+x[15]) +
				coefficient[4]*(x[7]+x[16]) + coefficient[5]*(x[6]+x[17]) +
				coefficient[6]*(x[5]+x[18]) + coefficient[7]*(x[4]+x[19]) +
				coefficient[8]*(x[3]+x[20]) + coefficient[9]*(x[2]+x[21]) +
				coefficient[10]*(x[1]+x[22]) + coefficient[11]*(x[0]+x[23])
			dst[2*i] = clip(int64(sum / 65536))
			dst[2*i+1] = int16(x[12])
		}
		copy(line[:48], line[160:])
	}
}
