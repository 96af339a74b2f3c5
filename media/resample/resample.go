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
// same half-band filter: linear phase, 47 taps, minimax design (Remez).
//
//   - Pass-band, 0 to 3.4 kHz: ripple at most 0.01 dB.
//   - Stop-band, from 4.6 kHz: attenuation at least 63 dB. Towards 8 kHz that is
//     what is removed before every second sample is dropped; towards 16 kHz it
//     is the mirror image of the voice. Between the two the filter falls off,
//     with 6 dB at 4 kHz.
//   - Delay: 1.4375 ms (23 samples at 16 kHz).
//
// Clipping is to 16 bits. Between calls it holds 48 samples at most. The zero
// value, like equal rates, copies. Plain data.
type Converter struct {
	in, out int32
	odd     bool                  // towards 8 kHz: the next sample completes a pair
	line    [2*span + block]int16 // the past, then the block worked on
}

// Init starts from a clean state; in and out are 8000 or 16000 Hz, otherwise
// it returns ErrRate.
func (c *Converter) Init(in, out int) error {
	if (in != 8000 && in != 16000) || (out != 8000 && out != 16000) {
		return ErrRate
	}
	*c = Converter{in: int32(in), out: int32(out)}
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
		clear(c.line[2*span : 2*span+n])
		src = src[n:]
	}
	return made
}

// Wipe leaves no audio in the state and makes it copy.
func (c *Converter) Wipe() { *c = Converter{} }

// double makes two samples of each of the n new ones: one lies on a sample of
// the past and is that sample, the other lies between two and is filtered.
func (c *Converter) double(dst []int16, n int) int {
	dst = dst[:2*n]
	for i := range n {
		x := (*[span]int16)(c.line[span+1+i:])
		sum := 41546*pair(x[11], x[12]) - 13388*pair(x[10], x[13]) +
			7504*pair(x[9], x[14]) - 4831*pair(x[8], x[15]) +
			3262*pair(x[7], x[16]) - 2225*pair(x[6], x[17]) +
			1501*pair(x[5], x[18]) - 985*pair(x[4], x[19]) +
			620*pair(x[3], x[20]) - 367*pair(x[2], x[21]) +
			198*pair(x[1], x[22]) - 109*pair(x[0], x[23])
		dst[2*i] = clip((sum + 1<<15) >> 16)
		dst[2*i+1] = x[12]
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
	made := 0
	for i := first; i < n; i += 2 {
		x := (*[2*span - 1]int16)(c.line[2+i:])
		sum := 41546*pair(x[22], x[24]) - 13388*pair(x[20], x[26]) +
			7504*pair(x[18], x[28]) - 4831*pair(x[16], x[30]) +
			3262*pair(x[14], x[32]) - 2225*pair(x[12], x[34]) +
			1501*pair(x[10], x[36]) - 985*pair(x[8], x[38]) +
			620*pair(x[6], x[40]) - 367*pair(x[4], x[42]) +
			198*pair(x[2], x[44]) - 109*pair(x[0], x[46])
		dst[made] = clip((sum + 1<<16*int64(x[23]) + 1<<16) >> 17)
		made++
	}
	c.odd = c.odd != (n%2 == 1)
	return made
}

func pair(a, b int16) int64 { return int64(a) + int64(b) }

func clip(v int64) int16 { return int16(min(max(v, -32768), 32767)) }
