package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/store"
	"lethe/store/storetest"
)

// open opens a store that the test closes itself.
func open(t *testing.T, c store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t *testing.T, s *store.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// refused opens a store that must not open, and looks at the error's kind and
// at what it tells the operator.
func refused(t *testing.T, name string, c store.Config, want error, says ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), c, time.Now)
	if err == nil {
		shut(t, s)
	}
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
		return
	}
	for _, w := range says {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: the error does not say %q: %v", name, w, err)
		}
	}
}

// filled makes a store with one conversation in it.
func filled(t *testing.T, c store.Config) policy.ConversationID {
	t.Helper()
	dir := filepath.Dir(filepath.Dir(c.File))
	d := storetest.NewDesk(t, backend(), dir, time.Now)
	r := d.Start(t, policy.Facts{From: policy.Said("jay")})
	d.Say(t, r, 1, "one")
	d.Say(t, r, 2, "two")
	d.End(t, r)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return r.Conversation()
}

func run(t *testing.T, file, query string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	res, err := db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 && !strings.HasPrefix(query, "PRAGMA") && !strings.HasPrefix(query, "CREATE") {
		t.Fatalf("%s changed nothing", query)
	}
}

func TestFilesArePrivate(t *testing.T) {
	c := config(filepath.Join(t.TempDir(), "a", "b"))
	s := open(t, c)
	defer shut(t, s)
	for _, f := range []string{c.File, c.Keys, c.File + "-wal", c.File + ".lock"} {
		if i, err := os.Stat(f); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, i.Mode(), err)
		}
	}
	for _, d := range []string{filepath.Dir(c.File), filepath.Dir(c.Keys), filepath.Dir(filepath.Dir(c.File))} {
		if i, err := os.Stat(d); err != nil || i.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", d, i.Mode(), err)
		}
	}
}

func TestOneFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real.db")
	link := func(make func(string, string) error, name, to string) string {
		p := filepath.Join(dir, name)
		if err := make(to, p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	early := link(os.Symlink, "early", "real.db") // points nowhere yet
	folder := link(os.Symlink, "folder", dir)
	for name, c := range map[string]store.Config{
		"the same":              {File: real, Keys: real},
		"by another way":        {File: real, Keys: dir + "/./x/../real.db"},
		"a link to come":        {File: real, Keys: early},
		"a link the other way":  {File: early, Keys: real},
		"a folder's link":       {File: real, Keys: filepath.Join(folder, "real.db")},
		"the WAL":               {File: real, Keys: real + "-wal"},
		"the lock":              {File: real, Keys: real + ".lock"},
		"the keys' WAL as data": {File: real + "-wal", Keys: real},
	} {
		refused(t, name, c, store.ErrSameFile, "store.keys", "file of their own")
	}
	if _, err := os.Stat(real); !errors.Is(err, os.ErrNotExist) {
		t.Error("a refusal left a file")
	}
	c := store.Config{File: real, Keys: filepath.Join(dir, "keys")}
	shut(t, open(t, c))
	refused(t, "a link", store.Config{File: real, Keys: early}, store.ErrSameFile)
	refused(t, "a hard link", store.Config{File: real, Keys: link(os.Link, "hard", real)}, store.ErrSameFile)
	refused(t, "a link to nowhere", store.Config{File: real, Keys: link(os.Symlink, "nowhere", filepath.Join(dir, "none"))}, nil, "points nowhere")
}

func TestConfig(t *testing.T) {
	if err := store.Default().Validate(); err != nil {
		t.Error(err)
	}
	err := store.Config{}.Validate()
	if err == nil || !strings.Contains(err.Error(), "store.file: missing") || !strings.Contains(err.Error(), "store.keys: missing") {
		t.Error(err)
	}
}

func TestKeyStoreTroubles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, other := config(filepath.Join(dir, "a")), config(filepath.Join(dir, "b"))
	id := filled(t, c)
	filled(t, other)
	if err := os.Chmod(c.Keys, 0o640); err != nil { //nolint:gosec // that is what is refused
		t.Fatal(err)
	}
	refused(t, "keys that others may read", c, nil, "store.keys", "chmod 600")
	if err := os.Chmod(c.Keys, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "keys of other data", store.Config{File: c.File, Keys: other.Keys}, store.ErrForeign, "store.keys", "put the right one back")
	refused(t, "data for keys", store.Config{File: other.File, Keys: c.File}, store.ErrForeign, "file of its own")
	refused(t, "keys for data", store.Config{File: c.Keys, Keys: other.Keys}, store.ErrForeign)
	refused(t, "no keys", store.Config{File: c.File, Keys: filepath.Join(dir, "none")}, store.ErrKeyLost, "store.keys", "put the key store back")
	refused(t, "no keys, again", store.Config{File: c.File, Keys: filepath.Join(dir, "none")}, store.ErrKeyLost)
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "an empty key store", store.Config{File: c.File, Keys: filepath.Join(dir, "empty")}, store.ErrForeign)
	refused(t, "keys of what is gone", store.Config{File: filepath.Join(dir, "new.db"), Keys: c.Keys}, store.ErrForeign)

	read(t, c, id, nil) // all of that has harmed nothing
	run(t, c.Keys, "UPDATE keys SET key = randomblob(32)")
	read(t, c, id, store.ErrCorrupt)
	run(t, c.Keys, "DELETE FROM keys")
	read(t, c, id, store.ErrKeyLost)
}

