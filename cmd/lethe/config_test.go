package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lethe/configs"
	"lethe/internal/settings"
)

const configFolder = "../../configs"

// run carries out one command line with an environment of its own.
func run(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint bytes.Buffer
	m := &Main{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &complaint, Environ: environ, Now: time.Now}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	code = m.report(m.Run(ctx, args))
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	return code, out.String(), complaint.String()
}

// Each file under configs/bad says in its comments how it is refused.
func TestEachBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(configFolder, "bad", "*.yaml"))
	if err != nil || len(files) < 70 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				if w, ok := strings.CutPrefix(line, "# want: "); ok {
					want = append(want, strings.TrimSpace(w))
				}
			}
			if len(want) == 0 {
				t.Fatal("the file does not say how it is refused")
			}
			code, _, complaint := run(t, nil, "config", "check", f)
			got := strings.Split(strings.TrimSpace(strings.TrimPrefix(complaint, "lethe: ")), "\n")
			if code != exitUsage || len(got) != len(want) {
				t.Fatalf("exit code %d\n%s", code, complaint)
			}
			dir, err := filepath.Abs(filepath.Dir(f))
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				if !strings.HasPrefix(strings.TrimPrefix(got[i], dir+"/"), want[i]) {
					t.Errorf("got  %s\nwant %s", got[i], want[i])
				}
			}
		})
	}
}

// Each rule of each section has a bad file: every key that can be wrong.
func TestEachKeyHasABadConfiguration(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(configFolder, "bad", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if w, ok := strings.CutPrefix(line, "# want: "); ok {
				all.WriteString(w)
			}
		}
	}
	// What has no rule of its own: any text will do, or a file that is looked
	// for when lethe starts.
	free := []string{"sip.certificate", "sip.key", "flite.helper", "sphinx.helper", "sphinx.model", "conversation.apologies.mind",
		"conversation.apologies.transfer", "conversation.apologies.farewell"}
	for _, key := range settings.Known(reflect.TypeFor[Config]()) {
		last := key[strings.LastIndexByte(key, '.')+1:]
		section, _, _ := strings.Cut(key, ".")
		if !strings.Contains(key, ".") || slices.Contains(free, key) || key == "conversation.voice" || key == "conversation.apologies" {
			continue
		}
		if !strings.Contains(all.String(), section+".") || !strings.Contains(all.String(), "."+last) {
			t.Errorf("no file under configs/bad is refused for %s", key)
		}
	}
}

// lethe.yaml has every key of every Config and no other, each with its text,
// and its values are the defaults.
func TestTheDocumentedConfiguration(t *testing.T) {
	t.Parallel()
	src := settings.Source{Name: "lethe.yaml", Data: configs.Documented()}
	known := settings.Known(reflect.TypeFor[Config]())
	written, err := settings.Written(src, reflect.TypeFor[Config]())
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(known)
	slices.Sort(written)
	if d := cmp.Diff(known, written); d != "" {
		t.Errorf("keys of the Config structs (-) and of lethe.yaml (+):\n%s", d)
	}
	docs, err := documentation()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range known {
		if len(docs[k]) < 10 {
			t.Errorf("%s is not documented: %q", k, docs[k])
		}
	}
	got := defaults()
	if _, err := settings.Read(&got, src, envPrefix, nil, docs); err != nil {
		t.Fatal(err)
	}
	for _, key := range differing(t, got, defaults()) {
		if g := strings.TrimSuffix(key, "[0]"); !strings.Contains(docs[g], "example") && !strings.HasPrefix(key, "numbers") && !strings.HasPrefix(key, "sip.trunks") {
			t.Errorf("%s is not its default in lethe.yaml, and is not called an example", key)
		}
	}
	code, out, complaint := run(t, nil, "config", "check", filepath.Join(configFolder, "lethe.yaml"))
	if code != exitOK || out != "ok\n" {
		t.Errorf("%d %s", code, complaint)
	}
}

// differing are the keys whose values are not the same.
func differing(t *testing.T, a, b Config) []string {
	t.Helper()
	var out []string
	list := func(c Config) map[string]string {
		entries, err := new(settings.Loaded).List(c)
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, e := range entries {
			m[e.Key] = e.Value
		}
		return m
	}
	other := list(b)
	for k, v := range list(a) {
		if w, ok := other[k]; !ok || v != w {
			out = append(out, k)
		}
	}
	return out
}

// What a text says of a default is what the default is.
func TestDocumentedDefaultsAreTrue(t *testing.T) {
	t.Parallel()
	docs, err := documentation()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := new(settings.Loaded).List(defaults())
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, e := range entries {
		_, says, ok := strings.Cut(docs[e.Key], "Default: ")
		if !ok || e.Value == "" || e.Value == "[]" {
			continue
		}
		checked++
		if want := strings.TrimSuffix(strings.TrimSuffix(e.Value, "0s"), ".0"); !strings.HasPrefix(says, want) {
			t.Errorf("%s is %s by default; lethe.yaml says %q", e.Key, e.Value, says)
		}
	}
	if checked < 20 {
		t.Errorf("only %d defaults were found", checked)
	}
}

