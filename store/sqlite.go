package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/data/*.sql migrations/keys/*.sql
var migrations embed.FS

// schema is one database of the two.
type schema struct {
	dir         string
	application int64 // PRAGMA application_id, so that another program's file is refused
}

func dataSchema() schema { return schema{dir: "migrations/data", application: 0x6c657468} }
func keysSchema() schema { return schema{dir: "migrations/keys", application: 0x6c65746b} }

// busyMillis is how long a statement waits for another process's lock.
const busyMillis = "5000"

// connect opens a database. WAL lets readers in beside the writer;
// synchronous=FULL puts every commit on disk; secure_delete overwrites what is
// deleted; defensive and trusted_schema=OFF are for a file that was tampered with.
func connect(ctx context.Context, path string, sc schema, serve bool) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	q := url.Values{"_defensive": {"1"}, "_txlock": {"immediate"}, "mode": {"rw"}, "_pragma": {
		"busy_timeout(" + busyMillis + ")", "secure_delete(ON)", "journal_mode(WAL)", "synchronous(FULL)",
		"foreign_keys(ON)", "trusted_schema(OFF)", "temp_store(MEMORY)",
	}}
	u := url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, explain(path, err)
	}
	db.SetMaxOpenConns(4)
	if err := prepare(ctx, db, sc, serve); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	return db, nil
}

func prepare(ctx context.Context, db *sql.DB, sc schema, serve bool) error {
	var app, objects int64
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil {
		return err
	}
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&app); err != nil {
		return err
	}
	if app != sc.application && (app != 0 || objects > 0) && !onlyGoose(ctx, db) {
		return ErrForeign
	}
	if err := sound(ctx, db, serve); err != nil {
		return err
	}
	return migrate(ctx, db, sc, serve)
}

// onlyGoose says that a first migration was broken off.
func onlyGoose(ctx context.Context, db *sql.DB) bool {
	var n int64
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE tbl_name NOT IN (?, 'sqlite_sequence')", goose.DefaultTablename).Scan(&n)
	return err == nil && n == 0
}

// checkBelow is the size up to which a server looks at the whole file when it
// starts; beyond it damage is seen when the page is read.
const checkBelow = 256 << 20

func sound(ctx context.Context, db *sql.DB, serve bool) error {
	var size int64
	if err := db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size); err != nil {
		return err
	}
	if !serve || size > checkBelow {
		return nil
	}
	var say string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&say); err != nil {
		return err
	}
	if say != "ok" {
		return fmt.Errorf("%w: %s", ErrCorrupt, say)
	}
	return nil
}

func migrate(ctx context.Context, db *sql.DB, sc schema, serve bool) error {
	dir, err := fs.Sub(migrations, sc.dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	switch {
	case have > want:
		return fmt.Errorf("%w: schema %d, and this one knows %d; use the newer lethe", ErrNewer, have, want)
	case have < want && !serve:
		return fmt.Errorf("%w: schema %d of %d; start the server once", ErrOlder, have, want)
	}
	_, err = p.Up(ctx)
	return err
}

// explain gives SQLite's errors the names of this package and a remedy.
func explain(path string, err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	kind := error(nil)
	remedy := ""
	var e *sqlite.Error
	if errors.As(err, &e) {
		remedy, kind = classify(e.Code())
	}
	switch {
	case kind == nil && errors.Is(err, ErrForeign):
		remedy = "; it is a database of another program or another part of lethe: give this one a file of its own"
	case kind == nil && errors.Is(err, ErrCorrupt):
		remedy, _ = classify(sqlite3.SQLITE_CORRUPT)
	case kind == nil && errors.Is(err, os.ErrPermission):
		remedy = "; let the user that runs lethe write it and its folder"
	}
	if kind != nil {
		return fmt.Errorf("store: %s: %w (%w)%s", path, kind, err, remedy)
	}
	return fmt.Errorf("store: %s: %w%s", path, err, remedy)
}

func classify(code int) (remedy string, kind error) {
	switch code & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "; find the process that has it open (fuser) and let it finish", ErrLocked
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return "; make room, or look at the disk's own errors (dmesg)", ErrFull
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "; put a backup back, or move the file away to begin anew", ErrCorrupt
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return "; let the user that runs lethe write it and its folder", os.ErrPermission
	}
	return "", nil
}
