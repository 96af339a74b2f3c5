package setup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// machine is a machine as a script sees it: a PATH of programs that the test
// wrote, beside the real ones, and a root of its own.
type machine struct {
	t         *testing.T
	bin, root string
	env       []string
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t, bin: t.TempDir(), root: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(m.root, "usr/sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.env = []string{"PATH=" + m.bin + ":" + os.Getenv("PATH"), "HOME=" + m.root, "TMPDIR=" + m.root, "LETHE_SYSROOT=" + m.root}
	return m
}

// program puts a shell script into the PATH.
func (m *machine) program(name, body string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.bin, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) run(script string, args ...string) (out string, status int) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), "sh", append([]string{script}, args...)...)
	cmd.Env = m.env
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func (m *machine) policy() string { return filepath.Join(m.root, "usr/sbin/policy-rc.d") }

const nothingInstalled = `exit 1`

// apt writes down how it was called and whether services were allowed to start.
func (m *machine) apt() (called func() string) {
	record := filepath.Join(m.root, "apt")
	m.program("apt-get", `echo "$@" >>`+record+`; `+m.policy()+`; echo "policy $?" >>`+record)
	return func() string {
		b, err := os.ReadFile(record)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			m.t.Fatal(err)
		}
		return string(b)
	}
}

// TestInstallSecondTime: with everything there, nothing is said, nothing is
// fetched and no time is lost. It runs on the real package database.
func TestInstallSecondTime(t *testing.T) {
	for _, set := range []string{"demo", "test", "check"} {
		m := newMachine(t)
		called := m.apt()
		began := time.Now()
		out, status := m.run("install.sh", set)
		if out != "" || status != 0 || called() != "" {
			t.Errorf("%s: exit %d, %q, apt-get %q; make test installs what this test looks for", set, status, out, called())
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("%s: %v to see that nothing is missing", set, d)
		}
	}
}

func TestInstallAsRoot(t *testing.T) {
	m := newMachine(t)
	called := m.apt()
	m.program("dpkg-query", nothingInstalled)
	m.program("id", "echo 0")
	if out, status := m.run("install.sh", "demo"); status != 0 || !strings.Contains(out, "installing gcc ") {
		t.Fatalf("exit %d: %s", status, out)
	}
	got := called()
	if !strings.Contains(got, "install --no-install-recommends gcc ") || strings.Contains(got, "update") {
		t.Errorf("apt-get was called with %q", got)
	}
	if !strings.Contains(got, "policy 101") {
		t.Errorf("services could have been started: %q", got)
	}
	if _, err := os.Stat(m.policy()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("policy-rc.d was left behind: %v", err)
	}
}

