package sip

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/netip"
	"strings"

	stack "github.com/emiago/sipgo/sip"
)

// Longest values that we keep of a peer's message.
const (
	longestID    = 256
	longestRoute = 20
	longestURI   = 1_024
)

// dialogKey names a dialog as this end sees it (RFC 3261 section 12).
type dialogKey struct{ callID, local, remote string }

// dialog is what both ends of a call share (RFC 3261 section 12.1). It belongs
// to the call's goroutine; key and t never change.
type dialog struct {
	key     dialogKey
	t       *transport
	peer    string // where the far end's latest request or response came from, IP:port
	local   stack.FromHeader
	remote  stack.ToHeader
	target  stack.Uri   // the far end's Contact
	routes  []stack.Uri // nearest first
	contact stack.ContactHeader
	seq     uint32 // CSeq of our latest request
	seen    uint32 // CSeq of the far end's latest request
	invite  uint32 // CSeq of the INVITE whose ACK is awaited or was sent
}

// newServerDialog is the dialog that a request of the far end begins.
func newServerDialog(ctx context.Context, in *incoming) *dialog {
	req := in.req
	tag := random()
	d := &dialog{
		key:    dialogKey{string(*req.CallID()), tag, req.From().Params.GetOr("tag", "")},
		t:      in.t,
		peer:   req.Source(),
		local:  stack.FromHeader{Address: *req.To().Address.Clone(), Params: stack.HeaderParams{{K: "tag", V: tag}}},
		remote: req.From().AsTo(),
		target: *req.Contact().Address.Clone(),
		seq:    0,
		seen:   req.CSeq().SeqNo,
		invite: req.CSeq().SeqNo,
	}
	d.contact = in.t.contact(ctx, d.peer, req.Recipient.Scheme == "sips")
	for _, h := range req.GetHeaders("Record-Route") {
		if r, ok := h.(*stack.RecordRouteHeader); ok {
			d.routes = append(d.routes, *r.Address.Clone())
		}
	}
	return d
}

// learn takes the far end's part from a 2xx to our INVITE (section 12.1.2).
func (d *dialog) learn(res *stack.Response) error {
	c := res.Contact()
	if c == nil || unsoundURI(&c.Address) || res.To() == nil {
		return fmt.Errorf("sip: the answer has no usable Contact")
	}
	rrs := res.GetHeaders("Record-Route")
	if len(rrs) > longestRoute {
		return fmt.Errorf("sip: the answer has %d routes", len(rrs))
	}
	d.target = *c.Address.Clone()
	d.remote = stack.ToHeader{DisplayName: res.To().DisplayName, Address: *res.To().Address.Clone(), Params: res.To().Params.Clone()}
	d.key.remote = res.To().Params.GetOr("tag", "")
	d.routes = nil
	for i := len(rrs) - 1; i >= 0; i-- {
		r, ok := rrs[i].(*stack.RecordRouteHeader)
		if !ok || unsoundURI(&r.Address) {
			return fmt.Errorf("sip: the answer has an unusable route")
		}
		d.routes = append(d.routes, *r.Address.Clone())
	}
	return nil
}

// request is a new request of ours in the dialog (section 12.2.1.1). seq is
// the INVITE's for ACK, and the next otherwise.
func (d *dialog) request(ctx context.Context, method stack.RequestMethod) *stack.Request {
	target, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router
		target, routes = routes[0], append(append([]stack.Uri{}, routes[1:]...), d.target)
	}
	req := stack.NewRequest(method, *target.Clone())
	req.Recipient.Headers = nil
	dest := d.destination()
	req.AppendHeader(d.t.via(ctx, dest))
	for _, r := range routes {
		req.AppendHeader(&stack.RouteHeader{Address: *r.Clone()})
	}
	local := d.local
	remote := d.remote
	id := stack.CallIDHeader(d.key.callID)
	seq := d.invite
	if method != stack.ACK {
		d.seq++
		seq = d.seq
	}
	hops := stack.MaxForwardsHeader(70)
	contact := d.contact
	for _, h := range []stack.Header{&local, &remote, &id, &stack.CSeqHeader{SeqNo: seq, MethodName: method}, &hops, &contact,
		stack.NewHeader("User-Agent", product)} {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	d.t.aim(req, dest)
	return req
}

// destination is where our requests in the dialog go. A TCP or TLS peer is
// reached on the connection that it opened, as long as that stands: behind NAT
// there is no other way. Otherwise it is the first route, else the Contact,
// unless that is an address that can't be reached from here (a private one of a
// peer that came from elsewhere): then where its messages come from.
func (d *dialog) destination() string {
	if d.t.proto != "UDP" && d.t.connected(d.peer) {
		return d.peer
	}
	next := d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	host := strings.Trim(next.Host, "[]")
	if a, err := netip.ParseAddr(host); len(d.routes) == 0 && err == nil && behindNAT(a, d.peer) {
		return d.peer
	}
	port := next.Port
	if port == 0 {
		port = stack.DefaultPort(d.t.proto)
	}
	return hostPort(host, port)
}

// behindNAT says whether contact is an address that only its own network
// knows, while its messages come from another one.
func behindNAT(contact netip.Addr, peer string) bool {
	p, err := netip.ParseAddrPort(peer)
	if err != nil || p.Addr().Unmap() == contact.Unmap() {
		return false
	}
	c := contact.Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10) // RFC 6598
	return c.IsUnspecified() || c.IsLoopback() || c.IsLinkLocalUnicast() || shared.Contains(c) ||
		(c.IsPrivate() && !p.Addr().Unmap().IsPrivate())
}

// next takes the CSeq of a request of the far end; false means out of order
// (section 12.2.2).
func (d *dialog) next(in *incoming) bool {
	seq := in.req.CSeq().SeqNo
	if seq <= d.seen {
		return false
	}
	d.seen = seq
	d.peer = in.req.Source()
	return true
}

// refresh takes a new remote target (section 12.2.2).
func (d *dialog) refresh(req *stack.Request) {
	if c := req.Contact(); c != nil && !unsoundURI(&c.Address) {
		d.target = *c.Address.Clone()
	}
}

// unsoundURI says whether a URI of a peer can't stand in our own requests.
func unsoundURI(u *stack.Uri) bool {
	s := u.String()
	return (u.Scheme != "sip" && u.Scheme != "sips" && u.Scheme != "") || u.Host == "" || u.Wildcard ||
		len(s) > longestURI || strings.ContainsFunc(s, forbidden)
}

// random is 128 bits for tags, branches, Call-IDs and conversations: nobody
// can guess it, and it says nothing.
func random() string { return rand.Text() }
