// Package vad finds the voice in a caller's audio and opens the way to an
// engine only while there is one.
//
// What passes through: a frame of 10 to 60 ms, linear PCM at 8 or 16 kHz, is
// read in blocks of 10 ms. A block becomes four band energies; each is compared
// with the noise floor of its band; what stands out often enough is voice. The
// Gate turns that into events for the conversation, keeps a short pre-roll, and
// passes frames to an engine's session from the onset to the end of speech.
//
// The package touches samples through media/raw and keeps none of them: a Gate
// holds energies, and its pre-roll lies in a media.Ring of the locked arena.
// It starts no goroutine and allocates nothing per frame.
package vad

import (
	"errors"
	"fmt"
	"time"
)

// Errors of this package.
var (
	// ErrRate says that frames of this sample rate are not understood.
	ErrRate = errors.New("vad: sample rate is neither 8000 nor 16000 Hz")
)

// Config says when voice begins and when it has ended.
type Config struct {
	// Onset is how much voice makes a beginning: 20 to 200 ms.
	Onset time.Duration `yaml:"onset"`
	// Hangover is how long silence lasts before speech has ended: 100 ms to 3 s.
	Hangover time.Duration `yaml:"hangover"`
	// Longest is the longest utterance: speech that goes on is divided there,
	// because an engine's final takes longer the longer it listened.
	Longest time.Duration `yaml:"longest"`
	// Sensitivity is how far, in dB over the noise floor, voice has to stand
	// out on the average of the bands: 2 to 12.
	Sensitivity float64 `yaml:"sensitivity"`
	// Quietest is the level, in dBov, below which nothing is voice: -80 to -20.
	Quietest float64 `yaml:"quietest"`
}

// Default is tuned for telephone speech; the tests hold its hit and false alarm rates.
func Default() Config {
	return Config{
		Onset:       50 * time.Millisecond,
		Hangover:    450 * time.Millisecond,
		Longest:     20 * time.Second,
		Sensitivity: 4,
		Quietest:    -54,
	}
}

// Validate says which value is out of its range.
func (c Config) Validate() error {
	return errors.Join(
		within("onset", c.Onset, 20*time.Millisecond, 200*time.Millisecond),
		within("hangover", c.Hangover, 100*time.Millisecond, 3*time.Second),
		within("longest", c.Longest, time.Second, 10*time.Minute),
		within("sensitivity", c.Sensitivity, 2, 12),
		within("quietest", c.Quietest, -80, -20),
	)
}

func within[T time.Duration | float64](key string, v, low, high T) error {
	if v >= low && v <= high {
		return nil
	}
	return fmt.Errorf("vad: %s is %v: give a value from %v to %v", key, v, low, high)
}

// Kind of an event.
type Kind uint8

// Kinds.
const (
	Started Kind = iota + 1
	Stopped
)

func (k Kind) String() string {
	switch k {
	case Started:
		return "speech started"
	case Stopped:
		return "speech stopped"
	}
	return "unknown"
}

// Event says that voice began or ended. At is the stream time at which it did;
// Lag is how much later, in stream time, that became certain.
type Event struct {
	Kind Kind
	At   time.Duration
	Lag  time.Duration
	// Heard says of a Stopped that a session was given its Endpoint.
	Heard bool
}
