package arch

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// source gives every text file of the house, by its path from the root.
func source(t *testing.T) map[string][]byte {
	t.Helper()
	top := root(t)
	files := map[string][]byte{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if rel == ".git" || rel == "build" || rel == "data" {
				return filepath.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte{0}) {
			files[rel] = text
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files were found: the search does not see the house", len(files))
	}
	return files
}

// rule is something that no line of some files may contain.
type rule struct {
	name  string
	files *regexp.Regexp
	line  *regexp.Regexp
	but   map[string]string // file or folder: why it may
	// unless: a file that has this anywhere may
	unless *regexp.Regexp
}

// spared says whether a file, or its folder, may break r.
func (r rule) spared(path string) bool {
	for p := path; p != "."; p = filepath.Dir(p) {
		if r.but[p] != "" {
			return true
		}
	}
	return false
}

func rules() []rule {
	gofile, test := regexp.MustCompile(`\.go$`), regexp.MustCompile(`_test\.go$`)
	return []rule{
		{name: "init() runs where nobody sees it", files: gofile, line: regexp.MustCompile(`^func init\(\)`), but: map[string]string{
			"internal/forensic/lane_cores_test.go": "the text of a build of lethe that is made to panic",
		}},
		{name: "a skipped test hides what is missing: fail and say what to install", files: test,
			line: regexp.MustCompile(`\b[tbf]\.(Skip|Skipf|SkipNow)\(`)},
		{name: "a path of somebody's machine", files: regexp.MustCompile(`.`),
			line: regexp.MustCompile(`(^|[^\w.$])/(work|root|home)/\w|\.\./shared`), but: map[string]string{
				"internal/arch/tree_test.go": "it is the rule",
			}},
		{name: "a test that sleeps is slow or wrong: inject the clock or use testing/synctest", files: test,
			line: regexp.MustCompile(`\btime\.Sleep\(`), unless: regexp.MustCompile(`"testing/synctest"`), but: map[string]string{
				"internal/arch/tree_test.go": "it is the rule",
				"internal/forensic":          "it waits in real time for another process: 0, 100, 1000 and 5000 ms are what is promised",
				"internal/bench":             "it measures in real time",
			}},
		{name: "something left open", files: regexp.MustCompile(`\.(go|c|h|sh|md|yaml)$|Makefile$`),
			line: regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`), but: map[string]string{
				"internal/arch/tree_test.go": "it is the rule",
			}},
		{name: "the error of a delete is dropped", files: regexp.MustCompile(`^[^_]*[a-z0-9]\.go$`),
			line: regexp.MustCompile(`^\s*(_ = |defer )?os\.Remove(All)?\(`)},
	}
}

func TestNoFileContains(t *testing.T) {
	files := source(t)
	for _, r := range rules() {
		for path, text := range files {
			if !r.files.MatchString(path) || r.spared(path) || (r.unless != nil && r.unless.Match(text)) || (strings.Contains(path, "testdata/") && filepath.Ext(path) != ".go") {
				continue
			}
			lines := bufio.NewScanner(bytes.NewReader(text))
			lines.Buffer(nil, 1<<20)
			for n := 1; lines.Scan(); n++ {
				if r.line.Match(lines.Bytes()) {
					t.Errorf("%s:%d: %s", path, n, r.name)
				}
			}
			if err := lines.Err(); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// TestRulesBite is the control: each rule refuses a line that breaks it.
func TestRulesBite(t *testing.T) {
	broken := []string{
		"func init() {", "\tt.Skip(\"no ffmpeg\")", "see /" + "home/me/lethe", "\ttime.Sleep(time.Second)",
		"// TO" + "DO: later", "\tos.Remove(path)",
	}
	for i, r := range rules() {
		if !r.line.MatchString(broken[i]) {
			t.Errorf("%q does not refuse %q", r.name, broken[i])
		}
	}
}

// maxLines is what a file may have, and maxTest what a test's may, whose tables
// are long; longer ones stand here with their reason.
const (
	maxLines = 400
	maxTest  = 600
)

func longFiles() map[string]string {
	return map[string]string{}
}

func TestFilesAreShort(t *testing.T) {
	long := longFiles()
	for path, text := range source(t) {
		if ext := filepath.Ext(path); ext != ".go" && ext != ".c" && ext != ".sh" {
			continue
		}
		n, limit := bytes.Count(text, []byte("\n")), maxLines
		if strings.HasSuffix(path, "_test.go") {
			limit = maxTest
		}
		if n > limit && long[path] == "" {
			t.Errorf("%s has %d lines; %d is the limit, or a reason in internal/arch", path, n, limit)
		}
		if n <= limit && long[path] != "" {
			t.Errorf("%s has %d lines and needs no exception any more", path, n)
		}
	}
}
