package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/store"
)

func config(dir string) store.Config {
	return store.Config{File: filepath.Join(dir, "data", "lethe.db"), Keys: filepath.Join(dir, "keys", "lethe.keys")}
}

func TestSmoke(t *testing.T) {
	ctx := t.Context()
	s, err := store.Open(ctx, config(t.TempDir()), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	o, err := policy.New(s.Journal(), policytest.Rules(), time.Now, policy.ProcessorEntry{Name: "null", Local: true})
	if err != nil {
		t.Fatal(err)
	}
	r := o.Decide(policy.Facts{From: policy.Said("sip:a@b"), To: "support", Trunk: "t"})
	op, err := r.Open(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(ctx, op); err != nil {
		t.Fatal(err)
	}
	c, err := r.Clear(policy.Turn{Conversation: r.Conversation(), Seq: 1, Words: policy.Said("hello")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(ctx, c); err != nil {
		t.Fatal(err)
	}
	e, err := r.Settle(policy.Receipt{Conversation: r.Conversation(), Born: 3, Forgotten: 3}, policy.CompletedByCaller, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(ctx, e); err != nil {
		t.Fatal(err)
	}
	a, err := o.Local(ctx, policy.PurposeSupport)
	if err != nil {
		t.Fatal(err)
	}
	rec, err := s.Conversation(ctx, a, r.Conversation())
	if err != nil {
		t.Fatal(err)
	}
	if rec.From.Reveal() != "sip:a@b" || len(rec.Turns) != 1 || rec.Turns[0].Words.Reveal() != "hello" || rec.Receipt.Born != 3 {
		t.Fatalf("%+v", rec)
	}
	if _, err := s.Journal().Verify(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
