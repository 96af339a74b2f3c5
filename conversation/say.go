package conversation

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
)

// piece is something to be spoken, and what follows when it was heard.
type piece struct {
	words policy.Words
	kind  kind
	act   agent.Act
	to    string
}

type kind uint8

const (
	reply      kind = iota // of the mind
	disclosure             // can't be cut off
	apology                // ours
	farewell               // ours, then the end
)

// locked says whether a caller who speaks does not stop it.
func (p piece) locked() bool { return p.kind == disclosure || p.kind == farewell }

// mouth speaks one piece at a time, on a goroutine that is joined before the
// next.
type mouth struct {
	piece piece
	begun time.Duration
	stop  context.CancelFunc
	done  chan error
	pace  float64 // characters per second, of this voice, as measured
}

func (m *mouth) busy() bool { return m.stop != nil }

// typicalPace holds until a piece was heard to its end; the disclosure always is.
const typicalPace = 14

// speakNext begins the next piece if it may be spoken now. Pieces without words
// are done at once.
func (t *talk) speakNext(ctx context.Context) {
	now := t.now()
	if len(t.queue) == 0 || t.mouth.busy() || !t.turns.mayAnswer() {
		return
	}
	p := t.queue[0]
	t.queue = t.queue[1:]
	t.turns.agentStarts(now, p.locked())
	speech := t.stream.Speech()
	speech.Cut() // what is heard is counted from here
	ctx, stop := context.WithCancel(ctx)
	t.mouth.piece, t.mouth.begun, t.mouth.stop = p, t.at(), stop
	t.mouth.done = make(chan error, 1)
	if p.words.Empty() {
		t.mouth.done <- nil
		return
	}
	told, err := t.ruling.Tell(t.speak, t.turn(p.words), now)
	if err != nil {
		t.mouth.done <- err
		return
	}
	done := t.mouth.done
	go func() { done <- utter(ctx, t.n.Voice, told, speech) }()
}

// turn is the agent's, as it would be stored if it ended now.
func (t *talk) turn(w policy.Words) policy.Turn {
	return policy.Turn{Conversation: t.id, Seq: t.seq + 1, Party: policy.Agent, Words: w, Start: t.mouth.begun, End: t.at(), Confidence: 1}
}

// utter returns when the last sample was sent.
func utter(ctx context.Context, v agent.Voice, told policy.Told, out *media.Speech) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanic
		}
	}()
	if err := v.Speak(ctx, told, out); err != nil {
		return err
	}
	return out.Drained(ctx)
}

var errPanic = errors.New("conversation: the voice panicked")

// spoken takes the end of a piece that was not cut.
func (t *talk) spoken(ctx context.Context, err error) policy.Outcome {
	t.watchReply(t.now())
	t.mouth.stop()
	t.mouth.stop = nil
	t.turns.agentStops(t.now())
	p := t.mouth.piece
	heard := t.stream.Speech().Heard()
	if err == nil {
		t.mute = 0
		t.measure(p.words, heard)
		if p.kind == reply {
			t.heard = append(t.heard, p.words)
		}
		t.keep(ctx, p.words, false)
		return t.follow(ctx, p)
	}
	if t.stream.Err() != nil || ctx.Err() != nil {
		t.keep(ctx, t.part(p.words, heard), true)
		return t.ended(ctx)
	}
	if errors.Is(err, media.ErrCut) { // the codec was changed in mid-call: say it again
		t.queue = append([]piece{p}, t.queue...)
		return goOn
	}
	t.stream.Speech().Cut()
	t.keep(ctx, t.part(p.words, heard), true)
	t.trouble(VoiceFailed, err)
	if p.locked() {
		return policy.Failed // without the one no engine may listen
	}
	if t.mute++; t.mute >= maxFailures {
		return policy.Failed
	}
	return t.follow(ctx, p)
}

// maxFailures of mind or voice in a row end a conversation.
const maxFailures = 3

