// at: conversation/forged
// want: use of internal package lethe/media/internal/frame not allowed

// Package forged wants the door behind the door.
package forged

import (
	"lethe/media"
	"lethe/media/internal/frame"
)

func Keep(f media.Frame) []int16 { return frame.Samples(f) }
