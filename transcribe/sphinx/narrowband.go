package sphinx

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
)

// G.711 carries nothing above 3.4 kHz, and the acoustic model was trained on
// speech up to 6.8 kHz. Rather than to guess the missing band, the model is
// asked what it knows of the band that is there: each of its Gaussians,
// diagonal in 13 cepstra of 25 mel filters, is seen through the lower 17
// filters alone, which is a linear image of it and therefore a Gaussian too.
// Of those 17 dimensions the 13 are kept that tell the model's Gaussians apart
// best (Fisher's linear discriminant), and each is scaled so that what varies
// within a Gaussian is about the same in all. The image is diagonal again but
// for what is neglected.
//
// Everything is computed when the engine starts, from the installed model; no
// voice goes into it but the fine structure below and the mean of speech.
const (
	filters    = 25 // mel filters from 130 to 6800 Hz
	lowFilters = 17 // those that end below 3.4 kHz
	cepstra    = 13
	lifter     = 22
	streams    = 3  // cepstra, their first and their second difference
	spread     = 10 // of the features, so that they are not lost in rounding
)

// fine is the variance of the log energies of the lower filters that 13 cepstra
// do not show: the fine structure of the spectrum and the noise of the codec.
// One row for each stream.
//
// Measured by transcribe/wer/corpus on the training voices, through G.711, and
// enlarged by half: people differ more than synthetic voices do.
func fine() [streams][lowFilters]float64 {
	return [streams][lowFilters]float64{
		{0.20, 0.47, 0.30, 0.32, 0.23, 0.27, 0.26, 0.26, 0.27, 0.41, 0.41, 0.50, 0.54, 0.78, 0.56, 0.81, 0.83},
		{0.17, 0.35, 0.24, 0.32, 0.26, 0.30, 0.30, 0.35, 0.38, 0.54, 0.51, 0.72, 0.68, 0.93, 0.75, 0.93, 0.92},
		{0.24, 0.45, 0.33, 0.44, 0.36, 0.45, 0.44, 0.51, 0.57, 0.78, 0.75, 1.04, 0.93, 1.22, 1.02, 1.17, 1.10},
	}
}

// gaussians of a model file: means or variances, in the order mgau, stream,
// density, cepstrum.
type gaussians struct {
	mgau, density int
	values        []float32
}

const (
	endOfHeader = "endhdr\n"
	byteOrder   = 0x11223344
)

// readGaussians reads a file of the format of Sphinx 3.
func readGaussians(path string) (gaussians, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator's own model
	if err != nil {
		return gaussians{}, fmt.Errorf("%w: %w", ErrModel, err)
	}
	at := headerEnd(data)
	const words = 4 + streams + 1 // byte order, three counts, three lengths, size
	if at < 0 || len(data) < at+4*words {
		return gaussians{}, fmt.Errorf("%w: %s is no file of Gaussians", ErrModel, path)
	}
	var h [words]uint32
	for i := range h {
		h[i] = binary.LittleEndian.Uint32(data[at+4*i:])
	}
	g := gaussians{mgau: int(h[1]), density: int(h[3])}
	n := uint64(h[1]) * streams * uint64(h[3]) * cepstra
	if h[0] != byteOrder || h[2] != streams || h[4] != cepstra || h[5] != cepstra || h[6] != cepstra || uint64(h[7]) != n ||
		uint64(len(data)-at-4*words) < 4*n { //nolint:gosec // not negative: see above
		return gaussians{}, fmt.Errorf("%w: %s does not have three streams of 13 cepstra, as pocketsphinx-en-us has", ErrModel, path)
	}
	g.values = make([]float32, n)
	for i := range g.values {
		g.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[at+4*(words+i):]))
	}
	return g, nil
}

func headerEnd(data []byte) int {
	head := string(data[:min(len(data), 1024)])
	for i := range head {
		if i >= len(endOfHeader) && head[i-len(endOfHeader):i] == endOfHeader {
			return i
		}
	}
	return -1
}