// follow does what comes after a piece.
func (t *talk) follow(ctx context.Context, p piece) policy.Outcome {
	switch p.kind {
	case disclosure:
		t.saw(Event{Kind: Disclosed})
		t.turns.opens(t.now())
		t.openEngine(ctx)
		t.greet(ctx)
		return goOn
	case farewell:
		return policy.Failed
	case reply, apology:
	}
	switch p.act {
	case agent.End:
		if t.session == nil {
			return policy.EngineLost
		}
		return policy.CompletedByAgent
	case agent.Transfer:
		return t.transfer(ctx, p.to)
	case agent.Listen:
	}
	return goOn
}

// cut stops the agent at once: what it was saying, what it was about to say,
// and the mind's answer. What the caller heard of it is stored, and the mind is
// told.
func (t *talk) cut(ctx context.Context) {
	if t.mouth.busy() && t.mouth.piece.locked() {
		return
	}
	unfinished := t.replies != nil || len(t.queue) > 0
	t.endAnswer()
	t.queue = t.queue[:0]
	if t.mouth.busy() {
		p := t.mouth.piece
		heard := t.part(p.words, t.silence())
		t.turns.agentStops(t.now())
		t.saw(Event{Kind: AgentCut})
		t.keep(ctx, heard, true)
		if p.kind == reply {
			t.heard = append(t.heard, heard)
			unfinished = true
		}
	}
	if unfinished && len(t.heard) > 0 {
		t.interrupted(ctx)
	}
	t.heard = t.heard[:0]
}

// interrupted tells the mind how much of its answer was heard.
func (t *talk) interrupted(ctx context.Context) {
	var all []string
	for _, w := range t.heard {
		all = append(all, w.Reveal())
	}
	told, err := t.ruling.Tell(t.listen, t.turn(policy.Said(strings.Join(all, " "))), t.now())
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, t.d.Config.MindTimeout)
		defer cancel()
		err = t.mind.Interrupted(ctx, told)
	}
	if err != nil {
		t.trouble(MindFailed, err)
	}
}

// silence stops the mouth and says how much was heard. A voice may write once
// more before it sees that it was stopped: that is dropped.
func (t *talk) silence() time.Duration {
	t.mouth.stop()
	heard, _ := t.stream.Speech().Cut()
	if err := <-t.mouth.done; errors.Is(err, errPanic) { // it was told to stop: any other end is as good
		t.trouble(VoiceFailed, err)
	}
	t.stream.Speech().Cut()
	t.mouth.stop = nil
	return heard
}

// measure learns the voice's pace from a piece that was heard to its end.
func (t *talk) measure(w policy.Words, heard time.Duration) {
	if heard >= time.Second/2 {
		t.mouth.pace = float64(utf8.RuneCountInString(w.Reveal())) / heard.Seconds()
	}
}

// part is what of w was heard in so long, in whole words, as far as the pace of
// the voice tells.
func (t *talk) part(w policy.Words, heard time.Duration) policy.Words {
	n := int(heard.Seconds() * t.mouth.pace)
	text := []rune(w.Reveal())
	if n >= len(text) {
		n = len(text) - 1 // it was cut off: not all of it was heard
	}
	if n <= 0 {
		return policy.Words{}
	}
	s := string(text[:n])
	end := strings.LastIndexByte(s, ' ')
	if end < 0 {
		return policy.Words{}
	}
	return policy.Said(strings.TrimSpace(s[:end]))
}

// packet is what is sent at a time, as a rule.
const packet = 20 * time.Millisecond

// watchReply notes when the first audio of an answer was sent.
func (t *talk) watchReply(now time.Time) {
	if t.replyTo.IsZero() || !t.mouth.busy() || t.mouth.piece.kind != reply {
		return
	}
	heard := t.stream.Speech().Heard()
	if heard == 0 {
		return
	}
	heard = max(0, heard-packet) // a packet counts as heard when it is sent
	t.saw(Event{Kind: ReplyStarted, Took: max(0, now.Sub(t.replyTo)-heard)})
	t.replyTo = time.Time{}
}
