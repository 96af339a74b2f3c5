package sphinx

import (
	"math"
	"strings"
)

// Weights of the confidence, chosen on the development voices: with a
// vocabulary, sentences that were recognised had all their word pairs in it, and
// sentences from outside a quarter at most. Of open speech all that is known is
// how well the sounds fit.
const (
	least, most     = 0.05, 0.95
	middling, width = -60000.0, 8000.0 // acoustic score of a frame
)

// Of an utterance with a vocabulary two things are heard: what both language
// models make of it, and what the vocabulary alone makes of it. The second is
// believed if nearly all of its word pairs are phrases', for a sentence from
// outside is forced into word salad, and if it does not fit much worse. On the
// development voices own had 0.9 and more for what was inside and 0.6 at most
// for what was not; the margin was below 5000 for what was inside.
const (
	enoughKnown  = 0.75
	enoughMargin = 5500.0
)

// holds says whether m.own is what was said. No vocabulary holds nothing.
func (v *vocabulary) holds(m message) bool {
	return v != nil && m.own != "" && m.margin < enoughMargin && v.known(strings.Fields(m.own)) >= enoughKnown
}

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
