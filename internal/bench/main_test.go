//go:build bench

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lethe/internal/bench/phone"
)

// role says what a copy of the test binary is: empty is the measurement itself.
const role = "LETHE_BENCH_ROLE"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(role) {
	case "load":
		err = loadRole(os.Stdin, os.Stdout)
	case "plane":
		err = planeRole(os.Stdin, os.Stdout)
	default:
		os.Exit(measure(m))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// table is filled by the tests below.
var table = goals() //nolint:gochecknoglobals // one run makes one table

// measure runs the tests and prints what they found. A goal that is missed
// fails the run, after everything was measured.
func measure(m *testing.M) int {
	code := m.Run()
	fmt.Print("\n", table.String(), "\n")
	file := filepath.Join(root(), "build", "bench.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o750), table.Write(file)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("written to build/bench.json")
	return code
}

// root is the module's folder: tests run in their package's.
func root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}

// loadRole is the generator: a line of JSON, then commands, each answered by a
// line: "up" when the calls are up, then totals.
func loadRole(in io.Reader, out io.Writer) error {
	ctx := context.Background()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20)
	if !lines.Scan() {
		return errors.New("load: nothing to do")
	}
	var c phone.Config
	if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
		return err
	}
	l, err := phone.Start(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "up")
	for lines.Scan() {
		if lines.Text() == "mark" {
			l.Mark(ctx)
			continue
		}
		if err := json.NewEncoder(out).Encode(l.Totals(ctx)); err != nil {
			return err
		}
	}
	stop, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return errors.Join(lines.Err(), l.Stop(stop))
}

// process is a child with a pipe to each side.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	errs *strings.Builder
}

// prepare makes a process that is to run on one core; -1 is any.
func prepare(t *testing.T, core int, name string, env []string, argv ...string) *process {
	t.Helper()
	if core >= 0 {
		argv = append([]string{"taskset", "-c", fmt.Sprint(core)}, argv...)
	}
	p := &process{t: t, name: name, errs: &strings.Builder{}}
	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // ended by end
	p.cmd.Env = append(os.Environ(), env...)
	return p
}

// begin starts a program on one core. Stop it with end.
func begin(t *testing.T, core int, name string, env []string, argv ...string) *process {
	t.Helper()
	p := prepare(t, core, name, env, argv...)
	p.cmd.Stderr = p.errs
	in, err1 := p.cmd.StdinPipe()
	out, err2 := p.cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	p.in, p.out = in, bufio.NewReaderSize(out, 64<<10)
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v (taskset is in util-linux)", name, err)
	}
	return p
}

func (p *process) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		p.t.Fatalf("%s: %v: %s", p.name, err, p.errs)
	}
}

func (p *process) line() string {
	p.t.Helper()
	l, err := p.out.ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait() // its words are what matters
		p.t.Fatalf("%s: %v: %s", p.name, err, p.errs)
	}
	return strings.TrimSpace(l)
}

// end closes its input and waits for it.
func (p *process) end() {
	p.t.Helper()
	if err := errors.Join(p.in.Close(), p.cmd.Wait()); err != nil {
		p.t.Errorf("%s: %v: %s", p.name, err, p.errs)
	}
}

// load starts the generator on the other core.
func load(t *testing.T, c phone.Config) *process {
	t.Helper()
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := begin(t, generatorCore, "generator", []string{role + "=load"}, os.Args[0])
	p.say(string(b))
	if l := p.line(); l != "up" {
		t.Fatalf("generator: %q: %s", l, p.errs)
	}
	return p
}

func (p *process) totals() phone.Totals {
	p.t.Helper()
	p.say("totals")
	var out phone.Totals
	if err := json.Unmarshal([]byte(p.line()), &out); err != nil {
		p.t.Fatal(err)
	}
	return out
}

// The server has one core and the generator the other.
const (
	serverCore    = 0
	generatorCore = 1
)
