// Package agent is the contract of what answers: a Mind hears turns and
// answers with text, a Voice speaks text into a stream.
package agent

import (
	"context"

	"lethe/media"
	"lethe/policy"
)

// Reply is one piece of a mind's answer, in the order in which it is to be
// spoken. A Reply may carry an act: what to do after its words were heard.
type Reply struct {
	Words policy.Words
	Act   Act
	To    string // of Transfer: the target
}

// Act is what a mind asks the conversation to do.
type Act uint8

// Acts.
const (
	Listen   Act = iota // go on
	End                 // hang up
	Transfer            // hand over to a person
)

// Mind is one conversation's partner. One goroutine calls it.
type Mind interface {
	// Greet is what to say first, after the disclosure.
	Greet(context.Context) (<-chan Reply, error)
	// Hear is given what the caller said and answers as text comes; the
	// channel is closed at the end of the answer, or soon after ctx ends.
	Hear(context.Context, policy.Told) (<-chan Reply, error)
	// Interrupted says how much of the last answer the caller heard.
	Interrupted(ctx context.Context, heard policy.Told) error
	Close(context.Context) error
}

// Keypad is a Mind that understands keys. One that is not a Keypad is not told
// of them.
type Keypad interface {
	Keyed(ctx context.Context, digits policy.Told) (<-chan Reply, error)
}

// Prompter is a Mind that has something to say when it has not been given
// anything to understand. One that is not a Prompter says nothing then.
type Prompter interface {
	// Unclear says that the caller spoke and was not understood.
	Unclear(context.Context) (<-chan Reply, error)
	// Quiet says that the caller has said nothing for a while; times counts
	// from 1 since they last spoke.
	Quiet(ctx context.Context, times int) (<-chan Reply, error)
}

// Voice speaks t into out and returns when all of it was written; media paces
// it. When ctx ends it stops at once. A Voice is safe for concurrent use.
type Voice interface {
	Processor() string
	Speak(ctx context.Context, t policy.Told, out *media.Speech) error
	String() string
}
