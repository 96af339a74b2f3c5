package sdp

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"lethe/media/codec"
)

// Answer answers an offer: one audio stream is taken, every other stream of the
// offer is refused with port 0 (RFC 3264 section 6). The answer has one codec,
// ours of the highest preference that the peer has, and the peer's payload
// types of telephone-event and CN. The errors are a *SyntaxError
// (ErrMalformed), ErrUnsupported (with ErrSecure) and ErrNoCommonCodec.
func Answer(offer []byte, t Terms, l Local) (answer []byte, a Agreed, err error) {
	if err := l.validate(); err != nil {
		return nil, Agreed{}, err
	}
	d, err := parse(offer)
	if err != nil {
		return nil, Agreed{}, err
	}
	taken, a, err := d.take(t, l)
	if err != nil {
		return nil, Agreed{}, err
	}
	session := l.describe()
	session.TimeDescriptions = nil // must be the offer's (RFC 3264 section 6)
	for _, td := range d.session.TimeDescriptions {
		session.TimeDescriptions = append(session.TimeDescriptions, pion.TimeDescription{Timing: td.Timing})
	}
	for i := range d.sections {
		m := d.sections[i].refusal()
		if i == taken {
			m = accepted(d.sections[i].proto, a, l)
		}
		session.MediaDescriptions = append(session.MediaDescriptions, m)
	}
	answer, err = session.Marshal()
	if err != nil {
		return nil, Agreed{}, fmt.Errorf("sdp: writing the answer: %w", err)
	}
	return answer, a, nil
}

// take finds the first audio stream that we can talk over. If there is none,
// the error says what came closest: no common codec, or else the last reason.
func (d *description) take(t Terms, l Local) (index int, a Agreed, err error) {
	why := fmt.Errorf("%w: no audio stream over RTP", ErrUnsupported)
	for i := range d.sections {
		s := &d.sections[i]
		if s.audio == nil || s.port == 0 {
			continue
		}
		a, err := d.try(s, t, l)
		switch {
		case err == nil:
			return i, a, nil
		case errors.Is(err, ErrMalformed):
			return 0, Agreed{}, err
		case !errors.Is(why, ErrNoCommonCodec):
			why = err
		}
	}
	return 0, Agreed{}, why
}

// try answers one audio stream. Our first codec that the peer has is chosen; the
// peer may then send only that one.
func (d *description) try(s *section, t Terms, l Local) (Agreed, error) {
	if s.secure() {
		return Agreed{}, ErrSecure
	}
	st, err := d.stream(s, l.Address)
	if err != nil {
		return Agreed{}, err
	}
	for _, c := range t.Codecs {
		if f, ok := st.find(c); ok {
			a := st.agree(t)
			a.Codec, a.PayloadType, a.Accept = f.Codec, f.PayloadType, []Format{f}
			return a, nil
		}
	}
	return Agreed{}, ErrNoCommonCodec
}

// refusal answers a stream that is not taken. Its formats are ignored by the
// peer, but one must be there.
func (s *section) refusal() *pion.MediaDescription {
	return &pion.MediaDescription{MediaName: pion.MediaName{
		Media: s.media, Protos: strings.Split(s.proto, "/"), Formats: s.format[:1],
	}}
}

func accepted(proto string, a Agreed, l Local) *pion.MediaDescription {
	w := newWriter(proto, l.Port)
	w.codec(a.PayloadType, a.Codec)
	if a.HasComfortNoise {
		w.comfort(a.ComfortNoise)
	}
	if a.HasEvent {
		w.event(a.Event)
	}
	w.times(a.Ptime)
	w.attribute(a.Direction.String(), "")
	if a.RTCPMux {
		w.attribute("rtcp-mux", "")
	}
	return w.media
}

// Payload types of our offers beside the static ones.
const (
	offerComfort = 13  // RFC 3551
	offerEvent   = 101 // dynamic; what nearly everybody uses
)

// Offer makes an offer of one audio stream with all codecs of the terms,
// comfort noise and telephone events 0-15. It is nil if the terms have no codec
// or the local side has no address or port.
func Offer(t Terms, l Local, dir Direction) []byte {
	codecs := t.offered()
	if len(codecs) == 0 || l.validate() != nil {
		return nil
	}
	w := newWriter("RTP/AVP", l.Port)
	for _, c := range codecs {
		w.codec(c.PayloadType(), c)
	}
	w.comfort(offerComfort)
	w.event(offerEvent)
	w.times(t.ptime())
	w.attribute(dir.String(), "")
	w.attribute("rtcp-mux", "")

	session := l.describe()
	session.MediaDescriptions = []*pion.MediaDescription{w.media}
	offer, err := session.Marshal()
	if err != nil {
		return nil // cannot be: pion writes any description
	}
	return offer
}

