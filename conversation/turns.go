package conversation

import "time"

// turns decides who may speak. It knows what the caller and the agent are
// doing and until when something is waited for; it does nothing itself. Its
// methods take the time and are called by the conversation's goroutine.
type turns struct {
	limits

	open     bool // the disclosure is over
	agent    bool // a piece is being spoken
	locked   bool // and can't be cut off
	answer   bool // more of an answer may come
	caller   bool // voice
	due      bool // the engine owes a final
	barged   bool // this utterance cut the agent off
	over     bool // the caller goes on for so long that an answer waits no longer
	silences int  // prompts in a row

	quietAt time.Time // the caller has been silent for too long
	finalBy time.Time // the final has to be there
	mindBy  time.Time // the first words of an answer have to be there
	holdBy  time.Time // an answer waits no longer for a caller who goes on
}

type limits struct {
	noInput, final, mind time.Duration
}

// patience is how long an answer waits for a voice that does not end, which
// then is noise more often than not.
const patience = 5 * time.Second

// alarm is a time that has passed.
type alarm uint8

const (
	none      alarm = iota
	quiet           // the caller has said nothing for long
	lateFinal       // the engine did not keep its promise
	lateMind        // the mind did not answer
)

// verdict says what to do with a final.
type verdict uint8

const (
	ignore  verdict = iota
	tell            // the mind hears it
	unclear         // the caller was not understood
)

// callerStarts takes the beginning of speech; true: stop the agent.
func (t *turns) callerStarts(now time.Time) (cut bool) {
	t.caller, t.silences = true, 0
	cut = t.open && t.agent && !t.locked
	t.barged = t.barged || cut
	t.settle(now)
	return cut
}

// callerStops takes the end of speech; heard says whether an engine listens and
// will answer with a final.
func (t *turns) callerStops(now time.Time, heard bool) {
	t.caller = false
	if heard {
		t.due, t.finalBy = true, now.Add(t.final)
	} else {
		t.barged = false
	}
	t.settle(now)
}

// finalHeard takes what an utterance was.
func (t *turns) finalHeard(now time.Time, words bool) verdict {
	t.due = false
	v := ignore
	switch {
	case words:
		v = tell
	case t.barged: // something stopped the agent, and it was no word
		v = unclear
	}
	t.barged = false
	if v == tell {
		t.silences = 0
	}
	t.settle(now)
	return v
}

// keyPressed takes a key: it is as good as words.
func (t *turns) keyPressed(now time.Time) (cut bool) {
	t.silences = 0
	t.settle(now)
	return t.open && t.agent && !t.locked
}

// asked says that the mind was given something to answer.
func (t *turns) asked(now time.Time) {
	t.answer, t.mindBy = true, now.Add(t.mind)
	t.holdBy, t.over = time.Time{}, false
	t.settle(now)
}

// answered says that something of the answer came.
func (t *turns) answered(now time.Time) {
	t.mindBy = time.Time{}
	t.holdBy = now.Add(patience)
	t.settle(now)
}

// answerEnds says that nothing more will come.
func (t *turns) answerEnds(now time.Time) {
	t.answer, t.mindBy = false, time.Time{}
	t.settle(now)
}

// mayAnswer says whether the next piece may be spoken.
func (t *turns) mayAnswer() bool {
	if t.agent {
		return false
	}
	return !t.open || !t.caller && !t.due || t.over
}

// agentStarts says that a piece is being spoken.
func (t *turns) agentStarts(now time.Time, locked bool) {
	t.agent, t.locked, t.mindBy = true, locked, time.Time{}
	t.holdBy, t.over = time.Time{}, false
	t.settle(now)
}

// agentStops says that a piece was spoken, or was cut off.
func (t *turns) agentStops(now time.Time) {
	t.agent, t.locked = false, false
	if t.answer {
		t.mindBy = now.Add(t.mind)
	}
	t.settle(now)
}

// opens says that the disclosure was heard.
func (t *turns) opens(now time.Time) {
	t.open = true
	t.settle(now)
}

// settle starts the wait for the caller when nothing else goes on, and ends it
// when something does.
func (t *turns) settle(now time.Time) {
	if !t.due {
		t.finalBy = time.Time{}
	}
	idle := t.open && !t.agent && !t.answer && !t.caller && !t.due
	switch {
	case !idle:
		t.quietAt = time.Time{}
	case t.quietAt.IsZero():
		t.quietAt = now.Add(t.noInput)
	}
}

// expired gives what has been waited for in vain, one at a time.
func (t *turns) expired(now time.Time) alarm {
	past := func(at time.Time) bool { return !at.IsZero() && !now.Before(at) }
	switch {
	case past(t.finalBy):
		t.finalBy = time.Time{}
		return lateFinal
	case past(t.mindBy):
		t.mindBy = time.Time{}
		return lateMind
	case past(t.holdBy):
		t.holdBy, t.over = time.Time{}, true
	case past(t.quietAt):
		t.silences++
		t.quietAt = time.Time{}
		return quiet
	}
	return none
}

// next is when expired should be asked again; zero for never.
func (t *turns) next() time.Time {
	at := earliest(earliest(t.quietAt, t.finalBy), t.mindBy)
	if !t.agent && (t.caller || t.due) {
		at = earliest(at, t.holdBy)
	}
	return at
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
