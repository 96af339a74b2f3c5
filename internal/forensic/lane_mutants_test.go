//go:build forensic

package forensic

import (
	"fmt"
	"testing"
	"time"
)

// mutant is a lethe with a leak that was put in on purpose. It has to be found
// by the lane that guards against it, or that lane proves nothing.
type mutant struct {
	name    string
	short   bool // in the short run too
	patches []patch
	adds    []added
	caught  func(t *testing.T, binary string) (by, what string)
}

// TestMutants: lane 6.
func TestMutants(t *testing.T) {
	t.Parallel()
	for _, m := range mutants() {
		if testing.Short() && !m.short {
			continue
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			by, what := m.caught(t, build(t, m.patches, m.adds))
			tell(t, by != "", line{lane: laneMutants, what: m.name, control: "caught by " + by, found: what})
		})
	}
}

func mutants() []mutant {
	return []mutant{
		{
			name: "a kept slice", short: true,
			patches: []patch{atWire("leaked = append(leaked, append([]byte(nil), payload...))")},
			adds:    []added{{"media/leak.go", "package media\n\nvar leaked [][]byte\n"}},
			caught:  afterBye,
		},
		{
			name: "a ring that is not wiped", short: true,
			patches: []patch{
				{"media/ring.go", "\tclear(r.pcm[s.i*r.width : s.i*r.width+s.n])\n", ""},
				{"media/arena.go", "\tclear(a.mem[s.off : s.off+s.n])\n", ""},
			},
			caught: afterBye,
		},
		{
			name: "a jitter buffer that is not wiped",
			patches: []patch{
				{"media/jitter.go", "\tclear(j.at(p.seq)[:p.n])\n", ""},
				{"media/arena.go", "\tclear(a.mem[s.off : s.off+s.n])\n", ""},
			},
			caught: afterBye,
		},
		{
			name: "a debug WAV", short: true,
			patches: []patch{atPCM("debugWAV(pcm)")},
			adds:    []added{{"media/leak.go", wavSource}},
			caught:  inWrites,
		},
		{
			name:    "audio marshalled to JSON",
			patches: []patch{atPCM("_, _ = json.Marshal(map[string]any{\"pcm\": pcm})"), {"media/playout.go", "import (\n", "import (\n\t\"encoding/json\"\n"}},
			caught:  afterBye,
		},
		{
			name:    "payloads printed in hexadecimal",
			patches: []patch{atWire("fmt.Fprintf(os.Stderr, \"%x\\n\", payload)"), {"media/receive.go", "import (\n", "import (\n\t\"fmt\"\n\t\"os\"\n"}},
			caught:  inWrites,
		},
		{
			name:    "an engine's child that is not killed",
			patches: []patch{{"transcribe/sphinx/session.go", "\ts.err = errors.Join(s.err, c.finish(c.broken))\n", ""}},
			caught:  afterBye,
		},
		{
			name:    "half a second on the heap in mid-call",
			patches: []patch{atWire("leaked[leaks%25], leaks = append([]byte(nil), payload...), leaks+1")},
			adds:    []added{{"media/leak.go", "package media\n\nvar (\n\tleaked [25][]byte\n\tleaks int\n)\n"}},
			caught:  whileStopped,
		},
	}
}

// wavSource writes a WAV file that is deleted while it is open: nothing of it
// is left when the call is over.
const wavSource = `package media

import (
	"encoding/binary"
	"os"
)

var wav *os.File

func debugWAV(pcm []int16) {
	if wav == nil {
		wav, _ = os.CreateTemp("", "debug-*.wav")
		_, _ = wav.Write(make([]byte, 44))
		_ = os.Remove(wav.Name())
	}
	_ = binary.Write(wav, binary.LittleEndian, pcm)
}
`

// afterBye is lane 1 in short: memory and files, at once and a second later.
func afterBye(t *testing.T, binary string) (by, what string) {
	t.Helper()
	s := newServer(t, setting{binary: binary})
	c := newCaller(t, s, "PCMU", 101)
	n := c.needles()
	c.do("dial")
	s.heard(talk)
	c.do("bye")
	var r Report
	s.frozen(func() { r = s.memory(n) })
	time.Sleep(time.Second)
	later, left := s.memory(n), len(s.engines())
	c.leave()
	if r.Windows > 0 && later.Windows > 0 || left > 0 {
		by = laneMemory
	}
	return by, fmt.Sprintf("%d, a second later %d windows; %d children of the engine", r.Windows, later.Windows, left)
}

// inWrites is lane 3.
func inWrites(t *testing.T, binary string) (by, what string) {
	t.Helper()
	w, s := traced(t, binary, "sphinx", "PCMU", 102)
	files := s.files(w.needles)
	if w.files.Windows > 0 {
		by = laneWrites
	}
	return by, fmt.Sprintf("%d windows written, %d left in files", w.files.Windows, files.Windows)
}

// whileStopped is lane 2 in short.
func whileStopped(t *testing.T, binary string) (by, what string) {
	t.Helper()
	s := newServer(t, setting{binary: binary})
	worst, _, _ := stops(t, s, "PCMU", 103, 3)
	if worst > most {
		by = laneStopped
	}
	return by, fmt.Sprintf("%v resident", worst.Round(time.Millisecond))
}
