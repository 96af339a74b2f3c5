package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"lethe/policy"
)

// Filter narrows a list. The zero Filter is the last DefaultLimit conversations.
type Filter struct {
	Since, Before time.Time // by the time of the beginning; zero means open
	Number, Trunk string    // the operator's own; empty means any
	Limit         int       // 0 means DefaultLimit; at most MaxLimit
}

// Limits of a list.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// admit refuses an access that is not in force, and enters what is about to be
// read in the journal: if that can't be done, nothing is read.
func (s *Store) admit(ctx context.Context, a policy.Access, action string, id policy.ConversationID) error {
	now := s.now()
	if err := a.Check(now); err != nil {
		return err
	}
	_, err := s.journal.Append(ctx, policy.Entry{At: now, Actor: a.Actor(), Action: action, Conversation: id, Reason: a.Purpose()})
	if err != nil {
		return fmt.Errorf("store: the read was not entered in the journal, so nothing is read: %w", err)
	}
	return nil
}

const recordColumns = `c.id, c.channel, c.trunk, c.number, c.profile, c.policy_version, c.started_at, c.expires_at,
	coalesce(c.ended_at, 0), coalesce(c.outcome, 'ongoing'),
	coalesce(r.counted, 0), coalesce(r.born, 0), coalesce(r.forgotten, 0), coalesce(r.held, 0), coalesce(r.longest_us, 0)
	FROM conversations c LEFT JOIN receipts r ON r.conversation = c.id`

