package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"

	stack "github.com/emiago/sipgo/sip"

	"lethe/media"
)

// Dial places a call and returns when it was answered and acknowledged. When
// ctx ends before that, the INVITE is cancelled, in the background and as part
// of what Close waits for. A refusal is an *Ended with its code. The UA need
// not listen.
func (u *UA) Dial(ctx context.Context, o DialOptions) (*Call, error) {
	target, proto, err := aimOf(o)
	if err != nil {
		return nil, err
	}
	dest, err := destination(ctx, target, proto)
	if err != nil {
		return nil, err
	}
	t, err := u.dialer(ctx, proto, dest)
	if err != nil {
		return nil, err
	}
	c := newCall(u, t)
	own, cancel := context.WithCancel(context.Background())
	c.abort = cancel
	if err := u.begin(c, dest); err != nil {
		cancel()
		return nil, err
	}
	terms := media.Terms{Codecs: o.Codecs}
	if len(terms.Codecs) == 0 {
		terms.Codecs = codecs()
	}
	err = c.dial(ctx, own, terms, target, o.From, dest)
	if err == nil {
		go func() {
			defer u.forgetPeer(dest)
			defer c.release()
			c.attend(own)
		}()
		return c, nil
	}
	var w *withdrawn
	if errors.As(err, &w) {
		go func() {
			defer u.forgetPeer(dest)
			defer c.release()
			c.withdraw(own, w)
		}()
		return nil, w.cause
	}
	var e *Ended
	if !errors.As(err, &e) {
		e = &Ended{Result: ResultFailed, Reason: "the call could not be placed"}
	}
	c.end(e)
	c.release()
	u.forgetPeer(dest)
	return nil, err
}

// withdrawn is an INVITE that is still open when its caller wants no more.
type withdrawn struct {
	cause error
	tx    *stack.ClientTx
	req   *stack.Request
	heard bool // a provisional response came, so CANCEL may go (RFC 3261 section 9.1)
}

func (w *withdrawn) Error() string { return w.cause.Error() }

// aimOf checks what a message would be made of.
func aimOf(o DialOptions) (target stack.Uri, proto string, err error) {
	if err = stack.ParseUri(o.Target, &target); err != nil || unsoundURI(&target) || strings.ContainsFunc(o.Target, forbidden) {
		return target, "", fmt.Errorf("%w: write one such as sip:support@127.0.0.1:5060", ErrBadTarget)
	}
	if o.From != "" && !regexp.MustCompile(`^[A-Za-z0-9+._~*'()&=$!-]{1,64}$`).MatchString(o.From) {
		return target, "", fmt.Errorf("%w: the caller's number may have letters, digits and +._~*'()&=$!- only", ErrBadTarget)
	}
	proto = strings.ToUpper(o.Transport)
	if proto == "" {
		proto = strings.ToUpper(target.UriParams.GetOr("transport", "udp"))
	}
	if target.Scheme == "sips" {
		proto = "TLS"
	}
	if proto != "UDP" && proto != "TCP" && proto != "TLS" {
		return target, "", fmt.Errorf("%w: write udp, tcp or tls", ErrNoTransport)
	}
	return target, proto, nil
}

// destination resolves the target. A TLS peer keeps its name, which its
// certificate has to show.
func destination(ctx context.Context, target stack.Uri, proto string) (string, error) {
	port := target.Port
	if port == 0 {
		port = stack.DefaultPort(proto)
	}
	host := strings.Trim(target.Host, "[]")
	if _, err := netip.ParseAddr(host); err == nil || proto == "TLS" {
		return hostPort(host, port), nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(ips) == 0 {
		return "", fmt.Errorf("%w: its host name cannot be resolved", ErrBadTarget)
	}
	for _, ip := range ips {
		if ip.Unmap().Is4() {
			return hostPort(ip.Unmap().String(), port), nil
		}
	}
	return hostPort(ips[0].String(), port), nil
}

// dialer is the transport to call from: one that listens, so that the far end
// can call back in the dialog, or one made for dialling.
func (u *UA) dialer(ctx context.Context, proto, dest string) (*transport, error) {
	peer, _ := netip.ParseAddrPort(dest) // not valid for a TLS host name
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return nil, ErrClosed
	}
	for _, t := range u.transports {
		local := t.local.Addr()
		if t.proto == proto && (!t.local.IsValid() || !peer.IsValid() ||
			(local.Is4() == peer.Addr().Is4() && (!local.IsLoopback() || peer.Addr().IsLoopback()))) {
			return t, nil
		}
	}
	t := u.newTransport(proto)
	if proto == "UDP" {
		serve, err := t.bind(ctx, "insecure_udp", netip.AddrPortFrom(t.host(ctx, dest), 0).String())
		if err != nil {
			return nil, err
		}
		t.run(serve)
	}
	u.transports = append(u.transports, t)
	return t, nil
}

