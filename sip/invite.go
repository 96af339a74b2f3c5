package sip

import (
	"context"
	"errors"
	"net/url"
	"strings"

	stack "github.com/emiago/sipgo/sip"

	"lethe/media"
	"lethe/policy"
)

const (
	sdpType = "application/sdp"
	// retryFull is the Retry-After, in seconds, of a refusal for want of room.
	retryFull = 10
)

// invited decides on a new INVITE: 415, 404, 482, 503 or 480, or it begins a
// call, whose goroutine gives the rest of the answer.
func (u *UA) invited(in *incoming) {
	if code := u.unwanted(in); code != 0 {
		u.refused(in, code)
		return
	}
	c := newCall(u, in.t)
	c.trunk = in.trunk
	c.merge = mergeKey(in.req)
	ctx, cancel := context.WithCancel(context.Background())
	c.abort = cancel
	if code := u.admit(c); code != 0 {
		cancel()
		u.refused(in, code)
		return
	}
	if !in.tx.OnCancel(func(*stack.Request) { c.cancel() }) {
		c.cancel()
	} else if err := in.respond(in.response(stack.StatusTrying)); err != nil {
		in.terminated(err)
		c.cancel()
	}
	facts := policy.Facts{
		Conversation: c.id,
		Channel:      policy.SIP,
		From:         policy.Said(user(&in.req.From().Address)),
		To:           user(&in.req.Recipient),
		Trunk:        in.trunk.name,
	}
	go c.runServer(ctx, in, facts)
}

// refused answers an INVITE that begins no call.
func (u *UA) refused(in *incoming, code int) {
	u.ended(ResultRefused)
	u.log.Info("sip: call refused", "trunk", in.trunk.name, "transport", in.t.proto, "code", code)
	if code == stack.StatusServiceUnavailable || code == stack.StatusTemporarilyUnavailable {
		in.refuse(code, retryAfter(retryFull))
		return
	}
	in.refuse(code)
}

// unwanted is the code for an INVITE that would be refused at any time.
func (u *UA) unwanted(in *incoming) int {
	if code := bodyFault(in.req); code != 0 {
		return code
	}
	number := user(&in.req.Recipient)
	if number == "" || !in.trunk.reaches(number) || u.deps.Numbers == nil || !u.deps.Numbers(number) {
		return stack.StatusNotFound
	}
	if u.deps.Serve == nil || u.ready() != nil {
		return stack.StatusServiceUnavailable
	}
	return 0
}

// bodyFault is 415 for a body that is not SDP (RFC 3261 section 8.2.3).
func bodyFault(req *stack.Request) int {
	for _, h := range append(req.GetHeaders("content-encoding"), req.GetHeaders("e")...) {
		if !strings.EqualFold(strings.TrimSpace(h.Value()), "identity") {
			return stack.StatusUnsupportedMediaType
		}
	}
	if len(req.Body()) == 0 {
		return 0
	}
	h := req.GetHeader("content-type")
	if h == nil {
		return stack.StatusUnsupportedMediaType
	}
	kind, _, _ := strings.Cut(h.Value(), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), sdpType) {
		return stack.StatusUnsupportedMediaType
	}
	return 0
}

// admit takes a place for the call, or says with which code there is none: 503
// when we are full, so that the carrier tries another node, and 480 when only
// the trunk has used up its share.
func (u *UA) admit(c *Call) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, merged := u.merges[c.merge]
	switch {
	case merged:
		return stack.StatusLoopDetected
	case u.draining || len(u.calls) >= u.cfg.MaxCalls:
		return stack.StatusServiceUnavailable
	case c.trunk.max > 0 && c.trunk.calls >= c.trunk.max:
		return stack.StatusTemporarilyUnavailable
	}
	c.trunk.calls++
	u.merges[c.merge] = struct{}{}
	u.enrol(c)
	return 0
}

// mergeKey is equal for copies of one INVITE that came by different ways (RFC
// 3261 section 8.2.2.2).
func mergeKey(req *stack.Request) string {
	return string(*req.CallID()) + "\x00" + req.From().Params.GetOr("tag", "") + "\x00" + req.CSeq().Value()
}

// runServer answers the INVITE and attends to the dialog. It is the call's goroutine.
func (c *Call) runServer(ctx context.Context, in *incoming, facts policy.Facts) {
	defer c.release()
	if !c.answer(ctx, in) {
		return
	}
	c.facts = facts
	c.attend(ctx)
}

