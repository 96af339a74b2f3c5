//go:build forensic

package forensic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// canary is in the configuration, and so on the server's heap: a core file or
// a search that doesn't find it has not seen the heap.
const canary = "canary-7e1f0c93b5a2"

// server is a lethe that runs, with folders of its own.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	pid  int // of lethe itself
	dir  string
	sip  netip.AddrPort
	rtp  int // first of ten ports
	http string
	over chan error
	seen map[int]bool // every process of its tree that was ever seen

	still   bool  // all of them are stopped
	callers []int // processes that are stopped with it
}

// setting is how a server is started.
type setting struct {
	binary string
	engine string   // sphinx unless said otherwise
	under  []string // a command to run it under
	env    []string
	silent bool // media times out soon
}

const configuration = `
sip:
  insecure_udp: ["127.0.0.1:%d"]
  trunks: [{name: local, from: ["127.0.0.0/8"]}]
media: {ports: "%d-%d", start_timeout: %s, idle_timeout: %s}
numbers:
  support: {script: "embedded:support", engine: "%s"}
policy:
  organisation: the forensic desk
  privacy_policy_url: https://example.com/%s
  agent_policy_url: https://example.com/agent
store: {file: data/lethe.db, keys: keys/lethe.keys}
admin: {insecure_listen: "127.0.0.1:%d"}
log: {level: debug}
`

// newServer starts lethe in a fresh folder and waits until it is ready.
func newServer(t *testing.T, o setting) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), over: make(chan error, 1), seen: map[int]bool{}}
	sip, http := freePort(t), freePort(t)
	s.sip, s.http = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sip)), fmt.Sprintf("http://127.0.0.1:%d", http) //nolint:gosec // a port
	s.rtp = freeRange(t)
	if o.binary == "" {
		o.binary = filepath.Join(root(), "build", "lethe")
	}
	if o.engine == "" {
		o.engine = "sphinx"
	}
	timeout := "30s"
	if o.silent {
		timeout = "6s" // a search that stops everything takes less
	}
	config := fmt.Sprintf(configuration, sip, s.rtp, s.rtp+9, timeout, timeout, o.engine, canary, http)
	for _, d := range []string{"tmp", "data", "keys"} {
		if err := os.Mkdir(filepath.Join(s.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.dir, "lethe.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start(o)
	return s
}

func (s *server) start(o setting) {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	argv := append(slices.Clone(o.under), o.binary, "serve", "--config", "lethe.yaml")
	s.cmd = exec.Command(argv[0], argv[1:]...) //nolint:gosec,noctx // ended by stop
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, log, log
	s.cmd.Env = append(os.Environ(), "TMPDIR="+filepath.Join(s.dir, "tmp"), "PATH="+filepath.Join(root(), "build")+":"+os.Getenv("PATH"))
	s.cmd.Env = append(s.cmd.Env, o.env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("%v: is it built? (make build; apt-get install strace gdb)", err)
	}
	go func() { s.over <- errors.Join(s.cmd.Wait(), log.Close()) }()
	s.t.Cleanup(s.kill)
	s.await()
	s.pid = s.cmd.Process.Pid
	if len(o.under) > 0 {
		s.pid = s.find("serve")
	}
}

// await waits until the server says that it is ready.
func (s *server) await() {
	s.t.Helper()
	client := http.Client{Timeout: time.Second}
	for until := time.Now().Add(90 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-s.over:
			s.over <- err
			s.t.Fatalf("lethe ended at its start: %v\n%s", err, s.log())
		default:
		}
		r, err := client.Get(s.http + "/readyz") //nolint:noctx // has a time-out
		if err != nil {
			continue
		}
		if err := r.Body.Close(); err == nil && r.StatusCode == http.StatusOK {
			return
		}
	}
	s.t.Fatalf("lethe is not ready after 90 s\n%s", s.log())
}

// find gives the process of the tree whose command line has the word.
func (s *server) find(word string) int {
	s.t.Helper()
	for _, p := range s.tree() {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p))
		if argv := strings.Split(string(b), "\x00"); err == nil && len(argv) > 1 && argv[1] == word {
			return p
		}
	}
	s.t.Fatalf("no process of lethe has %q in its command line", word)
	return 0
}

// tree is lethe and every process that ever descended from it and lives.
func (s *server) tree() []int {
	root := s.pid
	if root == 0 {
		root = s.cmd.Process.Pid
	}
	now, err := Tree(root)
	if err != nil && !errors.Is(err, ErrGone) {
		s.t.Fatal(err)
	}
	for _, p := range now {
		s.seen[p] = true
	}
	for p := range s.seen {
		if _, state, ok := parentOf(p); ok && state != 'Z' && !slices.Contains(now, p) {
			now = append(now, p)
		}
	}
	return now
}

// engines are the children of lethe's children: one for each call.
func (s *server) engines() []int {
	var out []int
	for _, p := range s.tree() {
		parent, _, ok := parentOf(p)
		if grand, _, ok2 := parentOf(parent); ok && ok2 && p != s.pid && parent != s.pid && grand == s.pid {
			out = append(out, p)
		}
	}
	return out
}

