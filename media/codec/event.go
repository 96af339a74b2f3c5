package codec

import (
	"encoding/binary"
	"time"
)

// EventClock is the clock rate of telephone-event in Hz here: every codec of
// this package has an RTP clock of 8000.
const EventClock = 8000

// EventSize is the size in bytes of one telephone event report.
const EventSize = 4

// maxReports is how many reports are taken from one packet.
const maxReports = 4

// Event is one report of an RFC 4733 section 2.3 payload.
type Event struct {
	Code     uint8  // 0-9, 10 = *, 11 = #, 12-15 = A-D, 16 = flash
	End      bool   // the key was released
	Volume   uint8  // 0 to 63, in -dBm0
	Duration uint16 // so far, in ticks of EventClock
}

// ParseEvent reads the first report of a telephone event payload. A payload is
// 4 bytes, or a multiple up to 16: RFC 4733 section 2.5.1.5 lets a sender
// append the reports of events that follow. The error is ErrEvent.
func ParseEvent(payload []byte) (Event, error) {
	if n := len(payload); n == 0 || n%EventSize != 0 || n > maxReports*EventSize {
		return Event{}, ErrEvent
	}
	return Event{
		Code:     payload[0],
		End:      payload[1]&0x80 != 0,
		Volume:   payload[1] & 0x3f,
		Duration: binary.BigEndian.Uint16(payload[2:]),
	}, nil
}

// Put writes the report to dst and returns EventSize, or ErrShort.
func (e Event) Put(dst []byte) (n int, err error) {
	if len(dst) < EventSize {
		return 0, ErrShort
	}
	dst[0], dst[1] = e.Code, e.Volume&0x3f
	if e.End {
		dst[1] |= 0x80
	}
	binary.BigEndian.PutUint16(dst[2:], e.Duration)
	return EventSize, nil
}

const keys = "0123456789*#ABCD" // by event code

// Key is a telephone key that was pressed and released.
type Key struct {
	Digit    byte // one of 0123456789*#ABCD
	Duration time.Duration
}

// lapse ends an event of which nothing more is heard. Senders report at least
// every 50 to 60 ms.
const lapse = 200 * time.Millisecond

// KeyDetector turns telephone event packets into keys: each event is reported
// once, however many of its packets were lost, repeated, late or out of order.
// The zero value is ready; Wipe it when the sender's timestamps start anew (a
// new SSRC). Plain data; it holds keys, so Wipe it at the end too.
type KeyDetector struct {
	start    uint32 // timestamp of the event in progress, or of the last one
	earlier  uint32 // ticks of earlier segments of a long event
	duration uint32 // ticks of this segment
	heard    time.Duration
	code     uint8
	known    bool // start is valid
	open     bool // in progress
	n        uint8
	pending  [2 * maxReports]Key
}

// Hear takes one packet: its RTP timestamp, its payload, and the stream time at
// which it came. Take the keys afterwards: up to 8 wait. Event codes that are no
// key (flash, tones) are accepted and ignored. The error is ErrEvent.
func (d *KeyDetector) Hear(timestamp uint32, payload []byte, at time.Duration) error {
	for first := true; first || len(payload) > 0; first = false {
		e, err := ParseEvent(payload)
		if err != nil {
			return err
		}
		d.report(timestamp, e, at)
		timestamp += uint32(e.Duration) // of the next report, if there is one
		payload = payload[EventSize:]
	}
	return nil
}

func (d *KeyDetector) report(timestamp uint32, e Event, at time.Duration) {
	if timestamp != d.start || !d.known {
		if !d.begin(timestamp, e.Code) {
			return
		}
	}
	if !d.open || e.Code != d.code {
		return // a repeated end packet
	}
	d.duration = max(d.duration, uint32(e.Duration)) // never back: packets overtake
	d.heard = at
	if e.End {
		d.finish()
	}
}

// begin turns to another event, unless it is an earlier one that comes late.
func (d *KeyDetector) begin(timestamp uint32, code uint8) bool {
	const longAgo = 10 * EventClock    // not late: the sender's clock jumped
	const segment = 0xffff             // RFC 4733 section 2.5.1.3: a longer event goes on in another
	step := int32(timestamp - d.start) //nolint:gosec // modular arithmetic is meant
	if d.known && step < 0 && step > -longAgo {
		return false
	}
	if d.open && step == segment && code == d.code {
		d.earlier += segment
	} else {
		d.finish()
		d.earlier = 0
	}
	d.start, d.code, d.duration = timestamp, code, 0
	d.known, d.open = true, true
	return true
}

