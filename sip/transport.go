package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"syscall"

	stack "github.com/emiago/sipgo/sip"
)

// transport is one bound address, or for TCP and TLS also none when it only
// dials, with transport and transaction layers of its own: sipgo keeps
// connections by their far end, so two sockets in one layer would answer for
// each other.
type transport struct {
	ua    *UA
	proto string // UDP, TCP or TLS
	local netip.AddrPort
	layer *stack.TransportLayer
	txs   *stack.TransactionLayer
	shut  func() error  // closes the socket
	ready chan struct{} // closed when sipgo can send from the socket
	over  chan struct{} // closed when the readers may go

	readers sync.WaitGroup
}

func (u *UA) newTransport(proto string) *transport {
	t := &transport{ua: u, proto: proto}
	log := slog.New(newQuiet(u.log, proto, u.deps.Observe.Malformed))
	t.layer = stack.NewTransportLayer(net.DefaultResolver, stack.NewParser(), u.clientTLS,
		stack.WithTransportLayerLogger(log))
	t.txs = stack.NewTransactionLayer(t.layer,
		stack.WithTransactionLayerLogger(log),
		stack.WithTransactionLayerUnhandledResponseHandler(t.stray))
	t.txs.OnRequest(t.receive)
	return t
}

// bind listens on the address: the kernel takes what comes from here on. serve
// reads it until the transport is closed.
func (t *transport) bind(ctx context.Context, key, addr string) (serve func(), err error) {
	var lc net.ListenConfig
	if t.proto == "UDP" {
		pc, err := lc.ListenPacket(ctx, listenNetwork("udp", addr), addr)
		if err != nil {
			return nil, bindError(key, addr, err)
		}
		conn, ok := pc.(*net.UDPConn)
		if !ok {
			return nil, errors.Join(fmt.Errorf("sip: %s: not a UDP socket", key), pc.Close())
		}
		if err := conn.SetReadBuffer(readBuffer); err != nil {
			return nil, errors.Join(bindError(key, addr, err), pc.Close())
		}
		d := newDatagrams(conn, t.ua.knows, t.serveUDP)
		t.local, t.shut, t.ready, t.over = addrPort(pc.LocalAddr()), pc.Close, d.ready, d.over
		return func() { t.serveUDP(d) }, nil
	}
	l, err := lc.Listen(ctx, listenNetwork("tcp", addr), addr)
	if err != nil {
		return nil, bindError(key, addr, err)
	}
	t.local, t.shut = addrPort(l.Addr()), l.Close
	if t.proto == "TLS" {
		c := newConnections(l, t.ua.knows, t.ua.serverTLS, t.ua.log)
		t.over = c.over
		return func() { t.readers.Go(func() { t.ended(t.layer.ServeTLS(c)) }) }, nil
	}
	c := newConnections(l, t.ua.knows, nil, t.ua.log)
	t.over = c.over
	return func() { t.readers.Go(func() { t.ended(t.layer.ServeTCP(c)) }) }, nil
}

// bindError says which address, which key, and what to do.
func bindError(key, addr string, err error) error {
	remedy := "choose an address of this machine"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = "another program listens there: stop it, or choose another port"
	case errors.Is(err, syscall.EACCES):
		remedy = "this user may not bind that port: choose one above 1023, or grant CAP_NET_BIND_SERVICE"
	}
	return fmt.Errorf("sip.%s: cannot listen on %s: %w (%s)", key, addr, err, remedy)
}

// serveUDP begins a round of reading.
func (t *transport) serveUDP(d *datagrams) {
	t.readers.Go(func() { t.ended(t.layer.ServeUDP(d)) })
}

// ended reports a listener that ended before the UA was closed.
func (t *transport) ended(err error) {
	if err != nil && !errors.Is(err, net.ErrClosed) {
		t.ua.log.Error("sip: a listener ended", "transport", t.proto, "address", t.local.String())
	}
}

// close ends the socket, the transactions and the connections, in that order,
// and waits for the readers. Between, sipgo has a moment for the messages that
// it has in hand.
func (t *transport) close() error {
	var err error
	if t.shut != nil {
		err = t.shut()
	}
	t.txs.Close()
	if t.over != nil {
		wait(parting, nil)
		close(t.over)
	}
	t.readers.Wait()
	if e := t.layer.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
		err = errors.Join(err, e)
	}
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// connected says whether the connection from or to the address still stands.
func (t *transport) connected(addr string) bool {
	c, err := t.layer.GetConnection(t.proto, addr)
	if err != nil {
		return false
	}
	_, err = c.TryClose()
	return err == nil
}

// host is the address that a peer reaches us at: ours, or for a wildcard the
// one that the route to the peer has.
func (t *transport) host(ctx context.Context, peer string) netip.Addr {
	if t.local.IsValid() && !t.local.Addr().IsUnspecified() {
		return t.local.Addr()
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", peer) // sends nothing
	if err != nil {
		return netip.IPv6Unspecified()
	}
	defer closeQuietly(c, t.ua.log)
	return addrPort(c.LocalAddr()).Addr()
}

// contact is our address in a dialog (RFC 3261 section 12.1.1). It names no user.
func (t *transport) contact(ctx context.Context, peer string, secure bool) stack.ContactHeader {
	c := stack.ContactHeader{Address: stack.Uri{Scheme: "sip", Host: uriHost(t.host(ctx, peer)), Port: int(t.local.Port())}}
	if secure {
		c.Address.Scheme = "sips"
	} else if t.proto != "UDP" {
		c.Address.UriParams = stack.HeaderParams{{K: "transport", V: strings.ToLower(t.proto)}}
	}
	return c
}

// via is a new top Via of a request of ours (RFC 3261 section 8.1.1.7) with
// rport (RFC 3581). sipgo fills in host and port of a connection that we dial.
func (t *transport) via(ctx context.Context, peer string) *stack.ViaHeader {
	v := &stack.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: t.proto}
	if t.local.IsValid() {
		v.Host, v.Port = t.host(ctx, peer).String(), int(t.local.Port())
	}
	v.Params = stack.HeaderParams{{K: "branch", V: stack.RFC3261BranchMagicCookie + random()}, {K: "rport"}}
	return v
}

// aim sets where a request goes and which socket it leaves from.
func (t *transport) aim(req *stack.Request, dest string) {
	req.SetTransport(t.proto)
	req.SetDestination(dest)
	if t.proto == "UDP" {
		req.Laddr = stack.Addr{IP: t.local.Addr().AsSlice(), Port: int(t.local.Port())}
	}
}

// stray takes the responses of no transaction: a repeated 2xx to an INVITE of
// ours wants its ACK again (RFC 3261 section 13.2.2.4).
func (t *transport) stray(res *stack.Response) { t.ua.strayResponse(t, res) }

// clientConfig verifies those whom we dial.
func (u *UA) clientConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: u.deps.Roots}
}

func addrPort(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// uriHost is an address as a URI has it: IPv6 in brackets.
func uriHost(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

func hostPort(host string, port int) string {
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
}
