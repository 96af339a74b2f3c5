package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"lethe/policy"
)

// op is one change. run is called inside a transaction that it shares with
// others; what it did is undone alone when it returns an error.
type op struct {
	live func() error // says that whoever asked has gone: nothing is written
	key  *newKey      // to be kept before the change is made; nil for none
	run  func(context.Context, *sql.Conn) error
	done chan error // takes one; never blocks
}

type newKey struct {
	id   policy.ConversationID
	key  *key
	kept bool // by this op: it goes again if the change is not made
}

// writer is the one goroutine that changes the data. It gathers what waits into
// one transaction: a commit that reaches the disk costs the same for one change
// and for a hundred.
type writer struct {
	file string
	conn *sql.Conn
	keys *keyring
	ops  chan *op
	stop chan struct{}
	dead chan struct{}
	once sync.Once
}

// maxBatch bounds one transaction, and with it how long a reader of the WAL and
// the last of those who wait have to wait.
const maxBatch = 256

func startWriter(ctx context.Context, file string, data *sql.DB, keys *keyring) (*writer, error) {
	conn, err := data.Conn(ctx)
	if err != nil {
		return nil, explain(file, err)
	}
	w := &writer{file: file, conn: conn, keys: keys,
		ops: make(chan *op, maxBatch), stop: make(chan struct{}), dead: make(chan struct{})}
	go w.loop()
	return w, nil
}

// write hands in a change and waits until it is on disk or has failed. Once
// handed in it is waited for, whatever becomes of ctx: the answer is the truth.
func (w *writer) write(ctx context.Context, k *newKey, run func(context.Context, *sql.Conn) error) error {
	o := &op{live: ctx.Err, key: k, run: run, done: make(chan error, 1)}
	select {
	case <-w.stop:
		return ErrClosed
	default:
	}
	select {
	case w.ops <- o:
	case <-w.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-o.done:
		return err
	case <-w.dead:
	}
	select {
	case err := <-o.done:
		return err
	default:
		return ErrClosed
	}
}

func (w *writer) close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.dead
	if err := w.conn.Close(); !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

func (w *writer) loop() {
	defer close(w.dead)
	for {
		select {
		case o := <-w.ops:
			w.batch(w.gather(o))
		case <-w.stop:
			for {
				select {
				case o := <-w.ops:
					w.batch(w.gather(o))
				default:
					return
				}
			}
		}
	}
}

func (w *writer) gather(first *op) []*op {
	b := []*op{first}
	for len(b) < maxBatch {
		select {
		case o := <-w.ops:
			b = append(b, o)
		default:
			return b
		}
	}
	return b
}

// batch makes changes durable and then answers. Its context is its own: a
// change that was begun is carried through.
func (w *writer) batch(b []*op) {
	ctx := context.Background()
	errs := make([]error, len(b))
	for i, o := range b {
		errs[i] = o.live()
	}
	w.keep(ctx, b, errs)
	if err := w.change(ctx, b, errs); err != nil {
		for i := range errs {
			errs[i] = errors.Join(errs[i], explain(w.file, err))
		}
	}
	w.unkeep(ctx, b, errs)
	for i, o := range b {
		o.done <- errs[i]
	}
}

// change runs the batch in one transaction. Its error is that of all.
func (w *writer) change(ctx context.Context, b []*op, errs []error) (err error) {
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			// After some errors SQLite has undone it already, and says so.
			if _, undo := w.conn.ExecContext(ctx, "ROLLBACK"); undo != nil {
				err = errors.Join(err, undo)
			}
		}
	}()
	for i, o := range b {
		if errs[i] != nil {
			continue
		}
		if errs[i], err = w.one(ctx, o); err != nil {
			return err
		}
	}
	_, err = w.conn.ExecContext(ctx, "COMMIT")
	return err
}

// one runs one change under a savepoint: own is its own failure, all one that
// ended the transaction.
func (w *writer) one(ctx context.Context, o *op) (own, all error) {
	if _, err := w.conn.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return nil, err
	}
	if err := o.run(ctx, w.conn); err != nil {
		if _, undo := w.conn.ExecContext(ctx, "ROLLBACK TO one; RELEASE one"); undo != nil {
			return nil, err
		}
		return explain(w.file, err), nil
	}
	_, err := w.conn.ExecContext(ctx, "RELEASE one")
	return nil, err
}

// keep makes the batch's new keys durable before anything is sealed under them.
func (w *writer) keep(ctx context.Context, b []*op, errs []error) {
	var fresh []*op
	for i, o := range b {
		if o.key != nil && errs[i] == nil {
			fresh = append(fresh, o)
		}
	}
	if len(fresh) == 0 {
		return
	}
	err := w.keys.keep(ctx, fresh)
	for i, o := range b {
		if o.key == nil || errs[i] != nil {
			continue
		}
		switch {
		case err != nil:
			o.key.kept, errs[i] = false, explain(w.keys.path, err)
		case !o.key.kept:
			errs[i] = ErrBegun
		}
	}
}

// unkeep takes back the keys of what was not begun after all.
func (w *writer) unkeep(ctx context.Context, b []*op, errs []error) {
	for i, o := range b {
		if o.key != nil && o.key.kept && errs[i] != nil {
			errs[i] = errors.Join(errs[i], w.keys.drop(ctx, o.key.id))
		}
	}
}

// keep adds keys in one transaction and says of each whether it was added.
func (r *keyring) keep(ctx context.Context, ops []*op) (err error) {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreDone(tx.Rollback()))
		}
	}()
	for _, o := range ops {
		res, err := tx.ExecContext(ctx, "INSERT INTO keys (conversation, key) VALUES (?, ?) ON CONFLICT DO NOTHING", string(o.key.id), o.key.key[:])
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		o.key.kept = n == 1
	}
	return tx.Commit()
}

func (r *keyring) drop(ctx context.Context, id policy.ConversationID) error {
	_, err := r.db.ExecContext(ctx, "DELETE FROM keys WHERE conversation = ?", string(id))
	return explain(r.path, err)
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}
