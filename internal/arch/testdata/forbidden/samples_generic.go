// at: transcribe/forged
// want: does not satisfy

// Package forged wants samples by way of a constraint.
package forged

import "lethe/media"

func keep[F interface{ Samples() []int16 }](f F) []int16 { return f.Samples() }

func Keep(f media.Frame) []int16 { return keep(f) }
