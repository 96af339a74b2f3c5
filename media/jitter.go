package media

import "time"

const (
	maxPayload = 480 // bytes: 60 ms of G.711 or G.722
	waiting    = 24  // most packets that the jitter buffer holds
)

// lane is the locked memory of a stream's jitter buffer. It is cut into places
// as wide as the stream's packets: 24 for 20 ms, 16 for 30 ms, 8 for more.
type lane [waiting * 160]byte

// widths of a place, in bytes.
func widths() [3]int { return [3]int{160, 240, maxPayload} }

// packet is what the jitter buffer knows of a payload.
type packet struct {
	used bool
	seq  uint64 // extended: cycles and sequence number
	ts   uint32
	pt   uint8
	n    int
	e    *entry
}

// jitter puts packets back in order. A packet lies in the place of its
// sequence number modulo the number of places, so that finding it and finding
// its duplicate are the same look.
type jitter struct {
	mem   *lane
	width int    // bytes of a place
	room  uint64 // places
	place [waiting]packet
	next  uint64 // the sequence number that is due
	count int
	begun bool
	top   uint64 // highest sequence number seen
	jump  uint16 // the sequence number that would confirm a jump
	seen  uint64 // bit i: next-1-i was played
}

// verdict on a packet that came.
type verdict uint8

const (
	inOrder verdict = iota
	late
	duplicate
	jumped  // far from what was expected, once: not accepted
	restart // far from what was expected, twice in a row: begin again
)

const (
	maxDropout  = 3000 // RFC 3550 appendix A.1
	maxMisorder = 100
)

// judge extends seq (RFC 3550 appendix A.1) and says what to do with it.
func (j *jitter) judge(seq uint16) (uint64, verdict) {
	if !j.begun {
		return 1<<16 | uint64(seq), inOrder
	}
	ext := j.top + uint64(int64(int16(seq-uint16(j.top)))) //nolint:gosec // modular arithmetic is meant
	switch d := int64(ext - j.top); {                      //nolint:gosec // modular arithmetic is meant
	case d >= maxDropout || d <= -maxMisorder:
		if seq == j.jump {
			return 1<<16 | uint64(seq), restart
		}
		j.jump = seq + 1
		return ext, jumped
	case ext < j.next:
		if back := j.next - 1 - ext; back < 64 && j.seen>>back&1 == 1 {
			return ext, duplicate
		}
		return ext, late
	}
	if p := &j.place[ext%j.room]; p.used && p.seq == ext {
		return ext, duplicate
	}
	return ext, inOrder
}

// put copies payload into locked memory. There must be room: see full.
func (j *jitter) put(ext uint64, ts uint32, pt uint8, payload []byte, e *entry) {
	if !j.begun {
		j.begun, j.next, j.top = true, ext, ext
	}
	p := &j.place[ext%j.room]
	*p = packet{used: true, seq: ext, ts: ts, pt: pt, n: copy(j.at(ext)[:j.width], payload), e: e}
	j.count++
	j.top = max(j.top, ext)
}

// full says that ext has no place before older packets are played.
func (j *jitter) full(ext uint64) bool { return j.begun && ext >= j.next+j.room }

// cut makes places for payloads of n bytes. Nothing may be waiting.
func (j *jitter) cut(n int) {
	for _, w := range widths() {
		if j.width = w; n <= w {
			break
		}
	}
	j.room = uint64(len(j.mem) / j.width) //nolint:gosec // 8 to 24
}

// at is the place of ext in locked memory.
func (j *jitter) at(ext uint64) []byte { return j.mem[int(ext%j.room)*j.width:] } //nolint:gosec // below 24

// first finds the oldest packet that waits.
func (j *jitter) first() *packet {
	if j.count == 0 {
		return nil
	}
	for i := range j.room {
		if p := &j.place[(j.next+i)%j.room]; p.used {
			return p
		}
	}
	return nil
}

func (j *jitter) payload(p *packet) []byte { return j.at(p.seq)[:p.n] }

// wipe ends p's stay: its payload is cleared and its sequence number is past.
// It returns how many packets before it never came.
func (j *jitter) wipe(p *packet) (lost uint64) {
	lost = p.seq - j.next
	j.seen = j.seen<<(lost+1) | 1
	j.next = p.seq + 1
	j.clear(p)
	return lost
}

func (j *jitter) clear(p *packet) {
	clear(j.at(p.seq)[:p.n])
	*p = packet{}
	j.count--
}

// reset wipes everything and begins again. Entries are released.
func (j *jitter) reset() {
	for i := range j.place {
		if p := &j.place[i]; p.used {
			e := p.e
			j.clear(p)
			if e != nil {
				e.Release()
			}
		}
	}
	*j = jitter{mem: j.mem, width: j.width, room: j.room}
}

// arrival keeps the statistics of RFC 3550 section 6.4.1 and appendix A.8.
type arrival struct {
	base      uint64 // first extended sequence number
	received  uint64
	jitter    float64 // RTP clock ticks
	transit   int32
	known     bool
	lastTop   uint64 // at the last report
	lastCount uint64
}

func (a *arrival) note(now time.Duration, ts uint32, clockRate int) {
	t := int32(uint32(int64(now)*int64(clockRate)/int64(time.Second)) - ts) //nolint:gosec // modular arithmetic is meant
	if a.known {
		d := float64(t - a.transit)
		if d < 0 {
			d = -d
		}
		a.jitter += (d - a.jitter) / 16
	}
	a.transit, a.known = t, true
}
