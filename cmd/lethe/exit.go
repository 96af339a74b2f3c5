package main

import (
	"errors"

	"lethe/internal/caller"
	"lethe/internal/settings"
	"lethe/policy"
	"lethe/store"
)

// Exit codes. They are part of the interface: help names them.
const (
	exitOK        = 0
	exitFailed    = 1
	exitUsage     = 2
	exitNotFound  = 3
	exitRefused   = 4
	exitMissing   = 5
	exitForbidden = 6
)

const exitCodes = `Exit codes:

    0  done
    1  failed: the text says at what
    2  the command line or the configuration is wrong
    3  not found: no such conversation, file or folder
    4  the server could not be reached, or refused the call
    5  something is missing on this machine: see lethe doctor
    6  policy does not allow it`

// failure is an error with an exit code.
type failure struct {
	code int
	err  error
}

func (f failure) Error() string { return f.err.Error() }
func (f failure) Unwrap() error { return f.err }

// exit gives err an exit code.
func exit(code int, err error) error {
	if err == nil {
		return nil
	}
	return failure{code, err}
}

// silent is an error whose command has already printed what there is to say.
type silent struct{ failure }

func (s silent) Unwrap() error { return s.failure }

// codeOf is the exit code of an error.
func codeOf(err error) int {
	var f failure
	var p settings.Problems
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &f):
		return f.code
	case errors.As(err, &p), errors.Is(err, caller.ErrLine):
		return exitUsage
	case errors.Is(err, store.ErrNotFound):
		return exitNotFound
	case errors.Is(err, caller.ErrRefused):
		return exitRefused
	case errors.Is(err, policy.ErrNotGranted):
		return exitForbidden
	}
	return exitFailed
}
