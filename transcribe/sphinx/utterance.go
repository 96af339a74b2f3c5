package sphinx

import (
	"slices"
	"strings"
	"time"

	"lethe/media"
	"lethe/policy"
	"lethe/transcribe"
)

const (
	childFrame = 10 * time.Millisecond // what a child counts in
	jump       = 5 * time.Millisecond  // a gap of stream time that is one
)

// utterance keeps the stream times of what a child was given, so that the
// child's count can be told in them.
type utterance struct {
	marks  []mark // where stream time jumped, the first at 0
	heard  time.Duration
	until  time.Duration // stream time after the last piece
	closed bool
}

// mark: after heard of audio, the stream time was at.
type mark struct{ heard, at time.Duration }

func (u *utterance) add(f media.Frame) {
	if d := f.At() - u.until; len(u.marks) == 0 || d > jump || d < -jump {
		u.marks = append(u.marks, mark{u.heard, f.At()})
	}
	u.heard += f.Duration()
	u.until = f.At() + f.Duration()
}

// at is the stream time of a frame that the child counted.
func (u *utterance) at(frame int) time.Duration {
	heard := time.Duration(frame) * childFrame
	at := u.until
	for _, m := range u.marks {
		if m.heard <= heard {
			at = m.at + heard - m.heard
		}
	}
	return min(at, u.until)
}

// speaking is the utterance whose end was not heard, or nil.
func (s *Session) speaking() *utterance {
	if n := len(s.utterances); n > 0 && !s.utterances[n-1].closed {
		return s.utterances[n-1]
	}
	return nil
}

// current is speaking, or a new one that begins at the given stream time.
func (s *Session) current(at time.Duration) *utterance {
	if u := s.speaking(); u != nil {
		return u
	}
	u := &utterance{until: at}
	s.utterances = append(s.utterances, u)
	return u
}

// take turns what the child said into a segment.
func (s *Session) take(m message) {
	if len(s.utterances) == 0 || m.kind == 'H' {
		return
	}
	u := s.utterances[0]
	s.deliver(s.segment(m, u))
	if m.kind == 'F' {
		s.utterances = s.utterances[1:]
	}
}

func (s *Session) segment(m message, u *utterance) transcribe.Segment {
	text := m.text
	if s.known.holds(m) {
		text = m.own
	}
	words := strings.Fields(text)
	t := policy.Turn{
		Conversation: s.listen.Conversation(), Party: policy.Caller,
		Words: policy.Said(text), Start: u.at(m.start), End: u.at(m.end),
		Confidence: confidence(m, words, s.known),
	}
	if len(words) == 0 {
		t.Start, t.End = u.until, u.until
	}
	t.End = max(t.End, t.Start)
	return transcribe.Segment{Turn: t, Final: m.kind != 'P'}
}

// deliver puts a segment behind those that wait; a newer partial takes the
// place of an older one.
func (s *Session) deliver(g transcribe.Segment) {
	s.outbox = slices.DeleteFunc(s.outbox, func(old transcribe.Segment) bool { return !old.Final })
	s.outbox = append(s.outbox, g)
}
