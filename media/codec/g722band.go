package codec

// Quantiser steps at the start (G.722 table 11).
const (
	g722LowStep  = 32
	g722HighStep = 8
)

// g722Band is the adaptive predictor and quantiser of one sub-band. Index 0 of
// a history is the newest; all values are 16 bits wide.
type g722Band struct {
	s, sz int32    // SL or SH: the prediction; its part that the zeros made
	nb    int32    // logarithmic quantiser scale
	det   int32    // linear quantiser scale
	a     [2]int32 // poles of the predictor
	b     [6]int32 // zeros of the predictor
	d     [6]int32 // quantised differences
	r     [2]int32 // reconstructed signal
	p     [2]int32 // partially reconstructed signal
}

// adaptLow adapts the scale to a 6-bit code and returns the quantised
// difference as the predictor sees it, at the scale before (INVQAL, LOGSCL,
// SCALEL).
func (g *g722Band) adaptLow(code int32) (difference int32) {
	code >>= 2
	difference = g.det * quant4(code) >> 15
	g.nb = min(max(g.nb*127>>7+scaleLow(code), 0), 18432)
	g.det = linear(g.nb, 8)
	return difference
}

// adaptHigh is the same for a 2-bit code (INVQAH, LOGSCH, SCALEH).
func (g *g722Band) adaptHigh(code int32) (difference int32) {
	difference = g.det * quant2(code) >> 15
	g.nb = min(max(g.nb*127>>7+scaleHigh(code), 0), 22528)
	g.det = linear(g.nb, 10)
	return difference
}

// linear turns a logarithmic scale into a linear one; shift is 8 or 10.
func linear(nb, shift int32) int32 {
	mantissa := inverseLog(nb >> 6 & 31)
	shift -= nb >> 11
	if shift < 0 {
		return mantissa << -shift << 2
	}
	return mantissa >> shift << 2
}

// adapt updates the predictor with a quantised difference (block 4).
func (g *g722Band) adapt(difference int32) {
	r := clip16(g.s + difference)  // RECONS
	p := clip16(g.sz + difference) // PARREC

	a2 := g.upPole2(p)
	a1 := g.upPole1(p, a2)
	g.upZeros(difference)

	// DELAYA
	g.a[0], g.a[1] = a1, a2
	g.p[0], g.p[1] = p, g.p[0]
	g.r[0], g.r[1] = r, g.r[0]
	copy(g.d[1:], g.d[:5])
	g.d[0] = difference

	g.predict()
}

// upPole2 is UPPOL2: the second pole's next value.
func (g *g722Band) upPole2(p int32) int32 {
	w := min(signed(-clip16(g.a[0]<<2), p^g.p[0]), 32767)
	next := w>>7 + signed(128, p^g.p[1]) + g.a[1]*32512>>15
	return min(max(next, -12288), 12288)
}

// upPole1 is UPPOL1: the first pole's next value, kept stable by the second's.
func (g *g722Band) upPole1(p, a2 int32) int32 {
	next := g.a[0]*32640>>15 + signed(192, p^g.p[0])
	limit := 15360 - a2
	return min(max(next, -limit), limit)
}

// upZeros is UPZERO.
func (g *g722Band) upZeros(difference int32) {
	step := int32(128)
	if difference == 0 {
		step = 0
	}
	for i, d := range &g.d {
		g.b[i] = clip16(g.b[i]*32640>>15 + signed(step, difference^d))
	}
}

// signed is v, or -v if sign is negative, without a branch: these signs are as
// good as random, and a processor would guess half of them wrong. The sign of
// a^b is that of a*b.
func signed(v, sign int32) int32 {
	s := sign >> 31
	return v ^ s - s
}

// predict is FILTEZ, FILTEP and PREDIC.
func (g *g722Band) predict() {
	sz := int32(0)
	for i, d := range &g.d {
		sz += g.b[i] * clip16(2*d) >> 15
	}
	g.sz = clip16(sz)
	sp := clip16(g.a[0]*clip16(2*g.r[0])>>15 + g.a[1]*clip16(2*g.r[1])>>15)
	g.s = clip16(sp + g.sz)
}

func clip16(v int32) int32 { return min(max(v, -32768), 32767) }

func saturate(v int32) int16 { return int16(clip16(v)) } //nolint:gosec // clipped

// quantLow codes a difference in 6 bits (QUANTL): the number of decision levels
// (table 14, at this scale) that its magnitude reaches, then sign and code
// (table 15).
func quantLow(difference, scale int32) int32 {
	magnitude := difference ^ difference>>31
	level := int32(0)
	for step := int32(16); step > 0; step >>= 1 {
		if next := level + step; next <= 29 && magnitude >= decision6(next)*scale>>12 {
			level = next
		}
	}
	if difference >= 0 {
		return 61 - level
	}
	if level < 2 {
		return 63 - level
	}
	return 33 - level
}

// quantHigh codes a difference in 2 bits (QUANTH).
func quantHigh(difference, scale int32) int32 {
	magnitude := difference ^ difference>>31
	code := int32(1)
	if magnitude >= 564*scale>>12 {
		code = 0
	}
	if difference >= 0 {
		code += 2
	}
	return code
}

// The tables of the standard. An array literal that is only indexed is put into
// read-only memory by the compiler: nothing is built at run time.

// decision6 is table 14 without its two infinities: level 1 to 29.
func decision6(level int32) int32 {
	return int32([32]int16{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650,
		714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195,
		2557, 2919,
	}[level&31])
}

// quant6 is QM6: the 6-bit inverse quantiser.
func quant6(code int32) int32 {
	return int32([64]int16{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704,
		-14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576,
		-3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192,
		10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032,
		1688, 1360, 1040, 728, 432, 136, -432, -136,
	}[code&63])
}

// quant4 is QM4: the inverse quantiser of the upper four of six bits.
func quant4(code int32) int32 {
	return int32([16]int16{
		0, -20456, -12896, -8968, -6288, -4240, -2584, -1200,
		20456, 12896, 8968, 6288, 4240, 2584, 1200, 0,
	}[code&15])
}

// quant2 is QM2: the 2-bit inverse quantiser of the higher band.
func quant2(code int32) int32 {
	return int32([4]int16{-7408, -1616, 7408, 1616}[code&3])
}

// scaleLow is WL by way of RL42: what a 4-bit code adds to the lower scale.
func scaleLow(code int32) int32 {
	return int32([16]int16{
		-60, 3042, 1198, 538, 334, 172, 58, -30,
		3042, 1198, 538, 334, 172, 58, -30, -60,
	}[code&15])
}

// scaleHigh is WH by way of RH2.
func scaleHigh(code int32) int32 {
	return int32([4]int16{798, -214, 798, -214}[code&3])
}

// inverseLog is ILB.
func inverseLog(i int32) int32 {
	return int32([32]int16{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383,
		2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371,
		3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}[i&31])
}
