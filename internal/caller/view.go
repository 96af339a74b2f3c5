package caller

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// view prints events as they come. Several goroutines tell it things; one lock
// keeps the lines whole.
type view struct {
	mu       sync.Mutex
	out      io.Writer
	json     bool
	answered time.Time
	err      error // the first failure to write; the call goes on without a view
}

func newView(out io.Writer, asJSON bool) *view { return &view{out: out, json: asJSON} }

// start sets the zero of Event.At.
func (v *view) start(t time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answered = t
}

// emit prints one event.
func (v *view) emit(e Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.answered.IsZero() && e.At == 0 {
		e.At = time.Since(v.answered).Milliseconds()
	}
	if v.json {
		v.note(json.NewEncoder(v.out).Encode(e))
		return
	}
	if line := human(e); line != "" {
		_, err := io.WriteString(v.out, line+"\n")
		v.note(err)
	}
}

func (v *view) note(err error) {
	if v.err == nil && err != nil {
		v.err = fmt.Errorf("caller: printing the call: %w", err)
	}
}

func (v *view) failed() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// human is one event as a person reads it; "" for what is for machines only.
// What we say stands with "caller", what the server wrote down of it with
// "written", below it.
func human(e Event) string {
	at := fmt.Sprintf("%6.1fs  ", float64(e.At)/1000)
	text := clean(e.Text)
	switch e.Kind {
	case "said":
		return at + who(e.Party) + text
	case "keys":
		return at + who(e.Party) + "[keys " + text + "]"
	case "heard":
		if !e.Final {
			text += " ..."
		}
		if e.Party == "caller" {
			return at + who("written") + text
		}
		return at + who(e.Party) + text
	case "latency":
		return at + who("call") + fmt.Sprintf("the answer began %d ms after the end of speech", e.Latency)
	case "calling", "answered":
		return at + who("call") + e.Kind + " " + text
	case "silent":
		return at + who("call") + text
	case "ended":
		return at + who("call") + e.Kind
	}
	return ""
}

// who is the name column.
func who(party string) string { return fmt.Sprintf("%-9s", party+":") }

// clean keeps text from another machine on one line and off the terminal's controls.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}
