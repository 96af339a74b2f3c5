// at: cmd/forged
// want: not enough arguments in call to policy.New

// Package forged wants an office that grants without a journal.
package forged

import "lethe/policy"

func Office() (*policy.Office, error) { return policy.New() }
