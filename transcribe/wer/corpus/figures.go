package corpus

import (
	"context"
	"fmt"
	"slices"

	"lethe/transcribe/wer"
)

// Row is one figure beside its goal.
type Row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Goal  string  `json:"goal"`
	Met   bool    `json:"met"`
}

// row is a figure in percent that should be at most the goal.
func row(name string, value float64, goal float64) Row {
	return Row{Name: name, Value: value, Unit: "%", Goal: fmt.Sprintf("<= %g", goal), Met: value <= goal}
}

// Figures measures the embedded engine: its vocabulary named Support has to be
// Sentences(Support). match says what an assistant with that vocabulary would
// act upon. every takes each every-th recording; 1 takes all, in real time.
func Figures(ctx context.Context, s wer.Setup, match func(string) bool, every int) ([]Row, []wer.Result, error) {
	known, err := spoken(ctx, Support, every)
	if err != nil {
		return nil, nil, err
	}
	open, err := spoken(ctx, Open, every)
	if err != nil {
		return nil, nil, err
	}
	people, err := Human()
	if err != nil {
		return nil, nil, err
	}
	open = slices.Concat(open, people)
	var results []wer.Result
	for _, m := range []struct {
		codec, vocabulary string
		cases             []wer.Case
	}{{"PCMU", Support, known}, {"PCMU", "", open}, {"G722", "", open}, {"PCMU", Support, open}} {
		s.Codec, s.Options.Vocabulary = m.codec, m.vocabulary
		r, err := wer.Measure(ctx, s, m.cases)
		if err != nil {
			return nil, results, err //nolint:wrapcheck // it names the recording
		}
		results = append(results, r)
	}
	taken, of := results[3].Taken(match)
	return []Row{
		row("word error, G.711, in the vocabulary", results[0].Score.Rate(), 8),
		row("word error, G.711, open speech", results[1].Score.Rate(), 38),
		row("word error, G.722, open speech", results[2].Score.Rate(), 25),
		row("sentences outside the vocabulary taken for an intent", 100*float64(taken)/float64(max(1, of)), 5),
	}, results, nil
}

func spoken(ctx context.Context, text string, every int) ([]wer.Case, error) {
	sentences, err := Sentences(text)
	if err != nil {
		return nil, err
	}
	return Speak(ctx, TestVoices(), sentences, every)
}
