package media

import (
	"time"

	"lethe/media/codec"
	"lethe/media/internal/frame"
)

const (
	fill        = 20 * time.Millisecond // what is made up at a time
	concealable = 60 * time.Millisecond // of a gap
	bigGap      = 2 * time.Second       // a jump of the sender's clock, not a pause
	slackWindow = 256                   // packets
)

// timeline says when which RTP timestamp is to be played. The frames that ears
// hear follow each other without a gap: what did not come is made up, and what
// comes later than it should is played when it comes, which makes the delay
// longer; the delay shrinks again when packets have long been early.
type timeline struct {
	on    bool
	ts    uint32        // of the next sample
	at    time.Time     // when it is due
	made  time.Duration // made up since the last packet
	slack time.Duration // least earliness of this window
	seen  int
}

const rtpTick = time.Second / codec.EventClock // every codec here has an RTP clock of 8000 Hz

func (l *timeline) restart(ts uint32, now time.Time, delay time.Duration) {
	*l = timeline{on: true, ts: ts, at: now.Add(delay), slack: time.Hour}
}

func (l *timeline) pass(d time.Duration) {
	l.ts += uint32(d / rtpTick) //nolint:gosec // modular arithmetic is meant
	l.at = l.at.Add(d)
}

// until is the time from the next sample to ts.
func (l *timeline) until(ts uint32) time.Duration {
	return time.Duration(int32(ts-l.ts)) * rtpTick //nolint:gosec // modular arithmetic is meant
}

// measureSlack lets the delay shrink when every packet of a window came
// earlier than the delay asks for. Frames then follow each other faster for a
// moment; no sample is lost.
func (s *Stream) measureSlack(ts uint32, now time.Time) {
	l := &s.line
	l.slack = min(l.slack, l.at.Add(l.until(ts)).Sub(now))
	l.seen++
	if l.seen < slackWindow {
		return
	}
	if extra := l.slack - s.plane.config.Jitter; extra > 0 {
		l.at = l.at.Add(-extra)
	}
	l.slack, l.seen = time.Hour, 0
}

// makeRoom plays what waits before its time, if ext finds no place.
func (s *Stream) makeRoom(ext uint64) {
	for s.jitter.full(ext) {
		p := s.jitter.first()
		if p == nil {
			s.lose(ext - s.jitter.next)
			s.jitter.next = ext
			return
		}
		s.line.ts = p.ts
		s.play(p)
	}
}

// playAll plays what waits before its time.
func (s *Stream) playAll() {
	for p := s.jitter.first(); p != nil; p = s.jitter.first() {
		s.line.ts = p.ts
		s.play(p)
	}
}

// playDue plays everything whose time has come, and makes up what is missing.
func (s *Stream) playDue(now time.Time) {
	if !s.line.on {
		return
	}
	if now.Sub(s.line.at) > bigGap { // nothing was served for long
		s.line.at = now
	}
	for range 2 * waiting {
		if now.Before(s.line.at) {
			return
		}
		p := s.jitter.first()
		if p == nil {
			s.makeUp(fill, s.line.made >= concealable || s.quiet)
			continue
		}
		gap := s.line.until(p.ts)
		switch {
		case p.n == 0 && (gap <= 0 || p.seq == s.jitter.next): // a key or comfort noise
			s.lose(s.jitter.wipe(p))
		case gap <= 0 || gap > bigGap:
			s.line.ts = p.ts
			s.play(p)
		case p.seq != s.jitter.next: // a loss, until the next packet's time
			s.makeUp(min(gap, fill), s.line.made >= concealable)
		default: // the far end was silent (DTX): not a loss
			s.makeUp(min(gap, fill), true)
		}
	}
}

// play decodes p, lends the frame to the ears and forgets it.
func (s *Stream) play(p *packet) {
	if p.n == 0 {
		s.lose(s.jitter.wipe(p))
		return
	}
	c := s.codecOf(p.pt)
	e := p.e
	defer e.Release()
	if c != codec.None && c != s.box.dec.Codec() {
		s.tune(c)
	}
	pcm := s.box.pcm.Fill(frame.MaxSamples)
	n, err := s.box.dec.Decode(pcm, s.jitter.payload(p))
	if err != nil {
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
		s.lose(s.jitter.wipe(p))
		s.box.pcm.Wipe()
		return
	}
	s.lose(s.jitter.wipe(p))
	pcm = s.box.pcm.Fill(n)
	s.box.conceal.Good(pcm)
	s.remember(e, n)
	s.line.made, s.quiet = 0, false
	s.hear(e)
	s.line.pass(samplesTime(n, c.SampleRate()))
}