// read reads a conversation that has two turns, or must not open.
func read(t *testing.T, c store.Config, id policy.ConversationID, want error) {
	t.Helper()
	d := storetest.NewDesk(t, backend(), filepath.Dir(filepath.Dir(c.File)), time.Now)
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := d.Conversation(t.Context(), d.Access(t), id)
	if !errors.Is(err, want) || want == nil && len(r.Turns) != 2 || want != nil && (len(r.Turns) > 0 || !r.From.Empty()) {
		t.Errorf("%+v %v, want %v", r, err, want)
	}
}

// A sealed value does not open in the place of another.
func TestSealedValuesStayInTheirPlace(t *testing.T) {
	for name, q := range map[string]string{
		"a turn moved":   "UPDATE turns SET seq = 7 WHERE seq = 2",
		"a turn copied":  "UPDATE turns SET text_sealed = (SELECT text_sealed FROM turns WHERE seq = 1) WHERE seq = 2",
		"caller as turn": "UPDATE turns SET text_sealed = (SELECT caller_sealed FROM conversations) WHERE seq = 1",
		"turn as caller": "UPDATE conversations SET caller_sealed = (SELECT text_sealed FROM turns WHERE seq = 1)",
		"a bit":          "UPDATE turns SET text_sealed = CAST(substr(text_sealed, 1, length(text_sealed) - 2) || x'0001' AS BLOB) WHERE seq = 1",
		"too short":      "UPDATE turns SET text_sealed = x'00' WHERE seq = 1",
	} {
		t.Run(name, func(t *testing.T) {
			c := config(t.TempDir())
			id := filled(t, c)
			read(t, c, id, nil)
			run(t, c.File, q)
			read(t, c, id, store.ErrCorrupt)
		})
	}
}

