package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/store"
	"lethe/store/storetest"
)

// Environment variables that turn this binary into a child of a test.
const (
	childWrites = "LETHE_TEST_STORE_WRITE"
	childFills  = "LETHE_TEST_STORE_FILL"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childWrites); dir != "" {
		fmt.Fprintln(os.Stderr, storetest.Write(backend(), dir))
		os.Exit(1)
	}
	if dir := os.Getenv(childFills); dir != "" {
		os.Exit(fill(dir))
	}
	goleak.VerifyTestMain(m)
}

func config(dir string) store.Config {
	return store.Config{File: filepath.Join(dir, "data", "lethe.db"), Keys: filepath.Join(dir, "keys", "lethe.keys")}
}

func backend() storetest.Backend {
	return storetest.Backend{
		Open: func(ctx context.Context, dir string, now func() time.Time) (storetest.Store, error) {
			s, err := store.Open(ctx, config(dir), now)
			if err != nil {
				return nil, err
			}
			return s, nil
		},
		Sound: sound,
		Child: childWrites,
	}
}

// sound runs SQLite's integrity check over both files.
func sound(ctx context.Context, dir string) error {
	c := config(dir)
	for _, f := range []string{c.File, c.Keys} {
		db, err := sql.Open("sqlite", f)
		if err != nil {
			return err
		}
		var say string
		err = db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&say)
		if cerr := db.Close(); err == nil {
			err = cerr
		}
		if err != nil || say != "ok" {
			return fmt.Errorf("%s: %s: %w", f, say, err)
		}
	}
	return nil
}

func TestSQLite(t *testing.T) { storetest.Run(t, backend()) }
