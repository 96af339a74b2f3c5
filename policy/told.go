package policy

import (
	"fmt"
	"log/slog"
)

// Told is what one processor, a mind or a voice, may be told. It prints as a
// length.
type Told struct {
	turn Turn
	to   *processor
}

// Text is the words, redacted for the processor.
func (t Told) Text() string { return t.turn.Words.Reveal() }

// Turn is the turn, its words redacted for the processor.
func (t Told) Turn() Turn { return t.turn }

// Processor is the name of the one that may be told.
func (t Told) Processor() string {
	if t.to == nil {
		return ""
	}
	return t.to.name
}

// Valid says whether a ruling made it for a processor that is still in force:
// nil, or ErrNotGranted.
func (t Told) Valid() error {
	if t.to == nil || t.to.revoked.Load() {
		return ErrNotGranted
	}
	return nil
}

// For is Valid for the processor of that name, and ErrForeign for any other:
// words that were meant for a part of this machine must not leave it.
func (t Told) For(processor string) error {
	if err := t.Valid(); err != nil {
		return err
	}
	if t.to.name != processor {
		return ErrForeign
	}
	return nil
}

// String is the length of the words.
func (t Told) String() string { return t.turn.Words.String() }

// GoString is String.
func (t Told) GoString() string { return t.String() }

// Format prints String whatever the verb.
func (t Told) Format(s fmt.State, _ rune) { fmt.Fprint(s, t.String()) }

// LogValue is String.
func (t Told) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText is String.
func (t Told) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
