package sip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"lethe/media"
	"lethe/policy"
)

// spoken is an ear that counts frames that are not silence.
type spoken struct{ heard chan struct{} }

func (s *spoken) Hear(media.Frame) error {
	select {
	case s.heard <- struct{}{}:
	default:
	}
	return nil
}
func (s *spoken) String() string { return "test" }

func TestCallsOverEveryTransport(t *testing.T) {
	cert, key, pool := certificate(t)
	for _, transport := range []string{"UDP", "TCP", "TLS"} {
		for _, ender := range []Result{ResultCaller, ResultAgent} {
			t.Run(transport+"/"+string(ender)+" hangs up", func(t *testing.T) {
				r := &record{}
				d := deps(t, r)
				facts := make(chan policy.Facts, 1)
				var served *Call
				d.Serve = func(ctx context.Context, c *Call, f policy.Facts) error {
					served = c
					facts <- f
					if ender == ResultAgent {
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}
				conf := loopback()
				conf.InsecureTCP, conf.TLS, conf.Certificate, conf.Key = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, cert, key
				u := start(t, conf, d)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				c, err := client(t, pool).Dial(ctx, DialOptions{Target: "sip:support@" + address(t, u, transport).String(),
					Transport: strings.ToLower(transport), From: "+15550100"})
				if err != nil {
					t.Fatal(err)
				}
				f := <-facts
				if f.To != "support" || f.From.Reveal() != "+15550100" || f.Trunk != "loopback" || f.Channel != policy.SIP ||
					f.Conversation != served.ID() || f.Conversation == "" || served.Transport() != transport {
					t.Errorf("facts %+v over %s", f, served.Transport())
				}
				if c.Media() == nil || served.Media() == nil {
					t.Fatal("no media")
				}
				if ender == ResultCaller {
					ear := &spoken{heard: make(chan struct{}, 1)}
					detach, err := served.Media().Listen(media.Caller, 0, ear)
					if err != nil {
						t.Fatal(err)
					}
					if err := c.Media().Speech().Write(ctx, make([]int16, 1600), 16000); err != nil {
						t.Fatal(err)
					}
					select {
					case <-ear.heard:
					case <-ctx.Done():
						t.Fatal("no audio came through")
					}
					detach()
					if err := c.Hangup(ctx, 0, ""); err != nil {
						t.Fatal(err)
					}
				}
				<-c.Done()
				<-served.Done()
				wantEnd(t, served, ender)
				wantEnd(t, c, map[Result]Result{ResultCaller: ResultAgent, ResultAgent: ResultCaller}[ender])
				until(t, "the result counted", func() bool { return r.count(ender) == 1 })
				until(t, "the place given back", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.active == 0 && r.most == 1 })
				if log := r.text(); strings.Contains(log, "15550100") || strings.Contains(log, "support@") {
					t.Errorf("the log names who called:\n%s", log)
				}
			})
		}
	}
}

func wantEnd(t *testing.T, c *Call, want Result) {
	t.Helper()
	var e *Ended
	if !errors.As(c.Err(), &e) || e.Result != want {
		t.Errorf("ended as %v, want %s", c.Err(), want)
	}
}

