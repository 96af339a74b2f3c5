package script

import (
	"context"

	"lethe/agent"
	"lethe/policy"
)

// Mind is one conversation with a script. One goroutine calls it; its answers
// are complete when they are given.
type Mind struct {
	s       *Script
	said    []int // how often each intent was answered
	unclear int   // in a row
	last    string
}

// New makes the partner of one conversation.
func (s *Script) New(context.Context) (agent.Mind, error) {
	return &Mind{s: s, said: make([]int, len(s.cfg.Intents))}, nil
}

var (
	_ agent.Mind     = (*Mind)(nil)
	_ agent.Keypad   = (*Mind)(nil)
	_ agent.Prompter = (*Mind)(nil)
)

// Greet is the greeting.
func (m *Mind) Greet(context.Context) (<-chan agent.Reply, error) {
	return m.answer(m.s.cfg.Greeting, thenListen), nil
}

// Hear answers the intent that the words match. Words that were not understood
// well, or match none, get the fallback.
func (m *Mind) Hear(ctx context.Context, t policy.Told) (<-chan agent.Reply, error) {
	if err := t.For(Processor); err != nil {
		return nil, err
	}
	if t.Turn().Confidence < policy.LowConfidence {
		return m.Unclear(ctx)
	}
	i, ok := m.s.match.find(t.Text())
	if !ok {
		return m.Unclear(ctx)
	}
	return m.intent(i), nil
}

// Keyed answers the intent of the last key that has one.
func (m *Mind) Keyed(ctx context.Context, t policy.Told) (<-chan agent.Reply, error) {
	if err := t.For(Processor); err != nil {
		return nil, err
	}
	digits := t.Text()
	for k := len(digits) - 1; k >= 0; k-- {
		if i, ok := m.s.keys[digits[k]]; ok {
			return m.intent(i), nil
		}
	}
	return m.Unclear(ctx)
}

// Unclear is the fallback.
func (m *Mind) Unclear(context.Context) (<-chan agent.Reply, error) {
	m.unclear++
	return m.prompt(m.s.cfg.Fallback, m.unclear), nil
}

// Quiet is the prompt for those who say nothing.
func (m *Mind) Quiet(_ context.Context, times int) (<-chan agent.Reply, error) {
	return m.prompt(m.s.cfg.NoInput, times), nil
}

// Interrupted changes nothing for a script: it answers each turn by itself.
func (m *Mind) Interrupted(context.Context, policy.Told) error { return nil }

// Close forgets what was said.
func (m *Mind) Close(context.Context) error {
	m.last = ""
	return nil
}

func (m *Mind) intent(i int) <-chan agent.Reply {
	m.unclear = 0
	in := m.s.cfg.Intents[i]
	if in.Then == thenRepeat {
		return m.answer(m.last, thenListen)
	}
	words := ""
	if len(in.Replies) > 0 {
		words = in.Replies[m.said[i]%len(in.Replies)]
	}
	m.said[i]++
	return m.answer(words, in.Then)
}

func (m *Mind) prompt(p Prompts, times int) <-chan agent.Reply {
	words := p.Replies[(max(times, 1)-1)%len(p.Replies)]
	then := thenListen
	if p.Limit > 0 && times >= p.Limit {
		then = p.Then
		if then == thenTransfer {
			words = "" // what is said before a transfer will do
		}
	}
	return m.answerOnce(words, then)
}

// answer is answerOnce for words that a caller may ask to hear again.
func (m *Mind) answer(words, then string) <-chan agent.Reply {
	m.last = words
	return m.answerOnce(words, then)
}

func (m *Mind) answerOnce(words, then string) <-chan agent.Reply {
	out := make(chan agent.Reply, 2)
	last := agent.Reply{}
	switch then {
	case thenEnd:
		last = agent.Reply{Words: policy.Said(m.s.cfg.Goodbye), Act: agent.End}
	case thenTransfer:
		last = agent.Reply{Words: policy.Said(m.s.cfg.Transfer.Say), Act: agent.Transfer, To: m.s.cfg.Transfer.Target}
	}
	if words != "" {
		out <- agent.Reply{Words: policy.Said(words)}
	}
	if last.Act != agent.Listen {
		out <- last
	}
	close(out)
	return out
}
