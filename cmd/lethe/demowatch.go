package main

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"lethe/internal/forensic"
	"lethe/media/codec"
)

// watch searches the server while the demonstration's caller speaks, and after
// the call. The needles are made of the lines as they are prepared, because
// audio stays too short in the server to be named first and sought then; that
// they are what was sent is checked against every packet.
type watch struct {
	pid  int
	done chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	lines   [][]int16
	packets []int16
	needles *forensic.Needles
	most    int // windows found in mid-call
	err     error
}

func newWatch(pid int) *watch { return &watch{pid: pid, done: make(chan struct{})} }

// prepared takes the lines and begins to search.
func (w *watch) prepared(lines [][]int16, _ int) {
	w.mu.Lock()
	w.lines = lines
	w.mu.Unlock()
	w.wg.Go(func() {
		if err := w.watch(lines); err != nil {
			w.mu.Lock()
			w.err = err
			w.mu.Unlock()
		}
	})
}

// sent keeps what goes out; it is called on the clock thread.
func (w *watch) sent(pcm []int16) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.packets = append(w.packets, pcm...)
}

// watch searches again and again until something was found, or the call ends.
func (w *watch) watch(lines [][]int16) error {
	var payloads [][]byte
	for _, l := range lines {
		p, err := encoded(l)
		if err != nil {
			return err
		}
		payloads = append(payloads, p...)
	}
	n, err := forensic.Of(codec.PCMU.String(), payloads)
	if err != nil {
		return fmt.Errorf("what to search for: %w", err)
	}
	w.mu.Lock()
	w.needles = n
	w.mu.Unlock()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		r, err := n.Process(w.pid)
		if err != nil {
			return fmt.Errorf("searching the server's memory: %w", err)
		}
		w.mu.Lock()
		w.most = max(w.most, r.Windows)
		w.mu.Unlock()
		if r.Windows > 0 {
			return nil
		}
		select {
		case <-w.done:
			return nil
		case <-again.C:
		}
	}
}

// encoded is pcm as the packets carry it: mu-law, 20 ms each.
func encoded(pcm []int16) ([][]byte, error) {
	var enc codec.Encoder
	enc.Init(codec.PCMU)
	var out [][]byte
	for len(pcm) > 0 {
		n := min(160, len(pcm))
		b := make([]byte, codec.PCMU.BytesFor(n))
		if _, err := enc.Encode(b, pcm[:n]); err != nil {
			return nil, fmt.Errorf("what to search for: %w", err)
		}
		out, pcm = append(out, b), pcm[n:]
	}
	return out, nil
}

// stop ends the search.
func (w *watch) stop() {
	select {
	case <-w.done:
	default:
		close(w.done)
	}
	w.wg.Wait()
}

// control is how many windows were found in mid-call. It fails if what was
// searched for is not what was sent.
func (w *watch) control() (int, error) {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	if w.needles == nil {
		return 0, errors.New("nothing was searched for")
	}
	at := 0
	for i, l := range w.lines {
		if at = follows(w.packets, l, at); at < 0 {
			return 0, fmt.Errorf("line %d was not sent as it was prepared: the search would have looked for the wrong thing", i+1)
		}
	}
	return w.most, nil
}

// follows is where part ends in all, at or after from; -1 if it is not there.
func follows(all, part []int16, from int) int {
next:
	for i := from; i+len(part) <= len(all); i++ {
		for j, s := range part {
			if all[i+j] != s {
				continue next
			}
		}
		return i + len(part)
	}
	return -1
}

// search looks through the server's memory and files after the call.
func (w *watch) search(home string) (forensic.Report, error) {
	s := w.needles.Search()
	if err := s.Process(w.pid); err != nil {
		return forensic.Report{}, fmt.Errorf("searching the server's memory: %w", err)
	}
	if err := s.Dir(home); err != nil {
		return forensic.Report{}, fmt.Errorf("searching the server's files: %w", err)
	}
	return s.Report(), nil
}
