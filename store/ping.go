package store

import "context"

// Ping says whether both databases answer: nil, or what is wrong with the file.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.data.QueryRowContext(ctx, "SELECT 1 FROM store").Scan(&one); err != nil {
		return explain(s.file, err)
	}
	if err := s.keys.db.QueryRowContext(ctx, "SELECT 1 FROM store").Scan(&one); err != nil {
		return explain(s.keys.path, err)
	}
	return nil
}
