package sphinx

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stockShare is what the language model of open speech has beside that of a
// vocabulary. Probabilities are raised to the power of the language weight
// before they are added, so a share is what one word has to pay for being
// outside: as much as one less likely word of a sentence.
const stockShare = 1e-4

// featParams are written into the model folders: what lies in a folder of that
// name silently overrides whatever else is asked for. The mean is ours to take
// (the helper does), so cmn is none; remove_noise and dither play no part, for
// the front end is ours too.
const featParams = `-lowerf 130
-upperf 6800
-nfilt 25
-transform dct
-lifter 22
-feat 1s_c_d_dd
-svspec 0-12/13-25/26-38
-agc none
-cmn none
-varnorm no
-model ptm
`

// options of the search. The second pass (fwdflat) is for open speech alone,
// where it saves a tenth of the errors and takes a tenth of the utterance's
// time: see helper/models.c.
func options() [][2]string {
	return [][2]string{
		{"-fwdflat", "yes"},
		{"-bestpath", "yes"},
		{"-maxhmmpf", "3000"},
	}
}

func (c Config) dictionary() string { return filepath.Join(c.Model, "cmudict-en-us.dict") }
func (c Config) stock() string      { return filepath.Join(c.Model, "en-us.lm.bin") }
func (c Config) acoustic() string   { return filepath.Join(c.Model, "en-us") }

// setup is what the helper needs to load, in a folder of its own: links to the
// installed model, and what differs from it.
type setup struct {
	cfg     Config
	names   []string // of vocabularies; the index is what the helper knows
	models  map[string]*vocabulary
	dict    *dictionary
	means   gaussians
	spreads gaussians
}

// newSetup reads what can be wrong.
func newSetup(c Config) (*setup, error) {
	models, dict, err := c.learnAll()
	if err != nil {
		return nil, err
	}
	for _, path := range []string{c.stock(), filepath.Join(c.acoustic(), "mdef")} {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w: install Debian's pocketsphinx-en-us, or set sphinx.model: %w", ErrModel, err)
		}
	}
	s := &setup{cfg: c, names: slices.Sorted(maps.Keys(models)), models: models, dict: dict}
	if s.means, err = readGaussians(filepath.Join(c.acoustic(), "means")); err != nil {
		return nil, err
	}
	if s.spreads, err = readGaussians(filepath.Join(c.acoustic(), "variances")); err != nil {
		return nil, err
	}
	if len(s.means.values) != len(s.spreads.values) {
		return nil, fmt.Errorf("%w: means and variances differ in size", ErrModel)
	}
	return s, nil
}

// write fills dir and gives the path of the set-up file.
func (s *setup) write(dir string) (string, error) {
	w := &writer{dir: dir}
	for _, o := range options() {
		w.line("option", o[0], o[1])
	}
	w.line("option", "-dict", s.dictionary(w))
	s.narrow(w)
	s.wide(w)
	w.line("stock", s.cfg.stock())
	w.line("weight", fmt.Sprint(stockShare))
	for i, name := range s.names {
		var lm bytes.Buffer
		if err := s.models[name].arpa(&lm); err != nil {
			return "", err
		}
		w.line("vocabulary", w.file(fmt.Sprintf("%d.lm", i), lm.Bytes()))
	}
	path := w.file("setup", w.lines.Bytes())
	return path, errors.Join(w.errs...)
}

// dictionary is the installed one, with the operator's words after it.
func (s *setup) dictionary(w *writer) string {
	if len(s.cfg.Pronunciations) == 0 {
		return s.dict.path
	}
	all, err := os.ReadFile(s.dict.path)
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("%w: %w", ErrModel, err))
		return ""
	}
	all = append(bytes.TrimRight(all, "\n"), '\n')
	for _, word := range slices.Sorted(maps.Keys(s.cfg.Pronunciations)) {
		key := strings.ToLower(word)
		if s.dict.words[key] && bytes.Contains(all, []byte("\n"+key+" ")) {
			key += "(9)" // one more way to say it
		}
		all = append(all, (key + " " + s.cfg.Pronunciations[word] + "\n")...)
	}
	return w.file("dict", all)
}

func (s *setup) narrow(w *writer) {
	means, spreads, features := narrow(s.means, s.spreads)
	w.file("narrow/means", means.bytes())
	w.file("narrow/variances", spreads.bytes())
	w.link("narrow", s.cfg.acoustic(), "mdef", "sendump", "transition_matrices", "noisedict")
	w.line("band", "narrow", w.folder("narrow"), w.file("narrow.band", band(features, narrowMean())))
}

func (s *setup) wide(w *writer) {
	w.link("wide", s.cfg.acoustic(), "means", "variances", "mdef", "sendump", "transition_matrices", "noisedict")
	w.line("band", "wide", w.folder("wide"), w.file("wide.band", band(wideMap(), wideMean())))
}

// band is a file of the mean of speech, as the map shows it, of an offset that
// is zero, and of the map.
func band(m matrix, speech [filters]float64) []byte {
	var b bytes.Buffer
	for _, row := range m {
		sum := 0.0
		for j, x := range row {
			sum += x * speech[j]
		}
		fmt.Fprintf(&b, "%.5f ", sum)
	}
	b.WriteString("\n" + strings.Repeat("0 ", cepstra) + "\n")
	for _, row := range m {
		for j := range filters {
			x := 0.0
			if j < len(row) {
				x = row[j]
			}
			fmt.Fprintf(&b, "%.7f ", x)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// writer collects what goes wrong, so that the story above reads in one piece.
type writer struct {
	dir   string
	lines bytes.Buffer
	errs  []error
}

func (w *writer) line(words ...string) { w.lines.WriteString(strings.Join(words, "\t") + "\n") }

func (w *writer) file(name string, data []byte) string {
	path := filepath.Join(w.dir, name)
	w.folder(filepath.Dir(name))
	if err := os.WriteFile(path, data, 0o600); err != nil { //nolint:gosec // within a folder that was made for it
		w.errs = append(w.errs, fmt.Errorf("sphinx: setting up: %w", err))
	}
	return path
}

func (w *writer) folder(name string) string {
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		w.errs = append(w.errs, fmt.Errorf("sphinx: setting up: %w", err))
	}
	return path
}

// link makes a model folder of links and of our own feat.params.
func (w *writer) link(name, model string, files ...string) {
	w.file(filepath.Join(name, "feat.params"), []byte(featParams))
	model, err := filepath.Abs(model)
	for _, f := range files {
		if err == nil {
			err = os.Symlink(filepath.Join(model, f), filepath.Join(w.dir, name, f))
		}
	}
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("sphinx: setting up: %w", err))
	}
}
