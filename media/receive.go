package media

// A packet's whole life. The clock serves its stream:
//
//	recv      the kernel copies the datagram into the stream's locked memory
//	accept    header read (RFC 3550 section 5.1), source checked against the lock
//	bear      the ledger opens an entry: from here on the packet is born
//	wait      the payload is copied to its place in the jitter buffer, and the
//	          datagram is wiped; late and duplicate packets are forgotten here
//	play      when its time has come (playout.go) the payload is decoded into one
//	          locked frame, and wiped
//	hear      the frame is lent to every ear, resampled once if ears want it;
//	          an ear that is slow has copied it into a Ring
//	forget    the frame is wiped; the entry closes when the last copy in any
//	          ring, and in the concealer's memory, was wiped too

import (
	"encoding/binary"
	"net/netip"
	"time"

	"lethe/media/codec"
)

const (
	rtpHeader   = 12
	maxDatagram = 768 // RTP with its longest payload, or a compound RTCP packet
	trustAfter  = 3   // packets in a row that lock an unannounced source
)

// receive drains the socket.
func (s *Stream) receive(now time.Time) {
	for range 4 * waiting { // a flood must not keep the clock
		n, ok := s.rtp.recv(s.box.rx[:])
		if !ok {
			return
		}
		switch {
		case n == 0:
		case n > len(s.box.rx):
			s.count(&s.stats.Malformed, &s.plane.totals.malformed)
			clear(s.box.rx[:])
		default:
			s.datagram(s.box.rx[:n], now)
			clear(s.box.rx[:n])
		}
	}
}

func (s *Stream) datagram(b []byte, now time.Time) {
	if len(b) >= 2 && b[1] >= 192 && b[1] <= 223 { // RFC 5761 section 4
		if s.agreed.RTCPMux {
			s.report(b, s.rtp.source(), now)
		}
		return
	}
	h, payload, ok := parseRTP(b)
	if !ok {
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
		return
	}
	if !s.trusts(h, now) {
		s.count(&s.stats.Refused, &s.plane.totals.refused)
		return
	}
	s.heardAt = now
	s.stats.Received++
	s.plane.totals.received.Add(1)
	s.accept(h, payload, now)
}

type header struct {
	marker bool
	pt     uint8
	seq    uint16
	ts     uint32
	ssrc   uint32
}

