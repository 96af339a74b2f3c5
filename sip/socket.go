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
	// readBuffer is what the kernel may hold of a burst of datagrams, in bytes.
	readBuffer = 1 << 20
	// maxConnections are held at once on one listener, maxStrange of them from
	// addresses of no trunk, which are closed after strangeLife.
	maxConnections = 1_024
	maxStrange     = 32
	strangeLife    = 10 * time.Second
	// handshakeTime is what a TLS handshake may take.
	handshakeTime = 10 * time.Second
	// linger is how long sipgo still knows a connection, or the sources of a
	// round, after the end. It handles each message on a goroutine that nothing
	// joins, and one that finds its connection forgotten would open another: to
	// the host that the message's Via names, whoever that is.
	linger = time.Second
	// parting is the same when the transport itself is closed.
	parting = 50 * time.Millisecond
	// writeTime is how long a peer may leave our writing to a connection blocked.
	writeTime = 10 * time.Second
	// strangeRate and strangeBurst bound the datagrams per second that are read
	// from addresses of no trunk: enough to refuse them, not to be used by them.
	strangeRate  = 50
	strangeBurst = 100
)

// datagrams is a UDP socket as sipgo reads it, for one round. Datagrams of
// strangers beyond the rate are dropped unread. A round ends after
// sourcesPerRound addresses: next begins another on the same socket, with the
// datagram in hand, and this one's reader is held back for linger. One goroutine
// reads at a time.
type datagrams struct {
	*net.UDPConn
	knows   func(netip.Addr) bool
	strange *bucket
	next    func(*datagrams)
	seen    map[netip.AddrPort]struct{}
	held    []byte
	from    netip.AddrPort
	ready   chan struct{} // closed by the first read: sipgo can send from now on
	over    chan struct{} // closed when the transport is
	once    sync.Once
}

func newDatagrams(c *net.UDPConn, knows func(netip.Addr) bool, next func(*datagrams)) *datagrams {
	return &datagrams{UDPConn: c, knows: knows, strange: newBucket(strangeRate, strangeBurst), next: next,
		seen: map[netip.AddrPort]struct{}{}, ready: make(chan struct{}), over: make(chan struct{})}
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
		switch {
		case errors.Is(err, net.ErrClosed):
			<-d.over
			return 0, nil, net.ErrClosed
		case err != nil: // of the moment: no buffers, say
			if wait(5*time.Millisecond, d.over) {
				return 0, nil, net.ErrClosed
			}
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		if from.Port() == 0 || (!d.knows(from.Addr()) && !d.strange.take(time.Now())) {
			continue
		}
		if _, ok := d.seen[from]; !ok && len(d.seen) >= sourcesPerRound {
			d.next(&datagrams{UDPConn: d.UDPConn, knows: d.knows, strange: d.strange, next: d.next,
				seen: map[netip.AddrPort]struct{}{}, ready: make(chan struct{}), over: d.over,
				held: append([]byte{}, b[:n]...), from: from})
			wait(linger, d.over)
			return 0, nil, net.ErrClosed
		}
		d.seen[from] = struct{}{}
		return n, net.UDPAddrFromAddrPort(from), nil
	}
}

// wait waits, and says whether the transport was closed meanwhile.
func wait(d time.Duration, over <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-over:
		return true
	case <-t.C:
		return false
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
	over  chan struct{} // closed when the transport is

	mu             sync.Mutex
	total, strange int
}

func newConnections(l net.Listener, knows func(netip.Addr) bool, conf *tls.Config, log *slog.Logger) *connections {
	return &connections{Listener: l, knows: knows, tls: conf, log: log, over: make(chan struct{})}
}

// Accept implements net.Listener; its error is net.ErrClosed.
func (l *connections) Accept() (net.Conn, error) {
	const shortest, longest = 5 * time.Millisecond, time.Second
	pause := shortest
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			if g := l.admit(c); g != nil {
				return g, nil
			}
			pause = shortest
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return nil, fmt.Errorf("sip: accepting: %w", err)
		}
		if wait(pause, l.over) {
			return nil, fmt.Errorf("sip: accepting: %w", net.ErrClosed)
		}
		pause = min(2*pause, longest)
	}
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
	g := &guarded{Conn: c, over: l.over, gone: func() { l.release(strange) }}
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
	over  <-chan struct{}
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
		wait(linger, g.over)
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

// Close implements net.Conn. That a peer had gone before, so that TLS could
// not say goodbye, is no error.
func (g *guarded) Close() error {
	g.once.Do(g.gone)
	if err := g.Conn.Close(); errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
