package sphinx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// loadTime is how long a helper may take to load its models.
const loadTime = 60 * time.Second

// helper is one running lethe-sphinx: it has loaded the models and forks a
// child for whoever asks. gone is closed when it ended.
type helper struct {
	cmd     *exec.Cmd
	control *os.File
	gone    chan struct{}
	err     error // why, once gone

	mu   sync.Mutex
	last int64
}

// pair makes the two ends of a socket that keeps messages apart.
func pair(name string) (ours *os.File, theirs int, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, -1, fmt.Errorf("%w: a socket: %w", ErrHelper, err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		return nil, -1, errors.Join(fmt.Errorf("%w: a socket: %w", ErrHelper, err), unix.Close(fds[0]), unix.Close(fds[1]))
	}
	return os.NewFile(uintptr(fds[0]), name), fds[1], nil //nolint:gosec // a descriptor
}

// startHelper runs the helper and waits until it has loaded its models. What it
// loads lies in a temporary folder that is gone when this returns.
func startHelper(ctx context.Context, path string, s *setup) (_ *helper, err error) {
	dir, err := os.MkdirTemp("", "lethe-sphinx-")
	if err != nil {
		return nil, fmt.Errorf("%w: a temporary folder: %w", ErrHelper, err)
	}
	defer func() {
		if gone := os.RemoveAll(dir); gone != nil {
			err = errors.Join(err, fmt.Errorf("sphinx: the temporary folder could not be deleted: %w", gone))
		}
	}()
	file, err := s.write(dir)
	if err != nil {
		return nil, err
	}
	h, err := runHelper(ctx, path, file)
	if err != nil {
		return nil, err
	}
	if err := h.loaded(ctx); err != nil {
		h.kill()
		<-h.gone
		return nil, errors.Join(err, h.control.Close())
	}
	return h, nil
}

func runHelper(ctx context.Context, path, file string) (*helper, error) {
	control, theirs, err := pair("lethe-sphinx")
	if err != nil {
		return nil, err
	}
	child := os.NewFile(uintptr(theirs), "control") //nolint:gosec // a descriptor
	// The process lives longer than ctx: it ends when its control socket does.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, file) //nolint:gosec // the operator's own path
	cmd.ExtraFiles = []*os.File{child}
	// Resolving a function when it is first called would save the vector
	// registers, which have just copied audio, on the stack.
	cmd.Env = []string{"LD_BIND_NOW=1"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's ^C is lethe's to handle
	err = cmd.Start()
	if closed := child.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrHelper, err), control.Close())
	}
	h := &helper{cmd: cmd, control: control, gone: make(chan struct{})}
	return h, nil
}

// loaded waits for "R", and from then on for the helper's end.
func (h *helper) loaded(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, loadTime)
	defer cancel()
	stop := context.AfterFunc(ctx, h.kill)
	defer stop()
	var buf [512]byte
	n, err := h.control.Read(buf[:])
	go h.wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: it did not load its models: %w", ErrHelper, ctx.Err())
	case err != nil:
		return fmt.Errorf("%w: it ended while it loaded its models: %w", ErrHelper, err)
	case n > 2 && buf[0] == 'W':
		return fmt.Errorf("%w: %s", ErrHelper, buf[2:n])
	case n != 1 || buf[0] != 'R':
		return fmt.Errorf("%w: it is no lethe-sphinx of this version", ErrHelper)
	}
	return nil
}

// wait joins the process.
func (h *helper) wait() {
	h.err = h.cmd.Wait()
	close(h.gone)
}

// kill ends the helper and, with it, every child.
func (h *helper) kill() { _ = h.cmd.Process.Kill() } // it may have ended by itself

// fork asks for a child; fd is its end of the socket and closed here.
func (h *helper) fork(band, vocabulary, fd int) (id int64, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	err = h.send(fmt.Sprintf("O %d %d %d", h.last, band, vocabulary), unix.UnixRights(fd))
	if err := errors.Join(err, unix.Close(fd)); err != nil {
		return 0, fmt.Errorf("%w: asking for a child: %w", ErrHelper, err)
	}
	return h.last, nil
}

// end kills one child.
func (h *helper) end(id int64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.send(fmt.Sprintf("K %d", id), nil)
}

func (h *helper) send(line string, rights []byte) error {
	raw, err := h.control.SyscallConn()
	if err != nil {
		return err //nolint:wrapcheck // by the caller
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte(line), rights, nil, unix.MSG_NOSIGNAL) //nolint:gosec // a descriptor
		return !errors.Is(sent, unix.EAGAIN)
	})
	return errors.Join(err, sent)
}

// close lets the helper end, and sees to it that it does.
func (h *helper) close() error {
	err := h.control.Close()
	limit := time.NewTimer(2 * time.Second)
	defer limit.Stop()
	select {
	case <-h.gone:
	case <-limit.C:
		h.kill()
		<-h.gone
	}
	return err //nolint:wrapcheck // by the caller
}
