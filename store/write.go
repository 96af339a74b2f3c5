package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"lethe/policy"
)

// Begin stores the beginning of a conversation and makes its key. ErrBegun when
// there is one of that id.
func (s *Store) Begin(ctx context.Context, o policy.Opening) error {
	if err := o.Valid(); err != nil {
		return err
	}
	f := o.Facts()
	k, err := makeKey()
	if err != nil {
		return err
	}
	caller, err := k.seal(callerPlace(f.Conversation), f.From.Reveal())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	nk := &newKey{id: f.Conversation, key: k}
	err = s.writer.write(ctx, nk, func(ctx context.Context, c *sql.Conn) error {
		_, err := c.ExecContext(ctx, `INSERT INTO conversations
			(id, channel, trunk, number, caller_sealed, profile, policy_version, started_at, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			string(f.Conversation), f.Channel.String(), f.Trunk, f.To, caller, o.Profile(), o.PolicyVersion(),
			o.Started().UnixMilli(), o.Until().UnixMilli())
		return err
	})
	if err != nil {
		k.wipe()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[f.Conversation] = k
	return nil
}

// Append stores a turn of a conversation that was begun here and not settled:
// ErrNotFound, ErrSettled. When it returns nil the turn is on disk.
func (s *Store) Append(ctx context.Context, c policy.Cleared) error {
	if err := c.Valid(); err != nil {
		return err
	}
	t := c.Turn()
	sealed, err := s.sealTurn(ctx, t)
	if err != nil {
		return err
	}
	masked, err := json.Marshal(c.Found())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return s.writer.write(ctx, nil, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, `INSERT INTO turns
			(conversation, seq, party, text_sealed, masked, start_ms, end_ms, confidence, interrupted, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			string(t.Conversation), t.Seq, t.Party.String(), sealed, string(masked), t.Start.Milliseconds(), t.End.Milliseconds(),
			float64(t.Confidence), t.Interrupted, c.Until().UnixMilli())
		return err
	})
}

func (s *Store) sealTurn(ctx context.Context, t policy.Turn) ([]byte, error) {
	s.mu.Lock()
	k := s.live[t.Conversation]
	if k == nil {
		s.mu.Unlock()
		return nil, s.notLive(ctx, t.Conversation)
	}
	sealed, err := k.seal(turnPlace(t.Conversation, t.Seq), t.Words.Reveal())
	s.mu.Unlock()
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return sealed, nil
}

// notLive says why a conversation takes no turn.
func (s *Store) notLive(ctx context.Context, id policy.ConversationID) error {
	var one int
	err := s.data.QueryRowContext(ctx, "SELECT 1 FROM conversations WHERE id = ?", string(id)).Scan(&one)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("store: %w: %s", ErrNotFound, id)
	case err != nil:
		return explain(s.file, err)
	}
	return fmt.Errorf("store: %w: %s", ErrSettled, id)
}

// Settle stores the end of a conversation with its receipt, and lets go of its
// key. ErrSettled when that was done before, or at a start after a crash.
func (s *Store) Settle(ctx context.Context, e policy.Settled) error {
	if err := e.Valid(); err != nil {
		return err
	}
	r := e.Receipt()
	err := s.writer.write(ctx, nil, func(ctx context.Context, c *sql.Conn) error {
		if err := end(ctx, c, r.Conversation, e.Outcome(), e.Ended().UnixMilli()); err != nil {
			return err
		}
		return receipt(ctx, c, r, true, e.Until())
	})
	if err != nil && !errors.Is(err, ErrSettled) {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.live[r.Conversation]; k != nil {
		k.wipe()
		delete(s.live, r.Conversation)
	}
	return err
}

func end(ctx context.Context, c *sql.Conn, id policy.ConversationID, o policy.Outcome, at int64) error {
	res, err := c.ExecContext(ctx, "UPDATE conversations SET ended_at = max(?, started_at), outcome = ? WHERE id = ? AND ended_at IS NULL",
		at, o.String(), string(id))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	var one int
	err = c.QueryRowContext(ctx, "SELECT 1 FROM conversations WHERE id = ?", string(id)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return errors.Join(err, fmt.Errorf("%w: %s", ErrSettled, id))
}

func receipt(ctx context.Context, c *sql.Conn, r policy.Receipt, counted bool, until time.Time) error {
	_, err := c.ExecContext(ctx, `INSERT INTO receipts (conversation, counted, born, forgotten, held, longest_us, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		string(r.Conversation), counted, signed(r.Born), signed(r.Forgotten), signed(r.Held), r.Longest.Microseconds(), until.UnixMilli())
	return err
}

// signed fits a count into SQLite's integer. No call has that many packets.
func signed(n uint64) int64 {
	if n > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(n)
}

// recover marks what a process that is gone left unsettled. It ended, as far
// as anybody can tell, with the last turn that was stored.
func (s *Store) recover(ctx context.Context) error {
	return s.writer.write(ctx, nil, func(ctx context.Context, c *sql.Conn) error {
		left, err := unsettled(ctx, c)
		if err != nil {
			return err
		}
		for _, u := range left {
			if err := end(ctx, c, u.id, policy.Interrupted, u.last); err != nil {
				return err
			}
			if err := receipt(ctx, c, policy.Receipt{Conversation: u.id}, false, time.UnixMilli(u.until)); err != nil {
				return err
			}
			e := policy.Entry{At: s.now(), Actor: policy.ActorLethe, Action: policy.ActionInterrupted, Conversation: u.id}
			if _, err := chain(ctx, c, e); err != nil {
				return err
			}
			s.interrupted = append(s.interrupted, u.id)
		}
		return nil
	})
}

type left struct {
	id          policy.ConversationID
	last, until int64
}

func unsettled(ctx context.Context, c *sql.Conn) (out []left, err error) {
	rows, err := c.QueryContext(ctx, `SELECT id, started_at + coalesce((SELECT max(end_ms) FROM turns WHERE conversation = id), 0), expires_at
		FROM conversations WHERE ended_at IS NULL`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var u left
		if err := rows.Scan(&u.id, &u.last, &u.until); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}
