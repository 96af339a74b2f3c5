// at: conversation/forged
// want: cannot refer to unexported field turn

// Package forged wants a mind to hear what was not redacted for it.
package forged

import "lethe/policy"

func Tell(t policy.Turn) policy.Told { return policy.Told{turn: t} }
