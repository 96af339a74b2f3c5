package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lethe/policy"
)

func inside(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(t.Context(), Config{File: filepath.Join(dir, "lethe.db"), Keys: filepath.Join(dir, "keys")}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// What is deleted is overwritten, what is committed is on disk, and readers do
// not wait for the writer: on every connection of both databases.
func TestPragmas(t *testing.T) {
	s := inside(t)
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

// Who changes an entry and makes its hash anew is found out by the next one.
func TestForgedHash(t *testing.T) {
	s := inside(t)
	var places []policy.Place
	for i := range 9 {
		p, err := s.journal.Append(t.Context(), policy.Entry{At: time.Unix(1, 0), Reason: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, p)
	}
	forged := policy.Entry{At: time.Unix(1, 0), Reason: "another"}
	h := link(places[3].Hash, 5, forged.At.UnixNano(), forged)
	if _, err := s.data.ExecContext(t.Context(), "UPDATE journal SET reason = ?, hash = ? WHERE seq = 5", forged.Reason, h[:]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.journal.Verify(t.Context()); !errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "entry 6 is") {
		t.Errorf("%v", err)
	}
}

// What nobody waits for any more when its turn comes is not written.
func TestNobodyWaits(t *testing.T) {
	s := inside(t)
	busy, release, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		first <- s.writer.write(context.Background(), nil, func(context.Context, *sql.Conn) error {
			close(busy)
			<-release
			return nil
		})
	}()
	<-busy
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := s.journal.Append(ctx, policy.Entry{Action: "late"})
		second <- err
	}()
	for len(s.writer.ops) == 0 {
		// until the second stands in the queue
		select {
		case err := <-second:
			t.Fatal(err)
		default:
		}
	}
	cancel()
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("late: %v", err)
	}
	if end, err := s.journal.Verify(t.Context()); err != nil || end.Seq != 0 {
		t.Errorf("written all the same: %v %v", end, err)
	}
}
