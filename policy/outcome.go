package policy

// Outcome is how a conversation ended.
type Outcome uint8

// Outcomes. Ongoing is none: a conversation is never settled with it.
const (
	Ongoing           Outcome = iota
	CompletedByCaller         // the caller hung up
	CompletedByAgent          // the agent hung up
	Transferred               // handed over to a person
	Cancelled                 // the caller gave up before it was answered
	MediaTimeout              // nothing was received for too long
	EngineLost                // the engine went away and the call could not go on
	Failed                    // anything else that broke
	Stopped                   // the server was asked to stop
	Interrupted               // the process died: found unsettled at the next start
)

// String is the outcome's name, as stored and as shown.
func (o Outcome) String() string {
	switch o {
	case Ongoing:
		return "ongoing"
	case CompletedByCaller:
		return "completed by caller"
	case CompletedByAgent:
		return "completed by agent"
	case Transferred:
		return "transferred"
	case Cancelled:
		return "cancelled"
	case MediaTimeout:
		return "media timeout"
	case EngineLost:
		return "engine lost"
	case Failed:
		return "failed"
	case Stopped:
		return "stopped"
	case Interrupted:
		return "interrupted"
	}
	return "unknown"
}

// ParseOutcome is the opposite of String.
func ParseOutcome(s string) (Outcome, bool) {
	for o := Ongoing; o <= Interrupted; o++ {
		if o.String() == s {
			return o, true
		}
	}
	return 0, false
}