func TestTheQuickstart(t *testing.T) {
	t.Parallel()
	m := &Main{Now: time.Now}
	c, _, err := m.load(place{Quickstart: true})
	if err != nil {
		t.Fatal(err)
	}
	if c.Media.ArenaKiB > 6144 {
		t.Errorf("the arena has %d KiB: an ordinary user may not lock it", c.Media.ArenaKiB)
	}
	for _, a := range slices.Concat(c.SIP.InsecureUDP, c.SIP.InsecureTCP, []string{c.Admin.InsecureListen, c.Media.Address}) {
		if !strings.HasPrefix(a, "127.0.0.1") {
			t.Errorf("%s is not loopback", a)
		}
	}
	if d := cmp.Diff([]string{"127.0.0.1:5060"}, c.SIP.InsecureUDP) + cmp.Diff([]string{"127.0.0.1:5060"}, c.SIP.InsecureTCP); d != "" {
		t.Error(d)
	}
	if _, ok := c.Numbers["support"]; !ok || c.Admin.InsecureListen != "127.0.0.1:9090" {
		t.Error("support or the admin listener is missing")
	}
	if c.SIP.Key != "" || c.SIP.Certificate != "" {
		t.Error("it needs a key")
	}
	if _, err := c.people(); err != nil {
		t.Error(err)
	}
}

func TestAMissingConfigurationNamesItsKeys(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"serve"}, {"config", "check"}} {
		code, _, complaint := run(t, nil, args...)
		for _, want := range []string{"sip.trunks:", "sip.insecure_udp", "numbers:", "policy.organisation:", "policy.privacy_policy_url:", "policy.agent_policy_url:", "--quickstart"} {
			if !strings.Contains(complaint, want) {
				t.Errorf("%v: %q is not in %s", args, want, complaint)
			}
		}
		if code != exitUsage {
			t.Errorf("%v: exit code %d", args, code)
		}
	}
	code, _, complaint := run(t, nil, "serve", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	if code != exitUsage || !strings.Contains(complaint, "no such configuration") {
		t.Errorf("%d %s", code, complaint)
	}
}

func TestTheQuickstartByItsName(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--quickstart"}, {"--config", "quickstart"}} {
		code, out, complaint := run(t, nil, append([]string{"config", "show"}, args...)...)
		if code != exitOK || !strings.Contains(out, "quickstart.yaml (built in):") {
			t.Errorf("%v: %d %s %s", args, code, out, complaint)
		}
	}
}

func TestTheConfigurationOfTheEnvironment(t *testing.T) {
	t.Parallel()
	env := []string{"LETHE_CONFIG=" + filepath.Join(configFolder, "lethe.yaml")}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "lethe.yaml:"},
		{[]string{"--quickstart"}, "quickstart.yaml (built in):"},
		{[]string{"--config", filepath.Join(configFolder, "quickstart.yaml")}, "/quickstart.yaml:"},
	} {
		code, out, complaint := run(t, env, append([]string{"config", "show"}, c.args...)...)
		if code != exitOK || !strings.Contains(out, c.want) {
			t.Errorf("%v: %d %s %s", c.args, code, out, complaint)
		}
	}
}

func TestShowNamesOrigins(t *testing.T) {
	t.Parallel()
	f := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(f, []byte("media:\n  ports: \"20000-20099\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, complaint := run(t, []string{"LETHE_MEDIA_ARENA_KIB=128", "LETHE_SIP_INSECURE_UDP=127.0.0.1:5070"}, "config", "show", "--config", f)
	if code != exitOK {
		t.Fatal(complaint)
	}
	for _, want := range []string{"ports: 20000-20099 # " + f + ":2", "arena_kib: 128 # env LETHE_MEDIA_ARENA_KIB", "jitter: 40ms # default", "127.0.0.1:5070"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	code, out, _ = run(t, nil, "config", "show", "--json", "--config", f)
	if code != exitOK || !strings.Contains(out, `"origin": "`+f+`:2"`) {
		t.Error(out)
	}
	code, _, complaint = run(t, []string{"LETHE_MEDIA_ARENAKIB=128"}, "config", "show", "--quickstart")
	if code != exitUsage || !strings.Contains(complaint, "did you mean LETHE_MEDIA_ARENA_KIB?") {
		t.Errorf("%d %s", code, complaint)
	}
}

func TestAScriptIsCheckedToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "s.yaml")
	if err := os.WriteFile(script, []byte("greeting: Hello.\nintentz: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(configs.Quickstart()), "embedded:support", script, 1)
	f := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, complaint := run(t, nil, "config", "check", f)
	if code != exitUsage || !strings.Contains(complaint, script+":2: intentz: unknown key; did you mean intents?") {
		t.Errorf("%d %s", code, complaint)
	}
}

func FuzzConfig(f *testing.F) {
	f.Add(configs.Documented())
	f.Add(configs.Quickstart())
	files, err := filepath.Glob(filepath.Join(configFolder, "bad", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	docs, err := documentation()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := defaults()
		l, err := settings.Read(&c, settings.Source{Name: "f.yaml", Data: data}, envPrefix, nil, docs)
		if err == nil {
			err = c.validate(l)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "f.yaml:") {
					t.Fatalf("a refusal without its file: %q", line)
				}
			}
			return
		}
		if _, err := l.Show(c); err != nil {
			t.Fatal(err)
		}
	})
}
