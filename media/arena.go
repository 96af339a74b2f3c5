package media

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"
)

// ErrArenaFull says that the locked arena has no room left; media.arena_kib
// raises it.
var ErrArenaFull = errors.New("media: the locked arena is full (raise media.arena_kib)")

// grain is the unit of allocation, in bytes: a cache line, so that no two
// streams share one.
const grain = 64

// Arena is the one piece of memory in which audio lives while it lives. It is
// mapped outside the Go heap, locked into RAM (never swapped), left out of
// core dumps and zeroed in forked children. Whatever is given back to it is
// wiped first. Safe for concurrent use.
type Arena struct {
	mu   sync.Mutex
	mem  []byte
	free []span // ascending, never adjacent
	used int
}

type span struct{ off, n int }

// NewArena maps and locks size bytes (rounded up to whole pages). It fails
// with the cause and the setting to raise when the memory cannot be locked.
func NewArena(size int) (*Arena, error) {
	if size <= 0 {
		return nil, fmt.Errorf("media: an arena of %d bytes", size)
	}
	const page = 4096
	size = (size + page - 1) / page * page
	mem, err := mapLocked(size)
	if err != nil {
		return nil, err
	}
	return &Arena{mem: mem, free: []span{{0, size}}}, nil
}

// Close wipes and unmaps the arena. Everything made of it must have been
// closed: it refuses while something is in use.
func (a *Arena) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mem == nil {
		return nil
	}
	if a.used != 0 {
		return fmt.Errorf("media: arena closed with %d bytes in use", a.used)
	}
	clear(a.mem)
	err := unmap(a.mem)
	a.mem, a.free = nil, nil
	return err
}

// Used is the number of bytes in use, Size of all.
func (a *Arena) Used() int { a.mu.Lock(); defer a.mu.Unlock(); return a.used }

// Size is the arena's size in bytes.
func (a *Arena) Size() int { return len(a.mem) }

// Bytes lends n zeroed bytes. free wipes them and gives them back; it may be
// called once, and the slice must not be used after it.
func (a *Arena) Bytes(n int) (b []byte, free func(), err error) {
	s, err := a.take(n)
	if err != nil {
		return nil, nil, err
	}
	return a.mem[s.off : s.off+n : s.off+n], func() { a.give(s) }, nil
}

// samples is Bytes for 16-bit PCM.
func (a *Arena) samples(n int) (pcm []int16, free func(), err error) {
	b, free, err := a.Bytes(2 * n)
	if err != nil {
		return nil, nil, err
	}
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(b))), n), free, nil //nolint:gosec // 64-byte aligned
}

// place lays a T into the arena. T must hold no pointers: the garbage
// collector does not look here.
func place[T any](a *Arena) (t *T, free func(), err error) {
	b, free, err := a.Bytes(int(unsafe.Sizeof(*t)))
	if err != nil {
		return nil, nil, err
	}
	return (*T)(unsafe.Pointer(unsafe.SliceData(b))), free, nil //nolint:gosec // 64-byte aligned, zeroed
}

func (a *Arena) take(n int) (span, error) {
	if n <= 0 {
		return span{}, fmt.Errorf("media: %d bytes of the arena", n)
	}
	n = (n + grain - 1) / grain * grain
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, s := range a.free {
		if s.n < n {
			continue
		}
		if s.n == n {
			a.free = slices.Delete(a.free, i, i+1)
		} else {
			a.free[i] = span{s.off + n, s.n - n}
		}
		a.used += n
		return span{s.off, n}, nil
	}
	return span{}, ErrArenaFull
}

func (a *Arena) give(s span) {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.mem[s.off : s.off+s.n])
	a.used -= s.n
	i, _ := slices.BinarySearchFunc(a.free, s, func(x, y span) int { return x.off - y.off })
	a.free = slices.Insert(a.free, i, s)
	if i+1 < len(a.free) && s.off+s.n == a.free[i+1].off {
		a.free[i].n += a.free[i+1].n
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].off+a.free[i-1].n == a.free[i].off {
		a.free[i-1].n += a.free[i].n
		a.free = slices.Delete(a.free, i, i+1)
	}
}
