package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"lethe/policy"
)

// Journal is the audit log: each entry carries a hash of itself and of the hash
// before it, so that a change to any entry shows in Verify. What Verify can't
// see is an end that was cut off: keep the Place that it returns elsewhere.
type Journal struct{ s *Store }

// ErrTampered says that an entry is not what it was, or is gone.
var ErrTampered = errors.New("the journal was changed")

// Append makes an entry durable. It implements policy.Journal.
func (j *Journal) Append(ctx context.Context, e policy.Entry) (policy.Place, error) {
	var p policy.Place
	err := j.s.writer.write(ctx, nil, func(ctx context.Context, c *sql.Conn) (err error) {
		p, err = chain(ctx, c, e)
		return err
	})
	if err != nil {
		return policy.Place{}, err
	}
	return p, nil
}

// chain adds an entry after the last one, inside the transaction of c. The last
// one is read there, for another process may have written it.
func chain(ctx context.Context, c *sql.Conn, e policy.Entry) (policy.Place, error) {
	last, err := tail(ctx, c)
	if err != nil {
		return policy.Place{}, err
	}
	at := e.At.UnixNano()
	p := policy.Place{Seq: last.Seq + 1}
	p.Hash = link(last.Hash, p.Seq, at, e)
	_, err = c.ExecContext(ctx, `INSERT INTO journal (seq, at_ns, actor, action, conversation, reason, ticket, hash)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		signed(p.Seq), at, e.Actor, e.Action, string(e.Conversation), e.Reason, e.Ticket, p.Hash[:])
	return p, err
}

func tail(ctx context.Context, c *sql.Conn) (policy.Place, error) {
	var (
		seq  uint64
		hash []byte
	)
	err := c.QueryRowContext(ctx, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return policy.Place{}, nil
	}
	if err == nil && len(hash) != sha256.Size {
		err = fmt.Errorf("%w: entry %d has no hash", ErrTampered, seq)
	}
	if err != nil {
		return policy.Place{}, err
	}
	return policy.Place{Seq: seq, Hash: [32]byte(hash)}, nil
}

// link is SHA-256 over the hash before and the entry in its canonical form:
// numbers as 8 bytes big-endian, strings after their length.
func link(prev [32]byte, seq uint64, at int64, e policy.Entry) [32]byte {
	h := sha256.New()
	put := func(n uint64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], n)
		h.Write(b[:])
	}
	h.Write([]byte("lethe journal 1"))
	h.Write(prev[:])
	put(seq)
	put(uint64(at)) //nolint:gosec // the bits are what is hashed
	for _, s := range []string{e.Actor, e.Action, string(e.Conversation), e.Reason, e.Ticket} {
		put(uint64(len(s)))
		h.Write([]byte(s))
	}
	return [32]byte(h.Sum(nil))
}

// Verify walks the whole chain and returns its end. ErrTampered names the first
// entry that is not what it was.
func (j *Journal) Verify(ctx context.Context) (end policy.Place, err error) {
	rows, err := j.s.data.QueryContext(ctx, "SELECT seq, at_ns, actor, action, conversation, reason, ticket, hash FROM journal ORDER BY seq")
	if err != nil {
		return policy.Place{}, explain(j.s.file, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			seq  uint64
			at   int64
			e    policy.Entry
			hash []byte
		)
		if err := rows.Scan(&seq, &at, &e.Actor, &e.Action, &e.Conversation, &e.Reason, &e.Ticket, &hash); err != nil {
			return policy.Place{}, explain(j.s.file, err)
		}
		want := link(end.Hash, end.Seq+1, at, e)
		if seq != end.Seq+1 || string(hash) != string(want[:]) {
			return policy.Place{}, fmt.Errorf("store: %s: %w: entry %d is not what it was", j.s.file, ErrTampered, end.Seq+1)
		}
		end = policy.Place{Seq: seq, Hash: want}
	}
	return end, explain(j.s.file, rows.Err())
}

// Entries shows the journal from an entry on, oldest first, at most limit of
// them. Looking at it is an entry too.
func (j *Journal) Entries(ctx context.Context, a policy.Access, from uint64, limit int) (out []policy.Entry, err error) {
	if err := j.s.admit(ctx, a, policy.ActionAudit, ""); err != nil {
		return nil, err
	}
	rows, err := j.s.data.QueryContext(ctx, `SELECT at_ns, actor, action, conversation, reason, ticket
		FROM journal WHERE seq >= ? ORDER BY seq LIMIT ?`, signed(from), limit)
	if err != nil {
		return nil, explain(j.s.file, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			at int64
			e  policy.Entry
		)
		if err := rows.Scan(&at, &e.Actor, &e.Action, &e.Conversation, &e.Reason, &e.Ticket); err != nil {
			return nil, explain(j.s.file, err)
		}
		e.At = time.Unix(0, at).UTC()
		out = append(out, e)
	}
	return out, explain(j.s.file, rows.Err())
}
