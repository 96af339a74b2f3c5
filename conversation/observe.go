package conversation

import (
	"time"

	"lethe/policy"
)

// Observer sees what happens in conversations, without words: metrics and live
// views are made of it. Saw is called on the conversation's goroutine and must
// not block.
type Observer interface{ Saw(Event) }

// Event is one thing that happened.
type Event struct {
	Conversation policy.ConversationID
	Kind         Kind
	At           time.Time
	Stream       time.Duration // stream time, where it has one
	Took         time.Duration // FinalHeard, ReplyStarted: since the end of speech; else 0
	Reason       string        // of our own words: an outcome, "no words", ...; never what was said
}

// Kind of an event.
type Kind uint8

// Kinds, in the order in which a conversation knows them.
const (
	Began          Kind = iota + 1
	Disclosed           // the last word of the disclosure was played
	EngineOpened        // from now on an engine hears the caller
	EngineLost          // it went away; the call goes on
	SpeechStarted       // the caller's
	SpeechStopped       //
	PartialHeard        //
	FinalHeard          // Took: end of speech to final text
	ReplyStarted        // the first audio of an answer was sent; Took: since the end of speech
	AgentCut            // the caller spoke while the agent did
	KeyPressed          //
	NoInput             // the caller said nothing for a while
	NotUnderstood       // the caller spoke and was not understood
	MindFailed          //
	VoiceFailed         //
	TransferFailed      //
	ArchiveFailed       // a turn could not be stored
	Ended               // Reason: the outcome
)

func (k Kind) String() string {
	names := [...]string{
		Began: "began", Disclosed: "disclosed", EngineOpened: "engine opened", EngineLost: "engine lost",
		SpeechStarted: "speech started", SpeechStopped: "speech stopped", PartialHeard: "partial heard",
		FinalHeard: "final heard", ReplyStarted: "reply started", AgentCut: "agent cut", KeyPressed: "key pressed",
		NoInput: "no input", NotUnderstood: "not understood", MindFailed: "mind failed", VoiceFailed: "voice failed",
		TransferFailed: "transfer failed", ArchiveFailed: "archive failed", Ended: "ended",
	}
	if int(k) < len(names) && names[k] != "" {
		return names[k]
	}
	return "unknown"
}
