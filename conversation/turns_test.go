package conversation

import (
	"testing"
	"time"
)

func clockwork() (turns, time.Time) {
	t0 := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	return turns{limits: limits{noInput: 8 * time.Second, final: 3 * time.Second, mind: 10 * time.Second}}, t0
}

func TestDisclosureIsNotCut(t *testing.T) {
	m, now := clockwork()
	m.agentStarts(now, true)
	if m.callerStarts(now.Add(time.Second)) {
		t.Error("the disclosure was cut")
	}
	m.callerStops(now.Add(2*time.Second), false)
	if !m.next().IsZero() {
		t.Error("something is waited for during the disclosure")
	}
	if m.keyPressed(now.Add(2 * time.Second)) {
		t.Error("a key cut the disclosure")
	}
	m.agentStops(now.Add(8 * time.Second))
	m.opens(now.Add(8 * time.Second))
	if got := m.next(); got != now.Add(16*time.Second) {
		t.Errorf("no-input at %v", got)
	}
}

func talking() (turns, time.Time) {
	m, now := clockwork()
	m.opens(now)
	return m, now
}

func TestSpeechStopsTheAgent(t *testing.T) {
	m, now := talking()
	m.agentStarts(now, false)
	if !m.callerStarts(now.Add(time.Second)) {
		t.Fatal("the agent goes on")
	}
	m.agentStops(now.Add(time.Second))
	if m.mayAnswer() {
		t.Error("the agent may speak while the caller does")
	}
	m.callerStops(now.Add(2*time.Second), true)
	if m.mayAnswer() {
		t.Error("the agent may speak before it knows what was said")
	}
	if v := m.finalHeard(now.Add(2*time.Second), true); v != tell {
		t.Errorf("verdict %d", v)
	}
	if !m.mayAnswer() {
		t.Error("the agent may not answer")
	}
}

// A cough stops the agent: the caller is asked. A cough in silence is nothing.
func TestNoWords(t *testing.T) {
	m, now := talking()
	m.agentStarts(now, false)
	m.callerStarts(now)
	m.agentStops(now)
	m.callerStops(now, true)
	if v := m.finalHeard(now, false); v != unclear {
		t.Errorf("after a cut: %d", v)
	}
	m.callerStarts(now)
	m.callerStops(now, true)
	if v := m.finalHeard(now, false); v != ignore {
		t.Errorf("in silence: %d", v)
	}
}

func TestNoInput(t *testing.T) {
	m, now := talking()
	for i := 1; i <= 3; i++ {
		now = m.next()
		if a := m.expired(now); a != quiet || m.silences != i {
			t.Fatalf("alarm %d, %d silences", a, m.silences)
		}
		m.asked(now)
		m.answered(now)
		m.agentStarts(now, false)
		m.answerEnds(now)
		if !m.next().IsZero() {
			t.Error("silence is counted while the agent speaks")
		}
		now = now.Add(2 * time.Second)
		m.agentStops(now)
		if got := m.next().Sub(now); got != 8*time.Second {
			t.Errorf("next prompt after %v", got)
		}
	}
	m.callerStarts(now)
	if !m.next().IsZero() {
		t.Error("silence is counted while the caller speaks")
	}
	m.callerStops(now, true)
	m.finalHeard(now, true)
	if m.silences != 0 {
		t.Error("words do not end the row of silences")
	}
}

func TestAlarms(t *testing.T) {
	m, now := talking()
	m.callerStarts(now)
	m.callerStops(now, true)
	if got := m.next().Sub(now); got != 3*time.Second {
		t.Errorf("the final is waited for %v", got)
	}
	if a := m.expired(now.Add(3 * time.Second)); a != lateFinal {
		t.Errorf("alarm %d", a)
	}
	m.finalHeard(now.Add(3*time.Second), false)
	m.asked(now)
	if a := m.expired(now.Add(10 * time.Second)); a != lateMind {
		t.Errorf("alarm %d", a)
	}
	if a := m.expired(now.Add(10 * time.Second)); a != none {
		t.Errorf("alarm %d again", a)
	}
	// a mind that began to answer and then hangs
	m.asked(now)
	m.answered(now)
	m.agentStarts(now, false)
	if !m.next().IsZero() {
		t.Error("something is waited for while the agent speaks")
	}
	m.agentStops(now)
	if a := m.expired(now.Add(10 * time.Second)); a != lateMind {
		t.Errorf("alarm %d", a)
	}
}

// An answer waits for a caller who goes on, but not for ever.
func TestPatience(t *testing.T) {
	m, now := talking()
	m.asked(now)
	m.callerStarts(now)
	m.answered(now)
	if m.mayAnswer() {
		t.Error("the agent talks over the caller")
	}
	if got := m.next().Sub(now); got != patience {
		t.Errorf("looked at again after %v", got)
	}
	m.expired(now.Add(patience))
	if !m.mayAnswer() {
		t.Error("a voice that does not end silences the agent")
	}
}

// Whatever happens in whatever order, somebody or some time ends each wait.
func FuzzTurns(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m, now := talking()
		for _, s := range steps {
			now = now.Add(time.Duration(s>>4) * 700 * time.Millisecond)
			switch s % 10 {
			case 0:
				m.callerStarts(now)
			case 1:
				m.callerStops(now, true)
			case 2:
				m.callerStops(now, false)
			case 3:
				m.finalHeard(now, true)
			case 4:
				m.finalHeard(now, false)
			case 5:
				m.asked(now)
			case 6:
				m.answered(now)
				m.agentStarts(now, false)
			case 7:
				m.agentStops(now)
			case 8:
				m.answerEnds(now)
			case 9: // what a conversation does then
				switch m.expired(now) {
				case quiet:
					m.asked(now)
				case lateFinal:
					m.finalHeard(now, false)
				case lateMind:
					m.answerEnds(now)
				case none:
				}
			}
			if !m.caller && !m.agent && m.next().IsZero() {
				if m.answer && m.mindBy.IsZero() { // a piece waits to be spoken, and may be
					if m.mayAnswer() {
						continue
					}
				}
				t.Fatalf("nobody speaks and nothing is waited for: %+v", m)
			}
		}
	})
}
