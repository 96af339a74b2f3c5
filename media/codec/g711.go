package codec

import "math/bits"

// ITU-T G.711, computed rather than looked up: a few operations per sample, and
// no table to keep. Samples are 16 bits wide: mu-law has 14 and A-law 13
// significant bits, left-aligned, as every implementation does it.

const (
	muBias = 33 << 2 // G.711 mu-law adds 33 at 14 bits, 132 at 16
	muClip = 32635   // the largest magnitude that does not overflow with the bias
)

func decodeMu(dst []int16, payload []byte) {
	dst = dst[:len(payload)]
	for i, b := range payload {
		dst[i] = muSample(b)
	}
}

// muSample is the linear value of one mu-law byte: sign, 3 bits of segment,
// 4 bits of step, all inverted on the line.
func muSample(b byte) int16 {
	u := ^b
	magnitude := (int32(u&0x0f)<<3+muBias)<<(u>>4&7) - muBias
	sign := int32(int8(u)) >> 7             //nolint:gosec // 0, or -1 for negative
	return int16((magnitude ^ sign) - sign) //nolint:gosec // at most 32124
}

func encodeMu(dst []byte, pcm []int16) {
	dst = dst[:len(pcm)]
	for i, s := range pcm {
		dst[i] = muByte(s)
	}
}

// muByte inverts a negative value rather than negating it, as the ITU's own
// reference (G.191) does: the two differ only on a decision value itself, where
// G.711 leaves the choice.
func muByte(s int16) byte {
	sign := int32(s) >> 15 // 0, or -1 for negative
	magnitude := min(int32(s)^sign, muClip) + muBias
	segment := bits.Len32(uint32(magnitude)) - 8              //nolint:gosec // 0 to 7: the bias sets bit 7
	step := magnitude >> (segment + 3) & 0x0f                 // 4 bits
	return ^(byte(sign)&0x80 | byte(segment<<4) | byte(step)) //nolint:gosec // 1, 3 and 4 bits
}

func decodeA(dst []int16, payload []byte) {
	dst = dst[:len(payload)]
	for i, b := range payload {
		dst[i] = aSample(b)
	}
}

// aSample is the linear value of one A-law byte: sign (1 = positive), 3 bits of
// segment, 4 bits of step, even bits inverted on the line. The value is the
// middle of the step.
func aSample(b byte) int16 {
	a := b ^ 0x55
	magnitude := int32(a&0x0f)<<4 + 8
	if segment := a >> 4 & 7; segment > 0 {
		magnitude = (magnitude + 0x100) << (segment - 1)
	}
	sign := ^(int32(int8(a)) >> 7)          //nolint:gosec // 0, or -1 for negative
	return int16((magnitude ^ sign) - sign) //nolint:gosec // at most 32256
}

func encodeA(dst []byte, pcm []int16) {
	dst = dst[:len(pcm)]
	for i, s := range pcm {
		dst[i] = aByte(s)
	}
}

// aByte works on the 13 significant bits, and inverts a negative value like
// muByte.
func aByte(s int16) byte {
	v := int32(s) >> 3
	sign := v >> 31 // 0, or -1 for negative
	magnitude := v ^ sign
	line := byte(0xd5) & (^byte(sign) | 0x7f)          //nolint:gosec // the sign bit, and every other bit inverted
	segment := max(bits.Len32(uint32(magnitude))-5, 0) //nolint:gosec // 0 to 7
	step := magnitude >> max(segment, 1) & 0x0f        // 4 bits
	return (byte(segment<<4) | byte(step)) ^ line      //nolint:gosec // 3 and 4 bits
}
