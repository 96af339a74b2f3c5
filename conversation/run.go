package conversation

import (
	"context"
	"errors"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/media/vad"
	"lethe/policy"
	"lethe/transcribe"
)

// goOn is the outcome of what does not end the conversation.
const goOn = policy.Ongoing

// run is the conversation: the disclosure, then one thing after the other until
// something ends it.
func (t *talk) run(ctx context.Context) policy.Outcome {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	t.queue = append(t.queue, piece{words: policy.Said(t.ruling.DisclosureIn(t.n.Language, t.engine)), kind: disclosure})
	for {
		t.speakNext(ctx)
		timer.Reset(t.wait())
		if o := t.one(ctx, timer.C); o != goOn {
			return o
		}
	}
}

// one takes one thing that happened.
func (t *talk) one(ctx context.Context, tick <-chan time.Time) policy.Outcome {
	select {
	case <-ctx.Done():
		return t.ended(ctx)
	case <-t.leg.Done():
		return t.ended(ctx)
	case <-t.stream.Done():
		return t.ended(ctx)
	case err := <-t.mouth.done:
		return t.spoken(ctx, err)
	case e := <-t.gate.Events():
		t.voice(ctx, e)
	case s, ok := <-t.segments:
		if !ok {
			t.loseEngine(ctx)
			return goOn
		}
		t.segment(ctx, s)
	case <-t.lost:
		t.loseEngine(ctx)
	case k := <-t.keysNow():
		t.key(ctx, k.Digit)
	case r, ok := <-t.repliesNow():
		t.reply(ctx, r, ok)
	case <-tick:
		return t.tick(ctx)
	}
	return goOn
}

// repliesNow yields replies only while nothing waits to be spoken: a mind that
// writes faster than a voice speaks waits for it.
func (t *talk) repliesNow() <-chan agent.Reply {
	if len(t.queue) > 0 || t.mouth.busy() {
		return nil
	}
	return t.replies
}

// keysNow yields keys once the disclosure was heard; those pressed before wait.
func (t *talk) keysNow() <-chan media.Key {
	if !t.turns.open {
		return nil
	}
	return t.stream.Keys()
}

// wait is how long until something is due.
func (t *talk) wait() time.Duration {
	at := earliest(earliest(t.turns.next(), t.retryAt), t.keys.until)
	if t.mouth.busy() && !t.replyTo.IsZero() {
		at = earliest(at, t.now().Add(glance))
	}
	if at.IsZero() {
		return time.Hour
	}
	return max(0, at.Sub(t.now()))
}

// glance is how often the mouth is looked at until the first audio was sent.
const glance = 10 * time.Millisecond

func (t *talk) tick(ctx context.Context) policy.Outcome {
	now := t.now()
	t.watchReply(now)
	t.flushKeys(ctx, now)
	if !t.retryAt.IsZero() && !now.Before(t.retryAt) {
		t.openEngine(ctx)
	}
	switch t.turns.expired(now) {
	case quiet:
		t.saw(Event{Kind: NoInput})
		t.answers(ctx, time.Time{}, t.prompt)
	case lateFinal:
		// the caller spoke, and what they said is not known: that is not for them to mend
		t.saw(Event{Kind: NotUnderstood, Reason: "no final came"})
		t.turns.barged = false
		t.turns.finalHeard(now, false)
	case lateMind:
		t.mindTrouble(ctx, errLate)
	case none:
	}
	return goOn
}

var errLate = errors.New("conversation: the mind did not answer in time")

// voice takes an event of the gate. Before the disclosure has been heard, all
// that it changes is who is speaking.
func (t *talk) voice(ctx context.Context, e vad.Event) {
	now := t.now()
	switch e.Kind {
	case vad.Started:
		t.saw(Event{Kind: SpeechStarted, Stream: e.At})
		if t.turns.callerStarts(now) {
			t.cut(ctx)
		}
	case vad.Stopped:
		t.stopped = now.Add(-e.Lag)
		t.saw(Event{Kind: SpeechStopped, Stream: e.At})
		t.turns.callerStops(now, e.Heard)
	}
}

// segment takes what the engine heard.
func (t *talk) segment(ctx context.Context, s transcribe.Segment) {
	if !s.Final {
		t.saw(Event{Kind: PartialHeard, Stream: s.Turn.End})
		return
	}
	t.final(ctx, s)
}

// final stores an utterance and gives it to the mind.
func (t *talk) final(ctx context.Context, s transcribe.Segment) {
	now := t.now()
	words := !s.Turn.Words.Empty()
	v := t.turns.finalHeard(now, words)
	if !words {
		t.saw(Event{Kind: NotUnderstood, Reason: "no words"})
		if v == unclear {
			t.answers(ctx, t.stopped, t.unclear)
		}
		return
	}
	e := Event{Kind: FinalHeard, Stream: s.Turn.End}
	if !t.stopped.IsZero() {
		e.Took = max(0, now.Sub(t.stopped))
	}
	t.saw(e)
	t.cut(ctx)
	t.flushKeys(ctx, now.Add(keyPause))
	turn := t.store(ctx, policy.Caller, s.Turn)
	if !t.leaving {
		t.hear(ctx, turn, t.stopped)
	}
}

// key takes a key: it stops the agent, and the mind is told at once.
func (t *talk) key(ctx context.Context, digit byte) {
	now := t.now()
	t.saw(Event{Kind: KeyPressed})
	if t.turns.keyPressed(now) {
		t.cut(ctx)
	}
	t.keys.add(digit, now, t.at())
	pad, ok := t.mind.(agent.Keypad)
	if !ok || t.leaving {
		return
	}
	told, err := t.ruling.Tell(t.listen, policy.Turn{Conversation: t.id, Seq: t.seq + 1, Party: policy.Caller,
		Words: policy.Said(string(digit)), Start: t.at(), End: t.at(), Confidence: 1}, now)
	t.answers(ctx, now, func(ctx context.Context) (<-chan agent.Reply, error) {
		if err != nil {
			return nil, err
		}
		return pad.Keyed(ctx, told)
	})
}
