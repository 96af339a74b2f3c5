package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"lethe/policy"
	"lethe/store"
)

// Whatever is done to an entry, Verify sees it and says which it was.
func TestTamperedJournal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		query string
		entry int
	}{
		"a reason":     {"UPDATE journal SET reason = 'another' WHERE seq = 5", 5},
		"an actor":     {"UPDATE journal SET actor = 'another' WHERE seq = 1", 1},
		"a time":       {"UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 7", 7},
		"a ticket":     {"UPDATE journal SET ticket = 'x', reason = substr(reason, 2) WHERE seq = 3", 3},
		"a hash":       {"UPDATE journal SET hash = zeroblob(32) WHERE seq = 10", 10},
		"a shift":      {"UPDATE journal SET actor = actor || action, action = '' WHERE seq = 4", 4},
		"one gone":     {"DELETE FROM journal WHERE seq = 6", 6},
		"the first":    {"DELETE FROM journal WHERE seq = 1", 1},
		"two swapped":  {"UPDATE journal SET seq = CASE seq WHEN 2 THEN 103 ELSE 102 END WHERE seq IN (2, 3)", 2},
		"a new number": {"UPDATE journal SET seq = 12 WHERE seq = 10", 10},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(t.TempDir())
			s := open(t, conf)
			for i := range 10 {
				if _, err := s.Journal().Append(t.Context(), policy.Entry{At: time.Now(), Actor: "a", Action: "b", Reason: fmt.Sprint("reason ", i)}); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Journal().Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			shut(t, s)
			run(t, conf.File, c.query)
			if name == "two swapped" {
				run(t, conf.File, "UPDATE journal SET seq = seq - 100 WHERE seq > 100")
			}
			s = open(t, conf)
			defer shut(t, s)
			if _, err := s.Journal().Verify(t.Context()); !errors.Is(err, store.ErrTampered) || !strings.Contains(err.Error(), fmt.Sprintf("entry %d is", c.entry)) {
				t.Errorf("%v, want entry %d", err, c.entry)
			}
		})
	}
}
