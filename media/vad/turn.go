package vad

import "time"

// turn makes beginnings and ends of blocks that are voice or not. It knows
// stream time only.
type turn struct {
	need     int // blocks of voice that make an onset
	hangover time.Duration
	longest  time.Duration

	speaking bool
	count    int           // blocks of voice lately, less those without
	voiced   time.Duration // end of the last voice that counted
	began    time.Duration // of the utterance
}

// renew is how many blocks of voice close together keep speech going: a click
// does not.
const renew = 3

func newTurn(c Config) turn {
	return turn{need: int(c.Onset / block), hangover: c.Hangover, longest: c.Longest}
}

// block takes one block of voice, or not, that starts at this stream time.
func (t *turn) block(voice bool, at, long time.Duration) Event {
	if !voice {
		return t.silence(at + long - block)
	}
	end := at + long
	if t.count++; t.count > t.need {
		t.count = t.need
	}
	if !t.speaking {
		if t.count < t.need {
			return Event{}
		}
		t.speaking = true
		t.began = max(0, end-time.Duration(t.need)*block)
		t.voiced = end
		return Event{Kind: Started, At: t.began, Lag: end - t.began}
	}
	if t.count >= min(renew, t.need) {
		t.voiced = end
	}
	if end-t.began >= t.longest {
		t.speaking = false // the next voice begins a new utterance
		return Event{Kind: Stopped, At: end}
	}
	return Event{}
}

// silence takes one block without voice that starts at this stream time.
func (t *turn) silence(at time.Duration) Event {
	if t.count > 0 {
		t.count--
	}
	end := at + block
	if !t.speaking || end-t.voiced < t.hangover {
		return Event{}
	}
	t.speaking = false
	t.count = 0
	return Event{Kind: Stopped, At: t.voiced, Lag: end - t.voiced}
}
