// Package policytest gives tests a real office over a journal in memory.
package policytest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"lethe/policy"
)

// ErrBroken is what a Journal answers after Break.
var ErrBroken = errors.New("policytest: the journal is broken")

// Journal keeps entries in memory. The zero value is ready for use.
type Journal struct {
	mu      sync.Mutex
	entries []policy.Entry
	broken  bool
}

// Append implements policy.Journal.
func (j *Journal) Append(ctx context.Context, e policy.Entry) (policy.Place, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return policy.Place{}, err
	}
	if j.broken {
		return policy.Place{}, ErrBroken
	}
	j.entries = append(j.entries, e)
	return policy.Place{Seq: uint64(len(j.entries))}, nil
}

// Entries are those appended so far.
func (j *Journal) Entries() []policy.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// Break makes every later Append fail.
func (j *Journal) Break() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = true
}

// Rules are ones that validate.
func Rules() policy.Rules {
	r := policy.Default()
	r.Organisation = "Example Telecom"
	r.PrivacyPolicyURL = "https://example.org/privacy"
	r.AgentPolicyURL = "https://example.org/agent-privacy"
	r.Contact = "privacy@example.org"
	return r
}

// Office is a real one, over a Journal of its own and the system's clock.
func Office(tb testing.TB, processors ...policy.ProcessorEntry) (*policy.Office, *Journal) {
	tb.Helper()
	j := &Journal{}
	o, err := policy.New(j, Rules(), time.Now, processors...)
	if err != nil {
		tb.Fatal(err)
	}
	return o, j
}
