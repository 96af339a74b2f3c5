package media

// The way out. A voice writes to Speech; every packet time the clock takes one
// packet's worth (silence, if there is none), shows it to the ears of the
// Agent's side, encodes it and sends it, all in locked memory. Keys being
// pressed (RFC 4733) go out in place of audio.

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"lethe/media/codec"
	"lethe/media/internal/frame"
)

const (
	keyLength = 160 * time.Millisecond
	keyPause  = 80 * time.Millisecond
)

// outgoing numbers the packets that we send.
type outgoing struct {
	seq    uint16
	ts     uint32
	ssrc   uint32
	keyTS  uint32
	octets uint32
	n      uint32
	spoke  bool // the last packet had speech: no marker on the next
	due    int  // servings until the next packet
	at     time.Duration
}

// transmit sends one packet if one is due.
func (s *Stream) transmit() {
	if s.out.due--; s.out.due > 0 {
		return
	}
	s.out.due = s.perPacket
	ptime := s.agreed.Ptime
	ticks := uint32(ptime / rtpTick) //nolint:gosec // at most 480
	if s.mayTransmit() && s.agreed.Direction.Sends() && s.rtp.aimed() {
		s.packet(ptime)
	} else {
		s.speak(ptime) // speech passes at its own pace even when nobody may hear it
		s.box.pcm.Wipe()
	}
	s.out.ts += ticks
	s.out.at += ptime
}

// mayTransmit holds the first packet back until the far end was heard, or until
// somebody has something to say to it: an offer from a forged source must not
// aim packets at someone else.
func (s *Stream) mayTransmit() bool {
	s.open = s.open || s.locked.IsValid() || s.speech.Pending() > 0 || s.box.press.Active()
	return s.open
}

func (s *Stream) packet(ptime time.Duration) {
	tx := s.box.tx[:]
	if n, marker, _ := s.box.press.Next(tx[rtpHeader:]); n > 0 {
		if marker {
			s.out.keyTS = s.out.ts
		}
		s.put(tx[:rtpHeader+n], s.agreed.Event, marker, s.out.keyTS)
		return
	}
	spoke := s.speak(ptime)
	n, err := s.box.enc.Encode(tx[rtpHeader:], s.box.samples())
	s.box.pcm.Wipe()
	if err != nil {
		s.fail(fmt.Errorf("media: encoding: %w", err))
		return
	}
	s.put(tx[:rtpHeader+n], s.agreed.PayloadType, spoke && !s.out.spoke, s.out.ts)
	s.out.spoke = spoke
}

// speak fills box.pcm with one packet's worth and lets the ears hear it.
func (s *Stream) speak(ptime time.Duration) (spoke bool) {
	rate := s.agreed.Codec.SampleRate()
	pcm := s.box.pcm.Fill(int(ptime * time.Duration(rate) / time.Second))
	n := s.speech.take(pcm)
	clear(pcm[n:])
	for i := 0; i < len(s.ears); i++ {
		l := s.ears[i]
		if l.side != Agent {
			continue
		}
		if err := l.ear.Hear(frame.New(&s.box.pcm, Agent, rate, s.out.at, nil)); err != nil {
			s.ears = append(s.ears[:i], s.ears[i+1:]...)
			i--
		}
	}
	return n > 0
}

func (s *Stream) put(b []byte, pt uint8, marker bool, ts uint32) {
	b[0], b[1] = 0x80, pt
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], s.out.seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], s.out.ssrc)
	s.out.seq++
	if s.rtp.send(b) {
		s.out.n++
		s.out.octets += uint32(len(b) - rtpHeader) //nolint:gosec // at most 480
		s.stats.Sent++
		s.plane.totals.sent.Add(1)
	} else {
		s.plane.totals.unsent.Add(1)
	}
	clear(b)
}

// SendKeys presses keys (0-9 * # A-D) one after the other, 160 ms each, by
// telephone events. It returns when the last one was sent.
func (s *Stream) SendKeys(ctx context.Context, keys string) error {
	pause := time.NewTicker(tick)
	defer pause.Stop()
	for i := range len(keys) {
		if err := s.press(keys[i]); err != nil {
			return err
		}
		for released := time.Now(); time.Since(released) < keyPause; {
			if s.pressing() {
				released = time.Now()
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.done:
				return ErrClosed
			case <-pause.C:
			}
		}
	}
	return nil
}

// ErrNoEvents says that the far end takes no telephone events.
var ErrNoEvents = errors.New("media: the far end takes no telephone events (RFC 4733)")

func (s *Stream) press(key byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	if !s.agreed.HasEvent {
		return ErrNoEvents
	}
	if err := s.box.press.Press(key, keyLength, s.agreed.Ptime); err != nil {
		return fmt.Errorf("media: key: %w", err)
	}
	return nil
}

func (s *Stream) pressing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.box.press.Active()
}

// Key is a telephone key that was pressed.
type Key = codec.Key
