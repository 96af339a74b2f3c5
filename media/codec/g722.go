package codec

// ITU-T G.722 (09/2012) at 64 kbit/s. A pair of 16 kHz samples goes through a
// quadrature mirror filter (section 3.1) into a lower and a higher sub-band
// sample; each is coded by an ADPCM with a backward-adaptive predictor and
// quantiser: 6 bits for the lower band, 2 for the higher, one byte on the line.
// The names in capitals are the blocks of section 6; decoding is bit exact.
//
// This file has the two directions and the filter bank; g722band.go has what a
// band does, and the tables.

type g722Encoder struct {
	low, high g722Band
	filter    g722Filter
}

func (e *g722Encoder) init() {
	e.low.det, e.high.det = g722LowStep, g722HighStep
}

// encode takes an even number of samples; dst has room for half as many bytes.
func (e *g722Encoder) encode(dst []byte, pcm []int16) {
	for i := range len(pcm) / 2 {
		even, odd := e.filter.push(int32(pcm[2*i]), int32(pcm[2*i+1]))
		// The sub-bands are one bit narrower than the input: >> 14, not >> 13.
		low, high := (odd+even)>>14, (odd-even)>>14

		lowCode := quantLow(clip16(low-e.low.s), e.low.det)
		e.low.adapt(e.low.adaptLow(lowCode))

		highCode := quantHigh(clip16(high-e.high.s), e.high.det)
		e.high.adapt(e.high.adaptHigh(highCode))

		dst[i] = byte(highCode<<6 | lowCode) //nolint:gosec // 8 bits
	}
}

type g722Decoder struct {
	low, high g722Band
	filter    g722Filter
}

func (d *g722Decoder) init() {
	d.low.det, d.high.det = g722LowStep, g722HighStep
}

// decode makes two samples of each byte; dst has room for them.
func (d *g722Decoder) decode(dst []int16, payload []byte) {
	for i, b := range payload {
		lowCode, highCode := int32(b&0x3f), int32(b>>6)

		// The signal uses all six bits; the adaptation only the upper four,
		// so that the lower two could carry data (section 1.4).
		low := d.low.s + d.low.det*quant6(lowCode)>>15
		low = min(max(low, -16384), 16383) // LIMIT
		d.low.adapt(d.low.adaptLow(lowCode))

		difference := d.high.adaptHigh(highCode)
		high := min(max(d.high.s+difference, -16384), 16383)
		d.high.adapt(difference)

		even, odd := d.filter.push(low+high, low-high)
		dst[2*i] = saturate(odd >> 11)
		dst[2*i+1] = saturate(even >> 11)
	}
}

// g722Filter is the delay line of the 24-tap quadrature mirror filter, split
// into its even and odd taps. Each value is kept twice, 12 apart, so that the
// last 12 always lie side by side.
type g722Filter struct {
	first, second [24]int32
	at            int
}

// push takes the next two values and returns the sum over the even taps (of the
// first values) and over the odd taps (of the second).
func (f *g722Filter) push(first, second int32) (even, odd int32) {
	at := f.at
	f.first[at], f.first[at+12] = first, first
	f.second[at], f.second[at+12] = second, second
	f.at = (at + 1) % 12

	a := (*[12]int32)(f.first[at+1 : at+13]) // oldest first
	even = 3*a[0] - 11*a[1] + 12*a[2] + 32*a[3] - 210*a[4] + 951*a[5] +
		3876*a[6] - 805*a[7] + 362*a[8] - 156*a[9] + 53*a[10] - 11*a[11]
	b := (*[12]int32)(f.second[at+1 : at+13])
	odd = -11*b[0] + 53*b[1] - 156*b[2] + 362*b[3] - 805*b[4] + 3876*b[5] +
		951*b[6] - 210*b[7] + 32*b[8] + 12*b[9] - 11*b[10] + 3*b[11]
	return even, odd
}
