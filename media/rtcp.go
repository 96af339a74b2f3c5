package media

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// Reports go out every 5 s on average (RFC 3550 section 6.2). They carry
// counts, never audio, so they may pass through the heap.
const (
	reportEvery  = 5 * time.Second
	controlEvery = 25 // servings between two looks at the RTCP socket
)

// ntpEpoch is 1970 in NTP's era 0, in seconds.
const ntpEpoch = 2208988800

func ntp(t time.Time) uint64 {
	frac := uint64(t.Nanosecond()) << 32 / uint64(time.Second) //nolint:gosec // not negative
	return uint64(t.Unix()+ntpEpoch)<<32 | frac                //nolint:gosec // after 1970
}

// reports reads what the far end reports and reports when it is time.
func (s *Stream) reports(now time.Time) {
	if s.untilControl--; s.untilControl > 0 {
		return
	}
	s.untilControl = controlEvery
	for range waiting {
		n, ok := s.rtcp.recv(s.box.rx[:])
		if !ok {
			break
		}
		n = min(n, len(s.box.rx))
		s.report(s.box.rx[:n], s.rtcp.source(), now)
		clear(s.box.rx[:n])
	}
	if now.Before(s.nextReport) {
		return
	}
	s.nextReport = now.Add(reportEvery/2 + rand.N(reportEvery)) //nolint:gosec // spreads load
	s.sendReport(now, false)
}

// report reads one compound packet. It counts only from the far end's address.
func (s *Stream) report(b []byte, src netip.AddrPort, now time.Time) {
	if src.Addr() != s.farAddr() {
		s.count(&s.stats.Refused, &s.plane.totals.refused)
		return
	}
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		s.count(&s.stats.Malformed, &s.plane.totals.malformed)
		return
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if p.SSRC == s.ssrc {
				s.lastSR, s.lastSRAt = uint32(p.NTPTime>>16), now //nolint:gosec // the middle 32 bits
			}
			s.roundTrip(p.Reports, now)
		case *rtcp.ReceiverReport:
			s.roundTrip(p.Reports, now)
		}
	}
}

func (s *Stream) farAddr() netip.Addr {
	if s.locked.IsValid() {
		return s.locked.Addr()
	}
	return s.agreed.RemoteRTCP.Addr()
}

func (s *Stream) roundTrip(reports []rtcp.ReceptionReport, now time.Time) {
	for _, r := range reports {
		if r.SSRC != s.out.ssrc || r.LastSenderReport == 0 {
			continue
		}
		mid := uint32(ntp(now) >> 16)                                                  //nolint:gosec // the middle 32 bits
		rtt := time.Duration(mid-r.LastSenderReport-r.Delay) * (time.Second >> 8) >> 8 // 1/65536 s
		if rtt >= 0 && rtt < 10*time.Second {
			s.stats.RoundTrip = rtt
		}
	}
}

// sendReport sends a sender's or receiver's report with our CNAME, and BYE at
// the end (RFC 3550 section 6.6).
func (s *Stream) sendReport(now time.Time, bye bool) {
	to := s.rtcp
	if s.agreed.RTCPMux {
		to = s.rtp
	}
	if !s.open || !to.aimed() {
		return
	}
	reception := s.reception(now)
	var packets []rtcp.Packet
	if s.out.n > 0 {
		packets = append(packets, &rtcp.SenderReport{
			SSRC: s.out.ssrc, NTPTime: ntp(now), RTPTime: s.out.ts,
			PacketCount: s.out.n, OctetCount: s.out.octets, Reports: reception,
		})
	} else {
		packets = append(packets, &rtcp.ReceiverReport{SSRC: s.out.ssrc, Reports: reception})
	}
	packets = append(packets, rtcp.NewCNAMESourceDescription(s.out.ssrc, s.cname))
	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{s.out.ssrc}})
	}
	b, err := rtcp.Marshal(packets)
	if err != nil || !to.send(b) {
		s.plane.totals.unsent.Add(1)
	}
}

// reception is our view of the far end's packets (RFC 3550 appendix A.3).
func (s *Stream) reception(now time.Time) []rtcp.ReceptionReport {
	if !s.jitter.begun {
		return nil
	}
	a := &s.arrival
	expected := s.jitter.top - a.base + 1
	lost := uint64(0)
	if expected > a.received {
		lost = expected - a.received
	}
	fraction := uint8(0)
	if window, got := s.jitter.top-a.lastTop, a.received-a.lastCount; a.lastTop != 0 && window > got {
		fraction = uint8(min(255, (window-got)<<8/window)) //nolint:gosec // at most 255
	}
	a.lastTop, a.lastCount = s.jitter.top, a.received
	r := rtcp.ReceptionReport{
		SSRC: s.ssrc, FractionLost: fraction, TotalLost: uint32(min(lost, 0x7fffff)), //nolint:gosec // 24 bits
		LastSequenceNumber: uint32(s.jitter.top - 1<<16), Jitter: uint32(a.jitter), //nolint:gosec // the low 32 bits
		LastSenderReport: s.lastSR,
	}
	if s.lastSR != 0 {
		r.Delay = uint32(now.Sub(s.lastSRAt) * 65536 / time.Second) //nolint:gosec // 32 bits of 1/65536 s
	}
	return []rtcp.ReceptionReport{r}
}

// newCNAME is random: RFC 7022 section 4.2, the short-term persistent form.
func newCNAME() string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64())  //nolint:gosec // an identifier, not a secret
	binary.BigEndian.PutUint32(b[8:], rand.Uint32()) //nolint:gosec // an identifier, not a secret
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 24)
	for _, x := range b {
		out = append(out, digits[x>>4], digits[x&15])
	}
	return string(out)
}
