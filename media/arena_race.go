//go:build race

package media

import "unsafe"

// Under the race detector the arena is Go heap: the detector does not see
// mapped memory. The guarantees of the locked arena do not hold in such a
// build, which is for tests alone.
func mapLocked(size int) ([]byte, error) {
	words := make([]uint64, (size+grain)/8)
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8) //nolint:gosec // bytes of words
	skip := 0
	for uintptr(unsafe.Pointer(&b[skip]))%grain != 0 { //nolint:gosec // alignment only
		skip++
	}
	return b[skip : skip+size : skip+size], nil
}

func unmap([]byte) error { return nil }
