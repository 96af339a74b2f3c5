// at: conversation/forged
// want: cannot use

// Package forged wants an engine to hear without a grant.
package forged

import (
	"context"

	"lethe/transcribe"
)

func Open(e transcribe.Engine) (transcribe.Session, error) {
	return e.Open(context.Background(), struct{}{}, transcribe.Options{})
}
