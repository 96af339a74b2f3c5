package transcribetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/mediatest"
	"lethe/transcribe"
)

// final waits for the final of the utterance, and holds the partials before it
// to the contract.
func final(t *testing.T, s transcribe.Session, f Fixture, from time.Duration) (transcribe.Segment, bool) {
	t.Helper()
	limit := time.NewTimer(f.Patience)
	defer limit.Stop()
	for {
		select {
		case seg, ok := <-s.Segments():
			if !ok {
				t.Fatal("Segments was closed before the final")
			}
			check(t, seg, f, from)
			if seg.Final {
				return seg, true
			}
		case <-limit.C:
			return transcribe.Segment{}, false
		}
	}
}

func check(t *testing.T, seg transcribe.Segment, f Fixture, from time.Duration) {
	t.Helper()
	u := seg.Turn
	length := time.Duration(len(f.Speech)) * time.Second / time.Duration(f.Engine.Rate())
	const slack = 200 * time.Millisecond
	if u.Start < from-slack || u.End > from+length+slack || u.End < u.Start {
		t.Errorf("a segment from %v to %v in an utterance from %v to %v", u.Start, u.End, from, from+length)
	}
	if u.Confidence < 0 || u.Confidence > 1 {
		t.Errorf("confidence %v", u.Confidence)
	}
}

func wantWords(t *testing.T, seg transcribe.Segment, f Fixture) {
	t.Helper()
	got := " " + strings.ToLower(seg.Turn.Words.Reveal()) + " "
	for _, w := range f.Words {
		if !strings.Contains(got, " "+w+" ") {
			t.Errorf("the final has %d chars and not the word %q", len(got)-2, w)
		}
	}
}

func utterance(t *testing.T, f Fixture) {
	s := open(t, f)
	defer end(t, s)
	const from = 3 * time.Second
	say(t, s, f, from, true)
	seg, ok := final(t, s, f, from)
	if !ok {
		t.Fatalf("no final within %v of the end of speech", f.Patience)
	}
	wantWords(t, seg, f)
}

func twoUtterances(t *testing.T, f Fixture) {
	s := open(t, f)
	defer end(t, s)
	for _, from := range []time.Duration{time.Second, time.Minute} {
		say(t, s, f, from, true)
		seg, ok := final(t, s, f, from)
		if !ok {
			t.Fatalf("no final for the utterance at %v", from)
		}
		wantWords(t, seg, f)
	}
}

// parallel: one session hears speech, the other one nothing but an Endpoint.
func parallel(t *testing.T, f Fixture) {
	loud, still := open(t, f), open(t, f)
	defer end(t, loud)
	defer end(t, still)
	say(t, loud, f, 0, true)
	still.Endpoint()
	seg, ok := final(t, loud, f, 0)
	if !ok {
		t.Fatal("no final for the one who spoke")
	}
	wantWords(t, seg, f)
	select {
	case seg := <-still.Segments():
		if !seg.Turn.Words.Empty() {
			t.Errorf("the silent caller said %v", seg.Turn.Words)
		}
	case <-time.After(100 * time.Millisecond):
	}
}

func keepsNothing(t *testing.T, f Fixture) {
	s := open(t, f)
	keepers := say(t, s, f, 0, true)
	if _, ok := final(t, s, f, 0); !ok {
		t.Error("no final")
	}
	left := 0
	for _, k := range keepers {
		left += k.Copies()
	}
	if left != 0 {
		t.Errorf("%d copies of frames are left after the final", left)
	}
	frame, forget := mediatest.Frame(make([]int16, f.Engine.Rate()/50), media.Caller, f.Engine.Rate(), time.Hour)
	if n := testing.AllocsPerRun(100, func() {
		if err := s.Hear(frame); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations per frame", n)
	}
	forget()
	end(t, s)
}

// hang: the engine reads nothing for a while. Frames are dropped and counted,
// nobody waits, and Close comes back.
func hang(t *testing.T, f Fixture) {
	if f.Hang == nil {
		return
	}
	s := open(t, f)
	resume := f.Hang(t)
	var worst time.Duration
	rate := f.Engine.Rate()
	var keepers []*mediatest.Keeper
	for i := range 1000 { // 20 s of audio
		frame, forget, k := mediatest.Kept(f.Speech[:rate/50], media.Caller, rate, time.Duration(i)*20*time.Millisecond)
		begun := time.Now()
		if err := s.Hear(frame); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(begun))
		forget()
		keepers = append(keepers, k)
	}
	if worst > 50*time.Millisecond {
		t.Errorf("Hear took %v while the engine hung", worst)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_ = s.Close(ctx) // an engine that hangs may well be an error; it must end
	if d := time.Since(begun); d > 3*time.Second {
		t.Errorf("Close took %v", d)
	}
	resume()
	for range s.Segments() { //nolint:revive // drained until closed
	}
	for i, k := range keepers {
		if k.Copies() != 0 {
			t.Fatalf("frame %d is not wiped after Close", i)
		}
	}
}

// crash: the utterance in flight may be lost; the next one is heard, or the
// session says Lost.
func crash(t *testing.T, f Fixture) {
	if f.Crash == nil {
		return
	}
	s := open(t, f)
	defer end(t, s)
	half := f
	half.Speech = f.Speech[:len(f.Speech)/2]
	rate := f.Engine.Rate()
	for off := 0; off+rate/50 <= len(half.Speech); off += rate / 50 {
		frame, forget := mediatest.Frame(half.Speech[off:off+rate/50], media.Caller, rate, time.Duration(off)*time.Second/time.Duration(rate))
		if err := s.Hear(frame); err != nil {
			t.Fatal(err)
		}
		forget()
	}
	f.Crash(t)
	deadline := time.Now().Add(4 * f.Patience)
	for from := time.Minute; time.Now().Before(deadline); from += time.Minute {
		select {
		case <-s.Lost():
			return
		default:
		}
		say(t, s, f, from, true)
		if seg, ok := next(t, s, f, from); ok && !seg.Turn.Words.Empty() {
			wantWords(t, seg, f)
			return
		}
	}
	t.Error("after a crash the session neither hears nor says that it is lost")
}

// next takes finals until one of the utterance at from, or none comes.
func next(t *testing.T, s transcribe.Session, f Fixture, from time.Duration) (transcribe.Segment, bool) {
	t.Helper()
	limit := time.NewTimer(f.Patience)
	defer limit.Stop()
	for {
		select {
		case seg, ok := <-s.Segments():
			if !ok {
				return transcribe.Segment{}, false
			}
			if seg.Final && seg.Turn.Start >= from-time.Second {
				return seg, true
			}
		case <-s.Lost():
			return transcribe.Segment{}, false
		case <-limit.C:
			return transcribe.Segment{}, false
		}
	}
}

func closing(t *testing.T, f Fixture) {
	s := open(t, f)
	frame, forget := mediatest.Frame(f.Speech[:f.Engine.Rate()/50], media.Caller, f.Engine.Rate(), 0)
	if err := s.Hear(frame); err != nil {
		t.Fatal(err)
	}
	forget()
	end(t, s)
	end(t, s)
	frame, forget = mediatest.Frame(f.Speech[:f.Engine.Rate()/50], media.Caller, f.Engine.Rate(), time.Second)
	_ = s.Hear(frame) // refused or ignored; it must not panic or keep
	forget()
	s.Endpoint()
}
