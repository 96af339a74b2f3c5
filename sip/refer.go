package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	stack "github.com/emiago/sipgo/sip"
)

// ErrTransfer is a transfer that did not succeed.
var ErrTransfer = errors.New("sip: the transfer did not succeed")

// referral is a transfer under way (RFC 3515).
type referral struct {
	to      stack.Uri
	once    sync.Once
	settled chan struct{}
	err     error // read after settled
}

// settle gives the transfer its result; the first stays.
func (r *referral) settle(err error) {
	r.once.Do(func() {
		r.err = err
		close(r.settled)
	})
}

func (r *referral) over() bool {
	select {
	case <-r.settled:
		return true
	default:
		return false
	}
}

// Refer asks the far end to call target instead (blind transfer) and returns
// when it says that this succeeded, or that it did not (ErrTransfer). The call
// itself stays until either end hangs up; a far end that hangs up after it has
// accepted is taken to have succeeded.
func (c *Call) Refer(ctx context.Context, target string) error {
	r := &referral{settled: make(chan struct{})}
	if err := stack.ParseUri(target, &r.to); err != nil || unsoundURI(&r.to) || strings.ContainsFunc(target, forbidden) {
		return fmt.Errorf("%w: write one such as sip:desk@example.com", ErrBadTarget)
	}
	select {
	case c.commands <- command{refer: r}:
	case <-c.done:
		return fmt.Errorf("%w: %w", ErrTransfer, c.Err())
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-r.settled:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transfer sends the REFER. Its answer comes by a goroutine of its own, so that
// the dialog goes on.
func (c *Call) transfer(ctx context.Context, r *referral) {
	if c.referral != nil && !c.referral.over() {
		r.settle(fmt.Errorf("%w: another one is under way", ErrTransfer))
		return
	}
	c.referral = r
	req := c.d.request(ctx, stack.REFER)
	req.AppendHeader(&stack.ReferToHeader{Address: r.to})
	c.side.Go(func() {
		code := c.transact(ctx, req)
		if code < 200 || code > 299 {
			r.settle(fmt.Errorf("%w: refused with %d", ErrTransfer, code))
			return
		}
		<-c.done // what follows is told by NOTIFY, or by BYE
		r.settle(nil)
	})
}

// transact is the code of the final response to a request in the dialog, 408 if
// none came. A response that a BYE overtook is waited for, a little.
func (c *Call) transact(ctx context.Context, req *stack.Request) int {
	tx, err := c.d.t.txs.Request(ctx, req)
	if err != nil {
		return stack.StatusServiceUnavailable // RFC 3261 section 8.1.3.1
	}
	defer tx.Terminate()
	over := ctx.Done()
	var limit <-chan time.Time
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res.StatusCode
			}
		case <-tx.Done():
			return stack.StatusRequestTimeout
		case <-over:
			over, limit = nil, time.After(c.ua.timers.t1)
		case <-limit:
			return stack.StatusRequestTimeout
		}
	}
}

// notified takes the progress of our transfer: a message/sipfrag with the
// status line that the target answered (RFC 3515 section 2.4.5).
func (c *Call) notified(in *incoming) {
	event := in.req.GetHeader("event")
	if event == nil {
		event = in.req.GetHeader("o")
	}
	if event == nil || c.referral == nil {
		in.refuse(stack.StatusCallTransactionDoesNotExists)
		return
	}
	name, _, _ := strings.Cut(event.Value(), ";")
	if !strings.EqualFold(strings.TrimSpace(name), "refer") {
		in.refuse(stack.StatusCallTransactionDoesNotExists)
		return
	}
	in.reply(in.response(stack.StatusOK))
	code := fragment(in.req.Body())
	state := in.req.GetHeader("subscription-state")
	over := state != nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(state.Value())), "terminated")
	switch {
	case code >= 200 && code <= 299:
		c.referral.settle(nil)
	case code >= 300:
		c.referral.settle(fmt.Errorf("%w: the target answered %d", ErrTransfer, code))
	case over:
		c.referral.settle(fmt.Errorf("%w: its progress is not told", ErrTransfer))
	}
}

// fragment is the code of a status line, 0 if there is none.
func fragment(body []byte) int {
	line, _, _ := strings.Cut(string(body), "\n")
	f := strings.Fields(line)
	if len(f) < 2 || f[0] != "SIP/2.0" {
		return 0
	}
	code, err := strconv.Atoi(f[1])
	if err != nil || code < 100 || code > 699 {
		return 0
	}
	return code
}