// TestInstallLeavesPolicy: what the machine had is there again, also when apt
// fails and also after an earlier run was killed.
func TestInstallLeavesPolicy(t *testing.T) {
	const own = "#!/bin/sh\nexit 0\n"
	for name, c := range map[string]struct {
		before map[string]string
		apt    string
		status int
	}{
		"it had one":                {map[string]string{"policy-rc.d": own}, "exit 0", 0},
		"apt fails":                 {map[string]string{"policy-rc.d": own}, "echo no such package >&2; exit 100", 1},
		"an earlier run was killed": {map[string]string{"policy-rc.d": "ours", "policy-rc.d.lethe-kept": own}, "exit 0", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.program("dpkg-query", nothingInstalled)
			m.program("id", "echo 0")
			m.program("apt-get", c.apt)
			for file, text := range c.before {
				if err := os.WriteFile(filepath.Join(m.root, "usr/sbin", file), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			out, status := m.run("install.sh", "demo")
			if status != c.status {
				t.Errorf("exit %d, want %d: %s", status, c.status, out)
			}
			if c.status != 0 && !strings.Contains(out, "no such package") {
				t.Errorf("apt's reason is not told: %s", out)
			}
			if got, err := os.ReadFile(m.policy()); err != nil || string(got) != own {
				t.Errorf("policy-rc.d is now %q, %v", got, err)
			}
			if left, err := filepath.Glob(m.policy() + "?*"); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}

// TestInstallOldLists: on a fresh machine apt knows no package until its lists
// were fetched.
func TestInstallOldLists(t *testing.T) {
	m := newMachine(t)
	m.program("dpkg-query", nothingInstalled)
	m.program("id", "echo 0")
	lists := filepath.Join(m.root, "lists")
	m.program("apt-get", `case "$*" in *update*) touch `+lists+` ;; *) test -e `+lists+` ;; esac`)
	if out, status := m.run("install.sh", "demo"); status != 0 {
		t.Errorf("exit %d: %s", status, out)
	}
}

func TestInstallBySudo(t *testing.T) {
	m := newMachine(t)
	called := m.apt()
	m.program("dpkg-query", nothingInstalled)
	m.program("id", `test -n "$AS_ROOT" && echo 0 || echo 1000`)
	m.program("sudo", `shift; AS_ROOT=1 exec "$@"`)
	if out, status := m.run("install.sh", "demo"); status != 0 || !strings.Contains(called(), "install") {
		t.Errorf("exit %d: %s; apt-get %q", status, out, called())
	}
}

// TestInstallWithNeither: one line to run, and exit 2.
func TestInstallWithNeither(t *testing.T) {
	m := newMachine(t)
	called := m.apt()
	m.program("dpkg-query", `echo "gcc installed"`)
	m.program("id", "echo 1000")
	m.program("sudo", "exit 1")
	out, status := m.run("install.sh", "demo")
	if status != 2 || called() != "" {
		t.Errorf("exit %d, want 2; apt-get %q", status, called())
	}
	if !strings.Contains(out, "sudo apt-get install --no-install-recommends libc6-dev ") || strings.Contains(out, " gcc") {
		t.Errorf("it must print the line for what is missing and nothing else: %s", out)
	}
}

func TestInstallUnknownSet(t *testing.T) {
	if out, status := newMachine(t).run("install.sh", "everything"); status != 2 || !strings.Contains(out, "usage") {
		t.Errorf("exit %d: %s", status, out)
	}
}

func TestGoVersion(t *testing.T) {
	for version, want := range map[string]int{"go1.26.0": 0, "go1.27.1": 0, "go1.100": 0, "go1.19.8": 2, "go1.25.9": 2, "": 2} {
		m := newMachine(t)
		m.program("go", "echo "+version)
		out, status := m.run("go.sh")
		if status != want {
			t.Errorf("%q: exit %d, want %d: %s", version, status, want, out)
		}
		if want != 0 && (!strings.Contains(out, "1.26") || !strings.Contains(out, "https://go.dev/dl/")) {
			t.Errorf("%q: what to do is not said: %s", version, out)
		}
	}
	m := newMachine(t)
	for _, name := range []string{"sh", "sort", "head"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(m.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.env = []string{"PATH=" + m.bin}
	if out, status := m.run("go.sh"); status != 2 || !strings.Contains(out, "none was found") {
		t.Errorf("no Go at all: exit %d: %s", status, out)
	}
}

// TestLane: the result, the time, the limit, and a failure's own words.
func TestLane(t *testing.T) {
	script, err := filepath.Abs("lane.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		limit, command string
		status         int
		want           string
	}{
		{"9s", "echo 'x_test.go:1: lane: found=0'", 0, "found=0"},
		{"9s", "echo '--- FAIL: TestX'; echo because; exit 3", 1, "because"},
		{"1s", "sleep 30", 1, "over its limit of 1s"},
	} {
		cmd := exec.CommandContext(t.Context(), "sh", script, "some", c.limit, "sh", "-c", c.command)
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != c.status || !strings.Contains(string(out), c.want) {
			t.Errorf("%s: exit %d, %v\n%s", c.command, cmd.ProcessState.ExitCode(), err, out)
		}
	}
}

// TestVuln: a database that can't be reached is told as such, and a finding is
// never taken for that.
func TestVuln(t *testing.T) {
	for _, c := range []struct {
		checker string
		status  int
		want    string
	}{
		{`echo 'govulncheck: fetching vulnerabilities: Get "https://vuln.go.dev/index/modules.json.gz": dial tcp: lookup vuln.go.dev: no such host' >&2; exit 1`, 0, "not checked"},
		{`echo "Vulnerability #1: GO-2026-0001 https://pkg.go.dev/vuln/GO-2026-0001"; exit 3`, 3, "GO-2026-0001"},
		{`echo "govulncheck: loading packages: it does not compile" >&2; exit 1`, 1, "does not compile"},
		{`echo "No vulnerabilities found."`, 0, "none known"},
	} {
		m := newMachine(t)
		m.program("checker", c.checker)
		out, status := m.run("vuln.sh", filepath.Join(m.bin, "checker"))
		if status != c.status || !strings.Contains(out, c.want) {
			t.Errorf("exit %d, want %d and %q:\n%s", status, c.status, c.want, out)
		}
		if strings.Contains(out, "none known") != (c.want == "none known") {
			t.Errorf("it calls itself clean:\n%s", out)
		}
	}
}
