// at: conversation/forged

// Package forged does with the same types what they are for.
package forged

import (
	"context"

	"lethe/agent"
	"lethe/media"
	"lethe/media/raw"
	"lethe/policy"
	"lethe/transcribe"
)

func Open(e transcribe.Engine, l policy.Listen) (transcribe.Session, error) {
	return e.Open(context.Background(), l, transcribe.Options{Rate: e.Rate()})
}

func Hear(m agent.Mind, t policy.Told) (<-chan agent.Reply, error) {
	return m.Hear(context.Background(), t)
}

func Loudness(f media.Frame) (sum int) {
	for _, s := range raw.Samples(f) {
		sum += max(int(s), -int(s))
	}
	return sum
}

func Text(w policy.Words) string { return w.Reveal() }