// Conversations lists conversations, the latest first, without callers and
// without turns. What has expired is not shown.
func (s *Store) Conversations(ctx context.Context, a policy.Access, f Filter) (out []policy.Record, err error) {
	if f.Limit < 0 || f.Limit > MaxLimit {
		return nil, fmt.Errorf("store: a list has at most %d conversations", MaxLimit)
	}
	if err := s.admit(ctx, a, policy.ActionList, ""); err != nil {
		return nil, err
	}
	where, args := f.where(s.now())
	rows, err := s.data.QueryContext(ctx, "SELECT "+recordColumns+where, args...) //nolint:gosec // where is made of literals of ours
	if err != nil {
		return nil, explain(s.file, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		r, err := scanRecord(rows)
		if err != nil {
			return nil, explain(s.file, err)
		}
		out = append(out, r)
	}
	return out, explain(s.file, rows.Err())
}

func (f Filter) where(now time.Time) (string, []any) {
	and, args := []string{"c.expires_at > ?"}, []any{now.UnixMilli()}
	add := func(cond string, arg any) { and, args = append(and, cond), append(args, arg) }
	if !f.Since.IsZero() {
		add("c.started_at >= ?", f.Since.UnixMilli())
	}
	if !f.Before.IsZero() {
		add("c.started_at < ?", f.Before.UnixMilli())
	}
	if f.Number != "" {
		add("c.number = ?", f.Number)
	}
	if f.Trunk != "" {
		add("c.trunk = ?", f.Trunk)
	}
	if f.Limit == 0 {
		f.Limit = DefaultLimit
	}
	return " WHERE " + strings.Join(and, " AND ") + " ORDER BY c.started_at DESC, c.id LIMIT ?", append(args, f.Limit)
}

type scanner interface{ Scan(...any) error }

func scanRecord(row scanner) (policy.Record, error) {
	var (
		r                       policy.Record
		channel, outcome        string
		started, expires, ended int64
		longest                 int64
	)
	err := row.Scan(&r.Conversation, &channel, &r.Trunk, &r.To, &r.Profile, &r.PolicyVersion, &started, &expires, &ended, &outcome,
		&r.Counted, &r.Receipt.Born, &r.Receipt.Forgotten, &r.Receipt.Held, &longest)
	if err != nil {
		return policy.Record{}, err
	}
	var okC, okO bool
	r.Channel, okC = policy.ParseChannel(channel)
	r.Outcome, okO = policy.ParseOutcome(outcome)
	if !okC || !okO {
		return policy.Record{}, fmt.Errorf("%w: conversation %s has a channel or an outcome that is none", ErrCorrupt, r.Conversation)
	}
	r.Started, r.Expires = time.UnixMilli(started).UTC(), time.UnixMilli(expires).UTC()
	if r.Outcome != policy.Ongoing {
		r.Ended = time.UnixMilli(ended).UTC()
	}
	r.Receipt.Conversation, r.Receipt.Longest = r.Conversation, time.Duration(longest)*time.Microsecond
	return r, nil
}

// Conversation is one conversation whole: ErrNotFound when there is none or it
// has expired, ErrKeyLost when its key is gone.
func (s *Store) Conversation(ctx context.Context, a policy.Access, id policy.ConversationID) (policy.Record, error) {
	if err := a.Check(s.now()); err != nil {
		return policy.Record{}, err
	}
	r, err := scanRecord(s.data.QueryRowContext(ctx, "SELECT "+recordColumns+" WHERE c.id = ? AND c.expires_at > ?", string(id), s.now().UnixMilli()))
	if errors.Is(err, sql.ErrNoRows) {
		return policy.Record{}, fmt.Errorf("store: %w: %s", ErrNotFound, id)
	}
	if err != nil {
		return policy.Record{}, explain(s.file, err)
	}
	if err := s.admit(ctx, a, policy.ActionRead, id); err != nil {
		return policy.Record{}, err
	}
	k, err := s.keys.find(ctx, id)
	if err != nil {
		return policy.Record{}, err
	}
	defer k.wipe()
	if r.From, err = s.caller(ctx, k, id); err != nil {
		return policy.Record{}, err
	}
	if r.Turns, err = s.turns(ctx, k, id, 0); err != nil {
		return policy.Record{}, err
	}
	return r, nil
}

func (s *Store) caller(ctx context.Context, k *key, id policy.ConversationID) (policy.Words, error) {
	var sealed []byte
	if err := s.data.QueryRowContext(ctx, "SELECT caller_sealed FROM conversations WHERE id = ?", string(id)).Scan(&sealed); err != nil {
		return policy.Words{}, explain(s.file, err)
	}
	text, err := k.open(callerPlace(id), sealed)
	if err != nil {
		return policy.Words{}, fmt.Errorf("store: %s: %w: caller of %s: %w", s.file, ErrCorrupt, id, err)
	}
	return policy.Said(text), nil
}

// turns are those after a place, in order.
func (s *Store) turns(ctx context.Context, k *key, id policy.ConversationID, after int) (out []policy.Turn, err error) {
	rows, err := s.data.QueryContext(ctx, `SELECT seq, party, text_sealed, start_ms, end_ms, confidence, interrupted
		FROM turns WHERE conversation = ? AND seq > ? AND expires_at > ? ORDER BY seq`, string(id), after, s.now().UnixMilli())
	if err != nil {
		return nil, explain(s.file, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			t          = policy.Turn{Conversation: id}
			party      string
			sealed     []byte
			start, end int64
		)
		if err := rows.Scan(&t.Seq, &party, &sealed, &start, &end, &t.Confidence, &t.Interrupted); err != nil {
			return nil, explain(s.file, err)
		}
		text, err := k.open(turnPlace(id, t.Seq), sealed)
		if err != nil {
			return nil, fmt.Errorf("store: %s: %w: turn %d of %s: %w", s.file, ErrCorrupt, t.Seq, id, err)
		}
		var ok bool
		if t.Party, ok = policy.ParseParty(party); !ok {
			return nil, fmt.Errorf("store: %s: %w: turn %d of %s has a party that is none", s.file, ErrCorrupt, t.Seq, id)
		}
		t.Words, t.Start, t.End = policy.Said(text), time.Duration(start)*time.Millisecond, time.Duration(end)*time.Millisecond
		out = append(out, t)
	}
	return out, explain(s.file, rows.Err())
}
