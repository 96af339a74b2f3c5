package vad

import (
	"fmt"
	"testing"
	"time"
)

// What is held of human speech through G.711, at both rates, on recordings that
// no threshold was chosen with: nothing is missed, and what is false stays rare.
func TestHumanSpeech(t *testing.T) {
	speech := clips(t, false)
	for _, c := range []struct {
		noise       string
		snr         float64
		late, early float64 // share of utterances, at most
		falseSpeech float64 // share of silence, at most
		falseStarts int
	}{
		{"white", 40, 0.08, 0.08, 0.01, 3},
		{"white", 20, 0.08, 0.08, 0.01, 3},
		{"white", 10, 0.10, 0.12, 0.01, 3},
		{"white", 5, 0.15, 0.40, 0.01, 3},
		{"car", 20, 0.08, 0.08, 0.01, 3},
		{"car", 10, 0.10, 0.10, 0.01, 3},
		{"hum", 20, 0.08, 0.08, 0.01, 3},
		{"step", 20, 0.08, 0.08, 0.01, 3},
		{"babble", 20, 0.08, 0.10, 0.05, 8},
	} {
		s := compose(speech, 7)
		s.noise(c.noise, c.snr, 11, speech)
		narrow := s.samples(t)
		for rate, pcm := range map[int][]int16{8000: narrow, 16000: widen(narrow)} {
			t.Run(fmt.Sprintf("%s %v dB at %d Hz", c.noise, c.snr, rate), func(t *testing.T) {
				sc := judge(t, s.truth, pcm, rate, Default())
				n, silent := float64(sc.utterances), float64(sc.falseSpeech)/float64(sc.silence)
				t.Logf("%d utterances, missed %d, late %d, early %d; false starts %d, false speech %.2f%% of %v; end found p50 %v p95 %v",
					sc.utterances, sc.missed, sc.late, sc.early, sc.falseStarts, 100*silent, sc.silence.Round(time.Second),
					sc.lagAt(0.5).Round(time.Millisecond), sc.lagAt(0.95).Round(time.Millisecond))
				if sc.utterances < 60 {
					t.Fatalf("only %d utterances", sc.utterances)
				}
				if sc.missed > 0 || float64(sc.late) > c.late*n || float64(sc.early) > c.early*n {
					t.Errorf("hits: missed %d, late %d, early %d of %d", sc.missed, sc.late, sc.early, sc.utterances)
				}
				if silent > c.falseSpeech || sc.falseStarts > c.falseStarts {
					t.Errorf("false alarms: %d starts, %.1f%% of silence", sc.falseStarts, 100*silent)
				}
				if sc.lagAt(0.95) > 100*time.Millisecond {
					t.Errorf("the end of speech was found %v late", sc.lagAt(0.95))
				}
			})
		}
	}
}
