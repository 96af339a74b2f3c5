package sip

import (
	"context"
	"errors"

	"lethe/policy"
)

// Being written: the shapes stand, the bodies follow.
type (
	UA   struct{}
	Call struct{ stream Stream }
)

// Ended says who ended a call and why; it is what Call.Err returns.
type Ended struct {
	Result Result
	Code   int    // of the refusal, or 0
	Reason string // ours, never what a peer wrote
}

func (e *Ended) Error() string { return "sip: call ended: " + e.Reason }

// Plane makes streams; wrap a *media.Plane with Media(plane).
type Plane interface{}

func New(Config, Deps) (*UA, error)        { return nil, errors.New("sip: not yet") }
func (u *UA) Listen(context.Context) error { return nil }
func (u *UA) Addrs() []Listening           { return nil }
func (u *UA) Close(context.Context) error  { return nil }
func (u *UA) Dial(context.Context, DialOptions) (*Call, error) {
	return nil, errors.New("sip: not yet")
}

func (c *Call) ID() policy.ConversationID                      { return "" }
func (c *Call) Transport() string                              { return "" }
func (c *Call) Done() <-chan struct{}                          { return nil }
func (c *Call) Err() error                                     { return nil }
func (c *Call) Hangup(context.Context, int, string) error      { return nil }
func (c *Call) Refer(ctx context.Context, target string) error { return nil }
