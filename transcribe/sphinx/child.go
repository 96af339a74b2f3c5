package sphinx

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"lethe/media"
	"lethe/media/raw"
)

// errBroken says that a child does not take what it should.
var errBroken = errors.New("sphinx: the child does not listen")

// child is one process of the helper's, which hears one call. Its words come
// out of said; said is closed when the process is dead: the kernel gives back a
// process's memory before it closes its files, so by then nothing is left of
// what it heard.
type child struct {
	helper *helper
	id     int64
	sock   *os.File
	raw    syscall.RawConn
	said   chan message
	acks   chan struct{}

	// of the writing goroutine; write is made once, for a closure costs
	// an allocation
	broken bool // it does not take what it is given
	out    []byte
	err    error
	write  func(fd uintptr) bool
}

// message is what a child says of an utterance. Start and end are frames of
// 10 ms from its first sample.
type message struct {
	kind       byte // H, P, F or C: see helper/session.h
	start, end int
	score      float64 // acoustic, per frame; 0 is best
	margin     float64 // how much better, per frame, text fits than own
	text       string
	own        string // what was heard if only the vocabulary can have been said
}

// newChild asks h for a child and starts to read from it.
func newChild(h *helper, band, vocabulary int) (*child, error) {
	sock, theirs, err := pair("lethe-sphinx child")
	if err != nil {
		return nil, err
	}
	id, err := h.fork(band, vocabulary, theirs)
	if err != nil {
		return nil, errors.Join(err, sock.Close())
	}
	c := &child{helper: h, id: id, sock: sock, said: make(chan message, 16), acks: make(chan struct{}, 4)}
	if c.raw, err = sock.SyscallConn(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrHelper, err), sock.Close())
	}
	c.write = func(fd uintptr) bool {
		_, c.err = unix.Write(int(fd), c.out) //nolint:gosec // a descriptor
		return true
	}
	go c.read()
	return c, nil
}

// read ends with the child.
func (c *child) read() {
	defer close(c.said)
	buf := make([]byte, 16384)
	for {
		n, err := c.sock.Read(buf)
		switch {
		case err != nil || n == 0:
			return
		case buf[0] == 'A':
			select {
			case c.acks <- struct{}{}:
			default: // one is enough, and there is one piece at a time
			}
		default:
			if m, ok := parse(buf[:n]); ok {
				c.said <- m
			}
		}
	}
}

func parse(line []byte) (message, bool) {
	m := message{kind: line[0]}
	if m.kind == 'H' {
		return m, true
	}
	f := bytes.SplitN(line, []byte(" "), 6)
	if len(f) != 6 {
		return m, false
	}
	var errs [4]error
	m.start, errs[0] = strconv.Atoi(string(f[1]))
	m.end, errs[1] = strconv.Atoi(string(f[2]))
	m.score, errs[2] = strconv.ParseFloat(string(f[3]), 64)
	m.margin, errs[3] = strconv.ParseFloat(string(f[4]), 64)
	m.text, m.own, _ = strings.Cut(string(f[5]), "\t")
	return m, errors.Join(errs[:]...) == nil
}

// hear writes the samples of f from where they lie.
func (c *child) hear(f media.Frame) error {
	pcm := raw.Samples(f)
	return c.send(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(pcm))), 2*len(pcm))) //nolint:gosec // 16-bit samples as bytes, of this machine's order
}

// endpoint says that the utterance has ended.
func (c *child) endpoint() error { return c.send([]byte{'E'}) }

// send never waits: a child that reads has room for what there can be at once.
func (c *child) send(b []byte) error {
	c.out = b
	err := c.raw.Write(c.write)
	c.out = nil
	if err != nil || c.err != nil {
		return errBroken
	}
	return nil
}
