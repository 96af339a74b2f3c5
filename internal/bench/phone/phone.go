// Package phone is a small SIP phone for measurements: the far end of many
// calls at once, in a process of its own. It is written by hand, so that it
// shares no line with what it measures, knows exactly which payloads it sent,
// and costs little: one socket for the signalling of all calls, one locked
// thread for the audio of all calls.
//
// It speaks SIP over UDP (INVITE, ACK, CANCEL, BYE; RFC 3261) and RTP (RFC
// 3550) on the loopback, and is for tests alone.
package phone

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Errors of a call.
var (
	ErrRefused = errors.New("phone: the call was refused")
	ErrSilent  = errors.New("phone: no answer came")
)

// Phone is one signalling socket. Close ends it.
type Phone struct {
	conn   *net.UDPConn
	server netip.AddrPort
	local  netip.AddrPort
	done   chan struct{}

	mu   sync.Mutex
	legs map[string]*Leg // by Call-ID
}

// New binds a phone that calls through the given SIP server.
func New(server netip.AddrPort) (*Phone, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)))
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	p := &Phone{conn: conn, server: server, local: local, done: make(chan struct{}), legs: map[string]*Leg{}}
	go p.read()
	return p, nil
}

// Close ends the phone without a word to anybody.
func (p *Phone) Close() error {
	err := p.conn.Close()
	<-p.done
	return err
}

// read gives every message to the leg it belongs to.
func (p *Phone) read() {
	defer close(p.done)
	buf := make([]byte, 64<<10)
	for {
		n, err := p.conn.Read(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // a port that is closed by the server is told here once
		}
		m, ok := parse(string(buf[:n]))
		if !ok {
			continue
		}
		p.mu.Lock()
		l := p.legs[m.header("call-id")]
		p.mu.Unlock()
		if l != nil {
			l.take(m)
		}
	}
}

func (p *Phone) send(text string) error {
	_, err := p.conn.WriteToUDPAddrPort([]byte(text), p.server)
	return err
}

// Leg is one call.
type Leg struct {
	phone           *Phone
	id, tag, branch string
	user            string
	sdp             string
	answers         chan message // responses
	bye             chan struct{}
	once            sync.Once

	mu     sync.Mutex
	to     string // the To header with the server's tag
	remote string // the Contact of the server
	ack    string // the ACK of the 2xx, sent again for every copy of it
}

// Invite is what Dial calls with.
type Invite struct {
	User    string // whom, at the server
	Port    uint16 // of our RTP
	Codec   string // PCMU, PCMA or G722
	Payload uint8  // RTP payload type
}

// Answer is where the server wants our RTP.
type Answer struct {
	RTP netip.AddrPort
	SDP string
}

// Start sends the INVITE and waits for nothing.
func (p *Phone) Start(in Invite) (*Leg, error) {
	l := &Leg{
		phone: p, id: rand.Text() + "@127.0.0.1", tag: rand.Text()[:10], branch: "z9hG4bK" + rand.Text(), user: in.User,
		answers: make(chan message, 16), bye: make(chan struct{}),
	}
	l.sdp = strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP %d 101", in.Port, in.Payload),
		fmt.Sprintf("a=rtpmap:%d %s/8000", in.Payload, in.Codec),
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=sendrecv", "",
	}, "\r\n")
	p.mu.Lock()
	p.legs[l.id] = l
	p.mu.Unlock()
	return l, p.send(l.request("INVITE", 1, l.branch, l.sdp))
}

// Dial places a call and waits until it is answered. The INVITE is sent again
// as RFC 3261 section 17.1.1.2 says.
func (p *Phone) Dial(ctx context.Context, in Invite) (*Leg, Answer, error) {
	l, err := p.Start(in)
	if err != nil {
		return nil, Answer{}, fmt.Errorf("phone: %w", err)
	}
	a, err := l.Wait(ctx)
	return l, a, err
}

// Wait waits for the final answer to the INVITE, and acknowledges it.
func (l *Leg) Wait(ctx context.Context) (Answer, error) {
	again, wait, heard := time.NewTimer(500*time.Millisecond), 500*time.Millisecond, false
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return Answer{}, fmt.Errorf("%w: %w", ErrSilent, ctx.Err())
		case <-again.C:
			if wait *= 2; !heard && wait <= 32*time.Second {
				if err := l.phone.send(l.request("INVITE", 1, l.branch, l.sdp)); err != nil {
					return Answer{}, fmt.Errorf("phone: %w", err)
				}
				again.Reset(wait)
			}
		case m := <-l.answers:
			heard = true
			switch {
			case m.status < 200 || m.method() != "INVITE":
			case m.status >= 300:
				err := l.phone.send(l.inDialog("ACK", 1, l.branch, m.header("to"), l.uri()))
				return Answer{}, errors.Join(fmt.Errorf("%w: %d", ErrRefused, m.status), err)
			default:
				return l.answered(m)
			}
		}
	}
}

func (l *Leg) answered(m message) (Answer, error) {
	l.mu.Lock()
	l.to, l.remote = m.header("to"), contact(m.header("contact"))
	l.ack = l.inDialog("ACK", 1, "z9hG4bK"+rand.Text(), l.to, l.remote)
	l.mu.Unlock()
	if err := l.phone.send(l.ack); err != nil {
		return Answer{}, fmt.Errorf("phone: %w", err)
	}
	rtp, err := mediaOf(m.body)
	return Answer{RTP: rtp, SDP: m.body}, err
}

// Bye ends the call and waits for the 200.
func (l *Leg) Bye(ctx context.Context) error {
	return l.ask(ctx, "BYE", l.inDialog("BYE", 2, "z9hG4bK"+rand.Text(), l.to, l.remote))
}

// Cancel takes back an INVITE that was not answered yet, and waits for the 200
// to the CANCEL.
func (l *Leg) Cancel(ctx context.Context) error {
	return l.ask(ctx, "CANCEL", l.inDialog("CANCEL", 1, l.branch, "<"+l.uri()+">", l.uri()))
}

// ask sends a request until it is answered.
func (l *Leg) ask(ctx context.Context, method, text string) error {
	again := time.NewTicker(500 * time.Millisecond)
	defer again.Stop()
	if err := l.phone.send(text); err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s: %w", ErrSilent, method, ctx.Err())
		case <-again.C:
			if err := l.phone.send(text); err != nil {
				return fmt.Errorf("phone: %w", err)
			}
		case m := <-l.answers:
			if m.method() == method && m.status >= 200 {
				if m.status >= 300 {
					return fmt.Errorf("%w: %s: %d", ErrRefused, method, m.status)
				}
				return nil
			}
		}
	}
}

// Forget drops the leg; messages for it are ignored from then on.
func (l *Leg) Forget() {
	l.phone.mu.Lock()
	delete(l.phone.legs, l.id)
	l.phone.mu.Unlock()
}

// Ended is closed when the server has sent BYE.
func (l *Leg) Ended() <-chan struct{} { return l.bye }

// take is called by the reader.
func (l *Leg) take(m message) {
	if m.status == 0 { // a request
		if m.verb == "BYE" {
			l.once.Do(func() { close(l.bye) })
		}
		if m.verb != "ACK" {
			_ = l.phone.send(m.ok()) // a lost answer is asked for again
		}
		return
	}
	l.mu.Lock()
	ack := l.ack
	l.mu.Unlock()
	if ack != "" && m.status >= 200 && m.method() == "INVITE" {
		_ = l.phone.send(ack) // likewise
		return
	}
	select {
	case l.answers <- m:
	default: // more copies than anybody waits for
	}
}
