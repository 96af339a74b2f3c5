package caller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"lethe/media"
)

const (
	// tick is how often the call is looked at; it bounds no measurement, which
	// are made on the clock thread.
	tick = 20 * time.Millisecond
	// pause is the silence after which the far end is taken to have finished.
	pause = time.Second
	// silent is how long without a packet is told: far ends that save packets
	// when nobody speaks send one now and then all the same.
	silent = 3 * time.Second
	// goodbye is how long hanging up and the last of the text may take.
	goodbye = 3 * time.Second
)

// leg is the answered call; sip.Call is one.
type leg interface {
	Media() *media.Stream
	Hangup(ctx context.Context, code int, reason string) error
	Done() <-chan struct{}
	Err() error
}

// call is one call as it goes on. One goroutine, place's, owns it.
type call struct {
	o      Options
	leg    leg
	stream *media.Stream
	ear    *listener
	view   *view
	begun  time.Time
	mute   bool // the far end did not answer the last line: it is not waited for again
	result Result

	received uint64    // packets, when it was last looked
	lively   time.Time // when there was last one more
}

// place dials, plays the script and hangs up.
func place(ctx context.Context, o Options, steps []step, v *view) (Result, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, ErrTimeout)
	defer cancel()
	p, err := newPhone(ctx, o)
	if err != nil {
		return Result{}, err
	}
	v.emit(Event{Kind: "calling", Party: "call", Text: o.Target})
	dialled := time.Now()
	l, err := p.dial(ctx, o)
	if err != nil {
		return Result{}, errors.Join(refused(ctx, err), p.close())
	}
	c := &call{o: o, leg: l, stream: l.Media(), ear: newListener(), view: v, begun: time.Now()}
	c.result.Answered = c.begun.Sub(dialled)
	c.result.CallID = string(l.ID())
	err = c.run(ctx, p.plane.Arena(), steps)
	return c.result, errors.Join(err, p.close(), v.failed())
}

