package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// errPanic stands for a panic in one call's code.
var errPanic = errors.New("sip: one call's code panicked")

// afterClose is what Close gives conversations that did not end in time.
const afterClose = 2 * time.Second

// UA is a user agent. Its methods may be called from any goroutine.
type UA struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	plane     plane
	trunks    []*trunk
	timers    timers
	serverTLS *tls.Config
	clientTLS *tls.Config

	handlers sync.WaitGroup // requests and responses in our hands
	running  sync.WaitGroup // calls
	closing  chan struct{}  // closed when Close begins
	once     sync.Once

	mu         sync.Mutex
	listening  bool
	draining   bool // no new calls
	closed     bool // no more messages
	transports []*transport
	calls      map[*Call]struct{}
	dialogs    map[dialogKey]*Call
	merges     map[string]struct{}
	dialled    map[netip.Addr]int
}

// New makes a user agent; it does not listen yet. With Deps.Serve the
// configuration must be one that can be called.
func New(cfg Config, deps Deps) (*UA, error) {
	check := cfg.Validate
	if deps.Serve == nil {
		check = cfg.valid
	}
	if err := check(); err != nil {
		return nil, err
	}
	if deps.Plane == nil {
		return nil, errors.New("sip: Deps.Plane is missing")
	}
	stackGlobals()
	u := &UA{cfg: cfg, deps: deps, log: deps.Log, plane: planeOf(deps.Plane), timers: defaultTimers(), closing: make(chan struct{}),
		calls: map[*Call]struct{}{}, dialogs: map[dialogKey]*Call{}, merges: map[string]struct{}{}, dialled: map[netip.Addr]int{}}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
	for _, t := range cfg.Trunks {
		k, err := newTrunk(t)
		if err != nil {
			return nil, err
		}
		u.trunks = append(u.trunks, k)
	}
	u.clientTLS = u.clientConfig()
	if len(cfg.TLS) > 0 {
		pair, err := tls.LoadX509KeyPair(cfg.Certificate, cfg.Key)
		if err != nil {
			return nil, fmt.Errorf("sip.certificate and sip.key: cannot use %s with %s: %w (give a PEM certificate and its unencrypted PEM key)", cfg.Certificate, cfg.Key, err)
		}
		u.serverTLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	return u, nil
}

// Listen binds every address of the configuration and returns when all of them
// take calls. If one can't be had, none is kept and the error names its key.
func (u *UA) Listen(ctx context.Context) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed || u.listening {
		return fmt.Errorf("sip: Listen was called before: %w", ErrClosed)
	}
	var bound []*transport
	var serve []func()
	for _, l := range []struct {
		proto, key string
		addrs      []string
	}{{"UDP", "insecure_udp", u.cfg.InsecureUDP}, {"TCP", "insecure_tcp", u.cfg.InsecureTCP}, {"TLS", "tls", u.cfg.TLS}} {
		for i, addr := range l.addrs {
			t := u.newTransport(l.proto)
			s, err := t.bind(ctx, fmt.Sprintf("%s[%d]", l.key, i), addr)
			if err != nil {
				for _, b := range bound {
					err = errors.Join(err, b.close())
				}
				return err
			}
			bound, serve = append(bound, t), append(serve, s)
		}
	}
	for i, t := range bound {
		t.run(serve[i])
	}
	u.transports = append(u.transports, bound...)
	u.listening = true
	return nil
}

// run begins to serve, and returns when sipgo can both read and send.
func (t *transport) run(serve func()) {
	serve()
	if t.ready != nil {
		<-t.ready
	}
}

// Addrs are the bound addresses.
func (u *UA) Addrs() []Listening {
	u.mu.Lock()
	defer u.mu.Unlock()
	var l []Listening
	for _, t := range u.transports {
		if t.local.IsValid() {
			l = append(l, Listening{Transport: t.proto, Address: t.local})
		}
	}
	return l
}

// Drain refuses new calls with 503 and leaves those that stand.
func (u *UA) Drain() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.draining = true
}

