// Package corpus is the speech that the embedded engine is measured with: what
// callers of a support desk say, and what they do not, by synthetic voices and
// by the people of Debian's pocketsphinx-testdata.
//
// Who is scored was never looked at for anything else. Development voices and
// texts are for whatever is fitted or chosen: means, variances, options of the
// search, weights. Test voices and texts are for the score. A test holds the two
// apart.
package corpus

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"lethe/media/resample"
	"lethe/transcribe/wer"
)

//go:embed texts/*.txt
var texts embed.FS

// Texts.
const (
	Support = "support"   // test: a vocabulary of more than 40 phrases
	Open    = "open_test" // test: sentences that have nothing to do with it
	Hotel   = "hotel"     // development: another vocabulary
	OpenDev = "open_dev"  // development
	Train   = "train"     // development: means and variances
)

// Sentences of a text.
func Sentences(text string) ([]string, error) {
	data, err := texts.ReadFile("texts/" + text + ".txt")
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n"), nil
}

// Voice is one of flite's or of espeak-ng's.
type Voice struct{ Program, Name string }

func (v Voice) String() string { return v.Program + ":" + v.Name }

// TestVoices are scored.
func TestVoices() []Voice {
	return []Voice{{"flite", "slt"}, {"flite", "rms"}, {"flite", "awb"}, {"espeak-ng", "en-us"}, {"espeak-ng", "en-us+f2"}}
}

// DevVoices are not.
func DevVoices() []Voice {
	return []Voice{{"flite", "kal16"}, {"espeak-ng", "en-us+m3"}, {"espeak-ng", "en-us+f4"}, {"espeak-ng", "en-gb"}}
}

const (
	rate = 16000
	peak = 16384 // half the scale
)

// ErrVoice says that a program is missing or does not speak.
var ErrVoice = errors.New("corpus: a voice does not speak: apt install flite espeak-ng")

// Speak gives every voice every sentence, in order of sentences. every keeps
// each every-th of those pairs, along the diagonals, so that no voice is left
// out; 1 keeps all.
func Speak(ctx context.Context, voices []Voice, sentences []string, every int) (_ []wer.Case, err error) {
	dir, err := os.MkdirTemp("", "lethe-corpus-")
	if err != nil {
		return nil, fmt.Errorf("corpus: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var out []wer.Case
	for i, text := range sentences {
		for j, v := range voices {
			if (i+j)%max(1, every) != 0 {
				continue
			}
			c, err := v.say(ctx, dir, text)
			if err != nil {
				return nil, fmt.Errorf("%w: %v: %w", ErrVoice, v, err)
			}
			c.Name = fmt.Sprintf("%v-%03d", v, i+1)
			out = append(out, c)
		}
	}
	return out, nil
}

func (v Voice) say(ctx context.Context, dir, text string) (wer.Case, error) {
	path := filepath.Join(dir, "said.wav")
	args := []string{"-voice", v.Name, "-t", text, "-o", path}
	if v.Program == "espeak-ng" {
		args = []string{"-v", v.Name, "-w", path, text}
	}
	if said, err := exec.CommandContext(ctx, v.Program, args...).CombinedOutput(); err != nil { //nolint:gosec // names and texts of this file
		return wer.Case{}, fmt.Errorf("%w: %s", err, said)
	}
	pcm, from, err := wer.ReadPCM(path)
	if err != nil {
		return wer.Case{}, err //nolint:wrapcheck // by Speak
	}
	if pcm, err = convert(pcm, from); err != nil {
		return wer.Case{}, err
	}
	return wer.Case{Text: text, PCM: level(pcm), Rate: rate}, nil
}

func convert(pcm []int16, from int) ([]int16, error) {
	if from == rate {
		return pcm, nil
	}
	var r resample.Resampler
	if err := r.Init(from, rate); err != nil {
		return nil, err //nolint:wrapcheck // by Speak
	}
	out := make([]int16, r.Room(len(pcm))+r.Room(0)+rate/10)
	n := r.Process(out, pcm)
	n += r.Flush(out[n:])
	return out[:n], nil
}

func level(pcm []int16) []int16 {
	top := 1
	for _, s := range pcm {
		top = max(top, int(s), -int(s))
	}
	for i, s := range pcm {
		pcm[i] = int16(int(s) * peak / top) //nolint:gosec // at most peak
	}
	return pcm
}

// HumanFolder is where Debian's pocketsphinx-testdata lies.
const HumanFolder = "/usr/share/pocketsphinx/test/data"

// Human are the clips of pocketsphinx-testdata that come with their text: one
// reader of a novel, and one person who names playing cards.
func Human() ([]wer.Case, error) {
	var out []wer.Case
	for _, list := range []string{"librivox/transcription", "cards/cards.transcription"} {
		data, err := os.ReadFile(filepath.Join(HumanFolder, list)) //nolint:gosec // names of this function
		if err != nil {
			return nil, fmt.Errorf("corpus: apt install pocketsphinx-testdata: %w", err)
		}
		for line := range strings.Lines(string(data)) {
			c, err := human(filepath.Dir(filepath.Join(HumanFolder, list)), line)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b wer.Case) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// human reads a line like "<s> ten of clubs </s> (001)".
func human(dir, line string) (wer.Case, error) {
	text, name, ok := strings.Cut(strings.TrimSpace(line), "(")
	if !ok {
		return wer.Case{}, fmt.Errorf("corpus: %s: %q is no transcription", dir, line)
	}
	name = strings.TrimSuffix(name, ")")
	pcm, from, err := wer.ReadPCM(filepath.Join(dir, name+".wav"))
	if err != nil {
		return wer.Case{}, err //nolint:wrapcheck // it names the file
	}
	text = strings.TrimSpace(strings.NewReplacer("<s>", "", "</s>", "").Replace(text))
	return wer.Case{Name: "human:" + name, Text: text, PCM: pcm, Rate: from}, nil
}
