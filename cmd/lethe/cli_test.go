package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commands are all commands that can be run, by their words.
func commands(t *testing.T) map[string]*kong.Node {
	t.Helper()
	p, _, err := (&Main{}).parser()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*kong.Node{}
	for _, n := range p.k.Model.Leaves(true) {
		words := []string{n.Name}
		for up := n.Parent; up != nil && up.Type == kong.CommandNode; up = up.Parent {
			words = append([]string{up.Name}, words...)
		}
		out[strings.Join(words, " ")] = n
	}
	return out
}

func TestEveryCommandHasHelpWithExamples(t *testing.T) {
	t.Parallel()
	all := commands(t)
	for _, want := range []string{"serve", "call", "calls", "transcript", "config check", "config show", "doctor", "bench asr", "version", "completion"} {
		if all[want] == nil {
			t.Errorf("there is no command %q", want)
		}
	}
	for words, n := range all {
		if words == "demo" {
			continue // it takes nothing, so there is nothing to give an example of
		}
		code, out, _ := run(t, nil, append(strings.Fields(words), "--help")...)
		if code != exitOK || !strings.Contains(out, "Examples:") || !strings.Contains(out, "    lethe "+words) && !strings.Contains(out, " lethe "+words) {
			t.Errorf("%s: exit code %d, help:\n%s", words, code, out)
		}
		for _, f := range n.Flags {
			if f.Help == "" || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s --%s: help is %q", words, f.Name, f.Help)
			}
		}
	}
}

func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	code, out, _ := run(t, nil, "--help")
	if code != exitOK {
		t.Fatal(code)
	}
	for _, c := range []string{"0  done", "1  failed", "2  the command line", "3  not found", "4  the server", "5  something is missing", "6  policy"} {
		if !strings.Contains(out, c) {
			t.Errorf("%q is not in the help", c)
		}
	}
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"sevre"}, "unexpected argument sevre"},
		{[]string{"serve", "--confg", "x"}, "did you mean \"--config\"?; try: lethe serve --help"},
		{[]string{"serve", "--config", "a", "--quickstart"}, "can't be used together"},
		{[]string{"call"}, "try: lethe call --help"},
		{[]string{"call", "support", "--codec", "OPUS"}, "--codec must be one of"},
		{[]string{"call", "support", "--timeout", "soon"}, "--timeout"},
		{[]string{"call", "support", "--wav", "/nonexistent.wav"}, "no such file"},
		{[]string{"call", "support", "--keys", "12x"}, "not a telephone key"},
		{[]string{"call", "a b"}, "is not an address"},
		{[]string{"calls", "--limit", "0"}, "choose 1 to 1000"},
		{[]string{"calls", "--since", "yesterday"}, "--since"},
		{[]string{"calls", "--purpose", "curiosity"}, "--purpose must be one of"},
		{[]string{"transcript", "last", "--json", "--vcon"}, "can't be used together"},
		{[]string{"config", "check", "a", "--quickstart"}, "name one configuration"},
		{[]string{"completion", "tcsh"}, "must be one of"},
		{nil, "expected one of"},
	} {
		code, _, complaint := run(t, nil, c.args...)
		if code != exitUsage || !strings.Contains(complaint, c.want) {
			t.Errorf("%v: exit code %d, %q; want %q", c.args, code, complaint, c.want)
		}
	}
}

func TestNoStoreIsNotFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := []string{"LETHE_STORE_FILE=" + filepath.Join(dir, "a.db"), "LETHE_STORE_KEYS=" + filepath.Join(dir, "b.keys")}
	for _, args := range [][]string{{"calls"}, {"transcript", "last"}} {
		code, _, complaint := run(t, env, args...)
		if code != exitNotFound || !strings.Contains(complaint, "start the server once") {
			t.Errorf("%v: %d %s", args, code, complaint)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	_, out, _ := run(t, nil, "version", "--json")
	var v buildInfo
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Version == "" || v.Go == "" {
		t.Errorf("%q %v", out, err)
	}
}

func TestCompletionKnowsEverything(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, out, complaint := run(t, nil, "completion", shell)
		if code != exitOK {
			t.Fatal(complaint)
		}
		for words, n := range commands(t) {
			last := words[strings.LastIndexByte(words, ' ')+1:]
			if !strings.Contains(out, last) {
				t.Errorf("%s does not know %s", shell, words)
			}
			for _, f := range n.Flags {
				if !strings.Contains(out, f.Name) {
					t.Errorf("%s does not know %s --%s", shell, words, f.Name)
				}
			}
		}
	}
}