// offered are the codecs of the terms without none and without repeats.
func (t Terms) offered() []codec.Codec {
	var codecs []codec.Codec
	for _, c := range t.Codecs {
		if c.SampleRate() != 0 && !slices.Contains(codecs, c) {
			codecs = append(codecs, c)
		}
	}
	return codecs
}

// Accept reads the answer to an Offer made with the same terms. We send the
// first codec of the answer that was offered (RFC 3264 section 7); the peer may
// send any of them, with its payload types or those of the offer. The errors
// are those of Answer; a refused stream is ErrNoCommonCodec.
func Accept(answer []byte, t Terms, l Local) (Agreed, error) {
	if err := l.validate(); err != nil {
		return Agreed{}, err
	}
	d, err := parse(answer)
	if err != nil {
		return Agreed{}, err
	}
	if len(d.sections) != 1 {
		return Agreed{}, &SyntaxError{Reason: "the answer has not one m= line for the one of the offer"}
	}
	s := &d.sections[0]
	switch {
	case s.audio == nil:
		return Agreed{}, fmt.Errorf("%w: the answer is not audio over RTP", ErrUnsupported)
	case s.port == 0:
		return Agreed{}, fmt.Errorf("%w: the peer refused the stream", ErrNoCommonCodec)
	case s.secure():
		return Agreed{}, ErrSecure
	}
	st, err := d.stream(s, l.Address)
	if err != nil {
		return Agreed{}, err
	}
	a := st.agree(t)
	a.Accept = st.answered(t.offered())
	if len(a.Accept) == 0 {
		return Agreed{}, ErrNoCommonCodec
	}
	a.Codec, a.PayloadType = a.Accept[0].Codec, a.Accept[0].PayloadType
	return a, nil
}

// answered are the formats that may come in: those of the answer that were
// offered, first in the answer's numbers, then in the offer's.
func (st *stream) answered(offered []codec.Codec) []Format {
	var formats []Format
	taken := make(map[uint8]bool)
	add := func(f Format) {
		if !taken[f.PayloadType] {
			taken[f.PayloadType] = true
			formats = append(formats, f)
		}
	}
	for _, f := range st.formats {
		if slices.Contains(offered, f.Codec) {
			add(f)
		}
	}
	for _, f := range slices.Clone(formats) {
		add(Format{PayloadType: f.Codec.PayloadType(), Codec: f.Codec})
	}
	return formats
}

// validate checks what the caller of this package gave.
func (l Local) validate() error {
	if !l.Address.IsValid() || l.Address.IsUnspecified() || l.Port == 0 {
		return fmt.Errorf("%w: our side has no address or port", ErrLocal)
	}
	return nil
}

// describe is the session part. The user name is "-" and the numbers are the
// caller's: the address of the media is all it tells.
func (l Local) describe() *pion.SessionDescription {
	address, kind := l.Address.Unmap().WithZone(""), "IP4"
	if !address.Is4() {
		kind = "IP6"
	}
	return &pion.SessionDescription{
		Origin: pion.Origin{
			Username: "-", SessionID: l.Session, SessionVersion: l.Version,
			NetworkType: "IN", AddressType: kind, UnicastAddress: address.String(),
		},
		SessionName: "-",
		ConnectionInformation: &pion.ConnectionInformation{
			NetworkType: "IN", AddressType: kind, Address: &pion.Address{Address: address.String()},
		},
		TimeDescriptions: []pion.TimeDescription{{}},
	}
}

// writer builds one m= section.
type writer struct{ media *pion.MediaDescription }

func newWriter(proto string, port uint16) writer {
	return writer{&pion.MediaDescription{MediaName: pion.MediaName{
		Media: "audio", Port: pion.RangedPort{Value: int(port)}, Protos: strings.Split(proto, "/"),
	}}}
}

func (w writer) attribute(name, value string) {
	w.media.Attributes = append(w.media.Attributes, pion.Attribute{Key: name, Value: value})
}

func (w writer) format(pt uint8, encoding string) {
	number := strconv.Itoa(int(pt))
	w.media.MediaName.Formats = append(w.media.MediaName.Formats, number)
	w.attribute("rtpmap", number+" "+encoding)
}

func (w writer) codec(pt uint8, c codec.Codec) {
	w.format(pt, c.String()+"/"+strconv.Itoa(c.ClockRate()))
}

func (w writer) comfort(pt uint8) { w.format(pt, "CN/8000") }

func (w writer) event(pt uint8) {
	w.format(pt, "telephone-event/8000")
	w.attribute("fmtp", strconv.Itoa(int(pt))+" 0-15")
}

func (w writer) times(ptime time.Duration) {
	w.attribute("ptime", strconv.FormatInt(ptime.Milliseconds(), 10))
	w.attribute("maxptime", strconv.FormatInt(maxPtime.Milliseconds(), 10))
}
