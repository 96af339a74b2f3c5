package sphinx

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/media"
	"lethe/media/mediatest"
)

// built is the helper, made of the sources beside this file.
var built string //nolint:gochecknoglobals // of the tests alone

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lethe-sphinx-test-")
	if err == nil {
		built, err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(dir string) (string, error) {
	flags, err := exec.CommandContext(context.Background(), "pkg-config", "--cflags", "--libs", "pocketsphinx", "sphinxbase").Output()
	if err != nil {
		return "", fmt.Errorf("pkg-config pocketsphinx: %w: apt install libpocketsphinx-dev pkg-config", err)
	}
	sources, err := filepath.Glob("helper/*.c")
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, helperName)
	args := append([]string{"-O2", "-g", "-Wall", "-Wextra", "-Werror", "-o", out}, sources...)
	args = append(append(args, strings.Fields(string(flags))...), "-lm")
	if text, err := exec.CommandContext(context.Background(), "gcc", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc: %w: %s: apt install gcc libpocketsphinx-dev", err, text)
	}
	return out, nil
}

// said is what flite makes of a sentence, at 16 kHz.
func said(t testing.TB, voice, text string) []int16 {
	t.Helper()
	wav := filepath.Join(t.TempDir(), "said.wav")
	cmd := exec.CommandContext(t.Context(), "flite", "-voice", voice, "-t", text, "-o", wav)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("flite: %v: %s: apt install flite", err, out)
	}
	data, err := os.ReadFile(wav)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("data")) + 8
	if at < 8 || binary.LittleEndian.Uint32(data[24:]) != Rate {
		t.Fatal("flite did not make a WAV of 16 kHz")
	}
	pcm := make([]int16, (len(data)-at)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(data[at+2*i:]))
	}
	return pcm
}

func desk() []string {
	return []string{"check my order status", "track my package", "cancel my order", "i want a refund", "reset my password", "talk to an agent", "pay my bill"}
}

// engine is one with a vocabulary named support and an open one named open.
func engine(t testing.TB, change ...func(*Config)) (*Engine, *media.Arena) {
	t.Helper()
	arena := mediatest.Arena(t, 1<<20)
	c := Default()
	c.Helper = built
	c.Vocabularies = map[string][]string{"support": desk(), "open": nil}
	for _, f := range change {
		f(&c)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := New(ctx, c, arena, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, arena
}

// eventually asks every few milliseconds, since what it waits for is another
// process and says nothing when it happens.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	often := time.NewTicker(5 * time.Millisecond)
	defer often.Stop()
	for end := time.Now().Add(limit); !ok(); <-often.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
