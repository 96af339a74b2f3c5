// Command lethe is the server, its test caller and its operator's tools.
//
// This is the only place that names every package: it reads the configuration,
// wires the rooms together and takes them down again. It decides nothing that
// policy decides, and no word that a person said passes through it but to the
// operator's own terminal (`lethe transcript`, `lethe call`), each time with an
// entry in the journal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Main is one run of the program; tests run it with writers of their own.
type Main struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string
	Now            func() time.Time
	// Ready, if set, is told of a server that has begun to listen.
	Ready func(*Server)

	server *Server
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	m := &Main{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Now: time.Now}
	err := m.Run(ctx, os.Args[1:])
	stop()
	if closing := m.Close(); closing != nil {
		err = errors.Join(err, closing)
	}
	os.Exit(m.report(err))
}

// Run carries out one command line. A server runs until ctx ends.
func (m *Main) Run(ctx context.Context, args []string) error {
	p, c, err := m.parser()
	if err != nil {
		return err
	}
	k, err := p.parse(args)
	if err != nil || k == nil {
		return err
	}
	k.BindTo(ctx, (*context.Context)(nil))
	return k.Run(m, c)
}

// Close takes down what Run has left: nothing, unless it panicked.
func (m *Main) Close() error {
	if m.server == nil {
		return nil
	}
	s := m.server
	m.server = nil
	return s.Close()
}

// report prints an error for a person and gives the exit code.
func (m *Main) report(err error) int {
	if err == nil {
		return exitOK
	}
	var quiet silent
	if !errors.As(err, &quiet) {
		_, _ = fmt.Fprintf(m.Stderr, "lethe: %v\n", err)
	}
	return codeOf(err)
}
