package codec

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestComfortLevel(t *testing.T) {
	for _, good := range []struct {
		payload []byte
		level   uint8
	}{{[]byte{0}, 0}, {[]byte{78}, 78}, {[]byte{127}, 127}, {[]byte{50, 1, 2, 3}, 50}} {
		if level, err := ComfortLevel(good.payload); err != nil || level != good.level {
			t.Errorf("%v: %d, %v", good.payload, level, err)
		}
	}
	for _, bad := range [][]byte{nil, {}, {128}, {255, 1}} {
		if _, err := ComfortLevel(bad); !errors.Is(err, ErrComfort) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestNoiseLevel: the level is that of RFC 3389, where a full-scale square wave
// is 0 dBov.
func TestNoiseLevel(t *testing.T) {
	for _, level := range []uint8{20, 30, 40, 50, 60} {
		var n Noise
		n.Level(level)
		pcm := make([]int16, 16000)
		n.Fill(pcm)
		got := 10 * math.Log10(energy(pcm)/float64(len(pcm))/(32767*32767))
		if math.Abs(got+float64(level)) > 0.3 {
			t.Errorf("level %d comes out at %.2f dBov", level, got)
		}
	}
	var n Noise
	n.Level(0) // louder than evenly spread noise can be: clipped, not wrapped
	pcm := make([]int16, 16000)
	n.Fill(pcm)
	if slices.Max(pcm) != 32767 || slices.Min(pcm) != -32768 {
		t.Errorf("level 0 reaches from %d to %d", slices.Min(pcm), slices.Max(pcm))
	}
}

// TestNoiseIsWhite: no correlation between neighbours, no offset, no period
// within a second.
func TestNoiseIsWhite(t *testing.T) {
	var n Noise
	n.Level(30)
	pcm := make([]int16, 16000)
	n.Fill(pcm)
	for _, lag := range []int{1, 2, 3, 7, 80, 8000} {
		both := 0.0
		for i := lag; i < len(pcm); i++ {
			both += float64(pcm[i]) * float64(pcm[i-lag])
		}
		if r := both / energy(pcm); math.Abs(r) > 0.05 {
			t.Errorf("samples %d apart correlate by %.2f", lag, r)
		}
	}
	sum := 0.0
	for _, v := range pcm {
		sum += float64(v)
	}
	if mean := sum / float64(len(pcm)); math.Abs(mean) > 20 {
		t.Errorf("offset of %.1f", mean)
	}
}

func TestNoiseRepeats(t *testing.T) {
	var a, b, quiet Noise
	a.Level(40)
	b.Level(40)
	x, y := make([]int16, 500), make([]int16, 500)
	a.Fill(x)
	b.Fill(y[:123])
	b.Fill(y[123:])
	if !slices.Equal(x, y) {
		t.Error("the same level gives other noise")
	}
	a.Wipe()
	a.Fill(x)
	quiet.Fill(y)
	if energy(x) != 0 || energy(y) != 0 || a != (Noise{}) {
		t.Error("a wiped or new Noise is not silent")
	}
}
