package sphinx

import "math"

// Weights of the confidence, chosen on the development voices: with a
// vocabulary, sentences that were recognised had all their word pairs in it, and
// sentences from outside a quarter at most. Of open speech all that is known is
// how well the sounds fit.
const (
	least, most     = 0.05, 0.95
	middling, width = -60000.0, 8000.0 // acoustic score of a frame
)

// confidence is how much a segment is to be believed, 0 to 1: with a vocabulary
// it is below policy.LowConfidence where less than half of the word pairs are
// the vocabulary's. That is what is said outside of it.
func confidence(m message, words []string, v *vocabulary) float32 {
	if len(words) == 0 {
		return 0
	}
	if v != nil {
		return float32(least + (most-least)*v.known(words))
	}
	return float32(least + (most-least)/(1+math.Exp((middling-m.score)/width)))
}