func TestHangupAndSecondHangup(t *testing.T) {
	r := &record{}
	u := start(t, loopback(), deps(t, r))
	c := call(t, u)
	for range 2 {
		if err := c.Hangup(t.Context(), 486, "had \"enough\"\r\nX-Evil: 1"); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the far end saw it", func() bool { return r.count(ResultCaller) == 1 })
}

// call is an answered call over UDP, from a UA of its own.
func call(t *testing.T, u *UA) *Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := client(t, nil).Dial(ctx, DialOptions{Target: "sip:support@" + address(t, u, "UDP").String()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPanicEndsOneCall(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	first := make(chan struct{}, 1)
	first <- struct{}{}
	d.Serve = func(ctx context.Context, c *Call, f policy.Facts) error {
		select {
		case <-first:
			panic("secret that a caller said")
		default:
		}
		<-ctx.Done()
		return nil
	}
	u := start(t, loopback(), d)
	broken := call(t, u)
	select {
	case <-broken.Done():
	case <-time.After(patience):
		t.Fatal("the call whose conversation panicked goes on")
	}
	whole := call(t, u)
	until(t, "the panic counted", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.panics == 1 })
	until(t, "the broken call counted", func() bool { return r.count(ResultFailed) == 1 })
	if whole.Err() != nil {
		t.Errorf("another call ended: %v", whole.Err())
	}
	if strings.Contains(r.text(), "secret") || !strings.Contains(r.text(), "pair_test.go") {
		t.Errorf("the log must say where, and not what:\n%s", r.text())
	}
	if err := whole.Hangup(t.Context(), 0, ""); err != nil {
		t.Fatal(err)
	}
}

func TestConversationHangsUpItself(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	hung := make(chan error, 1)
	d.Serve = func(ctx context.Context, c *Call, f policy.Facts) error {
		err := c.Hangup(ctx, 0, "")
		hung <- err
		return err
	}
	c := call(t, start(t, loopback(), d))
	<-c.Done()
	if err := <-hung; err != nil {
		t.Errorf("Hangup from the conversation: %v", err)
	}
	until(t, "counted", func() bool { return r.count(ResultAgent) == 1 })
}

func TestCloseEndsCalls(t *testing.T) {
	r := &record{}
	u := start(t, loopback(), deps(t, r))
	calls := []*Call{call(t, u), call(t, u), call(t, u)}
	until(t, "all serve", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.active == 3 })
	shut(t, u)
	for _, c := range calls {
		select {
		case <-c.Done():
		case <-time.After(patience):
			t.Fatal("a far end heard no BYE")
		}
	}
	if n := r.count(ResultAgent); n != 3 {
		t.Errorf("%d of 3 calls ended by us", n)
	}
	if _, err := client(t, nil).Dial(withTimeout(t, time.Second), DialOptions{Target: "sip:support@127.0.0.1:1"}); err == nil {
		t.Error("a call to nobody was answered")
	}
	if _, err := u.Dial(t.Context(), DialOptions{Target: "sip:support@127.0.0.1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("Dial after Close: %v", err)
	}
}

func withTimeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestCloseSaysWhenAConversationDoesNotEnd(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	let, serves := make(chan struct{}), make(chan struct{})
	d.Serve = func(context.Context, *Call, policy.Facts) error {
		close(serves)
		<-let
		return nil
	}
	u, err := New(loopback(), d)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	call(t, u)
	<-serves
	if err := u.Close(withTimeout(t, 10*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "1 conversations did not end") {
		t.Errorf("Close: %v", err)
	}
	close(let)
	until(t, "it ended", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.active == 0 })
}

func TestListenSaysWhichAddressAndKey(t *testing.T) {
	u := start(t, loopback(), deps(t, &record{}))
	taken := address(t, u, "UDP").String()
	c := loopback()
	c.InsecureTCP, c.InsecureUDP = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0", taken}
	second, err := New(c, deps(t, &record{}))
	if err != nil {
		t.Fatal(err)
	}
	err = second.Listen(t.Context())
	if err == nil || !strings.Contains(err.Error(), taken) || !strings.Contains(err.Error(), "sip.insecure_udp[1]") || !strings.Contains(err.Error(), "another program") {
		t.Errorf("Listen: %v", err)
	}
	shut(t, second)
}

func TestDialRefusesBadTargets(t *testing.T) {
	u := client(t, nil)
	for _, o := range []DialOptions{
		{Target: ""}, {Target: "support"}, {Target: "http://x"}, {Target: "sip:"}, {Target: "sip:a@127.0.0.1\r\nX: y"},
		{Target: "sip:a b@127.0.0.1"}, {Target: "sip:a@127.0.0.1", Transport: "sctp"}, {Target: "sip:a@127.0.0.1", From: "x\r\nY: z"},
		{Target: "sip:a@127.0.0.1", From: "x>;tag=1"}, {Target: "sip:a@127.0.0.1;x=\"y\""},
	} {
		if _, err := u.Dial(t.Context(), o); !errors.Is(err, ErrBadTarget) && !errors.Is(err, ErrNoTransport) {
			t.Errorf("%q: %v", o, err)
		}
	}
}

func TestDialTellsARefusal(t *testing.T) {
	u := start(t, loopback(), deps(t, &record{}))
	_, err := client(t, nil).Dial(t.Context(), DialOptions{Target: "sip:nobody@" + address(t, u, "UDP").String()})
	var e *Ended
	if !errors.As(err, &e) || e.Code != 404 || e.Result != ResultRefused {
		t.Errorf("got %v", err)
	}
}

func TestTLSWantsACertificateItTrusts(t *testing.T) {
	cert, key, _ := certificate(t)
	conf := loopback()
	conf.TLS, conf.Certificate, conf.Key = []string{"127.0.0.1:0"}, cert, key
	u := start(t, conf, deps(t, &record{}))
	_, err := client(t, nil).Dial(t.Context(), DialOptions{Target: "sips:support@" + address(t, u, "TLS").String()})
	if err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "support") {
		t.Errorf("got %v", err)
	}
}
