package resample

// Resampler converts between any two rates from 8000 to 48000 Hz: for voices
// that speak at 22050, 24000, 44100 or 48000 Hz. Plain data; call Init first.
type Resampler struct {
	in, out int32
}

// Init starts from a clean state; in and out are 8000 to 48000 Hz, otherwise it
// returns ErrRate.
func (r *Resampler) Init(in, out int) error {
	if in < 8000 || in > 48000 || out < 8000 || out > 48000 {
		return ErrRate
	}
	*r = Resampler{in: int32(in), out: int32(out)}
	return nil
}

// Room is the most samples that Process makes of n, and Flush of none.
func (r *Resampler) Room(n int) int { return n*int(r.out)/max(int(r.in), 1) + 64 }

// Process is like Converter.Process.
func (r *Resampler) Process(dst, src []int16) int { return 0 }

// Flush gives what the filter still holds, at the end of an utterance, and
// starts from a clean state. dst must have Room(0) samples.
func (r *Resampler) Flush(dst []int16) int { return 0 }

// Wipe leaves nothing in the state.
func (r *Resampler) Wipe() { *r = Resampler{} }
