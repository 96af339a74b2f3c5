package forensic

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"lethe/media/codec"
	"lethe/media/resample"
)

// ErrCodec means that lethe has no codec of that name.
var ErrCodec = errors.New("forensic: unknown codec")

// Of makes the needles of one call from the RTP payloads that were sent, in
// the order of their sequence numbers, in the codec with the given encoding
// name (PCMU, PCMA, G722). They are taken through lethe's own decoder and
// resampler, and end up in every layout that lethe, or a slip in lethe, makes
// of them.
func Of(encoding string, payloads [][]byte) (*Needles, error) {
	c, ok := codec.ByName(encoding)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrCodec, encoding)
	}
	t, err := tracks(c, payloads)
	if err != nil {
		return nil, err
	}
	return New(t)
}

// tracks are all layouts of the payloads.
func tracks(c codec.Codec, payloads [][]byte) ([]Track, error) {
	var wire []byte
	for _, p := range payloads {
		wire = append(wire, p...)
	}
	pcm, err := decode(c, payloads)
	if err != nil {
		return nil, err
	}
	rate, other := c.SampleRate(), 24000-c.SampleRate() // 8000 and 16000
	moved, err := convert(pcm, rate, other)
	if err != nil {
		return nil, err
	}
	all := []Track{{Kind: c.String(), Data: wire, Second: 8000}}
	all = append(all, layouts(pcm, rate)...)
	all = append(all, layouts(moved, other)...)
	narrow := pcm
	if rate != 8000 {
		narrow = moved
	}
	for _, g := range []codec.Codec{codec.PCMU, codec.PCMA} {
		if g == c {
			continue
		}
		law, err := encode(g, narrow)
		if err != nil {
			return nil, err
		}
		all = append(all, Track{Kind: g.String() + " of " + c.String(), Data: law, Second: 8000})
	}
	return all, nil
}

func decode(c codec.Codec, payloads [][]byte) ([]int16, error) {
	var d codec.Decoder
	d.Init(c)
	var pcm []int16
	for i, p := range payloads {
		part := make([]int16, c.SamplesFor(len(p)))
		if _, err := d.Decode(part, p); err != nil {
			return nil, fmt.Errorf("forensic: payload %d: %w", i, err)
		}
		pcm = append(pcm, part...)
	}
	return pcm, nil
}

func convert(pcm []int16, from, to int) ([]int16, error) {
	var r resample.Converter
	if err := r.Init(from, to); err != nil {
		return nil, fmt.Errorf("forensic: %d to %d Hz: %w", from, to, err)
	}
	out := make([]int16, r.Room(len(pcm)))
	return out[:r.Process(out, pcm)], nil
}

func encode(c codec.Codec, pcm []int16) ([]byte, error) {
	var e codec.Encoder
	e.Init(c)
	out := make([]byte, c.BytesFor(len(pcm)))
	n, err := e.Encode(out, pcm)
	if err != nil {
		return nil, fmt.Errorf("forensic: %s of the samples: %w", c, err)
	}
	return out[:n], nil
}

// layouts are the ways a sample is laid out in memory or in a file: 16 and 32
// bit integers, and floating point with and without scale.
func layouts(pcm []int16, rate int) []Track {
	le16, be16, le32 := make([]byte, 0, 2*len(pcm)), make([]byte, 0, 2*len(pcm)), make([]byte, 0, 4*len(pcm))
	unit, full := make([]byte, 0, 4*len(pcm)), make([]byte, 0, 4*len(pcm))
	o := binary.LittleEndian
	for _, s := range pcm {
		u := uint16(s) //nolint:gosec // two's complement is what is looked for
		le16 = o.AppendUint16(le16, u)
		be16 = binary.BigEndian.AppendUint16(be16, u)
		le32 = o.AppendUint32(le32, uint32(int32(s))) //nolint:gosec // likewise
		unit = o.AppendUint32(unit, math.Float32bits(float32(s)/32768))
		full = o.AppendUint32(full, math.Float32bits(float32(s)))
	}
	kind := func(name string) string { return fmt.Sprintf("%s@%d", name, rate) }
	return []Track{
		{Kind: kind("pcm16le"), Data: le16, Second: 2 * rate},
		{Kind: kind("pcm16be"), Data: be16, Second: 2 * rate},
		{Kind: kind("pcm32le"), Data: le32, Second: 4 * rate, Align: 4},
		{Kind: kind("float32/32768"), Data: unit, Second: 4 * rate, Align: 4},
		{Kind: kind("float32"), Data: full, Second: 4 * rate, Align: 4},
	}
}
