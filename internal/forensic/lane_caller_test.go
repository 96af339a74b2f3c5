//go:build forensic

package forensic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lethe/internal/bench/phone"
	"lethe/media/codec"
	"lethe/media/resample"
)

// order is what a caller process is told first.
type order struct {
	Server netip.AddrPort
	User   string
	Codec  string
	Seed   uint64
	Log    string   // file for the payloads that were sent
	Spray  []uint16 // RTP ports that audio is thrown at before there is an answer
}

// play is the caller's process. After the order every line is a command, and
// every command is answered by a line that begins with its name.
func play(string) int {
	in := bufio.NewScanner(os.Stdin)
	var o order
	if !in.Scan() {
		return 2
	}
	err := json.Unmarshal(in.Bytes(), &o)
	if err == nil {
		err = callerRun(o, in)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// calling is a caller's state.
type calling struct {
	order
	phone *phone.Phone
	flow  *phone.Flow
	talk  *phone.Talk
	pump  *phone.Pump
	leg   *phone.Leg
	sent  [][]byte
}

func callerRun(o order, in *bufio.Scanner) error {
	p, err := phone.New(o.Server)
	if err != nil {
		return err
	}
	f, err := phone.NewFlow()
	if err != nil {
		return err
	}
	c := &calling{order: o, phone: p, flow: f, pump: phone.NewPump()}
	f.SSRC = uint32(o.Seed) //nolint:gosec // any number
	k, _ := codec.ByName(o.Codec)
	f.Payload = k.PayloadType()
	says, err := voice(k, o.Seed)
	if err != nil {
		return err
	}
	c.talk = &phone.Talk{Flow: f, Says: says, Once: true}
	ctx, stop := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- c.pump.Run(ctx) }()
	for in.Scan() {
		answer, err := c.command(in.Text())
		if err != nil {
			answer += ": " + err.Error()
		}
		fmt.Println(answer)
	}
	stop()
	return errors.Join(in.Err(), <-over, p.Close(), f.Close())
}

func (c *calling) command(line string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	switch line {
	case "dial":
		leg, a, err := c.phone.Dial(ctx, c.invite())
		if err != nil {
			return "refused", err
		}
		c.leg = leg
		if err := c.flow.To(a.RTP); err != nil {
			return "refused", err
		}
		c.pump.Add(c.talk)
		return "dial", nil
	case "cancel":
		return c.cancel(ctx)
	case "bye":
		err := c.leg.Bye(ctx)
		c.pump.Do(ctx, func([]*phone.Talk) { c.keepSent(); c.talk.Says = nil })
		return "bye", err
	case "mute":
		c.pump.Do(ctx, func([]*phone.Talk) { c.keepSent(); c.talk.Says = nil })
		return "mute", nil
	case "log":
		c.pump.Do(ctx, func([]*phone.Talk) { c.keepSent() })
		return fmt.Sprintf("log %d", len(c.sent)), writeLog(c.Log, c.sent)
	case "ended": // did the server hang up?
		select {
		case <-c.leg.Ended():
			return "ended yes", nil
		case <-time.After(15 * time.Second):
			return "ended no", nil
		}
	case "heard":
		n := uint64(0)
		c.pump.Do(ctx, func([]*phone.Talk) { n = c.flow.Received })
		return fmt.Sprintf("heard %d", n), nil
	}
	return "what", nil
}

func (c *calling) invite() phone.Invite {
	return phone.Invite{User: c.User, Port: c.flow.Port(), Codec: c.Codec, Payload: c.flow.Payload}
}

// keepSent notes what was sent so far; it runs on the pump's thread.
func (c *calling) keepSent() {
	if len(c.talk.Says) > 0 {
		c.sent = c.talk.Says[:min(int(c.flow.Sent), len(c.talk.Says))] //nolint:gosec // a few thousand packets
	}
}

// cancel takes an INVITE back at once, while audio is thrown at every port that
// the server may have bound. A server that has answered already gets a BYE.
func (c *calling) cancel(ctx context.Context) (string, error) {
	leg, err := c.phone.Start(c.invite())
	if err != nil {
		return "cancel", err
	}
	c.leg = leg
	for i := range 3 {
		for _, p := range c.Spray {
			if err := c.flow.To(netip.AddrPortFrom(c.Server.Addr(), p)); err != nil {
				return "cancel", err
			}
			if err := c.flow.Send(c.talk.Says[i], false); err != nil {
				return "cancel", err
			}
		}
	}
	c.sent = c.talk.Says[:3]
	if err := leg.Cancel(ctx); err != nil && !errors.Is(err, phone.ErrRefused) {
		return "cancel", err
	}
	if _, err := leg.Wait(ctx); err == nil {
		return "cancel late", leg.Bye(ctx)
	}
	return "cancel", nil
}

// voice is 60 s of seeded speech and noise in 20 ms payloads: 2 s of a voice
// with faint noise, 1 s of loud noise, and so on. It never falls silent, so
// that every packet can be told from every other.
func voice(k codec.Codec, seed uint64) ([][]byte, error) {
	pcm, noise := phone.Speech(seed, 60), phone.Noise(seed, 60)
	for i := range pcm {
		if i/8000%3 == 2 {
			pcm[i] = noise[i]
		}
		pcm[i] += noise[i] / 200 // 30 of 32767: no two silences are the same
	}
	if k.SampleRate() == 16000 {
		var up resample.Converter
		if err := up.Init(8000, 16000); err != nil {
			return nil, err
		}
		wide := make([]int16, up.Room(len(pcm)))
		pcm = wide[:up.Process(wide, pcm)]
		r := rand.New(rand.NewPCG(seed, 16)) //nolint:gosec // has to be the same every time
		for i := range pcm {
			pcm[i] += int16(r.IntN(61) - 30) //nolint:gosec // small
		}
	}
	var e codec.Encoder
	e.Init(k)
	size := k.SampleRate() / 50
	var out [][]byte
	for ; len(pcm) >= size; pcm = pcm[size:] {
		b := make([]byte, 160)
		if _, err := e.Encode(b, pcm[:size]); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// writeLog writes payloads, each after its length.
func writeLog(file string, sent [][]byte) error {
	var b []byte
	for _, p := range sent {
		b = binary.BigEndian.AppendUint16(b, uint16(len(p))) //nolint:gosec // 160
		b = append(b, p...)
	}
	return os.WriteFile(file, b, 0o600)
}

func readLog(file string) ([][]byte, error) {
	b, err := os.ReadFile(file) //nolint:gosec // the test's own
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for len(b) > 2 {
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return nil, errors.New("the caller's log is cut short")
		}
		out = append(out, b[2:2+n])
		b = b[2+n:]
	}
	return out, nil
}

// caller is the test's end of a caller's process.
type caller struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	errs  strings.Builder
	order order
	says  [][]byte // that were looked for

	beyond bool // it goes on speaking after the search
}

// newCaller starts a caller's process. Its log lies in a folder of its own.
func newCaller(t *testing.T, s *server, encoding string, seed uint64) *caller {
	t.Helper()
	c := &caller{t: t, order: order{Server: s.sip, User: "support", Codec: encoding, Seed: seed, Spray: s.rtpPorts(),
		Log: filepath.Join(t.TempDir(), "sent")}}
	c.cmd = exec.Command(os.Args[0]) //nolint:noctx // ended by hangup or vanish
	c.cmd.Env = append(os.Environ(), role+"=caller")
	c.cmd.Stderr = &c.errs
	in, err1 := c.cmd.StdinPipe()
	out, err2 := c.cmd.StdoutPipe()
	if err := errors.Join(err1, err2, c.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	s.callers = append(s.callers, c.cmd.Process.Pid)
	c.in, c.out = in, bufio.NewReader(out)
	b, err := json.Marshal(c.order)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.in.Write(append(b, '\n')); err != nil {
		t.Fatal(err)
	}
	return c
}

// do gives a command and waits for its answer.
func (c *caller) do(command string) string {
	c.t.Helper()
	if _, err := io.WriteString(c.in, command+"\n"); err != nil {
		c.t.Fatalf("caller: %s: %v: %s", command, err, c.errs.String())
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		c.t.Fatalf("caller: %s: %v: %s", command, err, c.errs.String())
	}
	if line = strings.TrimSpace(line); !strings.HasPrefix(line, command) || strings.Contains(line, ":") {
		c.t.Fatalf("caller: %s: %s", command, line)
	}
	return line
}

// planned is how much of what the caller says is looked for: no call of a lane
// lasts longer.
const planned = 24 * time.Second

// needles are made of what the caller is going to send. leave and vanish hold
// it against what was sent.
func (c *caller) needles() *Needles {
	c.t.Helper()
	k, ok := codec.ByName(c.order.Codec)
	if !ok {
		c.t.Fatalf("no codec %q", c.order.Codec)
	}
	says, err := voice(k, c.order.Seed)
	if err != nil {
		c.t.Fatal(err)
	}
	c.says = says[:planned/(20*time.Millisecond)]
	n, err := Of(c.order.Codec, c.says)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// check holds the caller's log against what the needles were made of.
func (c *caller) check() {
	c.t.Helper()
	c.do("log")
	sent, err := readLog(c.order.Log)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.beyond {
		sent = sent[:min(len(sent), len(c.says))]
	}
	if len(sent) == 0 || len(sent) > len(c.says) {
		c.t.Fatalf("the caller sent %d packets, and %d were looked for", len(sent), len(c.says))
	}
	for i := range sent {
		if !bytes.Equal(sent[i], c.says[i]) {
			c.t.Fatalf("packet %d that was sent is not the one that was looked for", i)
		}
	}
}

// leave ends the caller's process in an orderly way.
func (c *caller) leave() {
	c.t.Helper()
	if c.says != nil {
		c.check()
	}
	if err := errors.Join(c.in.Close(), c.cmd.Wait()); err != nil {
		c.t.Errorf("caller: %v: %s", err, c.errs.String())
	}
}

// vanish kills the caller's process.
func (c *caller) vanish() {
	c.t.Helper()
	c.check()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait() // was killed
}
