// at: conversation/forged
// want: cannot refer to unexported field l in struct literal

// Package forged wants to open an engine without a ruling.
package forged

import "lethe/policy"

var Listen = policy.Listen{l: nil}
