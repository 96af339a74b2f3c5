package forensic

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File searches one file from its first byte to its last; a core file too,
// whose segments lie in it as they lay in memory.
func (s *Search) File(name string) error {
	f, err := os.Open(name) //nolint:gosec // the searcher is given what to search
	if err != nil {
		return fmt.Errorf("forensic: %w", err)
	}
	err = s.Reader(f, name)
	return errors.Join(err, f.Close())
}

// Reader searches all that r gives; name is how finds are told.
func (s *Search) Reader(r io.Reader, name string) error {
	buf := make([]byte, overlap+chunk)
	kept, at := 0, uint64(0) // bytes of the former chunk at the start of buf, and their offset
	for {
		n, err := io.ReadFull(r, buf[kept:])
		s.bytes += int64(n)
		s.look(buf[:kept+n], place{name, at})
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("forensic: reading %s: %w", name, err)
		}
		copy(buf, buf[len(buf)-overlap:])
		at += uint64(kept + n - overlap) //nolint:gosec // positive: a whole chunk was read
		kept = overlap
	}
}

// Dir searches every regular file below dir. A file that can't be read is an
// error; one that was removed meanwhile is not.
func (s *Search) Dir(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err != nil {
			return fmt.Errorf("forensic: %w", err)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if err := s.File(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Dir searches every file below the given folders.
func (n *Needles) Dir(dirs ...string) (Report, error) {
	s := n.Search()
	for _, d := range dirs {
		if err := s.Dir(d); err != nil {
			return Report{}, err
		}
	}
	return s.Report(), nil
}
