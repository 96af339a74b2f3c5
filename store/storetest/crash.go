package storetest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lethe/policy"
	"lethe/policy/policytest"
)

// Write is the child of the test that kills: it begins a conversation in the
// store in dir and writes turns as fast as they go, and says on its standard
// output what it has been told is stored. It ends only by being killed.
func Write(b Backend, dir string) error {
	ctx := context.Background()
	s, err := b.Open(ctx, dir, time.Now)
	if err != nil {
		return err
	}
	o, err := policy.New(s.Journal(), policytest.Rules(), time.Now)
	if err != nil {
		return err
	}
	r := o.Decide(policy.Facts{From: policy.Said("sip:jay@example.org")})
	open, err := r.Open(time.Now())
	if err != nil {
		return err
	}
	if err := s.Begin(ctx, open); err != nil {
		return err
	}
	fmt.Println(r.Conversation())
	for seq := 1; ; seq++ {
		c, err := r.Clear(policy.Turn{Conversation: r.Conversation(), Seq: seq, Words: policy.Said(fmt.Sprintf("turn %d", seq)), End: time.Duration(seq) * time.Second}, time.Now())
		if err != nil {
			return err
		}
		if err := s.Append(ctx, c); err != nil {
			return err
		}
		fmt.Println(seq)
	}
}

// testKilled kills a process that writes, several times over the same store.
func testKilled(t *testing.T, b Backend) {
	dir := t.TempDir()
	stored := map[policy.ConversationID]int{}
	for round := range 4 {
		id, last := killed(t, b, dir, 5+20*round)
		stored[id] = last
	}
	if err := b.Sound(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	d := NewDesk(t, b, dir, time.Now)
	if len(d.Interrupted()) != 1 { // the others were found at the starts between
		t.Errorf("found interrupted: %v", d.Interrupted())
	}
	for id, last := range stored {
		r := d.Read(t, id)
		// One more than was told may have been stored; none less.
		if len(r.Turns) < last || len(r.Turns) > last+1 {
			t.Errorf("%s: %d turns, and %d were stored", id, len(r.Turns), last)
		}
		for i, turn := range r.Turns {
			if turn.Seq != i+1 || turn.Words.Reveal() != fmt.Sprintf("turn %d", i+1) {
				t.Errorf("%s: turn %d is %+v", id, i+1, turn)
			}
		}
		if r.Outcome != policy.Interrupted || r.Counted || !r.Ended.Equal(r.Started.Add(time.Duration(len(r.Turns))*time.Second)) {
			t.Errorf("%s: %v, counted %v, ended %v", id, r.Outcome, r.Counted, r.Ended)
		}
	}
	if end, err := d.Journal().Verify(t.Context()); err != nil || end.Seq < uint64(len(stored)) {
		t.Errorf("journal: %v %v", end.Seq, err)
	}
}

// killed starts the child, waits until it has stored some turns and kills it.
func killed(t *testing.T, b Backend, dir string, after int) (id policy.ConversationID, last int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, "-test.run=^$") //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), b.Child+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if id == "" {
			id = policy.ConversationID(strings.TrimSpace(lines.Text()))
			continue
		}
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Error(err)
			break
		}
		if last == after {
			if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !id.Valid() || last < after {
		t.Fatalf("the child ended by itself: %v, %q, %d turns", err, id, last)
	}
	return id, last
}

// testReopened ends a store in mid-conversation without a kill: what was begun
// is marked, what was settled is left alone.
func testReopened(t *testing.T, b Backend) {
	dir := t.TempDir()
	d := NewDesk(t, b, dir, time.Now)
	done, open := d.Start(t, policy.Facts{}), d.Start(t, policy.Facts{})
	d.Say(t, done, 1, "a")
	d.Say(t, open, 1, "b")
	d.End(t, done)
	if len(d.Interrupted()) != 0 {
		t.Error("a fresh store has interrupted conversations")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = NewDesk(t, b, dir, time.Now)
	if got := d.Interrupted(); len(got) != 1 || got[0] != open.Conversation() {
		t.Errorf("interrupted: %v", got)
	}
	if r := d.Read(t, done.Conversation()); r.Outcome != policy.CompletedByCaller || !r.Counted {
		t.Errorf("settled: %+v", r)
	}
	if r := d.Read(t, open.Conversation()); r.Outcome != policy.Interrupted || r.Counted || r.Ended.IsZero() {
		t.Errorf("open: %+v", r)
	}
	entries, err := d.Journal().Entries(t.Context(), d.Access(t), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.Action == policy.ActionInterrupted && e.Conversation == open.Conversation() {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d entries say that it was interrupted", n)
	}
}
