package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"lethe/policy"
)

// followEvery is how often Follow looks: a turn is shown soon after it is
// durable, and a look costs one short read.
const followEvery = 200 * time.Millisecond

// Follow tells the turns of a conversation as they become durable, those that
// are there first, until the conversation is settled (nil), ctx ends or the access
// is over. It is one reading, with one entry in the journal. tell is called from
// this goroutine.
func (s *Store) Follow(ctx context.Context, a policy.Access, id policy.ConversationID, tell func(policy.Turn)) error {
	if err := a.Check(s.now()); err != nil {
		return err
	}
	if _, err := s.over(ctx, id); err != nil {
		return err
	}
	if err := s.admit(ctx, a, policy.ActionRead, id); err != nil {
		return err
	}
	k, err := s.keys.find(ctx, id)
	if err != nil {
		return err
	}
	defer k.wipe()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for last := 0; ; {
		over, err := s.over(ctx, id)
		if err != nil {
			return err
		}
		turns, err := s.turns(ctx, k, id, last)
		if err != nil {
			return err
		}
		for _, t := range turns {
			tell(t)
			last = t.Seq
		}
		if over {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := a.Check(s.now()); err != nil {
			return err
		}
	}
}

// over says whether the conversation has been settled: ErrNotFound when there is
// none or it has expired.
func (s *Store) over(ctx context.Context, id policy.ConversationID) (bool, error) {
	var over bool
	err := s.data.QueryRowContext(ctx, "SELECT outcome IS NOT NULL FROM conversations WHERE id = ? AND expires_at > ?", string(id), s.now().UnixMilli()).Scan(&over)
	if errors.Is(err, sql.ErrNoRows) {
		return false, fmt.Errorf("store: %w: %s", ErrNotFound, id)
	}
	return over, explain(s.file, err)
}
