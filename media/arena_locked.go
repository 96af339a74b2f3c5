//go:build !race

package media

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// mapLocked maps size bytes that are never swapped, never dumped, and read as
// zeros in a forked child.
func mapLocked(size int) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("media: mapping an arena of %d KiB: %w", size>>10, err)
	}
	if err := guard(mem); err != nil {
		return nil, errors.Join(err, unix.Munmap(mem))
	}
	return mem, nil
}

func guard(mem []byte) error {
	if err := unix.Mlock(mem); err != nil {
		var lim unix.Rlimit
		if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &lim) != nil {
			lim.Cur = 0
		}
		return fmt.Errorf("media: the arena of %d KiB cannot be locked into memory (limit %d KiB): "+
			"raise the limit (systemd: LimitMEMLOCK=, shell: ulimit -l) or lower media.arena_kib: %w",
			len(mem)>>10, lim.Cur>>10, err)
	}
	if err := unix.Madvise(mem, unix.MADV_DONTDUMP); err != nil {
		return fmt.Errorf("media: keeping the arena out of core dumps: %w", err)
	}
	if err := unix.Madvise(mem, unix.MADV_WIPEONFORK); err != nil {
		return fmt.Errorf("media: keeping the arena out of forked children: %w", err)
	}
	return nil
}

func unmap(mem []byte) error {
	if err := unix.Munmap(mem); err != nil {
		return fmt.Errorf("media: unmapping the arena: %w", err)
	}
	return nil
}