// calls is the number of calls that are up.
func (s *server) calls() int {
	s.t.Helper()
	n, ok := s.metric("lethe_calls_active")
	if !ok {
		s.t.Fatal("the metrics do not tell lethe_calls_active")
	}
	return int(n)
}

// heard waits until an engine has heard the caller for so long: the disclosure
// is over, and speech goes through everything.
func (s *server) heard(d time.Duration) {
	s.t.Helper()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(3 * time.Millisecond) {
		if n, _ := s.metric(`lethe_conversation_events_total{kind="engine opened"}`); n > 0 {
			break
		}
		if time.Now().After(until) {
			s.t.Fatalf("no engine was opened\n%s", s.log())
		}
	}
	for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(3 * time.Millisecond) {
		s.calls()
	}
}

// metric reads one of the metrics. Asking often keeps the collector busy, so
// that threads are interrupted in the middle of things, as on a busy server.
func (s *server) metric(name string) (float64, bool) {
	s.t.Helper()
	ctx, stop := context.WithTimeout(s.t.Context(), 5*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.http+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(r.Body)
	if err := errors.Join(err, r.Body.Close()); err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return n, err == nil
		}
	}
	return 0, false
}

// idle waits until no call is up.
func (s *server) idle(limit time.Duration) {
	s.t.Helper()
	for until := time.Now().Add(limit); s.calls() > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			s.t.Fatalf("a call is still up after %v\n%s", limit, s.log())
		}
	}
}

// frozen stops every process of the server and its callers, calls f, and lets
// them go on.
func (s *server) frozen(f func()) {
	s.t.Helper()
	var stopped []int
	for _, p := range s.callers {
		if err := syscall.Kill(p, syscall.SIGSTOP); err == nil {
			stopped = append(stopped, p)
		}
	}
	for again := true; again; {
		again = false
		for _, p := range s.tree() {
			if slices.Contains(stopped, p) {
				continue
			}
			if err := syscall.Kill(p, syscall.SIGSTOP); err == nil {
				stopped, again = append(stopped, p), true
			}
		}
	}
	for _, p := range stopped {
		s.halted(p)
	}
	s.still = true
	f()
	s.still = false
	for _, p := range slices.Backward(stopped) {
		if err := syscall.Kill(p, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Error(err)
		}
	}
}

// halted waits until p is stopped or gone.
func (s *server) halted(p int) {
	s.t.Helper()
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Microsecond) {
		if _, state, ok := parentOf(p); !ok || strings.IndexByte("TtZ", state) >= 0 {
			return
		}
	}
	s.t.Fatalf("process %d does not stop", p)
}

// memory searches every process of the server.
func (s *server) memory(n *Needles) Report {
	s.t.Helper()
	k := n.Search()
	if s.still {
		k.Still()
	}
	for _, p := range s.tree() {
		if err := k.Memory(p); err != nil && (p == s.pid || !errors.Is(err, ErrGone)) {
			s.t.Fatal(err)
		}
	}
	return k.Report()
}

// files searches what the server has on disk: data, keys, temporary files, logs.
func (s *server) files(n *Needles) Report {
	s.t.Helper()
	r, err := n.Dir(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *server) log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

// stop asks lethe to end and waits for it.
func (s *server) stop() {
	s.t.Helper()
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.over:
		s.over <- err
		if err != nil {
			s.t.Errorf("lethe ended with %v\n%s", err, s.log())
		}
	case <-time.After(20 * time.Second):
		s.t.Fatalf("lethe does not end after SIGTERM\n%s", s.log())
	}
}

// kill ends what is left of it: the processes this server started, one by one.
func (s *server) kill() {
	for _, p := range s.tree() {
		_ = syscall.Kill(p, syscall.SIGKILL) // may be gone
	}
	select {
	case <-s.over: //nolint:errcheck // it was killed: that is its error
	case <-time.After(10 * time.Second):
		s.t.Error("lethe could not be killed")
	}
}

// rtpPorts are the even ports of the server's range.
func (s *server) rtpPorts() []uint16 {
	var out []uint16
	for p := s.rtp; p < s.rtp+10; p += 2 {
		out = append(out, uint16(p)) //nolint:gosec // a port
	}
	return out
}

// freePort is a port that nothing listens at, neither over UDP nor over TCP.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp4", "127.0.0.1:0") //nolint:noctx // closed below
		if err != nil {
			t.Fatal(err)
		}
		a, ok := l.Addr().(*net.TCPAddr)
		if err := l.Close(); err != nil || !ok {
			t.Fatal(err)
		}
		if free(a.Port) {
			return a.Port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// freeRange is the first of ten ports that nothing listens at, below those that
// the kernel gives out by itself.
func freeRange(t *testing.T) int {
	t.Helper()
	for range 1000 {
		first := 20000 + 10*rand.IntN(1200) //nolint:gosec // any range will do
		ok := true
		for p := first; p < first+10; p++ {
			ok = ok && free(p)
		}
		if ok {
			return first
		}
	}
	t.Fatal("no range of ports is free")
	return 0
}

func free(port int) bool {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	return err == nil && c.Close() == nil
}

func root() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}
