// at: conversation/forged
// want: cannot use

// Package forged wants a mind to hear a turn that policy has not seen.
package forged

import (
	"context"

	"lethe/agent"
	"lethe/policy"
)

func Hear(m agent.Mind, t policy.Turn) (<-chan agent.Reply, error) {
	return m.Hear(context.Background(), t)
}
