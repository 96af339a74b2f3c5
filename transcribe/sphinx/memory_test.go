package sphinx

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unsafe"

	"lethe/media"
	"lethe/media/mediatest"
	"lethe/transcribe"
	"lethe/transcribe/transcribetest"
)

const window = 24 // bytes

// needles are the windows of pcm that could not be anything else.
func needles(pcm []int16) map[string]bool {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(pcm))), 2*len(pcm))
	out := map[string]bool{}
	for i := 0; i+window <= len(b); i += 2 {
		w := b[i : i+window]
		kinds := map[int16]bool{}
		for _, s := range pcm[i/2 : i/2+window/2] {
			kinds[s] = true
		}
		if len(kinds) > 8 {
			out[string(w)] = true
		}
	}
	return out
}

// search counts the needles in every readable mapping of a process.
func search(t *testing.T, pid int, needles map[string]bool) (found int) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := mem.Close(); err != nil {
			t.Error(err)
		}
	}()
	var first [1 << 16]bool // samples that a needle begins with
	for n := range needles {
		first[uint16(n[0])|uint16(n[1])<<8] = true
	}
	first[0] = false // most of memory
	lines := bufio.NewScanner(bytes.NewReader(maps))
	read := 0
	for lines.Scan() {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(mode, "rw") {
			continue // nobody wrote there
		}
		block := make([]byte, to-from)
		if _, err := mem.ReadAt(block, int64(from)); err != nil {
			if strings.Contains(lines.Text(), "[v") {
				continue // vvar and its like cannot be read
			}
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		read += len(block)
		here := 0
		for i := 0; i+window <= len(block); i += 2 {
			if first[uint16(block[i])|uint16(block[i+1])<<8] && needles[string(block[i:i+window])] {
				here++
			}
		}
		if here > 0 {
			t.Logf("process %d: %d windows in %s", pid, here, lines.Text())
		}
		found += here
	}
	if read < 1<<20 {
		t.Fatalf("only %d bytes of process %d were searched", read, pid)
	}
	return found
}

// hear gives the session pcm, at the pace of a call, and waits until all of it
// was wiped on this side.
func hear(t *testing.T, s transcribe.Session, pcm []int16, from time.Duration) {
	t.Helper()
	clock := time.NewTicker(10 * time.Millisecond)
	defer clock.Stop()
	keepers := []*mediatest.Keeper{}
	for i := 0; i+Rate/50 <= len(pcm); i += Rate / 50 {
		f, forget, k := mediatest.Kept(pcm[i:i+Rate/50], media.Caller, Rate, from+time.Duration(i)*time.Second/Rate)
		if err := s.Hear(f); err != nil {
			t.Fatal(err)
		}
		forget()
		keepers = append(keepers, k)
		<-clock.C
	}
	for _, k := range keepers {
		for limit := time.Now().Add(5 * time.Second); k.Copies() != 0; <-clock.C {
			if time.Now().After(limit) {
				t.Fatal("a frame was not acknowledged")
			}
		}
	}
}

func lastFinal(t *testing.T, s transcribe.Session) transcribe.Segment {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case g, ok := <-s.Segments():
			if !ok {
				t.Fatal("closed before the final")
			}
			if g.Final {
				return g
			}
		case <-limit:
			t.Fatal("no final")
		}
	}
}

// In the middle of an utterance a child holds less than one analysis window of
// audio, 25.6 ms. After it, and in the helper at any time, nothing.
func TestNothingIsLeftInTheChild(t *testing.T) {
	e, _ := engine(t)
	s, err := e.Open(t.Context(), transcribetest.Listen(t, Processor), transcribe.Options{Rate: Rate, Vocabulary: "support"})
	if err != nil {
		t.Fatal(err)
	}
	pcm := said(t, "slt", "check my order status")
	look := needles(pcm)
	if len(look) < len(pcm)/2 {
		t.Fatalf("%d needles of %d samples", len(look), len(pcm))
	}
	pids := children(t, e.Helper())
	if len(pids) != 1 {
		t.Fatalf("%d children for one session", len(pids))
	}
	middle := len(pcm) / 2 / (Rate / 50) * (Rate / 50)
	hear(t, s, pcm[:middle], 0)
	switch n := search(t, pids[0], look); {
	case n == 0:
		t.Error("the search finds nothing where a window is known to be")
	case n > 410:
		t.Errorf("%d windows in mid-utterance: more than 25.6 ms", n)
	}
	hear(t, s, pcm[middle:], time.Duration(middle)*time.Second/Rate)
	s.Endpoint()
	if g := lastFinal(t, s); g.Turn.Words.Reveal() != "check my order status" {
		t.Errorf("heard %q", g.Turn.Words.Reveal())
	}
	for _, pid := range []int{pids[0], e.Helper()} {
		if n := search(t, pid, look); n != 0 {
			t.Errorf("%d windows in process %d after the final", n, pid)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	eventually(t, 5*time.Second, "the child is gone", func() bool { return len(children(t, e.Helper())) == 0 })
}

// What holds audio is locked and left out of core dumps.
func TestAudioIsLockedAndNotDumped(t *testing.T) {
	e, _ := engine(t)
	s, err := e.Open(t.Context(), transcribetest.Listen(t, Processor), transcribe.Options{Rate: Rate})
	if err != nil {
		t.Fatal(err)
	}
	smaps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", children(t, e.Helper())[0]))
	if err != nil {
		t.Fatal(err)
	}
	locked := 0
	for line := range strings.Lines(string(smaps)) {
		flags, ok := strings.CutPrefix(line, "VmFlags:")
		if ok && strings.Contains(flags, " lo ") {
			locked++
			if !strings.Contains(flags, " dd ") || !strings.Contains(flags, " wf ") {
				t.Errorf("locked, but would be dumped or inherited: %s", flags)
			}
		}
	}
	if locked != 1 {
		t.Errorf("%d locked mappings", locked)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
