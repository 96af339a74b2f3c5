// at: transcribe/forged
// want: cannot refer to unexported field ok

// Package forged wants to have a turn stored that no ruling has cleared.
package forged

import "lethe/policy"

var Cleared = policy.Cleared{ok: true}
