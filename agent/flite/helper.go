package flite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"syscall"
	"time"
	"unsafe"
)

// helper is one process. One goroutine at a time uses it.
type helper struct {
	cmd  *exec.Cmd
	in   *os.File // text to it
	out  *os.File // audio from it
	rate int
	busy bool // a sentence was asked for and its end was not read yet
	left int  // bytes of the piece that is being read
	word [8]byte
}

// start runs the helper and waits until it has loaded its voice.
func start(ctx context.Context, path, voice string) (*helper, error) {
	childIn, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHelper, err)
	}
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrHelper, err), childIn.Close(), in.Close())
	}
	// The process lives longer than ctx: it is ended by end.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, voice) //nolint:gosec // the operator's own path
	cmd.Stdin, cmd.Stdout = childIn, childOut
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's ^C is lethe's to handle
	err = cmd.Start()
	if closed := errors.Join(childIn.Close(), childOut.Close()); err == nil {
		err = closed
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrHelper, err), in.Close(), out.Close())
	}
	h := &helper{cmd: cmd, in: in, out: out}
	stop := h.bound(ctx)
	defer stop()
	if err := h.hello(); err != nil {
		h.end()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: it did not begin: %w", ErrHelper, err)
	}
	return h, nil
}

// bound lets reads and writes fail once ctx has ended, until stop is called.
func (h *helper) bound(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	un := context.AfterFunc(ctx, func() {
		h.deadline(time.Unix(1, 0))
		close(done)
	})
	return func() {
		if !un() {
			<-done
			h.deadline(time.Time{})
		}
	}
}

func (h *helper) deadline(t time.Time) {
	// Pipes support deadlines; a closed one needs none.
	_ = h.in.SetDeadline(t)
	_ = h.out.SetDeadline(t)
}

func (h *helper) hello() error {
	if _, err := io.ReadFull(h.out, h.word[:]); err != nil {
		return err
	}
	h.rate = int(binary.LittleEndian.Uint32(h.word[4:]))
	if string(h.word[:4]) != "LFL1" || h.rate < 8000 || h.rate > 48000 {
		return errors.New("it is no lethe-flite of this version")
	}
	return nil
}

// sink takes samples that lie in locked memory; they are not its to keep.
type sink func(ctx context.Context, pcm []int16, rate int) error

// speak gives the audio of one sentence to out and says how many samples that
// were. buf is locked memory. Whatever the error, settle says whether the
// helper can go on.
func (h *helper) speak(ctx context.Context, sentence string, buf []byte, out sink) (samples int, err error) {
	stop := h.bound(ctx)
	defer stop()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	h.word[0] = 'S'
	binary.LittleEndian.PutUint32(h.word[1:], uint32(len(sentence))) //nolint:gosec // split bounds it
	h.busy = true
	if _, err := h.in.Write(h.word[:5]); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrHelper, err)
	}
	if _, err := h.in.WriteString(sentence); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrHelper, err)
	}
	for {
		n, err := h.read(buf)
		if err != nil || n == 0 {
			return samples, err
		}
		if err := out(ctx, pcm(buf[:n]), h.rate); err != nil {
			return samples, err
		}
		samples += n / 2
	}
}

// read gives the next bytes of a sentence, 0 at its end.
func (h *helper) read(buf []byte) (int, error) {
	if h.left == 0 {
		if _, err := io.ReadFull(h.out, h.word[:4]); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrHelper, err)
		}
		switch n := binary.LittleEndian.Uint32(h.word[:4]); {
		case n == 0:
			h.busy = false
			return 0, nil
		case n == math.MaxUint32:
			h.busy = false
			return 0, ErrUnspeakable
		case n%2 != 0 || n > 1<<24:
			return 0, fmt.Errorf("%w: it does not keep to its protocol", ErrHelper)
		default:
			h.left = int(n)
		}
	}
	n := min(h.left, len(buf))
	if _, err := io.ReadFull(h.out, buf[:n]); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrHelper, err)
	}
	h.left -= n
	return n, nil
}

// settle stops what is being spoken and reads what is left of it. It says
// whether the helper can speak again.
func (h *helper) settle(buf []byte) bool {
	if !h.busy {
		return true
	}
	h.deadline(time.Now().Add(stopTimeout))
	defer h.deadline(time.Time{})
	if _, err := h.in.Write([]byte{'X'}); err != nil {
		return false
	}
	for h.busy {
		if _, err := h.read(buf); err != nil && !errors.Is(err, ErrUnspeakable) {
			return false
		}
	}
	return true
}

// end stops the process and joins it. It has nothing to lose, and what its
// pipes and its exit have to say is of no use any more.
func (h *helper) end() {
	_ = h.in.Close()
	_ = h.out.Close()
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// pcm looks at bytes of locked memory as the samples they are.
func pcm(b []byte) []int16 {
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2) //nolint:gosec // aligned: a whole arena block
}
