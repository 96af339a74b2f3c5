package main

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"lethe/internal/forensic"
	"lethe/media/codec"
	"lethe/policy"
)

// TestVerdict: the demonstration fails for each thing that it is there to show.
func TestVerdict(t *testing.T) {
	good := func() policy.Record {
		turn := policy.Turn{Party: policy.Caller, Words: policy.Said("where is my order")}
		return policy.Record{Turns: []policy.Turn{turn, {Party: policy.Agent, Words: policy.Said("in the post")}, turn},
			Receipt: policy.Receipt{Born: 10, Forgotten: 10}}
	}
	if err := verdict(good(), 2, 5, forensic.Report{}); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]struct {
		change  func(*policy.Record)
		control int
		found   forensic.Report
	}{
		"found nothing in mid-call": {control: 0},
		"audio is left":             {control: 5, found: forensic.Report{Windows: 1}},
		"does not balance":          {change: func(r *policy.Record) { r.Receipt.Forgotten-- }, control: 5},
		"receipt does not":          {change: func(r *policy.Record) { r.Receipt.Held++ }, control: 5},
		"1 of 2 lines":              {change: func(r *policy.Record) { r.Turns = r.Turns[1:] }, control: 5},
	} {
		r := good()
		if c.change != nil {
			c.change(&r)
		}
		if err := verdict(r, 2, c.control, c.found); !errors.Is(err, errDemo) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestWatchRefusesOtherAudio: needles that were not sent prove nothing.
func TestWatchRefusesOtherAudio(t *testing.T) {
	line := make([]int16, 1000)
	for i := range line {
		line[i] = int16(i*i%7919 - 4000)
	}
	payloads, err := encoded(line)
	if err != nil {
		t.Fatal(err)
	}
	n, err := forensic.Of(codec.PCMU.String(), payloads)
	if err != nil {
		t.Fatal(err)
	}
	sent := func(packets []int16) error {
		w := newWatch(0)
		w.lines, w.needles, w.most = [][]int16{line}, n, 3
		w.sent(packets)
		_, err := w.control()
		return err
	}
	if err := sent(slices.Concat(make([]int16, 160), line, make([]int16, 160))); err != nil {
		t.Errorf("what was prepared was sent: %v", err)
	}
	for name, packets := range map[string][]int16{"nothing": nil, "a part": line[:900], "something else": make([]int16, 2000)} {
		if err := sent(packets); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s was sent: %v", name, err)
		}
	}
}

func TestFollows(t *testing.T) {
	all := []int16{1, 2, 1, 2, 3}
	for _, c := range []struct {
		part []int16
		from int
		want int
	}{{[]int16{1, 2, 3}, 0, 5}, {[]int16{1, 2}, 0, 2}, {[]int16{1, 2}, 1, 4}, {[]int16{3, 4}, 0, -1}, {[]int16{1, 2, 3}, 3, -1}} {
		if got := follows(all, c.part, c.from); got != c.want {
			t.Errorf("%v from %d: %d, want %d", c.part, c.from, got, c.want)
		}
	}
}

// TestFreeAddress: a port that another program has is not taken.
func TestFreeAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of the test
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	taken := l.Addr().String()
	got, err := freeAddress(t.Context(), taken)
	if err != nil || got == taken {
		t.Errorf("%s, %v: %s is taken", got, err, taken)
	}
	p, err := net.ListenPacket("udp", got) //nolint:noctx // of the test
	if err != nil {
		t.Errorf("%s is not free: %v", got, err)
	} else if err := p.Close(); err != nil {
		t.Error(err)
	}
}
