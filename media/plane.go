package media

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"lethe/media/codec"
	"lethe/media/sdp"
)

// Plane is the clock and the arena; every stream of the process is on it.
type Plane struct {
	config      Config
	bind, named netip.Addr
	first, last int
	arena       *Arena
	clocks      []*clock
	totals      counters

	mu      sync.Mutex
	streams map[*Stream]struct{}
	closed  bool
}

// NewPlane locks the arena and starts the clock.
func NewPlane(c Config) (*Plane, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	p := &Plane{config: c, streams: make(map[*Stream]struct{})}
	p.bind = netip.MustParseAddr(c.Address)
	p.named = p.bind
	if c.Advertise != "" {
		p.named = netip.MustParseAddr(c.Advertise)
	}
	var err error
	if p.first, p.last, err = c.portRange(); err != nil {
		return nil, err
	}
	if p.arena, err = NewArena(c.ArenaKiB << 10); err != nil {
		return nil, err
	}
	n := c.Clocks
	if n == 0 {
		n = max(1, runtime.NumCPU()/4)
	}
	for range n {
		p.clocks = append(p.clocks, newClock(func(ticks int) { p.totals.overruns.Add(uint64(ticks)) })) //nolint:gosec // positive
	}
	return p, nil
}

// Close ends every stream, joins the clock, wipes and frees the arena. Rings
// made of the arena must have been closed.
func (p *Plane) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	left := make([]*Stream, 0, len(p.streams))
	for s := range p.streams {
		left = append(left, s)
	}
	p.mu.Unlock()
	for _, s := range left {
		s.Close()
	}
	for _, c := range p.clocks {
		c.close()
	}
	return p.arena.Close()
}

// Arena is the locked memory that everything which hears allocates from.
func (p *Plane) Arena() *Arena { return p.arena }

// Totals add up all streams since the plane began.
func (p *Plane) Totals() Totals {
	t := p.totals.totals()
	p.mu.Lock()
	t.Streams = len(p.streams)
	p.mu.Unlock()
	t.ArenaUsed, t.ArenaSize = p.arena.Used(), p.arena.Size()
	return t
}

// Answer answers an SDP offer (RFC 3264). The stream is bound, receiving and
// sending when it returns. Errors: ErrBadSDP, ErrNoCommonCodec, ErrUnsupported,
// ErrFull, ErrArenaFull.
func (p *Plane) Answer(t Terms, offer []byte) (*Stream, []byte, error) {
	s, err := p.newStream(t)
	if err != nil {
		return nil, nil, err
	}
	answer, agreed, err := sdp.Answer(offer, s.terms, s.local)
	if err == nil {
		err = s.begins(agreed)
	}
	if err != nil {
		s.Close()
		return nil, nil, sdpError(err)
	}
	return s, answer, nil
}

// Offer makes a stream and the SDP that offers it. It moves no audio until
// Accept.
func (p *Plane) Offer(t Terms) (*Stream, []byte, error) {
	s, err := p.newStream(t)
	if err != nil {
		return nil, nil, err
	}
	offer := sdp.Offer(s.terms, s.local, sdp.SendRecv)
	if len(offer) == 0 {
		s.Close()
		return nil, nil, fmt.Errorf("%w: none was named", ErrNoCommonCodec)
	}
	return s, offer, nil
}

// ErrUnsupported says that the offer asks for what is not done here, such as
// video alone or SRTP where there is none.
var ErrUnsupported = errors.New("media: nothing in the SDP is supported")

// sdpError says in this package's words what was wrong with an SDP.
func sdpError(err error) error {
	switch {
	case errors.Is(err, sdp.ErrMalformed):
		return fmt.Errorf("%w: %w", ErrBadSDP, err)
	case errors.Is(err, sdp.ErrNoCommonCodec):
		return fmt.Errorf("%w: %w", ErrNoCommonCodec, err)
	case errors.Is(err, sdp.ErrUnsupported):
		return fmt.Errorf("%w: %w", ErrUnsupported, err)
	}
	return err
}

func (p *Plane) newStream(t Terms) (*Stream, error) {
	terms := sdp.Terms{Ptime: t.Ptime}
	for _, name := range t.Codecs {
		c, ok := codec.ByName(name)
		if !ok {
			return nil, fmt.Errorf("media: codec %q is not one of PCMU, PCMA, G722", name)
		}
		terms.Codecs = append(terms.Codecs, c)
	}
	box, give, err := place[box](p.arena)
	if err != nil {
		return nil, err
	}
	rtp, rtcp, port, err := openPair(p.bind, p.first, p.last)
	if err != nil {
		give()
		return nil, err
	}
	s := &Stream{plane: p, box: box, give: give, rtp: rtp, rtcp: rtcp, terms: terms,
		done: make(chan struct{}), keys: make(chan Key, 32), cname: newCNAME(), begun: time.Now()}
	s.jitter.mem = &box.lane
	s.jitter.cut(0)
	s.book.totals = &p.totals
	s.heardAt = s.begun
	var id [14]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("media: random numbers: %w", err), s.release())
	}
	s.local = sdp.Local{Address: p.named, Port: port,
		Session: binary.BigEndian.Uint64(id[:]) >> 2, Version: 1}
	s.out.ssrc = binary.BigEndian.Uint32(id[8:])
	s.out.seq = binary.BigEndian.Uint16(id[12:]) >> 1
	s.out.ts = binary.BigEndian.Uint32(id[4:])
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errors.Join(ErrClosed, s.release())
	}
	p.streams[s] = struct{}{}
	return s, nil
}

// idlest is the clock with the least to do.
func (p *Plane) idlest() *clock {
	best := p.clocks[0]
	for _, c := range p.clocks[1:] {
		if c.load() < best.load() {
			best = c
		}
	}
	return best
}
