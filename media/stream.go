package media

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lethe/media/codec"
	"lethe/media/internal/frame"
	"lethe/media/resample"
	"lethe/media/sdp"
)

// box is everything of a stream that holds audio: one block of the arena,
// plain data, wiped as a whole at the end.
type box struct {
	rx      [maxDatagram]byte
	lane    lane
	pcm     frame.Buf // the frame being heard, or then the one being sent
	wide    frame.Buf // the one being heard, at the other rate
	tx      [rtpHeader + maxPayload]byte
	dec     codec.Decoder
	conceal codec.Concealer
	noise   codec.Noise
	conv    resample.Converter
	keys    codec.KeyDetector
	enc     codec.Encoder
	press   codec.KeySender
}

func (b *box) samples() []int16 { return frame.Samples(frame.New(&b.pcm, Agent, 0, 0, nil)) }

// Stream is the audio of one leg, both ways. All of its state but the ledger
// and Speech belongs to whoever holds mu: the clock while it serves the
// stream, otherwise the callers of its methods.
type Stream struct {
	plane *Plane
	clock *clock
	terms sdp.Terms
	local sdp.Local
	done  chan struct{}
	keys  chan Key
	cname string
	begun time.Time

	book   book
	speech Speech

	mu        sync.Mutex
	closed    bool
	failure   error
	ended     bool
	agreed    sdp.Agreed
	perPacket int // servings per outgoing packet
	box       *box
	give      func()
	rtp, rtcp *socket
	ears      []listener
	converts  [2]int

	open         bool // packets may go out
	locked       netip.AddrPort
	candidate    netip.AddrPort
	candidateSeq uint16
	candidateRun int
	heardAt      time.Time

	ssrc     uint32
	jitter   jitter
	line     timeline
	arrival  arrival
	past     memory
	streamAt time.Duration
	quiet    bool // the far end said that it is silent

	out          outgoing
	untilControl int
	nextReport   time.Time
	lastSR       uint32
	lastSRAt     time.Time
	stats        Stats
}

type listener struct {
	side Side
	rate int
	ear  Ear
	id   *int
}

// begins starts audio under what was agreed.
func (s *Stream) begins(a sdp.Agreed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.clock != nil {
		return ErrClosed
	}
	if err := s.speech.init(s.plane.arena, a.Codec.SampleRate()); err != nil {
		return err
	}
	s.agree(a)
	s.tune(a.Codec)
	now := time.Now()
	s.heardAt, s.nextReport = now, now.Add(reportEvery/2)
	s.streamAt = now.Sub(s.begun)
	s.clock = s.plane.idlest()
	s.clock.add(s, s.perTurn())
	return nil
}

func (s *Stream) agree(a sdp.Agreed) {
	if a.Codec != s.box.enc.Codec() {
		s.box.enc.Init(a.Codec)
	}
	s.agreed = a
	s.rtp.aim(a.Remote)
	s.rtcp.aim(a.RemoteRTCP)
	s.perPacket = 1
	if s.perTurn() == 1 {
		s.perPacket = int(a.Ptime / turn)
	} else {
		s.perPacket = int(a.Ptime / (turn / 2))
	}
	s.out.due = 0
	s.stats.Codec = a.Codec.String()
}

// perTurn is how often a turn the clock must serve us: packets of 10, 30 and
// 50 ms need two servings.
func (s *Stream) perTurn() int {
	if s.agreed.Ptime%turn == 0 {
		return 1
	}
	return 2
}

// Accept takes the answer to our offer; audio begins.
func (s *Stream) Accept(answer []byte) error {
	a, err := sdp.Accept(answer, s.terms, s.local)
	if err == nil {
		if s.running() {
			err = s.change(a)
		} else {
			err = s.begins(a)
			s.mu.Lock()
			s.open = true // an answer came back: the far end is who it says
			s.mu.Unlock()
		}
	}
	return sdpError(err)
}

func (s *Stream) running() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.clock != nil }

// Reoffer answers a new offer within the dialog (RFC 3264 section 8): hold and
// resume, a new media address, another codec.
func (s *Stream) Reoffer(offer []byte) ([]byte, error) {
	s.mu.Lock()
	local := s.local
	local.Version++
	s.mu.Unlock()
	answer, a, err := sdp.Answer(offer, s.terms, local)
	if err == nil {
		err = s.change(a)
	}
	if err != nil {
		return nil, sdpError(err)
	}
	s.mu.Lock()
	s.local = local
	s.mu.Unlock()
	return answer, nil
}

// change takes up a new agreement. A new address unlocks the source.
func (s *Stream) change(a sdp.Agreed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.clock == nil:
		return ErrNotAgreed
	}
	old, before := s.agreed, s.perTurn()
	if err := s.speech.retune(a.Codec.SampleRate()); err != nil {
		return err
	}
	s.agree(a)
	if a.Remote != old.Remote {
		s.locked, s.candidate = netip.AddrPort{}, netip.AddrPort{}
	} else if s.locked.IsValid() {
		s.aimAt(s.locked)
	}
	s.heardAt = time.Now()
	if after := s.perTurn(); after != before {
		s.clock.remove(s)
		s.clock.add(s, after)
	}
	return nil
}

