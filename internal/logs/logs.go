// Package logs is the seam through which every log line goes. What passes is
// redacted: message, keys, strings, errors, Stringers, bytes, numbers that look
// like a telephone's, in whatever group or LogValuer they come. What it can't
// see into (a struct, a map) is printed as its type, never as its content. A
// line is bounded.
//
// It may import policy/redact to find what must not be seen, and nothing that
// hears or keeps. It has no other exit than the writer it was given.
package logs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
)

// MaxLine is the longest line in bytes, its end included; MaxValue the longest
// string in it, MaxAttrs the most attributes.
const (
	MaxLine  = 16 << 10
	MaxValue = 1 << 10
	MaxAttrs = 64
	maxDepth = 8
)

// Config is the section `log`.
type Config struct {
	// Level is the least level that is written: debug, info, warn or error.
	Level string `yaml:"level"`
}

// Default is info.
func Default() Config { return Config{Level: "info"} }

// Validate says what is wrong and what to do.
func (c Config) Validate() error {
	_, err := c.level()
	return err
}

func (c Config) level() (slog.Level, error) {
	switch c.Level {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("log.level: %q is none; choose debug, info, warn or error", c.Level)
}

// New is a logger that writes JSON lines to w.
func New(w io.Writer, c Config) (*slog.Logger, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	return slog.New(NewHandler(w, level)), nil
}

// Handler is a slog.Handler that redacts.
type Handler struct{ inner slog.Handler }

// NewHandler writes JSON lines of at least that level to w, one Write a line.
func NewHandler(w io.Writer, level slog.Leveler) *Handler {
	return &Handler{slog.NewJSONHandler(&bounded{w: w}, &slog.HandlerOptions{Level: level})}
}

// Enabled is slog's.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.inner.Enabled(ctx, l) }

// Handle writes the record as far as it may be seen.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, text(r.Message), 0)
	m := masker{left: MaxLine / 2}
	n := 0
	r.Attrs(func(a slog.Attr) bool {
		if n++; n > MaxAttrs || m.left <= 0 {
			out.AddAttrs(slog.Int("attributes_left_out", r.NumAttrs()-n+1))
			return false
		}
		out.AddAttrs(m.attr(a, 0))
		return true
	})
	return h.inner.Handle(ctx, out) //nolint:wrapcheck // a handler adds nothing to the writer's error
}

// WithAttrs redacts once what later lines carry.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	m := masker{left: MaxLine / 4}
	out := make([]slog.Attr, 0, min(len(attrs), MaxAttrs))
	for _, a := range attrs[:min(len(attrs), MaxAttrs)] {
		out = append(out, m.attr(a, 0))
	}
	return &Handler{h.inner.WithAttrs(out)}
}

// WithGroup is slog's, its name redacted.
func (h *Handler) WithGroup(name string) slog.Handler { return &Handler{h.inner.WithGroup(text(name))} }

// Panic is the attribute for what recover gave, with the stack of the
// goroutine that calls it: functions and lines, no arguments.
func Panic(recovered any) slog.Attr {
	return slog.Group("panic", slog.Any("value", recovered), slog.String("stack", frames(debug.Stack())))
}

// bounded writes whole lines, one at a time, and replaces one that is too long.
type bounded struct {
	mu sync.Mutex
	w  io.Writer
}

func (b *bounded) Write(p []byte) (int, error) {
	line := p
	if len(p) > MaxLine {
		line = fmt.Appendf(nil, `{"level":"ERROR","msg":"a log line was too long and left out","bytes":%d}`+"\n", len(p))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.w.Write(line); err != nil {
		return 0, fmt.Errorf("logs: %w", err)
	}
	return len(p), nil
}
