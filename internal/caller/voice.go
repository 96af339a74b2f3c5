package caller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Voice is the synthetic voice of Line.Say: a program that is given the text on
// its standard input, never on a command line, where others could read it.
type Voice struct {
	// Program is a path of lethe-flite or of espeak-ng. "" looks for lethe-flite
	// beside this executable and in PATH, then for espeak-ng in PATH.
	Program string
	// Name is the program's voice; "" is one that the agent does not use: rms of
	// flite, en-us of espeak-ng.
	Name string
}

// errNoVoice says what to install.
var errNoVoice = errors.New("no voice to speak text with: build lethe-flite (make build) or install espeak-ng")

// synthesisTime is the longest that a sentence may take to synthesise.
const synthesisTime = 30 * time.Second

// find settles which program speaks.
func (v Voice) find() (Voice, error) {
	if v.Program == "" {
		v.Program = helper("lethe-flite")
	}
	if v.Program == "" {
		v.Program, _ = exec.LookPath("espeak-ng") //nolint:errcheck // "" is reported below
	}
	if v.Program == "" {
		return v, errNoVoice
	}
	if v.Name == "" {
		v.Name = "rms"
		if v.espeak() {
			v.Name = "en-us"
		}
	}
	return v, nil
}

func (v Voice) espeak() bool { return strings.HasPrefix(filepath.Base(v.Program), "espeak") }

// helper looks beside the executable, then in PATH.
func helper(name string) string {
	if self, err := os.Executable(); err == nil {
		p := filepath.Join(filepath.Dir(self), name)
		if st, err := os.Stat(p); err == nil && st.Mode()&0o111 != 0 {
			return p
		}
	}
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	return ""
}

// say synthesises text at 16 kHz.
func (v Voice) say(ctx context.Context, text string) (clip, error) {
	ctx, cancel := context.WithTimeout(ctx, synthesisTime)
	defer cancel()
	cmd := v.command(ctx)
	cmd.Stdin = strings.NewReader(text + "\n")
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return clip{}, fmt.Errorf("voice %s: %w: %s", filepath.Base(v.Program), err, firstLine(complaint.String()))
	}
	c, err := v.clip(out.Bytes())
	if err != nil {
		return clip{}, fmt.Errorf("voice %s: %w", filepath.Base(v.Program), err)
	}
	return c.to(16000), nil
}

// command is the program with its voice; the text is not among its arguments.
func (v Voice) command(ctx context.Context) *exec.Cmd {
	if v.espeak() {
		return exec.CommandContext(ctx, v.Program, "--stdin", "--stdout", "-b", "1", "-s", "150", "-v", v.Name) //nolint:gosec // the operator's own program
	}
	return exec.CommandContext(ctx, v.Program, v.Name) //nolint:gosec // the operator's own program
}

func (v Voice) clip(b []byte) (clip, error) {
	return parseWAV(b)
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}
