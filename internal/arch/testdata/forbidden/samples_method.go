// at: transcribe/forged
// want: Samples undefined

// Package forged wants samples from the frame itself.
package forged

import "lethe/media"

func Keep(f media.Frame) []int16 { return f.Samples() }
