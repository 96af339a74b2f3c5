// Package raw is the one door to samples. internal/arch keeps the table of
// who may import it.
package raw

import (
	"lethe/media"
	"lethe/media/internal/frame"
)

// Samples lends the 16-bit linear PCM of f. The slice is valid only until the
// Hear (or the Ring.Forget) that f belongs to; it must not be kept.
// It panics if f was forgotten.
func Samples(f media.Frame) []int16 { return frame.Samples(f) }
