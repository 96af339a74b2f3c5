package caller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
	speak := speakFlite
	if v.espeak() {
		speak = speakEspeak
	}
	var complaint bytes.Buffer
	cmd := v.command(ctx)
	cmd.Stderr = &complaint
	c, err := speak(cmd, text)
	if err != nil {
		return clip{}, fmt.Errorf("voice %s: %w %s", filepath.Base(v.Program), err, firstLine(complaint.String()))
	}
	return c.to(16000), nil
}

// speakEspeak: text in, a WAV file out.
func speakEspeak(cmd *exec.Cmd, text string) (clip, error) {
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = strings.NewReader(text+"\n"), &out
	if err := cmd.Run(); err != nil {
		return clip{}, err
	}
	return parseWAV(out.Bytes())
}

// speakFlite speaks one sentence by the protocol of agent/flite/helper. The
// helper's input stays open until it has answered: its end means "stop".
func speakFlite(cmd *exec.Cmd, text string) (c clip, err error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return clip{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return clip{}, err
	}
	if err := cmd.Start(); err != nil {
		return clip{}, err
	}
	c, err = askFlite(in, bufio.NewReader(out), text)
	return c, errors.Join(err, in.Close(), cmd.Wait())
}

func askFlite(in io.Writer, out io.Reader, text string) (clip, error) {
	le := binary.LittleEndian
	request := le.AppendUint32([]byte{'S'}, uint32(len(text))) //nolint:gosec // the helper refuses what is longer than 4 KiB
	if _, err := in.Write(append(request, text...)); err != nil {
		return clip{}, fmt.Errorf("asking it to speak: %w", err)
	}
	var head [8]byte
	if _, err := io.ReadFull(out, head[:]); err != nil {
		return clip{}, fmt.Errorf("it said nothing: %w", err)
	}
	if string(head[:4]) != "LFL1" {
		return clip{}, errors.New("it does not speak protocol LFL1: build lethe-flite again (make build)")
	}
	c := clip{rate: int(le.Uint32(head[4:]))}
	for {
		var size [4]byte
		if _, err := io.ReadFull(out, size[:]); err != nil {
			return clip{}, fmt.Errorf("its answer is cut short: %w", err)
		}
		switch n := le.Uint32(size[:]); {
		case n == 0 && len(c.pcm) > 0:
			return c, nil
		case n == 0 || n > 1<<20 || n%2 != 0:
			return clip{}, errors.New("it could not speak the sentence")
		default:
			b := make([]byte, n)
			if _, err := io.ReadFull(out, b); err != nil {
				return clip{}, fmt.Errorf("its answer is cut short: %w", err)
			}
			for i := 0; i < len(b); i += 2 {
				c.pcm = append(c.pcm, int16(le.Uint16(b[i:]))) //nolint:gosec // two's complement as sent
			}
		}
	}
}

// command is the program with its voice; the text is not among its arguments.
func (v Voice) command(ctx context.Context) *exec.Cmd {
	if v.espeak() {
		return exec.CommandContext(ctx, v.Program, "--stdin", "--stdout", "-b", "1", "-s", "150", "-v", v.Name) //nolint:gosec // the operator's own program
	}
	return exec.CommandContext(ctx, v.Program, v.Name) //nolint:gosec // the operator's own program
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return s
}
