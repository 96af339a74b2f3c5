// Package resample changes the sample rate of speech: Converter between 8 and
// 16 kHz on the hot path of every call, Resampler between any rates for voices.
//
// The room is pure, like package codec: no allocation, audio only in the state
// structs, which are plain old data for locked memory and have Wipe.
package resample

import "errors"

// ErrRate says that a rate is not one that the converter takes.
var ErrRate = errors.New("resample: sample rate is not supported")

const (
	taps  = 12       // pairs of the half-band filter besides its middle
	span  = 2 * taps // samples at 8 kHz that the filter spans
	block = 160      // samples at the input that are worked on at once
)

// Converter converts between 8000 and 16000 Hz, in either direction with the
// same half-band filter: linear phase, 47 taps, minimax design (Remez, then the
// best rounding to 14 bits).
//
//   - Pass-band, 0 to 3.4 kHz: ripple at most 0.01 dB.
//   - Stop-band, from 4.6 kHz: attenuation at least 62 dB. Towards 8 kHz that is
//     what is removed before every second sample is dropped; towards 16 kHz it
//     is the mirror image of the voice. Between the two the filter falls off,
//     with 6 dB at 4 kHz.
//   - Delay: 1.4375 ms (23 samples at 16 kHz).
//
// Clipping is to 16 bits. Between calls it holds 48 samples at most. The zero
// value, like equal rates, copies. Plain data.
type Converter struct {
	in, out int
	odd     bool                         // towards 8 kHz: the next sample completes a pair
	line    [2*span + block + 2]int16    // the past, then the block worked on
	two     [span + block/2 + span]int64 // two samples to a word while it works, then clear
}

// Init starts from a clean state; in and out are 8000 or 16000 Hz, otherwise
// it returns ErrRate.
func (c *Converter) Init(in, out int) error {
	if (in != 8000 && in != 16000) || (out != 8000 && out != 16000) {
		return ErrRate
	}
	*c = Converter{in: in, out: out}
	return nil
}

// Room is the most samples that Process makes of n.
func (c *Converter) Room(n int) int {
	switch {
	case c.out > c.in:
		return 2 * n
	case c.out < c.in:
		return n/2 + 1
	}
	return n
}

// Process converts src, of any length, into dst and returns how many samples
// it made. dst must have Room(len(src)) samples and not overlap src; a shorter
// one gets nothing: the result is 0 and the state as it was.
func (c *Converter) Process(dst, src []int16) int {
	if len(dst) < c.Room(len(src)) {
		return 0
	}
	if c.in == c.out {
		return copy(dst, src)
	}
	made := 0
	for len(src) > 0 {
		n := min(len(src), block)
		copy(c.line[2*span:], src[:n])
		if c.out > c.in {
			made += c.double(dst[made:], n)
		} else {
			made += c.halve(dst[made:], n)
		}
		copy(c.line[:2*span], c.line[n:])
		clear(c.line[2*span:])
		clear(c.two[:])
		src = src[n:]
	}
	return made
}

// Wipe leaves no audio in the state and makes it copy.
func (c *Converter) Wipe() { *c = Converter{} }

// The filter works on two samples of the output at once: the first half of a
// block in the lower 32 bits of a word, the second half in the upper, and one
// multiplication does for both. The coefficients are twice those of a filter of
// gain 1, at 14 bits, so that no sum leaves its 32 bits: the magnitudes add up
// to 1.17, twice, and the middle to 1.
const (
	unit = 1 << 14
	c0   = 10387
	c1   = -3347
	c2   = 1876
	c3   = -1207
	c4   = 815
	c5   = -556
	c6   = 375
	c7   = -246
	c8   = 155
	c9   = -91
	c10  = 49
	c11  = -27
)

// pack lays n samples from first on beside those that come gap later.
func (c *Converter) pack(first, n, gap int) {
	low, high := c.line[first:first+n], c.line[first+gap:first+gap+n]
	two := c.two[:n]
	for i := range two {
		two[i] = int64(low[i]) + int64(high[i])<<32
	}
}

// unpack rounds two sums to samples.
func unpack(sums int64, shift int) (low, high int16) {
	half := int64(1) << (shift - 1)
	a := int64(int32(sums)) //nolint:gosec // the lower 32 bits are meant
	b := (sums - a) >> 32
	return clip((a + half) >> shift), clip((b + half) >> shift)
}

// double makes two samples of each of the n new ones: one lies on a sample of
// the past and is that sample, the other lies between two and is filtered.
func (c *Converter) double(dst []int16, n int) int {
	half := (n + 1) / 2
	past := c.line[span+1:]
	c.pack(span+1, half+span-1, half)
	for i := range half {
		x := (*[span]int64)(c.two[i:])
		sums := c0*(x[11]+x[12]) + c1*(x[10]+x[13]) + c2*(x[9]+x[14]) + c3*(x[8]+x[15]) +
			c4*(x[7]+x[16]) + c5*(x[6]+x[17]) + c6*(x[5]+x[18]) + c7*(x[4]+x[19]) +
			c8*(x[3]+x[20]) + c9*(x[2]+x[21]) + c10*(x[1]+x[22]) + c11*(x[0]+x[23])
		low, high := unpack(sums, 14)
		dst[2*i], dst[2*i+1] = low, past[12+i]
		if j := i + half; j < n {
			dst[2*j], dst[2*j+1] = high, past[12+j]
		}
	}
	return 2 * n
}

// halve makes one sample of each pair that the n new ones complete: the filter
// has its middle on one sample and else only meets those an odd way off.
func (c *Converter) halve(dst []int16, n int) int {
	first := 1
	if c.odd {
		first = 0
	}
	made := (n - first + 1) / 2
	half := (made + 1) / 2
	c.pack(2+first, 2*half+2*span-3, 2*half)
	for i := range half {
		x := (*[2*span - 1]int64)(c.two[2*i:])
		sums := c0*(x[22]+x[24]) + c1*(x[20]+x[26]) + c2*(x[18]+x[28]) + c3*(x[16]+x[30]) +
			c4*(x[14]+x[32]) + c5*(x[12]+x[34]) + c6*(x[10]+x[36]) + c7*(x[8]+x[38]) +
			c8*(x[6]+x[40]) + c9*(x[4]+x[42]) + c10*(x[2]+x[44]) + c11*(x[0]+x[46]) + unit*x[23]
		low, high := unpack(sums, 15)
		dst[i] = low
		if j := i + half; j < made {
			dst[j] = high
		}
	}
	c.odd = c.odd != (n%2 == 1)
	return made
}

func clip(v int64) int16 { return int16(min(max(v, -32768), 32767)) }
