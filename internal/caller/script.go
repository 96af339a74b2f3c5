package caller

import (
	"context"
	"fmt"
)

// step is a line that is ready: its audio is in hand.
type step struct {
	line  Line
	audio clip // empty for keys
}

// text is how the step is shown.
func (s step) text() string {
	switch {
	case s.line.Say != "":
		return s.line.Say
	case s.line.WAV != "":
		return "[" + s.line.WAV + "]"
	default:
		return s.line.Keys
	}
}

// event is how the step is told.
func (s step) event() Event {
	e := Event{Kind: "said", Party: "caller", Text: s.text(), Final: true}
	if s.line.Keys != "" {
		e.Kind = "keys"
	}
	return e
}

// prepare reads and synthesises every line before anything is dialled.
func prepare(ctx context.Context, o Options) ([]step, error) {
	steps := make([]step, len(o.Lines))
	voice := o.Voice
	for i, l := range o.Lines {
		var err error
		steps[i].line = l
		switch {
		case l.WAV != "":
			steps[i].audio, err = readWAV(l.WAV)
		case l.Say != "":
			if voice, err = voice.find(); err == nil {
				steps[i].audio, err = voice.say(ctx, l.Say)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrLine, i+1, err)
		}
	}
	return steps, nil
}