// makeUp fills d of the time line: with an echo of what was heard, or with
// comfort noise (silence, if the far end gave no level).
func (s *Stream) makeUp(d time.Duration, noise bool) {
	n := int(d * time.Duration(s.box.dec.Codec().SampleRate()) / time.Second)
	if n == 0 {
		s.line.pass(d)
		return
	}
	pcm := s.box.pcm.Fill(n)
	if s.line.made >= concealable {
		s.forgetHistory() // there is nothing left to go on with
	}
	if noise {
		s.box.noise.Fill(pcm)
	} else {
		s.box.conceal.Lost(pcm)
		s.count(&s.stats.Concealed, &s.plane.totals.concealed)
	}
	s.line.made += d
	s.hear(nil)
	s.line.pass(d)
}

// hear lends the frame in box.pcm to every ear of the caller's side, and
// wipes it. e is nil for what was made up: it was never born.
func (s *Stream) hear(e *entry) {
	rate := s.box.dec.Codec().SampleRate()
	var keep frame.Keeper
	if e != nil {
		keep = e
	}
	f := frame.New(&s.box.pcm, Caller, rate, s.streamAt, keep)
	s.streamAt += f.Duration()
	wide := false
	for i := 0; i < len(s.ears); i++ {
		l := s.ears[i]
		if l.side != Caller {
			continue
		}
		g := f
		if l.rate != 0 && l.rate != rate {
			if !wide {
				wide = true
				s.convert(f, l.rate)
			}
			g = frame.New(&s.box.wide, Caller, l.rate, f.At(), keep)
		}
		if err := l.ear.Hear(g); err != nil {
			s.ears = append(s.ears[:i], s.ears[i+1:]...)
			i--
		}
	}
	s.box.pcm.Wipe()
	if wide {
		s.box.wide.Wipe()
	}
}

// convert fills box.wide with f at the other rate.
func (s *Stream) convert(f Frame, rate int) {
	if s.converts != [2]int{f.Rate(), rate} {
		if s.box.conv.Init(f.Rate(), rate) != nil {
			s.box.wide.Fill(0)
			return
		}
		s.converts = [2]int{f.Rate(), rate}
	}
	src := frame.Samples(f)
	n := s.box.conv.Process(s.box.wide.Fill(frame.MaxSamples), src)
	s.box.wide.Fill(n)
}

// tune begins decoding with c.
func (s *Stream) tune(c codec.Codec) {
	s.box.dec.Init(c)
	if err := s.box.conceal.Init(c.SampleRate()); err != nil {
		s.fail(err)
	}
	s.forgetHistory()
}

// history is how long the concealer and the resampler remember samples.
const history = 40 * time.Millisecond

// remembered is a packet whose samples the concealer still holds.
type remembered struct {
	e *entry
	d time.Duration
}

// remember keeps e's ledger entry open until its samples have left the
// concealer's memory.
func (s *Stream) remember(e *entry, n int) {
	e.Retain()
	d := samplesTime(n, s.box.dec.Codec().SampleRate())
	if s.past.n == len(s.past.of) {
		s.past.drop()
	}
	s.past.push(remembered{e, d})
	for s.past.n > 1 && s.past.total-s.past.of[s.past.head].d >= history {
		s.past.drop()
	}
}

func (s *Stream) forgetHistory() {
	s.box.conceal.Wipe()
	for s.past.n > 0 {
		s.past.drop()
	}
}

// memory is a small queue of remembered packets.
type memory struct {
	of      [8]remembered
	head, n int
	total   time.Duration
}

func (m *memory) push(r remembered) {
	m.of[(m.head+m.n)%len(m.of)] = r
	m.n++
	m.total += r.d
}

func (m *memory) drop() {
	r := m.of[m.head]
	m.of[m.head] = remembered{}
	m.head = (m.head + 1) % len(m.of)
	m.n--
	m.total -= r.d
	r.e.Release()
}

func samplesTime(n, rate int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(rate)
}
