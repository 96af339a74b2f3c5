package phone

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config of a load: so many calls at once.
type Config struct {
	Server    netip.AddrPort // of SIP
	User      string         // whom to call
	Calls     int
	PerSecond int // calls set up in a second; 0 means 50
	Codec     string
	Payload   uint8
	Says      [][]byte // what every caller says, over and over

	// Direct are RTP ports to send to without any SIP, one for each call.
	Direct []netip.AddrPort
}

// Load is a set of calls that are up.
type Load struct {
	phone *Phone
	pump  *Pump
	stop  context.CancelFunc
	over  chan error

	mu    sync.Mutex
	legs  []*Leg
	flows []*Flow
	gaps  Gaps
	ended atomic.Int64
	wait  sync.WaitGroup
	ctx   context.Context //nolint:containedctx // the life of the load itself
}

// Totals are what was counted since Start, or since the last Mark.
type Totals struct {
	Calls      int // that were set up
	Ended      int // of these, ended by the server
	Sent       uint64
	Received   uint64
	Least      uint64 // packets received by the call that received the fewest
	Gaps       uint64 // distances of packets that were measured
	P50, P99   time.Duration
	P999, Most time.Duration
}

// Start sets up all calls, one after the other at the rate asked for, and
// returns when they are up. One that is refused is an error.
func Start(ctx context.Context, c Config) (*Load, error) {
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &Load{pump: NewPump(), stop: stop, over: make(chan error, 1), ctx: run}
	go func() { l.over <- l.pump.Run(run) }()
	err := l.start(ctx, c)
	if err != nil {
		err = errors.Join(err, l.Stop(ctx))
		return nil, err
	}
	return l, nil
}

func (l *Load) start(ctx context.Context, c Config) error {
	if c.Direct != nil {
		for i, a := range c.Direct {
			if err := l.direct(uint32(i), c, a); err != nil { //nolint:gosec // a count of calls
				return err
			}
		}
		return nil
	}
	var err error
	if l.phone, err = New(c.Server); err != nil {
		return err
	}
	if c.PerSecond == 0 {
		c.PerSecond = 50
	}
	pace := time.NewTicker(time.Second / time.Duration(c.PerSecond))
	defer pace.Stop()
	errs := make(chan error, c.Calls)
	for i := range c.Calls {
		<-pace.C
		go func() { errs <- l.call(ctx, uint32(i), c) }() //nolint:gosec // a count of calls
	}
	for range c.Calls {
		err = errors.Join(err, <-errs)
	}
	return err
}

// call sets up one call and has its audio pumped.
func (l *Load) call(ctx context.Context, i uint32, c Config) error {
	f, err := NewFlow()
	if err != nil {
		return err
	}
	leg, a, err := l.phone.Dial(ctx, Invite{User: c.User, Port: f.Port(), Codec: c.Codec, Payload: c.Payload})
	if err != nil {
		return errors.Join(fmt.Errorf("call %d: %w", i, err), f.Close())
	}
	l.mu.Lock()
	l.legs = append(l.legs, leg)
	l.mu.Unlock()
	l.wait.Go(func() {
		select {
		case <-leg.Ended():
			l.ended.Add(1)
		case <-l.ctx.Done():
		}
	})
	return l.join(f, i, c, a.RTP)
}

func (l *Load) direct(i uint32, c Config, to netip.AddrPort) error {
	f, err := NewFlow()
	if err != nil {
		return err
	}
	return l.join(f, i, c, to)
}

// join has the audio of f pumped; callers say the same from different places.
func (l *Load) join(f *Flow, i uint32, c Config, to netip.AddrPort) error {
	f.Payload, f.SSRC, f.Gaps = c.Payload, 0x10000+i, &l.gaps
	l.mu.Lock()
	l.flows = append(l.flows, f)
	l.mu.Unlock()
	if err := f.To(to); err != nil {
		return err
	}
	l.pump.Add(&Talk{Flow: f, Says: c.Says, next: 0})
	return nil
}

// Mark begins to count anew.
func (l *Load) Mark(ctx context.Context) {
	l.pump.Do(ctx, func(talks []*Talk) {
		l.gaps.Reset()
		for _, t := range talks {
			t.Flow.Sent, t.Flow.Received = 0, 0
		}
	})
}

// Totals are the counts since the last Mark.
func (l *Load) Totals(ctx context.Context) Totals {
	var t Totals
	l.pump.Do(ctx, func(talks []*Talk) { t = l.count(talks) })
	return t
}

func (l *Load) count(talks []*Talk) Totals {
	t := Totals{Calls: len(talks), Ended: int(l.ended.Load())}
	for i, k := range talks {
		t.Sent += k.Flow.Sent
		t.Received += k.Flow.Received
		if i == 0 || k.Flow.Received < t.Least {
			t.Least = k.Flow.Received
		}
	}
	t.Gaps = l.gaps.Count()
	t.P50, t.P99, t.P999, t.Most = l.gaps.Quantile(.5), l.gaps.Quantile(.99), l.gaps.Quantile(.999), l.gaps.Quantile(1)
	return t
}

// Stop hangs up every call, waits for the answers, and frees everything.
func (l *Load) Stop(ctx context.Context) error {
	errs := make(chan error, len(l.legs))
	for _, leg := range l.legs {
		go func() {
			select {
			case <-leg.Ended():
				errs <- nil
			default:
				errs <- leg.Bye(ctx)
			}
		}()
	}
	var err error
	for range l.legs {
		err = errors.Join(err, <-errs)
	}
	l.stop()
	err = errors.Join(err, <-l.over)
	l.wait.Wait()
	for _, f := range l.flows {
		err = errors.Join(err, f.Close())
	}
	if l.phone != nil {
		err = errors.Join(err, l.phone.Close())
	}
	return err
}
