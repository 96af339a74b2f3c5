// at: web/forged
// want: too many values in struct literal

// Package forged wants a hold that nobody granted.
package forged

import "lethe/policy"

var Hold = policy.Hold{nil, true}
