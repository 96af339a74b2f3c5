// at: transcribe/forged
// want: cannot convert

// Package forged wants a frame to be bytes.
package forged

import "lethe/media"

func Keep(f media.Frame) []byte { return []byte(f) }
