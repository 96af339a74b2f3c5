package resample

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// What the comment of Resampler promises.
const (
	rationalPass   = 0.82 // of half the lower rate
	rationalRipple = 0.01 // dB
	rationalFloor  = 80.0 // dB
)

func ways() [][2]int {
	return [][2]int{
		{22050, 8000}, {24000, 8000}, {44100, 8000}, {48000, 8000}, {16000, 8000},
		{22050, 16000}, {24000, 16000}, {44100, 16000}, {48000, 16000}, {11025, 16000}, {8000, 48000},
	}
}

func resample(t *testing.T, in, out int, src []int16) []int16 {
	t.Helper()
	var r Resampler
	if err := r.Init(in, out); err != nil {
		t.Fatal(err)
	}
	dst := make([]int16, r.Room(len(src))+r.Room(0))
	n := r.Process(dst, src)
	return dst[:n+r.Flush(dst[n:])]
}

// inner leaves out the ends, where the filter meets silence.
func inner(pcm []int16, rate int) []int16 {
	return pcm[rate/50 : len(pcm)-rate/50]
}

func TestResamplerBands(t *testing.T) {
	for _, way := range ways() {
		t.Run(fmt.Sprintf("%d-%d", way[0], way[1]), func(t *testing.T) {
			in, out := way[0], way[1]
			half := float64(min(in, out)) / 2
			ripple, images := 0.0, 1e9
			for part := 0.02; part <= rationalPass; part += 0.1 {
				pcm := inner(resample(t, in, out, sine(part*half, in, in/8)), out)
				amplitude, rest := tone(pcm, part*half, out)
				ripple = max(ripple, math.Abs(decibels(amplitude/20000)))
				images = min(images, -decibels(rest*math.Sqrt2/20000))
			}
			floor := 1e9
			for hz := half; hz < float64(in)/2; hz += half / 3.7 {
				pcm := inner(resample(t, in, out, sine(hz, in, in/8)), out)
				floor = min(floor, -decibels(rms(pcm)*math.Sqrt2/20000))
			}
			t.Logf("ripple %.4f dB, images %.1f dB, stop-band %.1f dB", ripple, images, floor)
			if ripple > rationalRipple || images < rationalFloor || floor < rationalFloor {
				t.Errorf("promised %v dB of ripple, %v dB of attenuation", rationalRipple, rationalFloor)
			}
		})
	}
}

// TestResamplerTime: nothing is late and nothing is missing, whatever the chunks.
func TestResamplerTime(t *testing.T) {
	for _, way := range ways() {
		in, out := way[0], way[1]
		src := sine(440, in, in/3)
		whole := resample(t, in, out, src)
		if want := (len(src)*out + in - 1) / in; len(whole) != want {
			t.Errorf("%v: %d samples, want %d", way, len(whole), want)
		}
		for i, want := range inner(sine(440, out, len(whole)), out) {
			if d := int(inner(whole, out)[i]) - int(want); d < -12 || d > 12 {
				t.Errorf("%v: sample %d is off by %d: late or early", way, i, d)
				break
			}
		}
		var r Resampler
		if err := r.Init(in, out); err != nil {
			t.Fatal(err)
		}
		var got []int16
		chunks(src, func(piece []int16) {
			dst := make([]int16, r.Room(len(piece)))
			got = append(got, dst[:r.Process(dst, piece)]...)
		})
		dst := make([]int16, r.Room(0))
		got = append(got, dst[:r.Flush(dst)]...)
		if !slices.Equal(got, whole) {
			t.Errorf("%v: pieces give other samples than the whole", way)
		}
	}
}

func TestResamplerWipes(t *testing.T) {
	var r, clean Resampler
	if err := clean.Init(44100, 8000); err != nil {
		t.Fatal(err)
	}
	r = clean
	src := noise(3000)
	dst := make([]int16, r.Room(len(src)))
	first := slices.Clone(dst[:r.Process(dst, src)])
	if r == clean {
		t.Fatal("the state holds nothing: the test sees nothing")
	}
	r.Flush(dst)
	if r != clean {
		t.Error("Flush left audio")
	}
	if again := dst[:r.Process(dst, src)]; !slices.Equal(first, again) {
		t.Error("after Flush the same speech comes out different")
	}
	r.Wipe()
	if r != (Resampler{}) {
		t.Error("Wipe left something")
	}
}

func TestResamplerShortDestination(t *testing.T) {
	var r Resampler
	if err := r.Init(24000, 8000); err != nil {
		t.Fatal(err)
	}
	src := noise(480)
	before := r
	if n := r.Process(make([]int16, r.Room(len(src))-1), src); n != 0 || r != before {
		t.Errorf("a destination too short gave %d samples", n)
	}
	r.Process(make([]int16, r.Room(len(src))), src)
	before = r
	if n := r.Flush(make([]int16, r.Room(0)-1)); n != 0 || r != before {
		t.Errorf("a destination too short gave %d samples", n)
	}
}

// 20 ms of speech for one call.
func BenchmarkResampler(b *testing.B) {
	for _, way := range [][2]int{{24000, 8000}, {22050, 8000}, {48000, 8000}, {24000, 16000}} {
		b.Run(fmt.Sprintf("%d-%d", way[0], way[1]), func(b *testing.B) {
			var r Resampler
			if err := r.Init(way[0], way[1]); err != nil {
				b.Fatal(err)
			}
			src := noise(way[0] / 50)
			dst := make([]int16, r.Room(len(src)))
			b.ReportAllocs()
			for b.Loop() {
				r.Process(dst, src)
			}
		})
	}
}
