package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// folders makes the folders of the given files, for this user alone.
func folders(files ...string) error {
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f), 0o700); err != nil {
			return fmt.Errorf("store: the folder of %s can't be made: %w", f, err)
		}
	}
	return nil
}

// create makes a file for this user alone, unless there is one. A link that
// points nowhere is refused. An existing file is not opened: closing it would
// drop the locks that SQLite has on it in this process.
func create(path string) (made bool, err error) {
	if _, err := os.Stat(path); err == nil {
		return false, nil
	} else if !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the operator's own path
	if errors.Is(err, os.ErrExist) {
		return false, fmt.Errorf("store: %s is a link that points nowhere; remove it or make what it points to", path)
	}
	if err != nil {
		return false, fmt.Errorf("store: %w", err)
	}
	return true, f.Close()
}

// private refuses a key store that others may read.
func private(path string) error {
	i, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if i.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("store.keys: %s may be read by others (mode %04o); chmod 600 it", path, i.Mode().Perm())
	}
	return nil
}

// apart refuses a key store that is the data's file by name, by symbolic link
// or by hard link, or one of the files that SQLite keeps beside it.
func apart(file, keys string) error {
	f, k := resolve(file), resolve(keys)
	same := false
	for _, end := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		same = same || f+end == k || k+end == f
	}
	a, errA := os.Stat(file)
	b, errB := os.Stat(keys)
	if same || errA == nil && errB == nil && os.SameFile(a, b) {
		return fmt.Errorf("%w: %s and %s; give the keys a file of their own, best in another folder", ErrSameFile, file, keys)
	}
	return nil
}

// resolve follows links as far as the path exists.
func resolve(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if r, err := filepath.EvalSymlinks(path); err == nil {
		return r
	}
	// The last part may be a link to something that is not there yet.
	if to, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	dir, base := filepath.Split(path)
	if r, err := filepath.EvalSymlinks(filepath.Clean(dir)); err == nil {
		return filepath.Join(r, base)
	}
	return filepath.Clean(path)
}

// lockWait bounds how long a server waits for one that is on its way out.
const lockWait = 2 * time.Second

// lock takes the file that says that a server has the store open. The kernel
// drops it with the process, however that ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	tick := time.NewTicker(lockWait / 20)
	defer tick.Stop()
	for range 20 {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) //nolint:gosec // a descriptor fits
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		<-tick.C
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("store: %w (%s is held); stop it first, or give this one its own store.file", ErrServed, path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
