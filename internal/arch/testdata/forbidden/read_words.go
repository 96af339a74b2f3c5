// at: store/forged
// want: s undefined

// Package forged wants the text of what was said without Reveal.
package forged

import "lethe/policy"

func Text(w policy.Words) string { return w.s }
