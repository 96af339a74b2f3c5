package sip

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	stack "github.com/emiago/sipgo/sip"

	"lethe/media"
	"lethe/policy"
)

// Bounds of a call.
const (
	// mailbox is how many requests of the far end may wait for the call.
	mailbox = 16
	// graceServe is how long the 200 to a BYE waits for the conversation to
	// end, so that whoever reads it may know that the audio is gone. It is less
	// than T1, after which the BYE would be repeated.
	graceServe = 300 * time.Millisecond
	// slowServe is when a conversation that outlives its call is reported.
	slowServe = 10 * time.Second
)

// States of an INVITE that we received.
const (
	undecided int32 = iota
	answered
	cancelled
)

// Ended says who ended a call and why. Reason is ours, never a peer's words.
type Ended struct {
	Result Result
	Code   int // of the refusal, or of the Reason of a BYE; 0 if there is none
	Reason string
}

// Error implements error.
func (e *Ended) Error() string { return "sip: call ended: " + e.Reason }

// Call is one call: a dialog and its media. Its goroutine owns the dialog; the
// methods may be called from any.
type Call struct {
	ua    *UA
	id    policy.ConversationID
	t     *transport
	trunk *trunk // nil: a call that we placed
	facts policy.Facts
	merge string
	abort context.CancelFunc // ends the call's goroutine without more ado

	settled atomic.Int32

	events   chan event
	commands chan command
	done     chan struct{} // the call is over
	gone     chan struct{} // the BYE was answered, or there was none

	// Of the call's goroutine. d.key and d.t do not change once registered.
	d        *dialog
	stream   stream
	unacked  *unacked
	early    *incoming // a re-INVITE that waits for the ACK before it
	leaving  *command  // a hangup that waits for the ACK of our 2xx
	serving  context.CancelFunc
	served   chan verdict
	referral *referral
	side     sync.WaitGroup

	mu     sync.Mutex
	closed bool // no more events are taken
	ended  *Ended
}

// event is a request of the far end, or the CSeq of a 2xx that it repeated.
type event struct {
	in    *incoming
	again uint32
}

// command is what a method of Call asks of its goroutine.
type command struct {
	stop   <-chan struct{} // the asker waits no longer
	code   int
	reason string
	refer  *referral // nil: hang up
}

// verdict is what a conversation returned.
type verdict struct{ err error }

func newCall(u *UA, t *transport) *Call {
	return &Call{
		ua: u, id: policy.NewConversationID(), t: t,
		events: make(chan event, mailbox), commands: make(chan command),
		done: make(chan struct{}), gone: make(chan struct{}),
	}
}

// ID is the conversation's: random, and not the Call-ID.
func (c *Call) ID() policy.ConversationID { return c.id }

// Transport is UDP, TCP or TLS.
func (c *Call) Transport() string { return c.t.proto }

// Done is closed when the call is over.
func (c *Call) Done() <-chan struct{} { return c.done }

// Err is nil until Done is closed, and then an *Ended.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		return nil
	}
	return c.ended
}

// Hangup ends the call with BYE; code and reason go into its Reason header
// (RFC 3326) unless code is 0. It returns when the far end has answered. A call
// that is over already is no error.
func (c *Call) Hangup(ctx context.Context, code int, reason string) error {
	select {
	case c.commands <- command{stop: ctx.Done(), code: code, reason: reason}:
	case <-c.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-c.done: // the BYE is out: the context ended because the call did
		return nil
	default:
		return ctx.Err()
	}
}

// cancel takes a CANCEL. sipgo calls it with the transaction locked.
func (c *Call) cancel() {
	if c.settled.CompareAndSwap(undecided, cancelled) {
		c.ua.responded(stack.StatusRequestTerminated)
		c.end(&Ended{Result: ResultCancelled, Reason: "cancelled"})
	}
}

// post hands a request to the call; false if it can't be taken.
func (c *Call) post(in *incoming) bool { return c.offer(event{in: in}) }

// postAck asks for the ACK of a 2xx once more.
func (c *Call) postAck(seq uint32) { c.offer(event{again: seq}) }

func (c *Call) offer(e event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	select {
	case c.events <- e:
		return true
	default:
		return false
	}
}

// end marks the call as over; the first cause stays.
func (c *Call) end(e *Ended) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == nil {
		c.ended = e
		close(c.done)
	}
}

// attend is the life of the dialog.
func (c *Call) attend(ctx context.Context) {
	for c.Err() == nil {
		select {
		case e := <-c.events:
			c.handle(ctx, e)
		case cmd := <-c.commands:
			c.obey(ctx, cmd)
		case <-c.stopped():
			c.hangup(ctx, *c.leaving)
		case ack := <-c.unacked.acks():
			c.acked(ctx, ack)
		case <-c.unacked.due():
			c.repeat(ctx)
		case v := <-c.served:
			c.servedEnded(ctx, v.err)
		case <-c.stream.Done():
			c.mediaEnded(ctx)
		case <-ctx.Done():
			c.quit(ctx, &Ended{Result: ResultFailed, Reason: "the user agent was closed"}, 0, "")
		}
	}
}