// bytes of a file like the one that was read, without a checksum.
func (g gaussians) bytes() []byte {
	out := []byte("s3\nversion 1.0\n" + endOfHeader)
	for _, n := range []int{byteOrder, g.mgau, streams, g.density, cepstra, cepstra, cepstra, len(g.values)} {
		out = binary.LittleEndian.AppendUint32(out, uint32(n)) //nolint:gosec // checked when it was read
	}
	for _, v := range g.values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func (g gaussians) stream(i int) int { return i / (g.density * cepstra) % streams }

func lift(i int) float64 { return 1 + lifter/2*math.Sin(float64(i)*math.Pi/lifter) }

func cosine(i, j int) float64 {
	scale := math.Sqrt(2.0 / filters)
	if i == 0 {
		scale = math.Sqrt(1.0 / filters)
	}
	return scale * math.Cos(math.Pi/filters*float64(i)*(float64(j)+0.5))
}

// wideMap makes cepstra of log mel energies as the model was trained.
func wideMap() matrix {
	m := zeros(cepstra, filters)
	for i := range m {
		for j := range m[i] {
			m[i][j] = lift(i) * cosine(i, j)
		}
	}
	return m
}

// smooth makes the lower log mel energies of cepstra.
func smooth() matrix {
	m := zeros(lowFilters, cepstra)
	for j := range m {
		for i := range m[j] {
			m[j][i] = cosine(i, j) / lift(i)
		}
	}
	return m
}

// scatter is how the model's Gaussians of the first stream differ (between) and
// how wide they are (within), both in cepstra.
func scatter(means, variances gaussians) (between, within matrix) {
	between, within = zeros(cepstra, cepstra), zeros(cepstra, cepstra)
	mean, n := make([]float64, cepstra), 0.0
	for at := 0; at < len(means.values); at += cepstra {
		if means.stream(at) != 0 {
			continue
		}
		n++
		for i := range cepstra {
			x := float64(means.values[at+i])
			mean[i] += x
			within[i][i] += float64(variances.values[at+i])
			for j := range cepstra {
				between[i][j] += x * float64(means.values[at+j])
			}
		}
	}
	for i := range cepstra {
		within[i][i] /= n
		for j := range cepstra {
			between[i][j] = between[i][j]/n - mean[i]/n*mean[j]/n
		}
	}
	return between, within
}

// discriminant is the map from the lower log mel energies to 13 features.
func discriminant(means, variances gaussians) matrix {
	between, within := scatter(means, variances)
	see := smooth()
	inside := see.times(within).times(see.turned())
	for j, v := range fine()[0] {
		inside[j][j] += v
	}
	values, vectors := inside.eigen()
	white := vectors.turned()
	for i := range white {
		for j := range white[i] {
			white[i][j] *= spread / math.Sqrt(values[i])
		}
	}
	outside := white.times(see).times(between).times(see.turned()).times(white.turned())
	values, vectors = outside.eigen()
	rows := vectors.turned()
	best := zeros(0, 0)
	for range cepstra {
		top := 0
		for i := range values {
			if values[i] > values[top] {
				top = i
			}
		}
		best = append(best, rows[top])
		values[top] = math.Inf(-1)
	}
	return best.times(white)
}

// narrow gives the model as it is seen through the lower filters, and the map
// that makes its features.
func narrow(means, variances gaussians) (m, v gaussians, features matrix) {
	features = discriminant(means, variances)
	image := features.times(smooth())
	var noise [streams][cepstra]float64
	for s, row := range fine() {
		for i := range noise[s] {
			for j, x := range row {
				noise[s][i] += features[i][j] * features[i][j] * x
			}
		}
	}
	m, v = means, variances
	m.values, v.values = make([]float32, len(means.values)), make([]float32, len(variances.values))
	for at := 0; at < len(means.values); at += cepstra {
		for i := range cepstra {
			mean, variance := 0.0, noise[means.stream(at)][i]
			for j := range cepstra {
				mean += image[i][j] * float64(means.values[at+j])
				variance += image[i][j] * image[i][j] * float64(variances.values[at+j])
			}
			m.values[at+i], v.values[at+i] = float32(mean), float32(variance)
		}
	}
	return m, v, features
}
