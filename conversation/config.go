package conversation

import (
	"errors"
	"fmt"
	"time"

	"lethe/media/vad"
)

// Config holds for every conversation of the desk.
type Config struct {
	// Voice decides when a caller speaks and has finished.
	Voice vad.Config `yaml:"voice"`
	// Preroll is how much of what came before an onset the engine hears: 0 to 200 ms.
	Preroll time.Duration `yaml:"preroll"`
	// NoInput is how long the agent waits for the caller before it prompts.
	NoInput time.Duration `yaml:"no_input"`
	// FinalTimeout is how long an engine may take for a final after the end of speech.
	FinalTimeout time.Duration `yaml:"final_timeout"`
	// MindTimeout is how long a mind may take for the first words of an answer.
	MindTimeout time.Duration `yaml:"mind_timeout"`
	// TransferTimeout is how long a transfer may take to succeed.
	TransferTimeout time.Duration `yaml:"transfer_timeout"`
	// EngineRetry is how long to wait before a lost engine is asked again.
	EngineRetry time.Duration `yaml:"engine_retry"`
	// Closing is how long the end of a conversation may take: the last final,
	// the receipt.
	Closing time.Duration `yaml:"closing"`
	// Apologies are said when something of ours does not work.
	Apologies Apologies `yaml:"apologies"`
}

// Apologies are spoken sentences.
type Apologies struct {
	Engine   string `yaml:"engine"`   // nothing can be transcribed at the moment
	Mind     string `yaml:"mind"`     // there is no answer
	Transfer string `yaml:"transfer"` // the transfer did not work
	Farewell string `yaml:"farewell"` // before we hang up because nothing works
}

// Default serves for English.
func Default() Config {
	return Config{
		Voice:           vad.Default(),
		Preroll:         vad.MaxPreroll,
		NoInput:         8 * time.Second,
		FinalTimeout:    3 * time.Second,
		MindTimeout:     10 * time.Second,
		TransferTimeout: time.Minute,
		EngineRetry:     2 * time.Second,
		Closing:         3 * time.Second,
		Apologies: Apologies{
			Engine:   "I am sorry, I can not understand speech at the moment. Please hold on.",
			Mind:     "I am sorry, I have no answer to that right now. Please try again.",
			Transfer: "I am sorry, I could not put you through.",
			Farewell: "I am sorry, this does not work at the moment. Please call again later. Goodbye.",
		},
	}
}

// Validate says which key has to be changed.
func (c Config) Validate() error {
	return errors.Join(
		c.Voice.Validate(),
		within("preroll", c.Preroll, 0, vad.MaxPreroll),
		within("no_input", c.NoInput, time.Second, 10*time.Minute),
		within("final_timeout", c.FinalTimeout, 100*time.Millisecond, time.Minute),
		within("mind_timeout", c.MindTimeout, 100*time.Millisecond, 5*time.Minute),
		within("transfer_timeout", c.TransferTimeout, time.Second, 10*time.Minute),
		within("engine_retry", c.EngineRetry, 100*time.Millisecond, 5*time.Minute),
		within("closing", c.Closing, 100*time.Millisecond, time.Minute),
		spoken("apologies.engine", c.Apologies.Engine),
		spoken("apologies.mind", c.Apologies.Mind),
		spoken("apologies.transfer", c.Apologies.Transfer),
		spoken("apologies.farewell", c.Apologies.Farewell),
	)
}

func within(key string, v, low, high time.Duration) error {
	if v >= low && v <= high {
		return nil
	}
	return fmt.Errorf("conversation: %s is %v: give a time from %v to %v", key, v, low, high)
}

func spoken(key, text string) error {
	if text != "" {
		return nil
	}
	return fmt.Errorf("conversation: %s is empty: give the sentence that callers are to hear", key)
}