// begin takes a place for a call that we place, and lets its peer's messages in.
func (u *UA) begin(c *Call, dest string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.draining {
		return ErrClosed
	}
	if len(u.calls) >= u.cfg.MaxCalls {
		return media.ErrFull
	}
	if ap, err := netip.ParseAddrPort(dest); err == nil {
		u.dialled[ap.Addr().Unmap()]++
	}
	u.enrol(c)
	return nil
}

func (u *UA) forgetPeer(dest string) {
	ap, err := netip.ParseAddrPort(dest)
	if err != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	a := ap.Addr().Unmap()
	if u.dialled[a]--; u.dialled[a] <= 0 {
		delete(u.dialled, a)
	}
}

// dial sends the INVITE and follows it to its final response.
func (c *Call) dial(ctx, own context.Context, terms media.Terms, target stack.Uri, from, dest string) error {
	offer, err := c.offerMedia(terms)
	if err != nil {
		return fmt.Errorf("sip: media for a call: %w", err)
	}
	req, err := c.invitation(ctx, target, from, dest, offer)
	if err != nil {
		return err
	}
	tx, err := c.d.t.txs.Request(ctx, req)
	if err != nil {
		return fmt.Errorf("sip: the INVITE could not be sent over %s", c.t.proto) // sipgo's text has the URI
	}
	tx.OnRetransmission(c.d.t.stray) // a 2xx again, before its dialog takes over
	res, err := c.outcome(ctx, tx, req)
	if err != nil {
		return err
	}
	defer tx.Terminate() // a repeated 2xx finds the dialog instead
	if !res.IsSuccess() {
		return &Ended{Result: ResultRefused, Code: res.StatusCode, Reason: fmt.Sprintf("refused with %d", res.StatusCode)}
	}
	return c.established(own, res)
}

func (c *Call) offerMedia(terms media.Terms) (offer []byte, err error) {
	defer c.ua.recovered(&err)
	c.stream, offer, err = c.ua.plane.offer(terms)
	return offer, err
}

// invitation is the INVITE, and with it the dialog as far as we know it.
func (c *Call) invitation(ctx context.Context, target stack.Uri, from, dest string, offer []byte) (*stack.Request, error) {
	t := c.t
	local := stack.Uri{Scheme: target.Scheme, User: from, Host: uriHost(t.host(ctx, dest))}
	if from == "" {
		local.User, local.Host = "anonymous", "anonymous.invalid"
	}
	tag := random()
	c.d = &dialog{
		key: dialogKey{callID: random(), local: tag}, t: t, peer: dest, target: target,
		local:   stack.FromHeader{Address: local, Params: stack.HeaderParams{{K: "tag", V: tag}}},
		remote:  stack.ToHeader{Address: stack.Uri{Scheme: target.Scheme, User: target.User, Host: target.Host, Port: target.Port}},
		contact: t.contact(ctx, dest, target.Scheme == "sips"),
	}
	req := c.d.request(ctx, stack.INVITE)
	c.d.invite = c.d.seq
	t.aim(req, dest)
	if t.proto != "UDP" && !t.local.IsValid() { // our address is the connection's
		conn, err := t.layer.ClientRequestConnection(ctx, req)
		if err != nil {
			return nil, fmt.Errorf("sip: no connection over %s to the target: %w", t.proto, withoutAddress(err))
		}
		ours := addrPort(conn.LocalAddr())
		if _, err := conn.TryClose(); err != nil {
			return nil, fmt.Errorf("sip: no connection over %s to the target", t.proto)
		}
		c.d.contact.Address.Host, c.d.contact.Address.Port = uriHost(ours.Addr()), int(ours.Port())
		contact := c.d.contact
		req.ReplaceHeader(&contact)
	}
	req.AppendHeader(stack.NewHeader("Allow", allowed))
	req.AppendHeader(stack.NewHeader("Accept", sdpType))
	kind := stack.ContentTypeHeader(sdpType)
	req.AppendHeader(&kind)
	req.SetBody(offer)
	return req, nil
}

