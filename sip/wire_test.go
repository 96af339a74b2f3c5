package sip

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// wire is a peer that writes and reads SIP by hand.
type wire struct {
	t    *testing.T
	conn net.Conn
	buf  []byte
	tcp  bool
	to   netip.AddrPort
	seen map[string]bool // finals: they may be repeated
}

func dialUDP(t *testing.T, to netip.AddrPort) *wire {
	t.Helper()
	return dialWire(t, "udp", to, nil)
}

func dialWire(t *testing.T, network string, to netip.AddrPort, conf *tls.Config) *wire {
	t.Helper()
	var c net.Conn
	var err error
	if conf != nil {
		c, err = (&tls.Dialer{Config: conf}).DialContext(t.Context(), network, to.String())
	} else {
		c, err = (&net.Dialer{}).DialContext(t.Context(), network, to.String())
	}
	if err != nil {
		t.Fatal(err)
	}
	letGo(t, c)
	return &wire{t: t, conn: c, tcp: network == "tcp", to: to, seen: map[string]bool{}}
}

func (w *wire) send(msg string) {
	w.t.Helper()
	if _, err := w.conn.Write([]byte(msg)); err != nil {
		w.t.Fatal(err)
	}
}

// read is the next message, or "" after the time.
func (w *wire) read(within time.Duration) string {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		w.t.Fatal(err)
	}
	b := make([]byte, 65_536)
	for {
		if m := w.whole(); m != "" {
			return m
		}
		n, err := w.conn.Read(b)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
			return ""
		}
		if err != nil {
			w.t.Fatal(err)
		}
		if !w.tcp {
			return string(b[:n])
		}
		w.buf = append(w.buf, b[:n]...)
	}
}

// whole cuts one message off what a stream has brought.
func (w *wire) whole() string {
	head, _, ok := bytes.Cut(w.buf, []byte("\r\n\r\n"))
	if !ok {
		return ""
	}
	n := len(head) + 4
	length := header(string(head), "Content-Length")
	for _, d := range length {
		if d < '0' || d > '9' {
			w.t.Fatalf("Content-Length %q", length)
		}
	}
	body := 0
	for _, d := range length {
		body = body*10 + int(d-'0')
	}
	if len(w.buf) < n+body {
		return ""
	}
	m := string(w.buf[:n+body])
	w.buf = w.buf[n+body:]
	return m
}

// want reads until a message of this start comes; provisional ones and
// repetitions are passed over.
func (w *wire) want(start string) string {
	w.t.Helper()
	for {
		m := w.read(patience)
		again := w.seen[m]
		w.seen[m] = true
		if strings.HasPrefix(m, start) {
			return m
		}
		if m == "" || (!again && !strings.HasPrefix(m, "SIP/2.0 1")) {
			w.t.Fatalf("wanted %q, got %q", start, m)
		}
	}
}

// asked is the next request, which must begin so; responses are passed over.
func (w *wire) asked(start string) string {
	w.t.Helper()
	for {
		m := w.read(patience)
		if strings.HasPrefix(m, start) {
			return m
		}
		if !strings.HasPrefix(m, "SIP/2.0 ") {
			w.t.Fatalf("wanted %q, got %q", start, m)
		}
	}
}

// final is the next final response in the dialog of the Call-ID.
func (w *wire) final(id string) string {
	w.t.Helper()
	for {
		m := w.read(patience)
		if m == "" {
			w.t.Fatal("no final response")
		}
		if strings.HasPrefix(m, "SIP/2.0 ") && m[8] != '1' && header(m, "Call-ID") == id {
			return m
		}
	}
}

// header is the value of a message's first header of the name.
func header(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		n, v, ok := strings.Cut(line, ":")
		if ok && strings.EqualFold(n, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func bodyOf(msg string) string {
	_, b, _ := strings.Cut(msg, "\r\n\r\n")
	return b
}

// dialFrom is a UDP peer at another address of loopback.
func dialFrom(t *testing.T, from string, to netip.AddrPort) *wire {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "udp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	letGo(t, c)
	return &wire{t: t, conn: c, to: to, seen: map[string]bool{}}
}
