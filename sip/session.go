package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	stack "github.com/emiago/sipgo/sip"

	"lethe/media"
)

// timers are those of RFC 3261 section 17.1.1.1.
type timers struct{ t1, t2 time.Duration }

func defaultTimers() timers { return timers{t1: 500 * time.Millisecond, t2: 4 * time.Second} }

// life is 64*T1: how long an answer is waited for.
func (t timers) life() time.Duration { return 64 * t.t1 }

// unacked is a 2xx of ours that waits for its ACK (RFC 3261 section 13.3.1.4).
// A nil one waits for nothing.
type unacked struct {
	in       *incoming
	res      *stack.Response
	seq      uint32
	initial  bool // of the INVITE that began the call
	delayed  bool // the ACK brings the answer to our offer
	interval time.Duration
	until    time.Time
	timer    *time.Timer
}

func newUnacked(in *incoming, res *stack.Response, delayed bool) *unacked {
	t := in.t.ua.timers
	return &unacked{in: in, res: res, seq: in.req.CSeq().SeqNo, delayed: delayed,
		interval: t.t1, until: time.Now().Add(t.life()), timer: time.NewTimer(t.t1)}
}

// acks yields ACKs that carry the INVITE's own branch, which sipgo takes for
// part of its transaction.
func (u *unacked) acks() <-chan *stack.Request {
	if u == nil {
		return nil
	}
	return u.in.tx.Acks()
}

func (u *unacked) due() <-chan time.Time {
	if u == nil {
		return nil
	}
	return u.timer.C
}

func (u *unacked) stop() {
	if u != nil {
		u.timer.Stop()
	}
}

// repeat sends the 2xx again, at intervals that double up to T2, over any
// transport. After 64*T1 without an ACK the session ends with BYE.
func (c *Call) repeat(ctx context.Context) {
	u := c.unacked
	if !time.Now().Before(u.until) {
		c.quit(ctx, &Ended{Result: ResultNoAck, Reason: "the answer was not acknowledged"}, stack.StatusRequestTimeout, "")
		return
	}
	u.in.reply(u.res)
	u.interval = min(2*u.interval, c.ua.timers.t2)
	u.timer.Reset(min(u.interval, time.Until(u.until)))
}

// acked takes an ACK. The conversation begins with the first: until then the
// far end has not shown that it is where it says it is.
func (c *Call) acked(ctx context.Context, ack *stack.Request) {
	u := c.unacked
	if u == nil || ack.CSeq() == nil || ack.CSeq().SeqNo != u.seq {
		return
	}
	u.stop()
	c.unacked = nil
	if u.in.t.proto != "UDP" {
		u.in.tx.Terminate() // nothing is repeated there
	}
	if u.delayed {
		if err := c.accept(ack); err != nil && u.initial {
			c.quit(ctx, &Ended{Result: ResultFailed, Code: c.ua.codeOf(err), Reason: "the answer could not be taken"}, c.ua.codeOf(err), "")
			return
		}
	}
	switch {
	case c.leaving != nil:
		c.hangup(ctx, *c.leaving)
		return
	case u.initial:
		c.converse(ctx)
	}
	if in := c.early; in != nil {
		c.early = nil
		c.reinvited(ctx, in)
	}
}

// accept takes the answer to an offer of ours.
func (c *Call) accept(msg stack.Message) (err error) {
	defer c.ua.recovered(&err)
	if len(msg.Body()) == 0 {
		return fmt.Errorf("sip: no answer came: %w", media.ErrBadSDP)
	}
	return c.stream.Accept(msg.Body())
}

// converse starts the conversation.
func (c *Call) converse(ctx context.Context) {
	ctx, c.serving = context.WithCancel(ctx)
	served := make(chan verdict, 1)
	c.served = served
	go func() {
		var err error
		defer func() { served <- verdict{err} }()
		defer c.ua.recovered(&err)
		err = c.ua.deps.Serve(ctx, c, c.facts)
	}()
}