// serve is one serving by the clock. A panic in an ear ends this stream alone.
func (s *Stream) serve(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	defer s.survive()
	s.receive(now)
	s.playDue(now)
	s.transmit()
	s.reports(now)
	s.box.keys.Expire(now.Sub(s.begun))
	s.takeKeys()
	s.watch(now)
}

// ErrPanic says that something that heard the stream panicked.
var ErrPanic = errors.New("media: an ear panicked")

func (s *Stream) survive() {
	if r := recover(); r != nil { // the value may say what was heard: it is not kept
		s.ears = nil
		s.box.pcm.Wipe()
		s.box.wide.Wipe()
		s.fail(ErrPanic)
	}
}

// watch ends a stream whose far end has gone.
func (s *Stream) watch(now time.Time) {
	if !s.agreed.Direction.Receives() {
		s.heardAt = now // silent by agreement
		return
	}
	limit := s.plane.config.IdleTimeout
	if !s.locked.IsValid() && s.stats.Received == 0 {
		limit = s.plane.config.StartTimeout
	}
	if silent := now.Sub(s.heardAt); silent > limit {
		s.fail(fmt.Errorf("%w for %v", ErrMediaTimeout, limit))
	}
}

func (s *Stream) fail(err error) {
	if !s.ended {
		s.ended, s.failure = true, err
		close(s.done)
	}
}

func (s *Stream) count(one *uint64, all *atomic.Uint64) {
	*one++
	all.Add(1)
}

func (s *Stream) lose(n uint64) {
	if n > 0 {
		s.stats.Lost += n
		s.plane.totals.lost.Add(n)
	}
}

// Listen attaches e to one side. rate is what e wants to hear, 8000 or 16000
// Hz; 0 means as decoded. detach returns when no Hear is running, so it must
// not be called from e; it may be called again. An ear that returns an error
// is detached.
func (s *Stream) Listen(side Side, rate int, e Ear) (detach func(), err error) {
	if rate != 0 && rate != 8000 && rate != 16000 {
		return nil, fmt.Errorf("media: an ear at %d Hz: 8000, 16000 or 0 (as decoded)", rate)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	id := new(int)
	s.ears = append(s.ears, listener{side, rate, e, id})
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for i, l := range s.ears {
			if l.id == id {
				s.ears = append(s.ears[:i], s.ears[i+1:]...)
				return
			}
		}
	}, nil
}

// Speech is where a voice writes.
func (s *Stream) Speech() *Speech { return &s.speech }

// Keys yields the far end's keys. Those that nobody takes are dropped after 32.
func (s *Stream) Keys() <-chan Key { return s.keys }

// Done is closed when the stream has ended by itself or by Close; Err says why.
func (s *Stream) Done() <-chan struct{} { return s.done }

// Err is nil until Done is closed, then ErrMediaTimeout, ErrPanic or ErrClosed.
func (s *Stream) Err() error { s.mu.Lock(); defer s.mu.Unlock(); return s.failure }

// Rate is the sample rate of the negotiated codec in Hz.
func (s *Stream) Rate() int { s.mu.Lock(); defer s.mu.Unlock(); return s.agreed.Codec.SampleRate() }

// Begun is when stream time was zero.
func (s *Stream) Begun() time.Time { return s.begun }

// Ledger is the account so far.
func (s *Stream) Ledger() Ledger { return s.book.ledger() }

// Stats are the counts so far.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Jitter = time.Duration(s.arrival.jitter) * rtpTick
	return st
}

// String shows the path of the audio.
func (s *Stream) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	ears := make([]string, 0, len(s.ears))
	for _, l := range s.ears {
		if l.side == Caller {
			ears = append(ears, l.ear.String())
		}
	}
	heard := "nobody"
	if len(ears) > 0 {
		heard = strings.Join(ears, " + ")
	}
	return fmt.Sprintf("udp:%d -> jitter %v -> %v -> %s -> forgotten",
		s.local.Port, s.plane.config.Jitter, s.agreed.Codec, heard)
}

// Close ends the stream: no ear hears another frame, everything of it in the
// arena is wiped and given back, and the ledger is final but for what slow
// rings still hold. Idempotent.
func (s *Stream) Close() Ledger {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return s.book.ledger()
	}
	s.closed = true
	if s.clock != nil {
		s.clock.remove(s)
		s.sendReport(time.Now(), true)
	}
	s.jitter.reset()
	s.forgetHistory()
	s.ears = nil
	s.speech.close()
	if err := s.release(); err != nil {
		s.fail(err)
	}
	s.fail(ErrClosed)
	s.mu.Unlock()
	s.plane.mu.Lock()
	delete(s.plane.streams, s)
	s.plane.mu.Unlock()
	return s.book.ledger()
}

// release gives back sockets and memory.
func (s *Stream) release() error {
	s.give()
	s.box, s.give = nil, nil
	return errors.Join(s.rtp.close(), s.rtcp.close())
}