// answer negotiates and sends the 2xx, with our answer to an early offer or
// our offer if the INVITE had none.
func (c *Call) answer(ctx context.Context, in *incoming) bool {
	body, err := c.negotiate(in)
	if err != nil {
		if c.settled.CompareAndSwap(undecided, answered) {
			code := c.ua.codeOf(err)
			c.ua.refuseCall(in, code)
			c.end(&Ended{Result: ResultRefused, Code: code, Reason: "the offer could not be taken"})
		}
		return c.withdrawn()
	}
	c.d = newServerDialog(ctx, in)
	res := c.ok(in, body)
	c.unacked = newUnacked(in, res, len(in.req.Body()) == 0)
	c.unacked.initial = true
	if !c.settled.CompareAndSwap(undecided, answered) {
		return c.withdrawn()
	}
	c.ua.register(c)
	err = in.respond(res)
	if in.terminated(err) { // CANCEL came between the decision and the answer
		c.ua.responded(stack.StatusRequestTerminated)
		return c.withdrawn()
	}
	if err != nil {
		c.end(&Ended{Result: ResultFailed, Reason: "the answer could not be sent"})
		return false
	}
	return true
}

// terminated says whether a response came too late because CANCEL was faster
// and sipgo has sent 487. It repeats the last response that it was given, so it
// is given that.
func (in *incoming) terminated(err error) bool {
	if !errors.Is(err, stack.ErrTransactionCanceled) {
		return false
	}
	if err := in.tx.Respond(in.response(stack.StatusRequestTerminated)); err != nil && !errors.Is(err, stack.ErrTransactionCanceled) {
		in.t.ua.log.Debug("sip: a response could not be sent", "transport", in.t.proto)
	}
	return true
}

// withdrawn ends a call whose CANCEL came first.
func (c *Call) withdrawn() bool {
	c.end(&Ended{Result: ResultCancelled, Reason: "cancelled"})
	return false
}

// negotiate asks media for its side of the session. A panic there ends this
// call alone.
func (c *Call) negotiate(in *incoming) (body []byte, err error) {
	defer c.ua.recovered(&err)
	if offer := in.req.Body(); len(offer) > 0 {
		c.stream, body, err = c.ua.plane.answer(c.trunk.terms, offer)
	} else {
		c.stream, body, err = c.ua.plane.offer(c.trunk.terms)
	}
	return body, err
}

// ok is a 2xx to an INVITE of the dialog.
func (c *Call) ok(in *incoming, body []byte) *stack.Response {
	res := in.response(stack.StatusOK)
	res.To().Params.Add("tag", c.d.key.local)
	contact := c.d.contact
	res.AppendHeader(&contact)
	res.AppendHeader(stack.NewHeader("Allow", allowed))
	kind := stack.ContentTypeHeader(sdpType)
	res.AppendHeader(&kind)
	res.SetBody(body)
	return res
}

// codeOf is the refusal for an error of media. Its text is logged only where it
// can't hold what a peer wrote.
func (u *UA) codeOf(err error) int {
	switch {
	case errors.Is(err, media.ErrNoCommonCodec), errors.Is(err, media.ErrUnsupported):
		return stack.StatusNotAcceptableHere
	case errors.Is(err, media.ErrBadSDP):
		return stack.StatusBadRequest
	case errors.Is(err, media.ErrFull), errors.Is(err, media.ErrArenaFull):
		return stack.StatusServiceUnavailable
	}
	if !errors.Is(err, errPanic) {
		u.log.Error("sip: media could not be set up", "error", err)
	}
	return stack.StatusInternalServerError
}

// refuseCall refuses an INVITE that a call had begun for.
func (u *UA) refuseCall(in *incoming, code int) {
	u.log.Info("sip: call refused", "trunk", in.trunk.name, "transport", in.t.proto, "code", code)
	if code == stack.StatusServiceUnavailable {
		in.refuse(code, retryAfter(retryFull))
		return
	}
	in.refuse(code)
}

// user is the user part of an address: what was dialled, or who dials. Of a tel
// URI (RFC 3966) it is the number. Parameters are left out, escapes are undone.
func user(u *stack.Uri) string {
	s := u.User
	if u.Scheme == "tel" {
		s = u.Raw()
	}
	s, _, _ = strings.Cut(s, ";")
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	if len(s) > longestID || strings.ContainsFunc(s, control) {
		return ""
	}
	return s
}