// finish reports the event in progress, if there is one.
func (d *KeyDetector) finish() {
	if !d.open {
		return
	}
	d.open = false
	if int(d.code) >= len(keys) || int(d.n) >= len(d.pending) {
		return
	}
	ticks := time.Duration(d.earlier + d.duration)
	d.pending[d.n] = Key{Digit: keys[d.code], Duration: ticks * (time.Second / EventClock)}
	d.n++
}

// Expire ends an event of which nothing was heard for 200 ms (all its end
// packets were lost): call it on the clock, then Take.
func (d *KeyDetector) Expire(at time.Duration) {
	if d.open && at-d.heard >= lapse {
		d.finish()
	}
}

// Take yields the next key, in order; false when there is none.
func (d *KeyDetector) Take() (Key, bool) {
	if d.n == 0 {
		return Key{}, false
	}
	k := d.pending[0]
	copy(d.pending[:], d.pending[1:d.n])
	d.n--
	d.pending[d.n] = Key{}
	return k, true
}

// Wipe leaves nothing of the stream in the state.
func (d *KeyDetector) Wipe() { *d = KeyDetector{} }

// Bounds of a pressed key: shorter ones are not recognised everywhere, longer
// ones would need segments.
const (
	minPress = 40 * time.Millisecond
	maxPress = 8 * time.Second
	endSends = 3  // RFC 4733 section 2.5.1.4
	volume   = 10 // -dBm0, usual
)

// KeySender yields the payloads of one pressed key at a time: one per packet
// time while it is held, then the end packet three times. All packets of one
// key carry the RTP timestamp of the first (RFC 4733 section 2.5.1.1), and the
// sequence number goes on as always. A pause of 40 ms or more between two keys
// is the caller's. The zero value is ready. Plain data.
type KeySender struct {
	event Event // as sent last
	total uint16
	step  uint16
	sent  uint16 // packets
	ends  uint8  // end packets still to send; 0 when there is no key
}

// Press starts a key: digit is one of 0123456789*#ABCD (or abcd), held for
// length (40 ms to 8 s), one packet every ptime (10 to 60 ms); otherwise it is
// ErrKey. While a key is being sent it is ErrBusy.
func (s *KeySender) Press(digit byte, length, ptime time.Duration) error {
	if s.Active() {
		return ErrBusy
	}
	code, ok := eventCode(digit)
	if !ok || length < minPress || length > maxPress ||
		ptime < 10*time.Millisecond || ptime > 60*time.Millisecond {
		return ErrKey
	}
	*s = KeySender{
		event: Event{Code: code, Volume: volume},
		total: eventTicks(length), step: eventTicks(ptime), ends: endSends,
	}
	return nil
}

func eventCode(digit byte) (code uint8, ok bool) {
	if digit >= 'a' && digit <= 'd' {
		digit -= 'a' - 'A'
	}
	for i := range len(keys) {
		if keys[i] == digit {
			return uint8(i), true
		}
	}
	return 0, false
}

func eventTicks(d time.Duration) uint16 {
	return uint16(d * EventClock / time.Second) //nolint:gosec // at most 8 s
}

// Active says whether Next has something to send.
func (s *KeySender) Active() bool { return s.ends > 0 }

// Next writes the next payload to dst (EventSize bytes) and returns its length,
// and the marker bit (set on the first packet of a key). last is set on the
// third end packet. n is 0 when no key is being sent or dst is too short; then
// nothing has changed.
func (s *KeySender) Next(dst []byte) (n int, marker, last bool) {
	if !s.Active() || len(dst) < EventSize {
		return 0, false, false
	}
	marker = s.sent == 0
	next := min(int(s.event.Duration)+int(s.step), int(s.total))
	s.event.Duration = uint16(next) //nolint:gosec // at most total
	s.event.End = s.event.Duration == s.total && !marker
	s.sent++
	if s.event.End {
		s.ends--
	}
	n, err := s.event.Put(dst)
	if err != nil {
		return 0, false, false
	}
	last = s.ends == 0
	if last {
		s.Wipe()
	}
	return n, marker, last
}

// Wipe leaves nothing of the key in the state, and ends it.
func (s *KeySender) Wipe() { *s = KeySender{} }