// parseRTP reads a packet (RFC 3550 section 5.1) without copying it.
func parseRTP(b []byte) (h header, payload []byte, ok bool) {
	if len(b) < rtpHeader || b[0]>>6 != 2 {
		return h, nil, false
	}
	h = header{
		marker: b[1]&0x80 != 0, pt: b[1] & 0x7f, seq: binary.BigEndian.Uint16(b[2:]),
		ts: binary.BigEndian.Uint32(b[4:]), ssrc: binary.BigEndian.Uint32(b[8:]),
	}
	off := rtpHeader + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 {
		if len(b) < off+4 {
			return h, nil, false
		}
		off += 4 + 4*int(binary.BigEndian.Uint16(b[off+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 {
		pad := int(b[end-1])
		if pad == 0 {
			return h, nil, false
		}
		end -= pad
	}
	if off > end {
		return h, nil, false
	}
	return h, b[off:end], true
}

// trusts holds the source lock. The source that signalling announced is
// trusted at once, and takes the lock back from another one after packets in a
// row; another one (the far end is behind a NAT) is trusted after packets in a
// row, and only while nothing is locked.
func (s *Stream) trusts(h header, now time.Time) bool {
	src := s.rtp.source()
	switch {
	case src == s.locked:
		return true
	case s.locked.IsValid() && src != s.agreed.Remote:
		return false
	}
	if src != s.agreed.Remote || s.locked.IsValid() { // the announced source may take its place back
		if src != s.candidate || h.seq != s.candidateSeq+1 {
			s.candidate, s.candidateSeq, s.candidateRun = src, h.seq, 1
			return false
		}
		s.candidateSeq, s.candidateRun = h.seq, s.candidateRun+1
		if s.candidateRun < trustAfter {
			return false
		}
	}
	s.locked, s.candidate = src, netip.AddrPort{}
	s.aimAt(src)
	return true
}

// aimAt sends RTP, and RTCP if signalling named another address for it, to
// where the far end's packets come from.
func (s *Stream) aimAt(src netip.AddrPort) {
	s.rtp.aim(src)
	if src.Addr() != s.agreed.RemoteRTCP.Addr() {
		s.rtcp.aim(netip.AddrPortFrom(src.Addr(), src.Port()+1))
	}
}

// accept sorts a packet of the locked source.
func (s *Stream) accept(h header, payload []byte, now time.Time) {
	switch {
	case s.agreed.HasEvent && h.pt == s.agreed.Event:
		s.key(h, payload, now)
	case s.agreed.HasComfortNoise && h.pt == s.agreed.ComfortNoise:
		s.comfort(h, payload)
	default:
		s.audio(h, payload, now)
	}
}

func (s *Stream) key(h header, payload []byte, now time.Time) {
	if s.box.keys.Hear(h.ts, payload, now.Sub(s.begun)) != nil {
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
		return
	}
	s.quiet = true // the key stands in place of the voice: nothing is lost
	s.skip(h)
	s.takeKeys()
}

func (s *Stream) takeKeys() {
	for {
		k, ok := s.box.keys.Take()
		if !ok {
			return
		}
		select {
		case s.keys <- k:
		default: // nobody asks for keys; 32 wait already
		}
	}
}

// comfort takes the level of the background while the far end is silent.
func (s *Stream) comfort(h header, payload []byte) {
	level, err := codec.ComfortLevel(payload)
	if err != nil {
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
		return
	}
	s.box.noise.Level(level)
	s.quiet = true
	s.skip(h)
}

// skip lets a packet that carries no audio take its place in the sequence, so
// that it is not taken for a loss.
func (s *Stream) skip(h header) {
	if h.ssrc != s.ssrc || !s.jitter.begun {
		return
	}
	if ext, v := s.jitter.judge(h.seq); v == inOrder {
		s.makeRoom(ext)
		s.jitter.put(ext, h.ts, h.pt, nil, nil)
		s.arrival.received++
	}
}

// audio puts a packet into the jitter buffer.
func (s *Stream) audio(h header, payload []byte, now time.Time) {
	c := s.codecOf(h.pt)
	if c == codec.None || len(payload) == 0 || len(payload) > maxPayload {
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
		return
	}
	e := s.book.bear(now)
	if h.ssrc != s.ssrc || !s.jitter.begun {
		s.begin(h, now)
	}
	if len(payload) > s.jitter.width {
		s.playAll()
		s.jitter.cut(len(payload))
	}
	ext, v := s.jitter.judge(h.seq)
	if v == restart {
		s.begin(h, now)
		ext, v = s.jitter.judge(h.seq)
	}
	if v != inOrder {
		s.unwanted(v)
		e.Release()
		return
	}
	s.makeRoom(ext)
	s.jitter.put(ext, h.ts, h.pt, payload, e)
	s.arrival.received++
	s.arrival.note(now.Sub(s.begun), h.ts, c.ClockRate())
	s.measureSlack(h.ts, now)
}

func (s *Stream) unwanted(v verdict) {
	switch v {
	case duplicate:
		s.count(&s.stats.Duplicate, &s.plane.totals.duplicate)
	case late:
		s.count(&s.stats.Late, &s.plane.totals.late)
	case jumped:
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
	case inOrder, restart:
	}
}

// begin starts the time line anew: the first packet, or a new SSRC. What
// still waits is heard first.
func (s *Stream) begin(h header, now time.Time) {
	s.playAll()
	s.jitter.reset()
	if h.ssrc != s.ssrc {
		s.box.keys.Wipe()
	}
	s.ssrc = h.ssrc
	s.arrival = arrival{base: 1<<16 | uint64(h.seq)}
	s.quiet = false
	s.line.restart(h.ts, now, s.plane.config.Jitter)
}

func (s *Stream) codecOf(pt uint8) codec.Codec {
	for _, f := range s.agreed.Accept {
		if f.PayloadType == pt {
			return f.Codec
		}
	}
	return codec.None
}
