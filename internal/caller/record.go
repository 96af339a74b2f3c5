package caller

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"lethe/media"
	"lethe/media/raw"
)

// longestGap is the longest silence that a recording fills in.
const longestGap = 30 * time.Second

// recorder writes what is heard to a WAV file. The file is whole only after
// close, which writes its length.
type recorder struct {
	file  *os.File
	ring  *media.Ring
	rate  int
	bytes int
	done  chan struct{}
	err   error // of run, to be read after done
}

// record begins to write what the far end says to path.
func record(path string, arena *media.Arena, s *media.Stream) (*recorder, error) {
	r := &recorder{rate: s.Rate(), done: make(chan struct{})}
	var err error
	if r.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil { //nolint:gosec // the operator's own path
		return nil, fmt.Errorf("caller: recording: %w", err)
	}
	if _, err = r.file.Write(wavHeader(r.rate, 0)); err == nil {
		r.ring, err = arena.Ring(r.rate, time.Second)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("caller: recording: %w", err), r.file.Close())
	}
	if _, err := s.Listen(media.Caller, r.rate, r.ring); err != nil {
		r.ring.Close()
		return nil, errors.Join(fmt.Errorf("caller: recording: %w", err), r.file.Close())
	}
	go r.run()
	return r, nil
}

// run ends when the ring is closed.
func (r *recorder) run() {
	defer close(r.done)
	var begin time.Duration
	for {
		f, err := r.ring.Take(context.Background())
		if err != nil {
			if !errors.Is(err, media.ErrClosed) {
				r.err = err
			}
			return
		}
		if r.bytes == 0 {
			begin = f.At()
		}
		missing := f.At() - begin - time.Duration(r.bytes/2)*time.Second/time.Duration(r.rate)
		err = r.write(f, min(missing, longestGap))
		r.ring.Forget(f)
		if err != nil {
			r.err = err
			return
		}
	}
}

// write appends f behind so much silence.
func (r *recorder) write(f media.Frame, silence time.Duration) error {
	var b []byte
	if silence > 5*time.Millisecond {
		b = make([]byte, 2*int(silence.Seconds()*float64(r.rate)))
	}
	for _, s := range raw.Samples(f) {
		b = binary.LittleEndian.AppendUint16(b, uint16(s)) //nolint:gosec // two's complement
	}
	n, err := r.file.Write(b)
	r.bytes += n
	return err
}

// close ends the recording; call it after the stream was closed.
func (r *recorder) close() error {
	r.ring.Close()
	<-r.done
	err := r.err
	if _, werr := r.file.WriteAt(wavHeader(r.rate, r.bytes), 0); err == nil {
		err = werr
	}
	if cerr := r.file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("caller: recording to %s: %w", r.file.Name(), err)
	}
	return nil
}
