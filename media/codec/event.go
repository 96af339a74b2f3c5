package codec

import "time"

// EventClock is the clock rate of telephone-event in Hz here: every codec of
// this package has an RTP clock of 8000.
const EventClock = 8000

// EventSize is the size in bytes of one telephone event payload.
const EventSize = 4

// Event is the payload of an RFC 4733 section 2.3 packet.
type Event struct {
	Code     uint8  // 0-9, 10 = *, 11 = #, 12-15 = A-D, 16 = flash
	End      bool   // the key was released
	Volume   uint8  // 0 to 63, in -dBm0
	Duration uint16 // so far, in ticks of EventClock
}

// ParseEvent reads a telephone event payload: 4 bytes, or a multiple of it (RFC
// 4733 section 2.5.2.3 lets a sender append), of which the first counts. The
// error is ErrEvent.
func ParseEvent(payload []byte) (Event, error) {
	if len(payload) == 0 || len(payload)%EventSize != 0 {
		return Event{}, ErrEvent
	}
	return Event{}, nil
}

// Put writes the payload to dst and returns EventSize; ErrShort if dst is shorter.
func (e Event) Put(dst []byte) (n int, err error) {
	return EventSize, nil
}

// Key is a telephone key that was pressed and released.
type Key struct {
	Digit    byte // one of 0123456789*#ABCD
	Duration time.Duration
}

// KeyDetector turns telephone event packets into keys: each event is reported
// once, however many of its packets were lost, repeated, late or out of order.
// The zero value is ready. Plain data; it holds keys, so Wipe it.
type KeyDetector struct {
	pending [4]Key
	n       uint8
}

// Hear takes one packet: its RTP timestamp, its payload, and the stream time
// at which it came. Take the keys afterwards. Event codes that are no key
// (flash, tones) are accepted and ignored. The error is ErrEvent.
func (d *KeyDetector) Hear(timestamp uint32, payload []byte, at time.Duration) error {
	return nil
}

// Expire ends an event of which nothing was heard for 200 ms (all its end
// packets were lost): call it on the clock, then Take.
func (d *KeyDetector) Expire(at time.Duration) {}

// Take yields the next key, in order; false when there is none.
func (d *KeyDetector) Take() (Key, bool) { return Key{}, false }

// Wipe leaves nothing of the stream in the state.
func (d *KeyDetector) Wipe() { *d = KeyDetector{} }

// KeySender yields the payloads of one pressed key at a time: one per packet
// time while it is held, then the end packet three times. All packets of one
// key carry the RTP timestamp of the first (RFC 4733 section 2.5.1.1), and the
// sequence number goes on as always. The zero value is ready. Plain data.
type KeySender struct {
	event Event
}

// Press starts a key: digit is one of 0123456789*#ABCD, held for length (40 ms
// to 8 s, otherwise ErrKey), one packet every ptime. While a key is being sent
// it is ErrBusy.
func (s *KeySender) Press(digit byte, length, ptime time.Duration) error { return nil }

// Active says whether Next has something to send.
func (s *KeySender) Active() bool { return false }

// Next writes the next payload to dst (EventSize bytes) and returns its length,
// and the marker bit (set on the first packet of a key). last is set on the
// third end packet. n is 0 when no key is being sent or dst is too short.
func (s *KeySender) Next(dst []byte) (n int, marker, last bool) { return 0, false, false }

// Wipe leaves nothing of the stream in the state.
func (s *KeySender) Wipe() { *s = KeySender{} }
