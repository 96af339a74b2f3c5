package media

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	tick  = 5 * time.Millisecond
	turn  = 20 * time.Millisecond // every stream is served once a turn, or twice
	slots = int(turn / tick)
)

// clock is one thread that serves the streams given to it: each once every
// 20 ms, or every 10 ms, always at the same place of the turn, so that what
// it sends is evenly spaced. There is no goroutine, no ticker and no poller
// behind a stream; with no stream at all the thread sleeps until there is one.
type clock struct {
	mu      sync.Mutex // writers of slot
	slot    [slots]atomic.Pointer[[]*Stream]
	wake    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	overran func(ticks int)
}

func newClock(overran func(int)) *clock {
	c := &clock{wake: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}), overran: overran}
	for i := range c.slot {
		c.slot[i].Store(&[]*Stream{})
	}
	go c.run()
	return c
}

func (c *clock) close() {
	close(c.stop)
	<-c.stopped
}

// load is the number of servings per turn.
func (c *clock) load() int {
	n := 0
	for i := range c.slot {
		n += len(*c.slot[i].Load())
	}
	return n
}

// add gives s to the emptiest place of the turn.
func (c *clock) add(s *Stream, perTurn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	best := 0
	for i := range slots / perTurn {
		if len(*c.slot[i].Load()) < len(*c.slot[best].Load()) {
			best = i
		}
	}
	for i := best; i < slots; i += slots / perTurn {
		old := *c.slot[i].Load()
		list := append(append(make([]*Stream, 0, len(old)+1), old...), s)
		c.slot[i].Store(&list)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// remove takes s away. The thread may still be about to serve it once.
func (c *clock) remove(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slot {
		old := *c.slot[i].Load()
		list := make([]*Stream, 0, len(old))
		for _, o := range old {
			if o != s {
				list = append(list, o)
			}
		}
		c.slot[i].Store(&list)
	}
}

func (c *clock) run() {
	defer close(c.stopped)
	runtime.LockOSThread() // and never unlock: the thread ends with the clock
	if err := undisturbed(); err != nil {
		panic(err.Error())
	}
	next := monotonic()
	for n := 0; ; n++ {
		select {
		case <-c.stop:
			return
		default:
		}
		if c.load() == 0 {
			select {
			case <-c.stop:
				return
			case <-c.wake:
			}
			next = monotonic()
		}
		for i := 1; i < slots && len(*c.slot[n%slots].Load()) == 0; i++ {
			n++ // nobody there: sleep through
			next += tick
		}
		next = c.sleep(next + tick)
		now := time.Now()
		for _, s := range *c.slot[n%slots].Load() {
			s.serve(now)
		}
		forgetRegisters()
	}
}

// sleep waits until the monotonic time t, and gives the time to count from:
// t, or now if the thread is hopelessly late (a suspended machine).
func (c *clock) sleep(t time.Duration) time.Duration {
	if late := monotonic() - t; late >= 0 {
		if late > 10*turn {
			c.overran(int(late / tick))
			return t + late
		}
		return t
	}
	ts := unix.NsecToTimespec(int64(t))
	for {
		err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &ts, nil)
		if !errors.Is(err, unix.EINTR) {
			return t
		}
	}
}

func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("media: the monotonic clock cannot be read: " + err.Error())
	}
	return time.Duration(ts.Nano())
}
