package sdp

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"lethe/media/codec"
)

// Packet times that are sent and taken.
const (
	minPtime     = 10 * time.Millisecond
	maxPtime     = 60 * time.Millisecond
	defaultPtime = 20 * time.Millisecond
)

// stream is what one audio section of the peer says.
type stream struct {
	remote, rtcp    netip.AddrPort
	direction       Direction // as the peer sees it
	mux             bool
	ptime, maxPtime time.Duration // 0 if not said
	formats         []Format      // those of this package's codecs, in the peer's order
	event, comfort  uint8
	hasEvent        bool
	hasComfort      bool
}

// read reads an audio section. The errors are a *SyntaxError and ErrUnsupported.
func (d *description) stream(s *section, local netip.Addr) (*stream, error) {
	st := &stream{}
	address, err := d.connection(s, local)
	if err != nil {
		return nil, err
	}
	st.remote = netip.AddrPortFrom(address, s.port)
	if err := d.readControl(s, st, local); err != nil {
		return nil, err
	}
	name, _, _, ok := d.attribute(s, "sendrecv", "sendonly", "recvonly", "inactive")
	if ok {
		st.direction = directionOf(name)
	}
	if st.ptime, err = d.milliseconds(s, "ptime"); err != nil {
		return nil, err
	}
	if st.maxPtime, err = d.milliseconds(s, "maxptime"); err != nil {
		return nil, err
	}
	return st, st.readFormats(s)
}

func directionOf(attribute string) Direction {
	for _, d := range [...]Direction{SendOnly, RecvOnly, Inactive} {
		if d.String() == attribute {
			return d
		}
	}
	return SendRecv
}

// connection is the address of c=, of the section or else of the session.
func (d *description) connection(s *section, local netip.Addr) (netip.Addr, error) {
	c := s.audio.ConnectionInformation
	if c == nil {
		c = d.session.ConnectionInformation
	}
	number := s.lines[0].number
	if c == nil || c.Address == nil {
		return netip.Addr{}, &SyntaxError{number, "the audio stream has no c= address"}
	}
	return remoteAddress(c, number, local)
}

// remoteAddress reads an address that we are asked to send to. Host names are
// refused: a look-up would take its time, and tell somebody about the call.
func remoteAddress(c *pion.ConnectionInformation, number int, local netip.Addr) (netip.Addr, error) {
	a, err := netip.ParseAddr(c.Address.Address)
	switch {
	case strings.Contains(c.Address.Address, "/"):
		return a, fmt.Errorf("%w: a multicast address", ErrUnsupported)
	case err != nil:
		return a, fmt.Errorf("%w: the address for audio is a host name or no address", ErrUnsupported)
	case a.Zone() != "" || a.Is4In6() || a.Is4() != (c.AddressType == "IP4"):
		return a, &SyntaxError{number, "the address for audio is not of its type IP4 or IP6"}
	case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return a, fmt.Errorf("%w: a multicast or broadcast address", ErrUnsupported)
	case !a.IsUnspecified() && a.Is4() != local.Unmap().Is4():
		return a, fmt.Errorf("%w: %s, and our side has the other", ErrUnsupported, c.AddressType)
	}
	return a, nil
}

// readControl finds where RTCP goes: multiplexed (RFC 5761), as a=rtcp says
// (RFC 3605), or to the next port.
func (d *description) readControl(s *section, st *stream, local netip.Addr) error {
	if _, _, _, st.mux = d.attribute(s, "rtcp-mux"); st.mux {
		st.rtcp = st.remote
		return nil
	}
	_, value, number, ok := d.attribute(s, "rtcp")
	if !ok {
		if st.remote.Port() < 65535 {
			st.rtcp = netip.AddrPortFrom(st.remote.Addr(), st.remote.Port()+1)
		}
		return nil
	}
	fields := strings.Fields(value)
	bad := &SyntaxError{number, "not a=rtcp:<port> [IN IP4|IP6 <address>]"}
	if len(fields) != 1 && len(fields) != 4 {
		return bad
	}
	port, err := strconv.ParseUint(fields[0], 10, 16)
	if err != nil || port == 0 {
		return bad
	}
	address := st.remote.Addr()
	if len(fields) == 4 {
		if fields[1] != "IN" || fields[2] != "IP4" && fields[2] != "IP6" {
			return bad
		}
		c := &pion.ConnectionInformation{AddressType: fields[2], Address: &pion.Address{Address: fields[3]}}
		if address, err = remoteAddress(c, number, local); err != nil {
			return err
		}
	}
	st.rtcp = netip.AddrPortFrom(address, uint16(port))
	return nil
}