// withoutAddress keeps what went wrong and drops with whom.
func withoutAddress(err error) error {
	for e := err; e != nil; e = errors.Unwrap(e) {
		if errors.Unwrap(e) == nil {
			return e
		}
	}
	return err
}

// outcome is the final response, or a *withdrawn.
func (c *Call) outcome(ctx context.Context, tx *stack.ClientTx, req *stack.Request) (*stack.Response, error) {
	heard := false
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
			heard = true
		case <-tx.Done():
			return nil, &Ended{Result: ResultFailed, Code: stack.StatusRequestTimeout, Reason: "no answer came"}
		case <-ctx.Done():
			return nil, &withdrawn{cause: ctx.Err(), tx: tx, req: req, heard: heard}
		}
	}
}

// established acknowledges the 2xx and begins the session.
func (c *Call) established(own context.Context, res *stack.Response) error {
	c.d.remote.Params = res.To().Params.Clone()
	if err := c.d.learn(res); err != nil {
		c.ack(own)
		c.quit(own, &Ended{Result: ResultFailed, Reason: "the answer was unsound"}, stack.StatusBadRequest, "")
		return err
	}
	c.settled.Store(answered)
	c.ua.register(c)
	c.ack(own)
	if err := c.accept(res); err != nil {
		c.quit(own, &Ended{Result: ResultFailed, Reason: "the answer could not be taken"}, c.ua.codeOf(err), "")
		return fmt.Errorf("sip: the answer could not be taken: %w", err)
	}
	return nil
}

// ack acknowledges a 2xx (RFC 3261 section 13.2.2.4).
func (c *Call) ack(ctx context.Context) {
	if err := c.d.t.layer.WriteMsg(c.d.request(ctx, stack.ACK)); err != nil {
		c.ua.log.Warn("sip: an ACK could not be sent", "conversation", string(c.id), "transport", c.t.proto)
	}
}

// withdraw sees an unwanted INVITE to its end: CANCEL once a provisional
// response has come, and ACK and BYE if the 2xx was faster.
func (c *Call) withdraw(own context.Context, w *withdrawn) {
	defer w.tx.Terminate()
	c.forget(&Ended{Result: ResultCancelled, Reason: "cancelled"})
	limit := time.NewTimer(c.ua.timers.life())
	defer limit.Stop()
	var cancel *stack.ClientTx
	defer func() {
		if cancel != nil {
			cancel.Terminate()
		}
	}()
	closing := c.ua.closing
	for {
		if w.heard && cancel == nil {
			tx, err := c.d.t.txs.Request(own, c.cancelRequest(w.req))
			if err != nil {
				return
			}
			cancel = tx
		}
		select {
		case res := <-w.tx.Responses():
			switch {
			case res.IsProvisional():
				w.heard = true
				continue
			case res.IsSuccess() && c.d.learn(res) == nil:
				c.ack(own)
				c.quit(own, &Ended{Result: ResultCancelled, Reason: "cancelled"}, 0, "")
			}
			return
		case <-responsesOf(cancel):
		case <-closing:
			if !w.heard { // there may be nobody, and nothing that we may send
				return
			}
			closing = nil
		case <-w.tx.Done():
			return
		case <-limit.C:
			return
		case <-own.Done():
			return
		}
	}
}

func responsesOf(tx *stack.ClientTx) <-chan *stack.Response {
	if tx == nil {
		return nil
	}
	return tx.Responses()
}

// cancelRequest is the CANCEL of an INVITE (RFC 3261 section 9.1).
func (c *Call) cancelRequest(invite *stack.Request) *stack.Request {
	req := stack.NewRequest(stack.CANCEL, *invite.Recipient.Clone())
	hops := stack.MaxForwardsHeader(70)
	for _, h := range []stack.Header{invite.Via().Clone(), stack.HeaderClone(invite.From()), stack.HeaderClone(invite.To()),
		stack.HeaderClone(invite.CallID()), &stack.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: stack.CANCEL}, &hops} {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	c.d.t.aim(req, invite.Destination())
	return req
}
