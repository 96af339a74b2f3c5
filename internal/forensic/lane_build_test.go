//go:build forensic

package forensic

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// patch changes one place of lethe's source. The place has to be there exactly
// once: a patch that no longer applies is a failure, not a mutant that is
// quietly no mutant.
type patch struct{ file, old, new string }

// file is a file that is added.
type added struct{ file, text string }

// build builds lethe with changes, without touching the tree (go build
// -overlay), and returns the binary.
func build(t *testing.T, patches []patch, adds []added) string {
	t.Helper()
	dir := t.TempDir()
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	put := func(name, text string) {
		to := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root(), name)] = to
	}
	texts := map[string]string{}
	for _, p := range patches {
		text, ok := texts[p.file]
		if !ok {
			b, err := os.ReadFile(filepath.Join(root(), p.file))
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		if n := strings.Count(text, p.old); n != 1 {
			t.Fatalf("the patch of %s does not apply: %q is there %d times", p.file, p.old, n)
		}
		texts[p.file] = strings.Replace(text, p.old, p.new, 1)
	}
	for name, text := range texts {
		put(name, text)
	}
	for _, a := range adds {
		put(a.file, a.text)
	}
	b, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	list, out := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "lethe")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", list, "-o", out, "./cmd/lethe") //nolint:gosec // our own
	c.Dir, c.Env = root(), append(os.Environ(), "CGO_ENABLED=0")
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("building with changes: %v\n%s", err, b)
	}
	return out
}

// Where a caller's audio can be had in lethe's source, stage by stage.
func atWire(call string) patch {
	const at = "func (s *Stream) accept(h header, payload []byte, now time.Time) {\n"
	return patch{"media/receive.go", at, at + "\t" + call + "\n"}
}

func atPCM(call string) patch {
	const at = "\tpcm = s.box.pcm.Fill(n)\n\ts.box.conceal.Good(pcm)\n"
	return patch{"media/playout.go", at, at + "\t" + call + "\n"}
}

func atWide(call string) patch {
	const at = "\tn := s.box.conv.Process(s.box.wide.Fill(frame.MaxSamples), src)\n\ts.box.wide.Fill(n)\n"
	return patch{"media/playout.go", at, at + "\t" + call + "\n"}
}

// keeper is the control of every lane: a lethe that keeps one frame of 20 ms
// of every stage, as it is and written in every way, and puts it into a file.
func keeper(t *testing.T) string {
	t.Helper()
	return build(t, []patch{
		atWire(`keepOne("wire", payload, nil)`),
		atPCM(`keepOne("pcm", nil, pcm)`),
		atWide(`keepOne("wide", nil, s.box.wide.Fill(n))`),
	}, []added{{"media/kept.go", keepSource}})
}

const keepSource = `package media

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
)

var kept = map[string][]any{}
var counted = map[string]int{}

func keepOne(stage string, wire []byte, pcm []int16) {
	if counted[stage]++; counted[stage] != 75 {
		return
	}
	var floats []float32
	for _, v := range pcm {
		wire = append(wire, byte(v), byte(v>>8))
		floats = append(floats, float32(v)/32768)
	}
	wire = append([]byte(nil), wire...)
	numbers, _ := json.Marshal(pcm)
	kept[stage] = []any{wire, floats, base64.StdEncoding.EncodeToString(wire), hex.EncodeToString(wire), numbers}
	_ = os.WriteFile(filepath.Join(os.TempDir(), "kept-"+stage), wire, 0o600)
	_ = os.WriteFile(filepath.Join(os.TempDir(), "kept-"+stage+".json"), numbers, 0o600)
}
`

// keptKinds is what the searches have to find of a keeper.
func keptKinds(encoding string) []string {
	pcm := []string{"pcm16le@8000", "pcm16le@16000"}
	if encoding == "G722" {
		pcm = pcm[1:] // it is decoded at the engine's rate
	}
	all := []string{encoding, encoding + " as base64", encoding + " as hex"}
	for _, k := range pcm {
		all = append(all, k, k+" as base64", k+" as hex", k+" as decimals", strings.Replace(k, "pcm16le", "float32/32768", 1))
	}
	return all
}

// missing are the kinds that were not found.
func missing(r Report, kinds []string) []string {
	var out []string
	for _, k := range kinds {
		if r.Kinds[k].Windows == 0 {
			out = append(out, k)
		}
	}
	return out
}