// Close refuses new calls, ends those that stand with BYE, and returns when
// every conversation has ended and nothing of the UA runs any more. When ctx
// ends first, the rest is cut short; a conversation that does not end even then
// is an error.
func (u *UA) Close(ctx context.Context) error {
	u.Drain()
	u.once.Do(func() { close(u.closing) })
	ended := make(chan struct{})
	var hangups sync.WaitGroup
	for _, c := range u.all() {
		hangups.Go(func() {
			if err := c.Hangup(ctx, 0, ""); err != nil {
				u.log.Warn("sip: a call could not be ended in time", "conversation", string(c.id))
			}
		})
	}
	go func() {
		defer close(ended)
		hangups.Wait()
		u.running.Wait()
	}()
	var err error
	select {
	case <-ended:
	case <-ctx.Done():
		for _, c := range u.all() {
			c.abort()
		}
		t := time.NewTimer(afterClose)
		defer t.Stop()
		select {
		case <-ended:
		case <-t.C:
			err = fmt.Errorf("sip: %d conversations did not end: %w", len(u.all()), ctx.Err())
		}
	}
	u.mu.Lock()
	u.closed = true
	transports := u.transports
	u.transports = nil
	u.mu.Unlock()
	for _, t := range transports {
		if e := t.close(); e != nil {
			err = errors.Join(err, fmt.Errorf("sip: closing %s: %w", strings.ToLower(t.proto), e))
		}
	}
	u.handlers.Wait()
	return err
}

func (u *UA) all() []*Call {
	u.mu.Lock()
	defer u.mu.Unlock()
	calls := make([]*Call, 0, len(u.calls))
	for c := range u.calls {
		calls = append(calls, c)
	}
	return calls
}

// enter counts a message in; false once the UA is closed.
func (u *UA) enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	u.handlers.Add(1)
	return true
}

// enrol counts a call in; u.mu is held.
func (u *UA) enrol(c *Call) {
	u.calls[c] = struct{}{}
	u.running.Add(1)
	if u.deps.Observe.Active != nil {
		u.deps.Observe.Active(len(u.calls))
	}
}

// register makes the call's dialog known.
func (u *UA) register(c *Call) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.dialogs[c.d.key] = c
}

// dismiss forgets the call.
func (u *UA) dismiss(c *Call) {
	u.mu.Lock()
	if c.d != nil {
		delete(u.dialogs, c.d.key)
	}
	delete(u.calls, c)
	if c.trunk != nil {
		c.trunk.calls--
		delete(u.merges, c.merge)
	}
	if u.deps.Observe.Active != nil {
		u.deps.Observe.Active(len(u.calls))
	}
	u.mu.Unlock()
	c.mu.Lock()
	e := c.ended
	c.mu.Unlock()
	u.ended(e.Result)
	name := ""
	if c.trunk != nil {
		name = c.trunk.name
	}
	u.log.Info("sip: call ended", "conversation", string(c.id), "trunk", name, "transport", c.t.proto, "result", string(e.Result), "code", e.Code)
	u.running.Done()
}

func (u *UA) dialog(k dialogKey) *Call {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.dialogs[k]
}

// knows says whether an address is a trunk's or one that we call.
func (u *UA) knows(a netip.Addr) bool {
	if trunkOf(u.trunks, a) != nil {
		return true
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.dialled[a.Unmap()] > 0
}

// recovered makes an error of a panic. It is deferred.
func (u *UA) recovered(err *error) {
	if recover() != nil {
		u.panicked()
		*err = errPanic
	}
}

// panicked reports a panic by where it was. Its value is not printed: it may
// hold what a peer sent.
func (u *UA) panicked() {
	if u.deps.Observe.Panicked != nil {
		u.deps.Observe.Panicked()
	}
	u.log.Error("sip: a panic ended one call", "stack", frames(debug.Stack()))
}

// frames are the files and lines of a stack, without arguments.
func frames(trace []byte) string {
	var at []string
	for line := range strings.SplitSeq(string(trace), "\n") {
		if s, ok := strings.CutPrefix(line, "\t"); ok {
			s, _, _ = strings.Cut(s, " +0x")
			at = append(at, s[strings.LastIndexByte(s, '/')+1:])
		}
	}
	return strings.Join(at[:min(len(at), 16)], " < ")
}

func (u *UA) ended(r Result) {
	if u.deps.Observe.Ended != nil {
		u.deps.Observe.Ended(r)
	}
}

func (u *UA) responded(code int) {
	if u.deps.Observe.Response != nil {
		u.deps.Observe.Response(code)
	}
}