// bash is asked itself what it would offer.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	_, script, _ := run(t, nil, "completion", "bash")
	for line, want := range map[string][]string{
		"lethe ":                       {"serve", "call", "calls", "transcript", "config", "doctor"},
		"lethe con":                    {"config"},
		"lethe config ":                {"check", "show", "example"},
		"lethe config show --":         {"--json", "--docs", "--config"},
		"lethe call support --codec ":  {"PCMU", "PCMA", "G722"},
		"lethe call support --codec G": {"G722"},
		"lethe completion ":            {"bash", "zsh", "fish"},
	} {
		words := strings.Split(line, " ")
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+w+"'")
		}
		ask := script + "\nCOMP_WORDS=(" + strings.Join(quoted, " ") + "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _lethe; printf '%s\\n' \"${COMPREPLY[@]}\""
		out, err := exec.CommandContext(t.Context(), "bash", "-c", ask).CombinedOutput() //nolint:gosec // our own script
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		got := strings.Fields(string(out))
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("%q offers %v, not %s", line, got, w)
			}
		}
	}
}

// bench asr on a recording of a voice that says what a number's callers say.
func TestBenchASR(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	wav := filepath.Join(dir, "order.wav")
	if out, err := exec.CommandContext(t.Context(), "espeak-ng", "-v", "en-us", "-s", "150", "-w", filepath.Join(dir, "22k.wav"), "where is my order").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s: apt-get install espeak-ng", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "sox", filepath.Join(dir, "22k.wav"), "-r", "16000", wav).CombinedOutput(); err != nil { //nolint:gosec // of the test
		t.Fatalf("%v: %s: apt-get install sox", err, out)
	}
	for name, text := range map[string]string{"order.txt": "Where is my order?\n", "phrases.txt": "where is my order\n\ngoodbye\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "22k.wav")); err != nil {
		t.Fatal(err)
	}
	config := configure(t, engineSphinx, "")
	code, out, complaint := run(t, nil, "bench", "asr", dir, "--phrases", filepath.Join(dir, "phrases.txt"), "--codec", "PCMU", "--json", "--config", config)
	var got []struct {
		Codec string
		Score struct{ Words, Errors int }
		Cases []struct{ Name, Text, Heard string }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != exitOK {
		t.Fatalf("%v %d %s %s", err, code, out, complaint)
	}
	if len(got) != 1 || got[0].Codec != "PCMU" || got[0].Score.Words != 4 || got[0].Score.Errors > 1 || got[0].Cases[0].Heard == "" {
		t.Errorf("%+v", got)
	}
	code, out, _ = run(t, nil, "bench", "asr", dir, "--number", "support", "--codec", "G722", "--config", config)
	if code != exitOK || !strings.Contains(out, "word error") || !strings.Contains(out, "G722") {
		t.Errorf("%d %s", code, out)
	}
	code, _, complaint = run(t, nil, "bench", "asr", t.TempDir(), "--config", config)
	if code != exitNotFound || !strings.Contains(complaint, "put NAME.wav and NAME.txt") {
		t.Errorf("%d %s", code, complaint)
	}
	code, _, complaint = run(t, nil, "bench", "asr", dir, "--number", "nobody", "--config", config)
	if code != exitNotFound || !strings.Contains(complaint, "nobody") {
		t.Errorf("%d %s", code, complaint)
	}
}
