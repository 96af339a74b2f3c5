// Package codec turns RTP payloads into samples and back: PCMU and PCMA
// (ITU-T G.711), G.722 at 64 kbit/s, comfort noise (RFC 3389), telephone
// events (RFC 4733), and it makes up what a lost packet would have said.
//
// The room is pure: every function works on slices of the caller, allocates
// nothing, and keeps audio only in a state struct. A state struct is plain old
// data (fixed arrays, no pointer), so that it can lie in locked memory, and has
// Wipe, which leaves nothing in it. Nothing here may be copied to the heap or
// to scratch memory outside such a struct.
//
// All samples are linear PCM, 16 bits, native byte order, one channel.
package codec

import (
	"errors"
	"strings"
)

// Errors of this package. They never carry a payload and are never wrapped
// here, so that a bad packet costs no allocation.
var (
	ErrCodec   = errors.New("codec: the state has no codec: call Init first")
	ErrEmpty   = errors.New("codec: payload or audio is empty")
	ErrShort   = errors.New("codec: destination is too short for the payload or audio")
	ErrOdd     = errors.New("codec: G.722 codes pairs of samples: got an odd number")
	ErrRate    = errors.New("codec: sample rate is neither 8000 nor 16000 Hz")
	ErrComfort = errors.New("codec: comfort noise payload has no valid level")
	ErrEvent   = errors.New("codec: telephone event payload is not 4 bytes")
	ErrKey     = errors.New("codec: not a telephone key or not a length from 40 ms to 8 s")
	ErrBusy    = errors.New("codec: a key is being sent")
)

// Codec is an audio codec that can be negotiated. The zero value is none.
type Codec uint8

// The codecs of this package.
const (
	None Codec = iota
	PCMU       // ITU-T G.711 mu-law, 8 kHz
	PCMA       // ITU-T G.711 A-law, 8 kHz
	G722       // ITU-T G.722 at 64 kbit/s, 16 kHz
)

// ByName finds a codec by its encoding name in SDP (RFC 3551, not case
// sensitive): PCMU, PCMA, G722. An unknown name gives None and false.
func ByName(name string) (Codec, bool) {
	for _, c := range [...]Codec{PCMU, PCMA, G722} {
		if strings.EqualFold(name, c.String()) {
			return c, true
		}
	}
	return None, false
}

// ByStatic finds a codec by its static payload type (RFC 3551 table 4).
func ByStatic(payloadType uint8) (Codec, bool) {
	for _, c := range [...]Codec{PCMU, PCMA, G722} {
		if payloadType == c.PayloadType() {
			return c, true
		}
	}
	return None, false
}

// String is the encoding name as in SDP: PCMU, PCMA, G722, or none.
func (c Codec) String() string {
	switch c {
	case PCMU:
		return "PCMU"
	case PCMA:
		return "PCMA"
	case G722:
		return "G722"
	case None:
	}
	return "none"
}

// ClockRate is the rate of the RTP timestamp in Hz. It is 8000 for G.722 too,
// by a historic error that RFC 3551 section 4.5.2 keeps.
func (c Codec) ClockRate() int {
	if c.SampleRate() == 0 {
		return 0
	}
	return 8000
}

// SampleRate is the rate of the decoded audio in Hz: 8000, or 16000 for G.722.
func (c Codec) SampleRate() int {
	switch c {
	case PCMU, PCMA:
		return 8000
	case G722:
		return 16000
	case None:
	}
	return 0
}

// PayloadType is the static RTP payload type of RFC 3551: 0, 8 or 9; 255 for
// none, which is no payload type.
func (c Codec) PayloadType() uint8 {
	switch c {
	case PCMU:
		return 0
	case PCMA:
		return 8
	case G722:
		return 9
	case None:
	}
	return 255
}

// BytesFor is the size in bytes of the payload that codes so many samples at
// SampleRate.
func (c Codec) BytesFor(samples int) int {
	if c == G722 {
		return samples / 2
	}
	if c == None {
		return 0
	}
	return samples
}

// SamplesFor is the number of samples at SampleRate that a payload of so many
// bytes decodes to.
func (c Codec) SamplesFor(bytes int) int {
	if c == G722 {
		return 2 * bytes
	}
	if c == None {
		return 0
	}
	return bytes
}

// Decoder is the state of decoding one stream. Plain data; call Init first.
type Decoder struct {
	codec Codec
	g722  g722Decoder
}

// Init starts decoding with c from a clean state.
func (d *Decoder) Init(c Codec) {
	*d = Decoder{codec: c}
	d.g722.init()
}

// Codec is the codec Init was given.
func (d *Decoder) Codec() Codec { return d.codec }

// Decode turns one payload into samples at Codec().SampleRate(), and returns
// how many. Every payload of one byte or more has a meaning in each of the
// codecs; the errors are ErrCodec, ErrEmpty and ErrShort, and then dst and the
// state are as they were.
func (d *Decoder) Decode(dst []int16, payload []byte) (n int, err error) {
	n = d.codec.SamplesFor(len(payload))
	switch {
	case d.codec.SampleRate() == 0:
		return 0, ErrCodec
	case n == 0:
		return 0, ErrEmpty
	case n > len(dst):
		return 0, ErrShort
	}
	switch d.codec {
	case PCMU:
		decodeMu(dst, payload)
	case PCMA:
		decodeA(dst, payload)
	case G722:
		d.g722.decode(dst, payload)
	case None:
	}
	return n, nil
}

// Wipe leaves nothing of the stream in the state, and no codec.
func (d *Decoder) Wipe() { *d = Decoder{} }

// Encoder is the state of encoding one stream. Plain data; call Init first.
type Encoder struct {
	codec Codec
	g722  g722Encoder
}

// Init starts encoding with c from a clean state.
func (e *Encoder) Init(c Codec) {
	*e = Encoder{codec: c}
	e.g722.init()
}

// Codec is the codec Init was given.
func (e *Encoder) Codec() Codec { return e.codec }

// Encode turns samples at Codec().SampleRate() into one payload, and returns
// its length in bytes. The errors are ErrCodec, ErrEmpty, ErrShort and, for
// G.722 only, ErrOdd; then dst and the state are as they were.
func (e *Encoder) Encode(dst []byte, pcm []int16) (n int, err error) {
	n = e.codec.BytesFor(len(pcm))
	switch {
	case e.codec.SampleRate() == 0:
		return 0, ErrCodec
	case len(pcm) == 0:
		return 0, ErrEmpty
	case e.codec.SamplesFor(n) != len(pcm):
		return 0, ErrOdd
	case n > len(dst):
		return 0, ErrShort
	}
	switch e.codec {
	case PCMU:
		encodeMu(dst, pcm)
	case PCMA:
		encodeA(dst, pcm)
	case G722:
		e.g722.encode(dst, pcm)
	case None:
	}
	return n, nil
}

// Wipe leaves nothing of the stream in the state, and no codec.
func (e *Encoder) Wipe() { *e = Encoder{} }