func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := config(dir)
	filled(t, c)
	whole, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(f func([]byte) []byte) {
		t.Helper()
		if err := os.WriteFile(c.File, f(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range map[string]func([]byte) []byte{
		"no database": func([]byte) []byte { return []byte(strings.Repeat("this is a letter\n", 400)) },
		"cut off":     func(b []byte) []byte { return b[:len(b)/2] },
		"overwritten": func(b []byte) []byte { copy(b[4096:], strings.Repeat("x", len(b)-4096)); return b },
		"no header":   func(b []byte) []byte { clear(b[:100]); return b },
	} {
		spoil(f)
		refused(t, name, c, store.ErrCorrupt, c.File, "put a backup back")
	}
	if err := os.WriteFile(c.File, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	shut(t, open(t, c))
}

func TestNewerAndForeignSchemas(t *testing.T) {
	c := config(t.TempDir())
	filled(t, c)
	run(t, c.File, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	refused(t, "newer", c, store.ErrNewer, "schema 99", "use the newer lethe")
	if _, err := store.Visit(t.Context(), c, time.Now); !errors.Is(err, store.ErrNewer) {
		t.Errorf("a visit: %v", err)
	}
	foreign := config(t.TempDir())
	for _, f := range []string{foreign.File, foreign.Keys} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(f), 0o700), os.WriteFile(f, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	run(t, foreign.File, "CREATE TABLE photos (id INTEGER)")
	refused(t, "another program's", foreign, store.ErrForeign, "another program")
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	f := filepath.Join(dir, "file")
	if err := os.WriteFile(f, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, "a file for a folder", store.Config{File: filepath.Join(f, "x", "lethe.db"), Keys: filepath.Join(dir, "keys")}, nil, "folder")
	refused(t, "a folder for a file", store.Config{File: dir, Keys: filepath.Join(t.TempDir(), "keys")}, nil, dir)
}

func TestOneServerAtATime(t *testing.T) {
	t.Parallel()
	c := config(t.TempDir())
	s := open(t, c)
	refused(t, "a second server", c, store.ErrServed, "stop it first")
	shut(t, s)
	shut(t, open(t, c))
}

// The command line reads beside a server, and marks nothing.
func TestVisit(t *testing.T) {
	dir := t.TempDir()
	c := config(dir)
	if _, err := store.Visit(t.Context(), c, time.Now); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "start the server once") {
		t.Errorf("a visit to nothing: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(c.File)); !errors.Is(err, os.ErrNotExist) {
		t.Error("a visit made a folder")
	}
	d := storetest.NewDesk(t, backend(), dir, time.Now)
	r := d.Start(t, policy.Facts{})
	d.Say(t, r, 1, "one")
	v, err := store.Visit(t.Context(), c, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o, err := policy.New(v.Journal(), policytest.Rules(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a, err := o.Local(t.Context(), policy.PurposeSupport)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Conversation(t.Context(), a, r.Conversation()); err != nil || len(got.Turns) != 1 || got.Outcome != policy.Ongoing {
		t.Errorf("%+v %v", got, err)
	}
	d.Say(t, r, 2, "two") // and the server goes on writing
	shut(t, v)
	d.End(t, r)
	if end, err := d.Journal().Verify(t.Context()); err != nil || end.Seq != 2 {
		t.Errorf("two processes, one chain: %v %v", end.Seq, err)
	}
}

// Another process that does not let go is an error that says so, and the store
// goes on when it has let go.
func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := storetest.NewDesk(t, backend(), dir, time.Now)
	r := d.Start(t, policy.Facts{})
	db, err := sql.Open("sqlite", config(dir).File)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	err = d.Append(t.Context(), d.Cleared(t, r, 1, "one"))
	if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), config(dir).File) {
		t.Errorf("locked: %v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(conn.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	d.Say(t, r, 1, "one")
	if got := d.Read(t, r.Conversation()); len(got.Turns) != 1 {
		t.Errorf("%d turns", len(got.Turns))
	}
}

// fill is the child of TestFullDisk: the kernel lets it write no file beyond a
// size, as a full disk would.
func fill(dir string) int {
	signal.Ignore(syscall.SIGXFSZ)
	ctx := context.Background()
	s, err := store.Open(ctx, config(dir), time.Now)
	if err != nil {
		return fail(err)
	}
	o, err := policy.New(s.Journal(), policytest.Rules(), time.Now)
	if err != nil {
		return fail(err)
	}
	r := o.Decide(policy.Facts{})
	begin, err := r.Open(time.Now())
	if err != nil {
		return fail(err)
	}
	if err := s.Begin(ctx, begin); err != nil {
		return fail(err)
	}
	lim := syscall.Rlimit{Cur: 512 << 10, Max: 512 << 10}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &lim); err != nil {
		return fail(err)
	}
	for seq := 1; seq < 10000; seq++ {
		c, err := r.Clear(policy.Turn{Conversation: r.Conversation(), Seq: seq, Words: policy.Said(strings.Repeat("word ", 200))}, time.Now())
		if err != nil {
			return fail(err)
		}
		if err := s.Append(ctx, c); err != nil {
			fmt.Println(r.Conversation(), seq-1, errors.Is(err, store.ErrFull), strings.Contains(err.Error(), "make room"))
			if err := s.Close(); err != nil {
				fmt.Println("and closing:", err) // the disk is full: it may
			}
			return 0
		}
	}
	return fail(errors.New("the disk was never full"))
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
