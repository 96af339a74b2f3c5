package store

import (
	"path/filepath"
	"testing"
	"time"
)

// What is deleted is overwritten, what is committed is on disk, and readers do
// not wait for the writer: on every connection of both databases.
func TestPragmas(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{File: filepath.Join(dir, "lethe.db"), Keys: filepath.Join(dir, "keys")}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	for pragma, want := range map[string]string{"secure_delete": "1", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0", "busy_timeout": busyMillis} {
		var data, keys, writer string
		if err := s.data.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&data); err != nil {
			t.Fatal(err)
		}
		if err := s.keys.db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&keys); err != nil {
			t.Fatal(err)
		}
		if err := s.writer.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&writer); err != nil {
			t.Fatal(err)
		}
		if data != want || keys != want || writer != want {
			t.Errorf("%s: data %s, keys %s, writer %s, want %s", pragma, data, keys, writer, want)
		}
	}
}
