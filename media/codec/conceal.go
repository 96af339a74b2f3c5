package codec

import "math"

// Concealer makes up audio for lost packets (in the spirit of ITU-T G.711
// appendix I): it repeats the last pitch period that was heard, full for 10 ms,
// then fading, silent from 60 ms on. It adds no delay, so the joint is made of
// made-up audio alone: at the start by leading the repetition in from the last
// sample heard, at the end by blending it into the first frame that comes.
// It holds 40 ms of audio at most, and nothing once it is silent. Plain data;
// call Init first.
type Concealer struct {
	history [640]int16 // the latest 40 ms, in the last 40 * rate/1000 values
	have    int        // samples of the history that are audio, counted from its end
	rate    int        // Hz
	period  int        // that is being repeated, in samples
	lost    int        // samples made up since the last good frame
}

// Init starts from a clean state, for audio at 8000 or 16000 Hz; other rates
// are ErrRate.
func (c *Concealer) Init(rate int) error {
	if rate != 8000 && rate != 16000 {
		return ErrRate
	}
	*c = Concealer{rate: rate}
	return nil
}

// ms is a length in samples.
func (c *Concealer) ms(n int) int { return n * c.rate / 1000 }

// Good takes a frame that did arrive, of any length. After a loss it blends the
// start of pcm, in place, with what was made up.
func (c *Concealer) Good(pcm []int16) {
	if c.rate == 0 {
		return
	}
	if c.lost > 0 {
		c.blend(pcm)
		c.lost = 0
	}
	c.push(pcm)
}

// Lost fills dst with a replacement for a frame that did not arrive. Without a
// frame before it, or before Init, that is silence.
func (c *Concealer) Lost(dst []int16) {
	if c.lost == 0 {
		c.period = c.findPeriod()
	}
	if c.period == 0 || c.lost >= c.ms(60) {
		clear(dst)
	} else {
		c.repeat(dst)
		c.push(dst)
		for i := range dst {
			dst[i] = int16(c.gain(c.lost+i) * float32(dst[i]))
		}
	}
	c.lost += min(len(dst), c.ms(60))
	if c.lost >= c.ms(60) { // too long to go with what comes next: forget it now
		c.Wipe()
		c.lost = c.ms(60)
	}
}

// repeat continues the history by its last period. On the first period, the
// step between the last sample and its repetition is led out over a quarter of
// it; later ones repeat that too, and so join as smoothly.
func (c *Concealer) repeat(dst []int16) {
	p, end := c.period, len(c.history)
	quarter := p / 4
	step := float32(c.history[end-1]) - float32(c.history[end-1-p])
	for i := range dst {
		if i >= p {
			dst[i] = dst[i-p]
			continue
		}
		v := float32(c.history[end-p+i])
		if c.lost == 0 && i < quarter {
			v += step * float32(quarter-i) / float32(quarter)
		}
		dst[i] = saturate(int32(v))
	}
}

// gain is the loudness so many samples into a loss.
func (c *Concealer) gain(at int) float32 {
	full, silent := c.ms(10), c.ms(60)
	return min(max(float32(silent-at)/float32(silent-full), 0), 1)
}

// blend fades what would have been made up next out and the frame in, over 4 ms
// and more the longer the loss was, up to 10 ms.
func (c *Concealer) blend(pcm []int16) {
	n := min(c.ms(4)+c.lost/5, c.ms(10), len(pcm))
	p, end := c.period, len(c.history)
	for i := range n {
		in := float32(i+1) / float32(n+1)
		made := float32(0)
		if p > 0 {
			made = c.gain(c.lost+i) * float32(c.history[end-p+i%p])
		}
		pcm[i] = saturate(int32(in*float32(pcm[i]) + (1-in)*made))
	}
}

// push appends to the history.
func (c *Concealer) push(pcm []int16) {
	size := c.ms(40)
	h := c.history[len(c.history)-size:]
	if len(pcm) >= size {
		copy(h, pcm[len(pcm)-size:])
	} else {
		copy(h, h[len(pcm):])
		copy(h[size-len(pcm):], pcm)
	}
	c.have = min(c.have+len(pcm), size)
}

// findPeriod is the lag from 2.5 to 15 ms at which the last 20 ms are most like
// what came before; 0 if there is too little audio. Every few samples first,
// then exactly around the best.
func (c *Concealer) findPeriod() int {
	least, most := c.ms(5)/2, c.ms(15)
	window := min(c.ms(20), c.have-most-1)
	if window < c.ms(5) {
		return 0
	}
	stride := c.rate / 4000
	best, likeness := most, float32(0)
	for lag := least; lag <= most; lag += stride {
		if l := c.likeness(lag, window, stride); l > likeness {
			best, likeness = lag, l
		}
	}
	if likeness < 0.3 {
		return most // no pitch: the longest is the least like a buzz
	}
	likeness = 0
	for lag := max(best-stride, least); lag <= min(best+stride, most); lag++ {
		if l := c.likeness(lag, window, 1); l > likeness {
			best, likeness = lag, l
		}
	}
	return best
}

// likeness is the normalised correlation at a lag, from -1 to 1.
func (c *Concealer) likeness(lag, window, stride int) float32 {
	now := c.history[len(c.history)-window:]
	then := c.history[len(c.history)-window-lag:]
	both, a, b := float32(0), float32(1), float32(1)
	for i := 0; i < len(now); i += stride {
		x, y := float32(now[i]), float32(then[i])
		both += x * y
		a += x * x
		b += y * y
	}
	return both / float32(math.Sqrt(float64(a)*float64(b)))
}

// Wipe leaves nothing of the stream in the state; the rate stays, so that it is
// as after Init.
func (c *Concealer) Wipe() { *c = Concealer{rate: c.rate} }
