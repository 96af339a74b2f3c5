package store_test

import (
	"database/sql"
	"strings"
	"testing"
	"time"
)

// Every column has its class, and no class is of a column that is not there.
func TestDataMapIsComplete(t *testing.T) {
	c := config(t.TempDir())
	shut(t, open(t, c))
	columns := list(t, c.File, `SELECT m.name || '.' || p.name FROM sqlite_schema m, pragma_table_info(m.name) p
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'goose_db_version'`)
	mapped := list(t, c.File, "SELECT tbl || '.' || col FROM data_map")
	if len(columns) < 40 {
		t.Fatalf("only %d columns were found", len(columns))
	}
	for col := range columns {
		if !mapped[col] {
			t.Errorf("%s has no class in data_map", col)
		}
	}
	for col := range mapped {
		if !columns[col] {
			t.Errorf("data_map speaks of %s, which is not there", col)
		}
	}
}

// What is kept has an end: no row without one goes in.
func TestExpiryIsRequired(t *testing.T) {
	c := config(t.TempDir())
	s := open(t, c)
	defer shut(t, s)
	db, err := sql.Open("sqlite", c.File)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	now := time.Now().UnixMilli()
	for table, q := range map[string]string{
		"conversations": "INSERT INTO conversations (id, channel, trunk, number, caller_sealed, profile, policy_version, started_at, expires_at) VALUES ('a','sip','','',x'00','','',?,NULL)",
		"turns":         "INSERT INTO turns (conversation, seq, party, text_sealed, masked, start_ms, end_ms, confidence, interrupted, expires_at) VALUES ('a',1,'caller',x'00','[]',?,0,0,0,NULL)",
		"receipts":      "INSERT INTO receipts (conversation, counted, born, forgotten, held, longest_us, expires_at) VALUES ('a',1,?,0,0,0,NULL)",
	} {
		if _, err := db.ExecContext(t.Context(), q, now); err == nil || !strings.Contains(err.Error(), "expires_at") {
			t.Errorf("%s: %v", table, err)
		}
	}
}

func list(t *testing.T, file, query string) map[string]bool {
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
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		out[s] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
