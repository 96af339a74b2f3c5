package conversation

import (
	"context"
	"time"

	"lethe/agent"
	"lethe/policy"
)

// hear gives a stored turn of the caller to the mind.
func (t *talk) hear(ctx context.Context, turn policy.Turn, since time.Time) {
	told, err := t.ruling.Tell(t.listen, turn, t.now())
	t.answers(ctx, since, func(ctx context.Context) (<-chan agent.Reply, error) {
		if err != nil {
			return nil, err
		}
		return t.mind.Hear(ctx, told)
	})
}

func (t *talk) greet(ctx context.Context) {
	t.answers(ctx, time.Time{}, t.mind.Greet)
}

// unclear asks the mind what to say to somebody who was not understood.
func (t *talk) unclear(ctx context.Context) (<-chan agent.Reply, error) {
	p, ok := t.mind.(agent.Prompter)
	if !ok {
		return nothing(), nil
	}
	return p.Unclear(ctx)
}

// prompt asks it what to say to somebody who says nothing.
func (t *talk) prompt(ctx context.Context) (<-chan agent.Reply, error) {
	p, ok := t.mind.(agent.Prompter)
	if !ok {
		return nothing(), nil
	}
	return p.Quiet(ctx, t.turns.silences)
}

func nothing() <-chan agent.Reply {
	c := make(chan agent.Reply)
	close(c)
	return c
}

// answers begins an answer; one that was being given ends. since is the end of
// the speech that is answered, zero if there was none.
func (t *talk) answers(ctx context.Context, since time.Time, ask func(context.Context) (<-chan agent.Reply, error)) {
	t.endAnswer()
	t.heard = t.heard[:0]
	t.replyTo = since
	t.turns.asked(t.now())
	asking, hush := context.WithCancel(ctx)
	t.hush = hush
	replies, err := ask(asking)
	if err != nil {
		t.mindTrouble(ctx, err)
		return
	}
	t.replies = replies
}

// endAnswer stops the answer that is being given. The mind closes its channel
// by itself, soon after its context has ended.
func (t *talk) endAnswer() {
	if t.hush != nil {
		t.hush()
		t.hush = nil
	}
	t.replies = nil
	t.turns.answerEnds(t.now())
}

// reply takes a piece of an answer, or its end.
func (t *talk) reply(_ context.Context, r agent.Reply, ok bool) {
	if !ok {
		t.endAnswer()
		return
	}
	t.silent = 0
	t.turns.answered(t.now())
	t.queue = append(t.queue, piece{words: r.Words, act: r.Act, to: r.To})
}

// mindTrouble says that there is no answer; after several in a row, that there
// will not be one.
func (t *talk) mindTrouble(ctx context.Context, err error) {
	t.endAnswer()
	if ctx.Err() != nil { // the call is over
		return
	}
	t.trouble(MindFailed, err)
	t.replyTo = time.Time{}
	p := piece{words: policy.Said(t.d.Config.Apologies.Mind), kind: apology}
	if t.silent++; t.silent >= maxFailures {
		t.leaving = true
		p = piece{words: policy.Said(t.d.Config.Apologies.Farewell), kind: farewell}
	}
	t.queue = append(t.queue[:0], p)
}

// transfer hands the caller over. While the far end tries, nothing is
// transcribed; when it fails, the caller is told and the conversation goes on.
func (t *talk) transfer(ctx context.Context, to string) policy.Outcome {
	t.gate.Shut()
	err := t.refer(ctx, to)
	if err == nil {
		return policy.Transferred
	}
	t.trouble(TransferFailed, err)
	if t.session != nil {
		t.gate.Open(t.session)
	}
	t.queue = append(t.queue[:0], piece{words: policy.Said(t.d.Config.Apologies.Transfer), kind: apology})
	return goOn
}

// refer lets the far end finish: one that hangs up because it has called the
// target ends ctx, and that is a success.
func (t *talk) refer(ctx context.Context, to string) error {
	referring, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.d.Config.TransferTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(lastWord):
			cancel()
		case <-referring.Done():
		}
	})
	defer stop()
	return t.leg.Refer(referring, to)
}

// lastWord is how long the result of a transfer may come after its call's end.
const lastWord = 150 * time.Millisecond
