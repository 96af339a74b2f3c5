// Package store keeps what policy has cleared, and nothing else: conversations,
// their turns, what became of their audio, and the journal.
//
// What passes through here is policy.Opening, policy.Cleared and
// policy.Settled, each of which only a ruling can make. Text and the caller's
// identifier are sealed (seal.go) under a key of their conversation before they
// reach SQL. The keys rest in a database of their own (keyring.go), which must
// not be the data's file. One goroutine writes (writer.go): it gathers what
// waits into one transaction, and answers nobody before the commit is on disk,
// so that a process that is killed loses at most what was not yet handed in.
// The journal (journal.go) is a chain of hashes. Reading (read.go) takes a
// policy.Access and leaves an entry in the journal before it shows anything.
//
// A store is opened by one server at a time (Open); the command line reads
// beside it (Visit).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"lethe/policy"
)

// Errors that a caller can act on; what is returned wraps them with the file
// and the remedy.
var (
	ErrLocked   = errors.New("the database is locked by another process")
	ErrFull     = errors.New("the disk is full or the file may not grow")
	ErrCorrupt  = errors.New("the file is damaged or is no database")
	ErrNewer    = errors.New("the database was written by a newer version of lethe")
	ErrOlder    = errors.New("the database was written by an older version of lethe")
	ErrForeign  = errors.New("the file is not of this store")
	ErrKeyLost  = errors.New("the key of the conversation is not in the key store")
	ErrSameFile = errors.New("data and keys must not share a file")
	ErrServed   = errors.New("another server has this store open")
	ErrNotFound = errors.New("no such conversation")
	ErrBegun    = errors.New("the conversation was begun before")
	ErrSettled  = errors.New("the conversation is settled")
	ErrClosed   = errors.New("the store is closed")
)

// Config is the section `store` of the configuration.
type Config struct {
	// File is the database. Its folder is made if it is missing, mode 0700.
	File string `yaml:"file"`
	// Keys is the key store: another file, best in another folder that the
	// backup of the data does not reach.
	Keys string `yaml:"keys"`
}

// Default is what holds where the configuration says nothing.
func Default() Config { return Config{File: "data/lethe.db", Keys: "keys/lethe.keys"} }

// Validate says of each key what is wrong and what to do. Whether the two
// files are one is seen by Open as well, through links too.
func (c Config) Validate() error {
	var errs []error
	if c.File == "" {
		errs = append(errs, errors.New("store.file: missing; set it to the path of the database, such as data/lethe.db"))
	}
	if c.Keys == "" {
		errs = append(errs, errors.New("store.keys: missing; set it to the path of the key store, such as keys/lethe.keys"))
	}
	if len(errs) == 0 {
		if err := apart(c.File, c.Keys); err != nil {
			errs = append(errs, fmt.Errorf("store.keys: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Store is safe for concurrent use.
type Store struct {
	file    string
	now     func() time.Time
	data    *sql.DB
	keys    *keyring
	writer  *writer
	lock    *os.File
	journal *Journal

	interrupted []policy.ConversationID

	mu   sync.Mutex
	live map[policy.ConversationID]*key // of conversations begun here and not settled
}

// Open opens the store for a server, makes it if there is none, brings its
// schema up to date, and marks every conversation that was not settled as
// interrupted: the process that had it is gone.
func Open(ctx context.Context, c Config, now func() time.Time) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Store{file: c.File, now: now, live: map[policy.ConversationID]*key{}}
	if err := s.open(ctx, c, true); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.recover(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Visit opens an existing store to read it, beside a server or without one. It
// writes journal entries alone.
func Visit(ctx context.Context, c Config, now func() time.Time) (*Store, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	for _, f := range []string{c.File, c.Keys} {
		if _, err := os.Stat(f); err != nil {
			return nil, fmt.Errorf("store: %w; start the server once, or say where its files are", err)
		}
	}
	s := &Store{file: c.File, now: now, live: map[policy.ConversationID]*key{}}
	if err := s.open(ctx, c, false); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, c Config, serve bool) error {
	fresh, err := s.claim(c, serve)
	if err != nil {
		return err
	}
	if s.data, err = connect(ctx, c.File, dataSchema(), serve); err != nil {
		return err
	}
	if s.keys, err = openKeyring(ctx, c.Keys, serve); err != nil {
		return err
	}
	if err := s.pair(ctx, c, fresh); err != nil {
		return err
	}
	if s.writer, err = startWriter(ctx, c.File, s.data, s.keys); err != nil {
		return err
	}
	s.journal = &Journal{s: s}
	return nil
}

// claim makes the files if need be and, for a server, takes the lock. fresh
// says that the database did not exist.
func (s *Store) claim(c Config, serve bool) (fresh bool, err error) {
	if !serve {
		return false, private(c.Keys)
	}
	if err := folders(c.File, c.Keys); err != nil {
		return false, err
	}
	if s.lock, err = lock(c.File + ".lock"); err != nil {
		return false, err
	}
	if fresh, err = create(c.File); err != nil {
		return false, err
	}
	keyless, err := create(c.Keys)
	if err != nil {
		return false, err
	}
	if err := apart(c.File, c.Keys); err != nil {
		return false, fmt.Errorf("store.keys: %w", err)
	}
	if keyless && !fresh {
		if err := s.keyless(c); err != nil {
			return false, err
		}
	}
	return fresh, private(c.Keys)
}

// keyless refuses a new key store beside a database that has content.
func (s *Store) keyless(c Config) error {
	i, err := os.Stat(c.File)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if i.Size() == 0 {
		return nil // a first start that was broken off
	}
	lost := fmt.Errorf("store.keys: there is no key store at %s, but the database %s is there: %w; put the key store back, or move the database away to begin anew",
		c.Keys, c.File, ErrKeyLost)
	if err := os.Remove(c.Keys); err != nil { // it was made a moment ago
		return errors.Join(lost, err)
	}
	return lost
}

// Interrupted are the conversations that Open found unsettled and marked.
func (s *Store) Interrupted() []policy.ConversationID { return s.interrupted }

// Journal is the audit log of this store.
func (s *Store) Journal() *Journal { return s.journal }

// Close waits for what is being written. It may be called twice.
func (s *Store) Close() error {
	var errs []error
	if s.writer != nil {
		errs = append(errs, s.writer.close())
	}
	if s.data != nil {
		errs = append(errs, s.data.Close())
	}
	if s.keys != nil {
		errs = append(errs, s.keys.close())
	}
	s.mu.Lock()
	for id, k := range s.live {
		k.wipe()
		delete(s.live, id)
	}
	s.mu.Unlock()
	if s.lock != nil {
		if err := s.lock.Close(); !errors.Is(err, os.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