// refused says why there is no call.
func refused(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// run is the answered call, until it is hung up.
func (c *call) run(ctx context.Context, arena *media.Arena, steps []step) error {
	c.view.start(c.begun)
	c.view.emit(Event{Kind: "answered", Party: "call", Text: "by " + c.stream.Stats().Codec})
	rec, err := c.listen(arena)
	if err != nil {
		return errors.Join(err, c.hangup())
	}
	follow := c.follow(ctx)
	err = c.play(ctx, steps)
	c.measure()
	err = errors.Join(err, c.hangup(), follow())
	if rec != nil {
		err = errors.Join(err, rec.close())
	}
	c.view.emit(Event{Kind: "ended", Party: "call", Text: c.result.String()})
	return err
}

// listen puts the ears on: the detector's, the recorder's if there is one, and
// that of whoever wants to know what was sent.
func (c *call) listen(arena *media.Arena) (*recorder, error) {
	if _, err := c.stream.Listen(media.Caller, 0, c.ear); err != nil {
		return nil, fmt.Errorf("caller: %w", err)
	}
	if c.o.Sent != nil {
		if _, err := c.stream.Listen(media.Agent, 0, sentEar{c.o.Sent}); err != nil {
			return nil, fmt.Errorf("caller: %w", err)
		}
	}
	if c.o.Record == "" {
		return nil, nil
	}
	return record(c.o.Record, arena, c.stream)
}

// follow starts to tell the text of the call; what it returns stops that and
// gives the error, if there was one.
func (c *call) follow(ctx context.Context) func() error {
	if c.o.Follow == nil {
		return func() error { return nil }
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	var err error
	wg.Go(func() {
		err = c.o.Follow(ctx, c.result.CallID, func(e Event) {
			if e.Kind == "" {
				e.Kind = "heard"
			}
			c.view.emit(e)
		})
	})
	return func() error {
		late := time.AfterFunc(goodbye, cancel) // the last words and the receipt come after the BYE
		wg.Wait()
		late.Stop()
		cancel()
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return err
	}
}

// play says the lines, each after the far end has finished.
func (c *call) play(ctx context.Context, steps []step) error {
	lines := make([][]int16, len(steps))
	for i := range steps {
		steps[i].audio = steps[i].audio.to(c.stream.Rate())
		lines[i] = steps[i].audio.pcm
	}
	if c.o.Prepared != nil {
		c.o.Prepared(lines, c.stream.Rate())
	}
	for i, s := range steps {
		err := c.play1(ctx, s)
		if errors.Is(err, errHungUp) {
			c.result.HungUp = true
			return fmt.Errorf("%w: %d of %d were", ErrUnsaid, i, len(steps))
		}
		if err != nil {
			return err
		}
		c.result.Said++
	}
	err := c.finished(ctx)
	if errors.Is(err, errHungUp) {
		c.result.HungUp = true
		return nil
	}
	return err
}

// errHungUp says that the far end ended the call.
var errHungUp = errors.New("caller: the far end hung up")

// play1 says one line and measures the answer to it.
func (c *call) play1(ctx context.Context, s step) error {
	if !s.line.Interrupt {
		if err := c.finished(ctx); err != nil {
			return err
		}
	} else if err := c.speaking(ctx); err != nil {
		return err
	}
	if err := c.rest(ctx, s.line.Wait); err != nil {
		return err
	}
	c.ear.arm()
	c.view.emit(s.event())
	over, err := c.say(ctx, s)
	if err != nil {
		return err
	}
	return c.answer(ctx, over)
}

// say sends one line and returns when its speech was over.
func (c *call) say(ctx context.Context, s step) (time.Time, error) {
	if s.line.Keys != "" {
		err := c.stream.SendKeys(ctx, s.line.Keys)
		return time.Now(), c.why(ctx, err)
	}
	speech := c.stream.Speech()
	err := speech.Write(ctx, s.audio.pcm, s.audio.rate)
	if err == nil {
		err = speech.Drained(ctx)
	}
	return time.Now().Add(-s.audio.trailing()), c.why(ctx, err)
}

// why turns what a closed stream says into what happened.
func (c *call) why(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		return cause
	}
	select {
	case <-c.leg.Done():
		return errHungUp
	default:
	}
	if errors.Is(err, media.ErrClosed) {
		return errHungUp
	}
	return fmt.Errorf("caller: %w", err)
}

// answer waits until the far end begins to answer what was over then; no
// answer within Linger is no error.
func (c *call) answer(ctx context.Context, over time.Time) error {
	came, err := c.until(ctx, c.o.Linger, c.spoken)
	c.mute = !came
	if at, ok := c.ear.answer(); ok && at.After(over) {
		c.result.Replies = append(c.result.Replies, at.Sub(over))
		c.view.emit(Event{Kind: "latency", Party: "call", Latency: at.Sub(over).Milliseconds()})
	}
	return err
}

// finished waits until the far end has said something since the last line and
// has been silent for a while; when it says nothing, for no longer than Linger.
func (c *call) finished(ctx context.Context) error {
	if !c.mute {
		if _, err := c.until(ctx, c.o.Linger, c.spoken); err != nil {
			return err
		}
	}
	_, err := c.until(ctx, c.o.Timeout, func(now time.Time) bool { return c.ear.silence(now) >= pause })
	return err
}

func (c *call) spoken(time.Time) bool { _, ok := c.ear.answer(); return ok }

// speaking waits until the far end is speaking, to interrupt it.
func (c *call) speaking(ctx context.Context) error {
	_, err := c.until(ctx, c.o.Linger, func(now time.Time) bool { return c.ear.silence(now) < gap })
	return err
}

func (c *call) rest(ctx context.Context, d time.Duration) error {
	_, err := c.until(ctx, d, func(time.Time) bool { return false })
	return err
}

// until waits for ready, no longer than limit, and says whether it came.
func (c *call) until(ctx context.Context, limit time.Duration, ready func(time.Time) bool) (bool, error) {
	if limit <= 0 {
		return false, nil
	}
	end := time.NewTimer(limit)
	defer end.Stop()
	clock := time.NewTicker(tick)
	defer clock.Stop()
	for {
		now := time.Now()
		c.alive(now)
		if ready(now) {
			return true, nil
		}
		select {
		case <-clock.C:
		case <-end.C:
			return false, nil
		case <-c.leg.Done():
			return false, errHungUp
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// alive notes when packets came.
func (c *call) alive(now time.Time) {
	if n := c.stream.Stats().Received; n != c.received || c.lively.IsZero() {
		c.received, c.lively = n, now
	}
}

// measure takes the figures while the stream still is, and tells when the far
// end went silent altogether: it may be gone without a BYE.
func (c *call) measure() {
	now := time.Now()
	if c.alive(now); !c.result.HungUp && now.Sub(c.lively) > silent {
		c.view.emit(Event{Kind: "silent", Party: "call", Text: fmt.Sprintf("nothing was received in the last %.0f s", now.Sub(c.lively).Seconds())})
	}
	s := c.stream.Stats()
	r := &c.result
	r.Codec, r.Sent, r.Received, r.Lost, r.Jitter = s.Codec, s.Sent, s.Received, s.Lost, s.Jitter
	r.Lasted, r.Heard = time.Since(c.begun), time.Duration(c.ear.heard.Load())
}

// hangup ends the call; it has a time of its own, because the call's may be over.
func (c *call) hangup() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	select {
	case <-c.leg.Done():
		return nil
	default:
	}
	if err := c.leg.Hangup(ctx, 0, ""); err != nil {
		return fmt.Errorf("caller: hanging up: %w", err)
	}
	return nil
}
