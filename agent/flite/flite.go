// Package flite is the embedded voice: it speaks through helper processes that
// carry Debian's flite (the program lethe-flite, beside lethe's own).
//
// One helper speaks for one call at a time. Text goes to it on its standard
// input, a sentence at a time, and never on a command line; audio comes back on
// its standard output straight into locked memory, and from there into
// media.Speech, which paces it. A helper that dies costs the sentence it was
// speaking; the next one gets a new helper. Sentences that every caller hears
// (the disclosure, a script's) can be prepared: they are spoken once, kept in
// locked memory of their own, and cost next to nothing afterwards.
package flite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
)

// Processor is the name under which policy knows this voice. It runs on this
// machine.
const Processor = "flite"

// Errors of this package.
var (
	// ErrHelper says that the helper could not be run, or died.
	ErrHelper = errors.New("flite: the helper failed")
	// ErrUnspeakable says that flite could not make speech of a sentence.
	ErrUnspeakable = errors.New("flite: a sentence could not be spoken")
	// ErrClosed says that the voice was closed.
	ErrClosed = errors.New("flite: closed")
)

// Config is the section flite of the configuration.
type Config struct {
	// Helper is the path of lethe-flite; "" looks beside lethe and in PATH.
	Helper string `yaml:"helper"`
	// Voice is slt, awb, rms, kal or kal16.
	Voice string `yaml:"voice"`
	// MaxHelpers is how many may speak at the same time; more have to wait.
	MaxHelpers int `yaml:"max_helpers"`
	// KeepHelpers is how many wait for work when nobody speaks.
	KeepHelpers int `yaml:"keep_helpers"`
	// PromptsKiB is the locked memory for sentences that every caller hears: a
	// second takes 32. 0 speaks them anew each time.
	PromptsKiB int `yaml:"prompts_kib"`
}

// Default is a clear voice.
func Default() Config {
	return Config{Voice: "slt", MaxHelpers: 256, KeepHelpers: 4, PromptsKiB: 1024}
}

// Voices are the names that Config.Voice may have.
func Voices() []string { return []string{"slt", "awb", "rms", "kal", "kal16"} }

// Validate says which key has to be changed.
func (c Config) Validate() error {
	var errs []error
	if !slices.Contains(Voices(), c.Voice) {
		errs = append(errs, fmt.Errorf("flite: voice is %q: choose from %s", c.Voice, strings.Join(Voices(), ", ")))
	}
	if c.MaxHelpers < 1 || c.MaxHelpers > 10000 {
		errs = append(errs, fmt.Errorf("flite: max_helpers is %d: give a number from 1 to 10000", c.MaxHelpers))
	}
	if c.KeepHelpers < 0 || c.KeepHelpers > max(c.MaxHelpers, 0) {
		errs = append(errs, fmt.Errorf("flite: keep_helpers is %d: give a number from 0 to max_helpers", c.KeepHelpers))
	}
	if c.PromptsKiB < 0 || c.PromptsKiB > 1<<20 {
		errs = append(errs, fmt.Errorf("flite: prompts_kib is %d: give a number from 0 to 1048576", c.PromptsKiB))
	}
	return errors.Join(errs...)
}

// Find gives the path of the helper: configured, beside lethe, or in PATH.
func Find(configured string) (string, error) {
	const name = "lethe-flite"
	if configured != "" {
		path, err := exec.LookPath(configured)
		if err != nil {
			return "", fmt.Errorf("%w: flite.helper: %w", ErrHelper, err)
		}
		return path, nil
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), name)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %s is neither beside lethe nor in PATH: run `make build`, or set flite.helper", ErrHelper, name)
	}
	return path, nil
}

// Voice speaks with flite. Safe for concurrent use.
type Voice struct {
	cfg   Config
	path  string
	arena *media.Arena
	room  chan struct{} // a place for each helper that speaks
	known prompts

	mu     sync.Mutex
	idle   []*helper // the one that spoke last is at the end
	closed bool
}

var _ agent.Voice = (*Voice)(nil)