// milliseconds reads a=ptime or a=maxptime. Fractions are cut off; 0 and what
// is absurd count as not said.
func (d *description) milliseconds(s *section, name string) (time.Duration, error) {
	_, value, number, ok := d.attribute(s, name)
	if !ok {
		return 0, nil
	}
	ms, err := strconv.ParseFloat(value, 64)
	if err != nil || !(ms >= 0) {
		return 0, &SyntaxError{number, "not a=" + name + ":<milliseconds>"}
	}
	if ms > 1000 {
		return 0, nil
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// rtpmap is a=rtpmap:<payload type> <name>/<clock>[/<channels>].
type rtpmap struct {
	name  string
	clock string
	mono  bool
}

// readFormats reads the payload types of the m= line in their order, by their
// rtpmap or, without one, by RFC 3551.
func (st *stream) readFormats(s *section) error {
	maps, err := s.rtpmaps()
	if err != nil {
		return err
	}
	for _, text := range s.format {
		n, err := strconv.ParseUint(text, 10, 7)
		if err != nil {
			return &SyntaxError{s.lines[0].number, "an audio format is not a payload type from 0 to 127"}
		}
		pt := uint8(n)
		m, mapped := maps[pt]
		if !mapped {
			st.addStatic(pt)
			continue
		}
		if m.mono && m.clock == "8000" {
			st.add(pt, m.name)
		}
	}
	return nil
}

func (s *section) rtpmaps() (map[uint8]rtpmap, error) {
	maps := make(map[uint8]rtpmap)
	for _, l := range s.lines {
		name, value, ok := attribute(l)
		if !ok || name != "rtpmap" {
			continue
		}
		text, encoding, _ := strings.Cut(value, " ")
		pt, err := strconv.ParseUint(text, 10, 7)
		parts := strings.Split(strings.TrimSpace(encoding), "/")
		if err != nil || len(parts) < 2 || len(parts) > 3 || parts[0] == "" {
			return nil, &SyntaxError{l.number, "not a=rtpmap:<payload type> <name>/<clock>[/<channels>]"}
		}
		m := rtpmap{name: parts[0], clock: parts[1], mono: len(parts) == 2 || parts[2] == "1"}
		if _, twice := maps[uint8(pt)]; !twice {
			maps[uint8(pt)] = m
		}
	}
	return maps, nil
}

func (st *stream) addStatic(pt uint8) {
	const comfort = 13 // RFC 3551 table 4
	if c, ok := codec.ByStatic(pt); ok {
		st.add(pt, c.String())
	} else if pt == comfort {
		st.add(pt, "CN")
	}
}

// add notes a payload type with a clock of 8000 Hz.
func (st *stream) add(pt uint8, name string) {
	if c, ok := codec.ByName(name); ok {
		st.formats = append(st.formats, Format{PayloadType: pt, Codec: c})
		return
	}
	switch strings.ToLower(name) {
	case "telephone-event":
		if !st.hasEvent {
			st.event, st.hasEvent = pt, true
		}
	case "cn":
		if !st.hasComfort {
			st.comfort, st.hasComfort = pt, true
		}
	}
}

// find is the peer's first payload type for a codec.
func (st *stream) find(c codec.Codec) (Format, bool) {
	for _, f := range st.formats {
		if f.Codec == c {
			return f, true
		}
	}
	return Format{}, false
}

// agree fills in everything of the outcome that does not depend on who offered.
func (st *stream) agree(t Terms) Agreed {
	a := Agreed{
		Remote: st.remote, RemoteRTCP: st.rtcp, RTCPMux: st.mux,
		Event: st.event, HasEvent: st.hasEvent,
		ComfortNoise: st.comfort, HasComfortNoise: st.hasComfort,
		Ptime: st.packetTime(t), MaxPtime: st.maxPtime,
	}
	unspecified := st.remote.Addr().IsUnspecified() // the hold of RFC 2543
	a.Hold = unspecified || st.direction == SendOnly || st.direction == Inactive
	sends := !unspecified && (st.direction == SendRecv || st.direction == RecvOnly)
	receives := st.direction == SendRecv || st.direction == SendOnly
	switch {
	case sends && receives:
		a.Direction = SendRecv
	case sends:
		a.Direction = SendOnly
	case receives:
		a.Direction = RecvOnly
	default:
		a.Direction = Inactive
	}
	return a
}

// packetTime is how much audio we put into a packet: the peer's wish or else
// ours, at most the peer's maximum, from 10 to 60 ms in steps of 10.
func (st *stream) packetTime(t Terms) time.Duration {
	want := st.ptime
	if want == 0 {
		want = t.ptime()
	}
	if st.maxPtime > 0 {
		want = min(want, st.maxPtime)
	}
	return min(max(want.Truncate(minPtime), minPtime), maxPtime)
}

func (t Terms) ptime() time.Duration {
	if t.Ptime == 0 {
		return defaultPtime
	}
	return min(max(t.Ptime.Truncate(minPtime), minPtime), maxPtime)
}
