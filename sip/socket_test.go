package sip

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func nobody(netip.Addr) bool    { return false }
func everybody(netip.Addr) bool { return true }

// broken is a listener whose Accept fails a few times, as without descriptors.
type broken struct {
	net.Listener
	mu    sync.Mutex
	fails int
}

func (b *broken) Accept() (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fails > 0 {
		b.fails--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return b.Listener.Accept()
}

func listenTCP(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestListenerOutlivesEMFILE(t *testing.T) {
	l := newConnections(&broken{Listener: listenTCP(t), fails: 4}, everybody, nil, slog.New(slog.DiscardHandler))
	dialWire(t, "tcp", addrPort(l.Addr()), nil)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	close(l.over)
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
}

func TestStrangersGetFewConnectionsForAShortTime(t *testing.T) {
	l := newConnections(listenTCP(t), nobody, nil, slog.New(slog.DiscardHandler))
	letGo(t, l)
	var held []net.Conn
	for range maxStrange {
		dialWire(t, "tcp", addrPort(l.Addr()), nil)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	g, ok := held[0].(*guarded)
	if !ok || g.until.IsZero() || time.Until(g.until) > strangeLife {
		t.Error("a stranger's connection has no end")
	}
	over := dialWire(t, "tcp", addrPort(l.Addr()), nil)
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			accepted <- c
		}
		close(accepted)
	}()
	began := time.Now()
	if m := over.read(patience); m != "" || time.Since(began) > patience/2 {
		t.Errorf("one too many got %q after %v", m, time.Since(began))
	}
	if err := held[0].Close(); err != nil {
		t.Error(err)
	}
	if err := held[0].Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	dialWire(t, "tcp", addrPort(l.Addr()), nil)
	if c := <-accepted; c == nil {
		t.Error("no place was given back")
	} else {
		held = append(held, c)
	}
	for _, c := range held[1:] {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if l.total != 0 || l.strange != 0 {
		t.Errorf("%d connections, %d of strangers, are still counted", l.total, l.strange)
	}
}

// TestRoundsForgetSources: sipgo keeps every address a socket heard from; a
// new round forgets them, and no datagram is lost by it.
func TestRoundsForgetSources(t *testing.T) {
	u := start(t, loopback(), deps(t, &record{}))
	tr := u.transports[0]
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	full := newDatagrams(conn, everybody, func(d *datagrams) {
		tr.local = addrPort(conn.LocalAddr())
		tr.serveUDP(d)
	})
	for i := range sourcesPerRound {
		full.seen[netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1)] = struct{}{}
	}
	w := dialUDP(t, addrPort(conn.LocalAddr()))
	s := newScript(w)
	w.send(s.later("OPTIONS", 1, "", ""))
	done := make(chan error, 1)
	go func() {
		_, _, err := full.ReadFrom(make([]byte, 2048))
		done <- err
	}()
	w.want("SIP/2.0 200") // by the reader of the next round, from the same socket
	w.send(s.later("OPTIONS", 2, "", ""))
	w.want("SIP/2.0 200")
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the round did not end: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	close(full.over)
}

// TestNoConnectionToWhoeverViaNames: a peer that is gone before its request was
// handled must not make us open a connection to the host in its Via.
func TestNoConnectionToWhoeverViaNames(t *testing.T) {
	conf := loopback()
	conf.InsecureTCP = []string{"127.0.0.1:0"}
	u := start(t, conf, deps(t, &record{}))
	victim := listenTCP(t)
	letGo(t, victim)
	called := make(chan struct{})
	go func() {
		defer close(called)
		if c, err := victim.Accept(); err == nil {
			t.Error("the host in Via was called")
			if err := c.Close(); err != nil {
				t.Log(err)
			}
		}
	}()
	for range 300 {
		w := dialWire(t, "tcp", address(t, u, "TCP"), nil)
		m := newScript(w).later("OPTIONS", 1, "", "")
		w.send(strings.Replace(m, w.conn.LocalAddr().String()+";rport", victim.Addr().String(), 1))
		if err := w.conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, u)
	if err := victim.Close(); err != nil {
		t.Error(err)
	}
	<-called
}

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(10, 5)
		took := 0
		for range 100 {
			if b.take(time.Now()) {
				took++
			}
		}
		time.Sleep(time.Second) // of the bubble's clock
		for range 100 {
			if b.take(time.Now()) {
				took++
			}
		}
		if took != 10 {
			t.Errorf("%d tokens", took)
		}
	})
}

// TestStalledHandshake: a TLS peer that says nothing does not keep the others waiting.
func TestStalledHandshake(t *testing.T) {
	cert, key, pool := certificate(t)
	conf := loopback()
	conf.TLS, conf.Certificate, conf.Key = []string{"127.0.0.1:0"}, cert, key
	u := start(t, conf, deps(t, &record{}))
	for range 20 {
		dialWire(t, "tcp", address(t, u, "TLS"), nil)
	}
	w := dialWire(t, "tcp", address(t, u, "TLS"), tlsConfig(pool))
	s := newScript(w)
	w.send(strings.Replace(s.later("OPTIONS", 1, "", ""), "SIP/2.0/TCP", "SIP/2.0/TLS", 1))
	w.want("SIP/2.0 200")
}

func TestOldTLSIsRefused(t *testing.T) {
	cert, key, pool := certificate(t)
	conf := loopback()
	conf.TLS, conf.Certificate, conf.Key = []string{"127.0.0.1:0"}, cert, key
	u := start(t, conf, deps(t, &record{}))
	c := tlsConfig(pool)
	c.MinVersion, c.MaxVersion = 0x0301, 0x0302 //nolint:gosec // what must be refused
	if err := dialTLS(t, address(t, u, "TLS"), c); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

// TestTwoListenersAnswerForThemselves: one peer talks to two of our sockets.
func TestTwoListenersAnswerForThemselves(t *testing.T) {
	conf := loopback()
	conf.InsecureUDP = []string{"127.0.0.1:0", "127.0.0.1:0"}
	u := start(t, conf, deps(t, &record{}))
	peer, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	letGo(t, peer)
	b := make([]byte, 4096)
	for i := range 6 {
		to := u.Addrs()[i%2].Address
		m := fmt.Sprintf("OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: %d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			to, peer.LocalAddr(), random(), i)
		if _, err := peer.WriteToUDPAddrPort([]byte(m), to); err != nil {
			t.Fatal(err)
		}
		if err := peer.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, from, err := peer.ReadFromUDPAddrPort(b)
		if err != nil || from != to || !strings.HasPrefix(string(b[:n]), "SIP/2.0 200") {
			t.Errorf("asked %v, answered by %v: %v", to, from, err)
		}
	}
}

func TestIPv6(t *testing.T) {
	conf := loopback()
	conf.InsecureUDP, conf.InsecureTCP = []string{"[::1]:0"}, []string{"[::1]:0"}
	conf.Trunks[0].From = []string{"::1"}
	u := start(t, conf, deps(t, &record{}))
	for _, transport := range []string{"UDP", "TCP"} {
		c, err := client(t, nil).Dial(withTimeout(t, patience), DialOptions{Target: "sip:support@" + address(t, u, transport).String(), Transport: strings.ToLower(transport)})
		if err != nil {
			t.Fatalf("%s: %v", transport, err)
		}
		if err := c.Hangup(withTimeout(t, patience), 0, ""); err != nil {
			t.Fatalf("%s: %v", transport, err)
		}
	}
}
