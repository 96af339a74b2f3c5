// at: transcribe/forged
// want: part undefined

// Package forged wants the field that holds the samples.
package forged

import "lethe/media"

func Keep(f media.Frame) []int16 { return f.part }
