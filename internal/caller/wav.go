package caller

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxWAV is the longest file that is read: more than half an hour at 16 kHz.
const maxWAV = 64 << 20

// errWAV is wrapped by everything that is wrong with a file itself.
var errWAV = errors.New("not a WAV file that a call can carry")

// clip is a piece of speech, 16-bit linear PCM, mono.
type clip struct {
	pcm  []int16
	rate int // Hz
}

// readWAV reads a whole file: mono, 16-bit PCM, 8 or 16 kHz.
func readWAV(path string) (clip, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the operator's own
	if err != nil {
		return clip{}, fmt.Errorf("WAV: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxWAV+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return clip{}, fmt.Errorf("WAV %s: %w", path, err)
	}
	if len(data) > maxWAV {
		return clip{}, fmt.Errorf("WAV %s: %w: longer than %d bytes", path, errWAV, maxWAV)
	}
	c, err := parseWAV(data)
	if err != nil {
		return clip{}, fmt.Errorf("WAV %s: %w", path, err)
	}
	if c.rate != 8000 && c.rate != 16000 {
		return clip{}, fmt.Errorf("WAV %s: %w: it is at %d Hz; convert it with: sox IN -r 16000 -c 1 -b 16 OUT.wav", path, errWAV, c.rate)
	}
	return c, nil
}

// format is the part of a fmt chunk that matters.
type format struct {
	tag, channels, bits uint16
	rate                uint32
}

// parseWAV walks the chunks of RIFF/WAVE (Microsoft/IBM Multimedia Programming
// Interface 1.0, 1991): fmt must come before data; other chunks are passed over.
func parseWAV(b []byte) (clip, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return clip{}, fmt.Errorf("%w: it does not begin with RIFF and WAVE", errWAV)
	}
	var f *format
	for rest := b[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), binary.LittleEndian.Uint32(rest[4:8])
		rest = rest[8:]
		if id == "data" {
			return samplesOf(f, rest, size)
		}
		if uint64(size) > uint64(len(rest)) {
			return clip{}, fmt.Errorf("%w: its %q chunk claims %d bytes and %d are there", errWAV, id, size, len(rest))
		}
		if id == "fmt " {
			var err error
			if f, err = parseFormat(rest[:size]); err != nil {
				return clip{}, err
			}
		}
		rest = rest[min(uint64(size)+uint64(size&1), uint64(len(rest))):]
	}
	return clip{}, fmt.Errorf("%w: it has no data chunk", errWAV)
}

func parseFormat(b []byte) (*format, error) {
	if len(b) < 16 {
		return nil, fmt.Errorf("%w: its fmt chunk has %d bytes, 16 are needed", errWAV, len(b))
	}
	le := binary.LittleEndian
	f := &format{tag: le.Uint16(b), channels: le.Uint16(b[2:]), rate: le.Uint32(b[4:]), bits: le.Uint16(b[14:])}
	if f.tag == 0xFFFE && len(b) >= 26 { // WAVE_FORMAT_EXTENSIBLE: the sub-format's first field is the tag
		f.tag = le.Uint16(b[24:])
	}
	if f.tag != 1 || f.bits != 16 || f.channels != 1 {
		return nil, fmt.Errorf("%w: format %d, %d channels, %d bits; 16-bit PCM (format 1) with one channel is needed: sox IN -r 16000 -c 1 -b 16 OUT.wav",
			errWAV, f.tag, f.channels, f.bits)
	}
	if f.rate == 0 || f.rate > 192000 {
		return nil, fmt.Errorf("%w: a rate of %d Hz", errWAV, f.rate)
	}
	return f, nil
}

// samplesOf reads the data chunk. A size beyond the end is what a program
// writes that streams and can't know it; it is refused but for the values that
// say so (0, 0x7FFFF000 and above).
func samplesOf(f *format, b []byte, size uint32) (clip, error) {
	if f == nil {
		return clip{}, fmt.Errorf("%w: its data comes before its fmt chunk", errWAV)
	}
	switch streamed := size == 0 || size >= 0x7FFFF000; {
	case streamed:
		b = b[:len(b)&^1]
	case uint64(size) > uint64(len(b)):
		return clip{}, fmt.Errorf("%w: it is cut short: %d bytes of audio of %d are there", errWAV, len(b), size)
	case size%2 != 0:
		return clip{}, fmt.Errorf("%w: %d bytes of audio are not whole 16-bit samples", errWAV, size)
	default:
		b = b[:size]
	}
	if len(b) == 0 {
		return clip{}, fmt.Errorf("%w: there is no audio in it", errWAV)
	}
	pcm := make([]int16, len(b)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(b[2*i:])) //nolint:gosec // two's complement as stored
	}
	return clip{pcm, int(f.rate)}, nil
}

// wavHeader is the 44 bytes before n bytes of mono 16-bit PCM.
func wavHeader(rate, n int) []byte {
	le := binary.LittleEndian
	h := make([]byte, 0, 44)
	h = append(h, "RIFF"...)
	h = le.AppendUint32(h, uint32(36+n)) //nolint:gosec // recordings end long before 2 GiB
	h = append(h, "WAVEfmt "...)
	h = le.AppendUint32(h, 16)
	h = le.AppendUint16(h, 1)
	h = le.AppendUint16(h, 1)
	h = le.AppendUint32(h, uint32(rate))   //nolint:gosec // 8000 or 16000
	h = le.AppendUint32(h, uint32(rate*2)) //nolint:gosec // 8000 or 16000
	h = le.AppendUint16(h, 2)
	h = le.AppendUint16(h, 16)
	h = append(h, "data"...)
	return le.AppendUint32(h, uint32(n)) //nolint:gosec // as above
}