// reinvited answers an INVITE in the dialog: hold, resume, new media address.
// A refusal leaves the session as it was (RFC 3261 section 14.2). One that
// overtook the ACK of the INVITE before it waits for that ACK.
func (c *Call) reinvited(ctx context.Context, in *incoming) {
	if c.unacked != nil {
		if c.early != nil {
			in.refuse(stack.StatusInternalServerError, retryAfter(1+rand.IntN(10))) //nolint:gosec // spreads retries, hides nothing
			return
		}
		c.early = in
		return
	}
	if code := bodyFault(in.req); code != 0 {
		in.refuse(code)
		return
	}
	body, err := c.reoffer(in.req.Body())
	if errors.Is(err, errPanic) {
		in.refuse(stack.StatusInternalServerError)
		c.quit(ctx, &Ended{Result: ResultFailed, Code: stack.StatusInternalServerError, Reason: "media panicked"},
			stack.StatusInternalServerError, "")
		return
	}
	if err != nil {
		in.refuse(c.ua.codeOf(err))
		return
	}
	c.d.refresh(in.req)
	res := c.ok(in, body)
	c.unacked = newUnacked(in, res, len(in.req.Body()) == 0)
	in.reply(res)
}

// reoffer asks media for the answer, or for an offer if there was none.
func (c *Call) reoffer(offer []byte) (body []byte, err error) {
	defer c.ua.recovered(&err)
	if len(offer) == 0 {
		return c.stream.Offer(), nil
	}
	return c.stream.Reoffer(offer)
}

// quit ends the call from our side: the audio goes, then BYE, whose answer is
// waited for while the far end's own requests are still answered.
func (c *Call) quit(ctx context.Context, e *Ended, code int, text string) {
	c.forget(e)
	defer close(c.gone)
	req := c.d.request(ctx, stack.BYE)
	if code != 0 {
		req.AppendHeader(stack.NewHeader("Reason", fmt.Sprintf(`SIP;cause=%d;text="%s"`, code, quotable(text, code))))
	}
	if ctx.Err() != nil {
		c.quitInHaste(req)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.ua.timers.life())
	defer cancel()
	tx, err := c.d.t.txs.Request(ctx, req)
	if err != nil {
		c.ua.log.Warn("sip: a BYE could not be sent", "conversation", string(c.id), "transport", c.t.proto)
		return
	}
	defer tx.Terminate()
	c.byeAnswered(ctx, tx)
}

// quitInHaste says BYE without waiting, for an answer or for a connection.
func (c *Call) quitInHaste(bye *stack.Request) {
	_, err := netip.ParseAddrPort(bye.Destination())
	if err == nil && (c.t.proto == "UDP" || c.t.connected(bye.Destination())) {
		err = c.t.layer.WriteMsg(bye)
	}
	if err != nil {
		c.ua.log.Debug("sip: a BYE could not be sent", "conversation", string(c.id))
	}
}

// byeAnswered waits for the final response to our BYE.
func (c *Call) byeAnswered(ctx context.Context, tx *stack.ClientTx) {
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return
			}
		case <-tx.Done():
			return
		case <-ctx.Done():
			return
		case e := <-c.events:
			switch {
			case e.in == nil || e.in.req.IsAck():
			case e.in.req.Method == stack.BYE: // they crossed
				e.in.reply(e.in.response(stack.StatusOK))
			default:
				e.in.refuse(stack.StatusCallTransactionDoesNotExists)
			}
		}
	}
}

// quotable is text as a quoted string may have it (RFC 3261 section 25.1).
func quotable(text string, code int) string {
	if text == "" {
		text = reason(code)
	}
	text = strings.Map(func(r rune) rune {
		if control(r) || r == '\t' || r == '"' || r == '\\' || r > '~' {
			return -1
		}
		return r
	}, text)
	return text[:min(len(text), 64)]
}
