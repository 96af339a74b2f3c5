package sip

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds on what the network may make us keep.
const (
	// sourcesPerRound bounds the addresses that sipgo remembers for a UDP
	// socket; it forgets them only when its reader ends.
	sourcesPerRound = 16_384
	// maxConnections are held at once on one listener, maxStrange of them from
	// addresses of no trunk, which are closed after strangeLife.
	maxConnections = 1_024
	maxStrange     = 32
	strangeLife    = 10 * time.Second
	// handshakeTime is what a TLS handshake may take.
	handshakeTime = 10 * time.Second
	// writeTime is how long a peer may leave our writing to a connection blocked.
	writeTime = 10 * time.Second
	// strangeRate and strangeBurst bound the datagrams per second that are read
	// from addresses of no trunk: enough to refuse them, not to be used by them.
	strangeRate  = 50
	strangeBurst = 100
)

// datagrams is a UDP socket as sipgo reads it. Datagrams of strangers beyond
// the rate are dropped unread. After sourcesPerRound addresses it ends sipgo's
// reader, with the datagram in hand kept, so that a new reader begins with an
// empty memory. One goroutine reads.
type datagrams struct {
	*net.UDPConn
	knows   func(netip.Addr) bool
	strange *bucket
	seen    map[netip.AddrPort]struct{}
	held    []byte
	from    netip.AddrPort
	ready   chan struct{} // closed by the first read: sipgo can send from now on
	once    sync.Once
}

func newDatagrams(c *net.UDPConn, knows func(netip.Addr) bool) *datagrams {
	return &datagrams{UDPConn: c, knows: knows, strange: newBucket(strangeRate, strangeBurst),
		seen: map[netip.AddrPort]struct{}{}, ready: make(chan struct{})}
}

// ReadFrom implements net.PacketConn. net.ErrClosed ends the round.
func (d *datagrams) ReadFrom(b []byte) (int, net.Addr, error) {
	d.once.Do(func() { close(d.ready) })
	if d.held != nil {
		n := copy(b, d.held)
		d.held = nil
		d.seen[d.from] = struct{}{}
		return n, net.UDPAddrFromAddrPort(d.from), nil
	}
	for {
		n, from, err := d.ReadFromUDPAddrPort(b)
		if err != nil {
			return 0, nil, fmt.Errorf("sip: reading a datagram: %w", err)
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if from.Port() == 0 || (!d.knows(from.Addr()) && !d.strange.take(time.Now())) {
			continue
		}
		if _, ok := d.seen[from]; !ok && len(d.seen) >= sourcesPerRound {
			d.held, d.from = append([]byte{}, b[:n]...), from
			clear(d.seen)
			return 0, nil, net.ErrClosed
		}
		d.seen[from] = struct{}{}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// bucket is a token bucket. It belongs to one goroutine.
type bucket struct {
	rate, burst, tokens float64
	last                time.Time
}

func newBucket(rate, burst float64) *bucket { return &bucket{rate: rate, burst: burst, tokens: burst} }

func (b *bucket) take(now time.Time) bool {
	if !b.last.IsZero() {
		b.tokens = min(b.burst, b.tokens+b.rate*max(0, now.Sub(b.last).Seconds()))
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// connections is a TCP or TLS listener as sipgo accepts from it: bounded, and
// an error of accept (no descriptors left, say) is waited out instead of
// ending the listener.
type connections struct {
	net.Listener
	knows func(netip.Addr) bool
	tls   *tls.Config // nil for TCP
	log   *slog.Logger
	stop  chan struct{}
	once  sync.Once

	mu             sync.Mutex
	total, strange int
}

func newConnections(l net.Listener, knows func(netip.Addr) bool, conf *tls.Config, log *slog.Logger) *connections {
	return &connections{Listener: l, knows: knows, tls: conf, log: log, stop: make(chan struct{})}
}

// Accept implements net.Listener; its error is net.ErrClosed.
func (l *connections) Accept() (net.Conn, error) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	wait := shortest
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			if g := l.admit(c); g != nil {
				return g, nil
			}
			wait = shortest
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, fmt.Errorf("sip: accepting: %w", err)
		}
		select {
		case <-l.stop:
			return nil, fmt.Errorf("sip: accepting: %w", net.ErrClosed)
		case <-time.After(wait):
			wait = min(2*wait, longest)
		}
	}
}

// Close implements net.Listener.
func (l *connections) Close() error {
	l.once.Do(func() { close(l.stop) })
	return l.Listener.Close()
}

// admit is the guarded connection, nil (and c closed) if there is no room.
func (l *connections) admit(c net.Conn) net.Conn {
	source, err := netip.ParseAddrPort(c.RemoteAddr().String())
	strange := err != nil || !l.knows(source.Addr())
	l.mu.Lock()
	full := l.total >= maxConnections || (strange && l.strange >= maxStrange)
	if !full {
		l.total++
		if strange {
			l.strange++
		}
	}
	l.mu.Unlock()
	if full {
		closeQuietly(c, l.log)
		return nil
	}
	g := &guarded{Conn: c, gone: func() { l.release(strange) }}
	if strange {
		g.until = time.Now().Add(strangeLife)
		if c.SetReadDeadline(g.until) != nil { // it is broken already
			closeQuietly(g, l.log)
			return nil
		}
	}
	if l.tls != nil {
		g.tls = tls.Server(c, l.tls)
		g.Conn = g.tls
	}
	return g
}

func (l *connections) release(strange bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if strange {
		l.strange--
	}
}

// closeQuietly closes what carried nothing that matters.
func closeQuietly(c io.Closer, log *slog.Logger) {
	if err := c.Close(); err != nil {
		log.Debug("sip: a connection did not close cleanly")
	}
}

// guarded is an accepted connection with its deadlines.
type guarded struct {
	net.Conn
	tls   *tls.Conn // nil for TCP
	until time.Time // of a stranger, else zero
	gone  func()
	shook bool // the handshake is over; belongs to the reader
	once  sync.Once
}

// Read shakes hands first, within handshakeTime.
func (g *guarded) Read(b []byte) (int, error) {
	if g.tls != nil && !g.shook {
		limit := time.Now().Add(handshakeTime)
		if !g.until.IsZero() && g.until.Before(limit) {
			limit = g.until
		}
		if err := g.SetDeadline(limit); err != nil {
			return 0, err
		}
		if err := g.tls.Handshake(); err != nil { //nolint:noctx // bounded by the deadline
			return 0, net.ErrClosed // a scanner's failed handshake is no fault of ours
		}
		if err := g.SetDeadline(g.until); err != nil {
			return 0, err
		}
		g.shook = true
	}
	n, err := g.Conn.Read(b)
	if err != nil {
		return n, net.ErrClosed // however a peer goes, it is gone
	}
	return n, nil
}

// Write gives up on a peer that does not read.
func (g *guarded) Write(b []byte) (int, error) {
	if err := g.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return g.Conn.Write(b)
}

// Close implements net.Conn.
func (g *guarded) Close() error {
	g.once.Do(g.gone)
	return g.Conn.Close()
}
