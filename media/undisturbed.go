package media

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// undisturbed blocks every signal on the calling thread but those that a fault
// of its own raises. A thread that is interrupted in the middle of a copy has
// its vector registers written to memory, by the kernel onto the signal stack
// and by Go's preemption next to the goroutine: with them up to 256 bytes of a
// caller's audio, which nobody wipes. The thread gives way at function calls
// instead, and these are never far.
func undisturbed() error {
	var set unix.Sigset_t
	for i := range set.Val {
		set.Val[i] = ^uint64(0)
	}
	for _, s := range [...]syscall.Signal{
		unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS, unix.SIGABRT,
	} {
		set.Val[(s-1)/64] &^= 1 << ((s - 1) % 64)
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &set, nil); err != nil {
		return fmt.Errorf("media: blocking signals: %w", err)
	}
	return nil
}
