// at: store/forged
// want: cannot refer to unexported field h

// Package forged wants the text of what was said without Reveal.
package forged

import "lethe/policy"

func Text(w policy.Words) string { return w.h.Value() }