// New starts one helper, to see that it works, and keeps it.
func New(ctx context.Context, c Config, arena *media.Arena) (*Voice, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	path, err := Find(c.Helper)
	if err != nil {
		return nil, err
	}
	v := &Voice{cfg: c, path: path, arena: arena, room: make(chan struct{}, c.MaxHelpers)}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	h, err := v.take(ctx)
	if err != nil {
		return nil, err
	}
	v.put(h, true)
	if err := v.known.open(c.PromptsKiB << 10); err != nil {
		return nil, errors.Join(fmt.Errorf("flite: prompts_kib: %w", err), v.Close())
	}
	return v, nil
}

// Processor is flite's name in the registry.
func (v *Voice) Processor() string { return Processor }

func (v *Voice) String() string { return "flite " + v.cfg.Voice }

// Close ends the helpers. Those that speak end when they have spoken.
func (v *Voice) Close() error {
	v.mu.Lock()
	idle := v.idle
	v.idle, v.closed = nil, true
	v.mu.Unlock()
	for _, h := range idle {
		h.end()
	}
	return v.known.close()
}

// Speak speaks t into out, sentence by sentence, and returns when all of it was
// written. When ctx ends, or out is cut, it stops at once. A helper that dies
// before anything of a sentence was heard is replaced once.
func (v *Voice) Speak(ctx context.Context, t policy.Told, out *media.Speech) error {
	if err := t.For(Processor); err != nil {
		return err
	}
	u := utterance{v: v, out: out.Write}
	defer u.end()
	for _, s := range split(t.Text()) {
		if known, err := v.known.speak(ctx, s, out.Write); err != nil {
			return err
		} else if known {
			continue
		}
		if err := u.speak(ctx, s); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Prepare speaks texts that every caller hears, once, and keeps the audio until
// Close, as far as Config.PromptsKiB goes. Texts must hold nothing of a caller.
func (v *Voice) Prepare(ctx context.Context, texts []string) error {
	u := utterance{v: v}
	defer u.end()
	for _, t := range texts {
		for _, s := range split(t) {
			var at int
			if u.out, at = v.known.begin(s); u.out == nil {
				continue
			}
			if err := u.speak(ctx, s); errors.Is(err, errNoRoom) {
				v.known.drop(at)
				return nil
			} else if err != nil {
				return err
			}
			v.known.keep(s, at)
		}
	}
	return nil
}

// utterance has a helper and a buffer from its first sentence to its end.
type utterance struct {
	v    *Voice
	out  sink
	h    *helper
	buf  []byte
	free func()
	ok   bool // the helper can go on
}

func (u *utterance) speak(ctx context.Context, s string) (err error) {
	if u.buf == nil {
		if u.buf, u.free, err = u.v.arena.Bytes(bufferBytes); err != nil {
			return err
		}
	}
	for again := range 2 {
		if u.h == nil {
			if u.h, err = u.v.take(ctx); err != nil {
				return err
			}
		}
		var written int
		written, err = u.h.speak(ctx, s, u.buf, u.out)
		u.ok = err == nil || u.h.settle(u.buf)
		if !errors.Is(err, ErrHelper) || written > 0 || again > 0 {
			return err
		}
		u.v.put(u.h, false)
		u.h = nil
	}
	return err
}

// end gives helper and buffer back.
func (u *utterance) end() {
	if u.h != nil {
		u.v.put(u.h, u.ok)
	}
	if u.free != nil {
		u.free()
	}
}

// take waits for room and gives a helper that is ready.
func (v *Voice) take(ctx context.Context) (*helper, error) {
	select {
	case v.room <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		<-v.room
		return nil, ErrClosed
	}
	if n := len(v.idle); n > 0 {
		h := v.idle[n-1]
		v.idle = v.idle[:n-1]
		v.mu.Unlock()
		return h, nil
	}
	v.mu.Unlock()
	h, err := start(ctx, v.path, v.cfg.Voice)
	if err != nil {
		<-v.room
		return nil, err
	}
	return h, nil
}

// put takes a helper back. One that does not work, or is not needed, is ended.
func (v *Voice) put(h *helper, works bool) {
	v.mu.Lock()
	keep := works && !v.closed && len(v.idle) < v.cfg.KeepHelpers
	if keep {
		v.idle = append(v.idle, h)
	}
	v.mu.Unlock()
	if !keep {
		h.end()
	}
	<-v.room
}

// Idle says how many helpers wait.
func (v *Voice) Idle() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.idle)
}

const (
	bufferBytes  = 1280 // 40 ms at 16 kHz
	startTimeout = 10 * time.Second
	stopTimeout  = 500 * time.Millisecond
)
