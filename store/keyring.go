package store

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"

	"lethe/policy"
)

// keyring is the key store: a database of its own, whose only content is the
// keys of conversations.
type keyring struct {
	path string
	db   *sql.DB
}

func openKeyring(ctx context.Context, path string, serve bool) (*keyring, error) {
	db, err := connect(ctx, path, keysSchema(), serve)
	if err != nil {
		return nil, err
	}
	return &keyring{path: path, db: db}, nil
}

func (r *keyring) close() error { return r.db.Close() }

// find is the key of a conversation, or ErrKeyLost.
func (r *keyring) find(ctx context.Context, id policy.ConversationID) (*key, error) {
	var b []byte
	err := r.db.QueryRowContext(ctx, "SELECT key FROM keys WHERE conversation = ?", string(id)).Scan(&b)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("store: %s: %w: %s", r.path, ErrKeyLost, id)
	case err != nil:
		return nil, explain(r.path, err)
	case len(b) != len(key{}):
		return nil, fmt.Errorf("store: %s: %w: a key has %d bytes", r.path, ErrCorrupt, len(b))
	}
	k := key(b)
	clear(b)
	return &k, nil
}

// pair makes a new store of two files, or sees that the two are one store.
func (s *Store) pair(ctx context.Context, c Config, fresh bool) error {
	data, err := readPair(ctx, s.data)
	if err != nil {
		return explain(c.File, err)
	}
	keys, err := readPair(ctx, s.keys.db)
	if err != nil {
		return explain(c.Keys, err)
	}
	switch {
	case data == nil && keys == nil:
		data = make([]byte, 16)
		if _, err := rand.Read(data); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if err := writePair(ctx, s.keys.db, data); err != nil {
			return explain(c.Keys, err)
		}
		return explain(c.File, writePair(ctx, s.data, data))
	case data == nil && (fresh || s.empty(ctx)) && s.keys.empty(ctx):
		return explain(c.File, writePair(ctx, s.data, keys)) // a first start that was broken off
	case subtle.ConstantTimeCompare(data, keys) != 1:
		return fmt.Errorf("store.keys: %s is the key store of other data than %s: %w; put the right one back", c.Keys, c.File, ErrForeign)
	}
	return nil
}

func readPair(ctx context.Context, db *sql.DB) ([]byte, error) {
	var b []byte
	err := db.QueryRowContext(ctx, "SELECT pair FROM store").Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return b, err
}

func writePair(ctx context.Context, db *sql.DB, pair []byte) error {
	_, err := db.ExecContext(ctx, "INSERT INTO store (pair) VALUES (?)", pair)
	return err
}

func (s *Store) empty(ctx context.Context) bool { return isEmpty(ctx, s.data, "conversations") }

func (r *keyring) empty(ctx context.Context) bool { return isEmpty(ctx, r.db, "keys") }

func isEmpty(ctx context.Context, db *sql.DB, table string) bool {
	var n int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+table+" LIMIT 1)").Scan(&n) //nolint:gosec // table is a literal of ours
	return err == nil && n == 0
}