// handle takes one event. The far end's requests in a dialog: ACK, BYE,
// re-INVITE, OPTIONS and NOTIFY.
func (c *Call) handle(ctx context.Context, e event) {
	in := e.in
	if in == nil {
		if e.again == c.d.invite && c.trunk == nil {
			c.ack(ctx)
		}
		return
	}
	if in.req.IsAck() {
		c.acked(ctx, in.req)
		return
	}
	if !c.d.next(in) {
		in.refuse(stack.StatusInternalServerError) // RFC 3261 section 12.2.2
		return
	}
	switch in.req.Method {
	case stack.BYE:
		c.bye(in)
	case stack.INVITE:
		c.reinvited(ctx, in)
	case stack.OPTIONS:
		in.reply(in.capabilities()) // whatever new calls would get
	case stack.NOTIFY:
		c.notified(in)
	default:
		in.refuse(stack.StatusMethodNotAllowed)
	}
}

// bye ends the call as the far end wishes. The audio goes first.
func (c *Call) bye(in *incoming) {
	c.forget(&Ended{Result: ResultCaller, Reason: "the far end hung up"})
	if c.served != nil {
		t := time.NewTimer(graceServe)
		defer t.Stop()
		select {
		case <-c.served:
			c.served = nil
		case <-t.C:
		}
	}
	in.reply(in.response(stack.StatusOK))
	close(c.gone)
}

// forget ends the conversation and destroys the audio.
func (c *Call) forget(e *Ended) {
	c.end(e)
	if c.serving != nil {
		c.serving()
	}
	if c.stream != nil {
		c.stream.Close()
	}
}

// obey takes a command.
func (c *Call) obey(ctx context.Context, cmd command) {
	switch {
	case cmd.refer != nil:
		c.transfer(ctx, cmd.refer)
	case c.unacked != nil && c.unacked.initial:
		c.leaving = &cmd // no BYE before the ACK (RFC 3261 section 15)
	default:
		c.hangup(ctx, cmd)
	}
}

// stopped is ready when a hangup that waits for an ACK waits no longer.
func (c *Call) stopped() <-chan struct{} {
	if c.leaving == nil {
		return nil
	}
	return c.leaving.stop
}

func (c *Call) hangup(ctx context.Context, cmd command) {
	c.quit(ctx, &Ended{Result: ResultAgent, Code: cmd.code, Reason: "we hung up"}, cmd.code, cmd.reason)
}

// servedEnded hangs up when the conversation is over.
func (c *Call) servedEnded(ctx context.Context, err error) {
	c.served = nil
	switch {
	case errors.Is(err, errPanic):
		c.quit(ctx, &Ended{Result: ResultFailed, Code: stack.StatusInternalServerError, Reason: "the conversation panicked"},
			stack.StatusInternalServerError, "")
	case err != nil && !errors.Is(err, context.Canceled):
		c.ua.log.Warn("sip: a conversation failed", "conversation", string(c.id), "error", err)
		c.quit(ctx, &Ended{Result: ResultFailed, Reason: "the conversation failed"}, stack.StatusInternalServerError, "")
	default:
		c.quit(ctx, &Ended{Result: ResultAgent, Reason: "the conversation ended"}, 0, "")
	}
}

func (c *Call) mediaEnded(ctx context.Context) {
	if errors.Is(c.stream.Err(), media.ErrMediaTimeout) {
		c.quit(ctx, &Ended{Result: ResultMedia, Reason: "no media was received"}, 0, "")
		return
	}
	if c.served != nil { // closing the stream is how a conversation begins to end
		c.serving()
		t := time.NewTimer(graceServe)
		defer t.Stop()
		select {
		case v := <-c.served:
			c.servedEnded(ctx, v.err)
			return
		case <-t.C:
		}
	}
	c.quit(ctx, &Ended{Result: ResultAgent, Reason: "the media ended"}, 0, "")
}

// release gives back what the call held, after its conversation has ended.
func (c *Call) release() {
	c.forget(&Ended{Result: ResultFailed, Reason: "the call was given up"})
	c.abort()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	for {
		select {
		case e := <-c.events:
			if e.in != nil {
				e.in.refuse(stack.StatusCallTransactionDoesNotExists)
			}
			continue
		default:
		}
		break
	}
	if c.early != nil {
		c.early.refuse(stack.StatusRequestTerminated)
	}
	select {
	case <-c.gone:
	default:
		close(c.gone)
	}
	if c.served != nil {
		c.join()
	}
	c.side.Wait()
	c.unacked.stop()
	c.ua.dismiss(c)
}

// join waits for the conversation, and says so if it takes its time.
func (c *Call) join() {
	t := time.NewTimer(slowServe)
	defer t.Stop()
	select {
	case <-c.served:
		return
	case <-t.C:
		c.ua.log.Warn("sip: a conversation has not ended though its call has", "conversation", string(c.id))
	}
	<-c.served
}
