package codec

import "math"

// ComfortLevel reads the noise level of a comfort noise payload (RFC 3389
// section 3): 0 to 127, in -dBov (0 is a full-scale square wave). The spectral
// information that may follow is not used, which the RFC leaves to the
// receiver. The error is ErrComfort.
func ComfortLevel(payload []byte) (level uint8, err error) {
	if len(payload) == 0 || payload[0] > 127 {
		return 0, ErrComfort
	}
	return payload[0], nil
}

// Noise makes comfort noise: white, and always the same for the same levels.
// Its zero value is silence. Plain data; it holds no audio.
type Noise struct {
	state uint32
	scale float32
}

// Level sets the loudness, in -dBov as ComfortLevel returns it.
func (n *Noise) Level(level uint8) {
	// Evenly spread values have a peak of the square root of 3 times their RMS.
	peak := 32767 * math.Sqrt(3) * math.Pow(10, -float64(level)/20)
	n.scale = float32(peak / (1 << 31))
	if n.state == 0 {
		n.state = 0x9e3779b9 // any number but 0, where the generator would stay
	}
}

// Fill makes len(dst) samples.
func (n *Noise) Fill(dst []int16) {
	for i := range dst {
		n.state ^= n.state << 13 // xorshift: Marsaglia 2003
		n.state ^= n.state >> 17
		n.state ^= n.state << 5
		dst[i] = saturate(int32(float32(int32(n.state)) * n.scale)) //nolint:gosec // all 32 bits are meant
	}
}

// Wipe makes it silent.
func (n *Noise) Wipe() { *n = Noise{} }
