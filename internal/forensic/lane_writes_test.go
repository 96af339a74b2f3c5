//go:build forensic

package forensic

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestWrites: lane 3. Every write of lethe and its children, with all of its
// data, by strace. Only what goes to a regular file counts; what goes to the
// engine's child through a socket or a pipe is told apart, and finding the
// caller's audio there is the control that the data was decoded.
func TestWrites(t *testing.T) {
	t.Parallel()
	kept := keeper(t)
	for i, encoding := range codecs() {
		t.Run(encoding, func(t *testing.T) {
			t.Parallel()
			k, _ := traced(t, kept, "null", encoding, uint64(50+i)) //nolint:gosec // small
			want := []string{encoding, "pcm16le@16000"}
			if m := missing(k.files, want); len(m) > 0 && encoding != "G722" {
				t.Errorf("control: what was written to a file on purpose is not found: %v: %v", m, k.files)
			}
			w, s := traced(t, "", "sphinx", encoding, uint64(60+i)) //nolint:gosec // small
			show(t, w.files)
			tell(t, w.files.Windows == 0 && w.files.Bytes > 0 && k.files.Windows > 0 && w.others.Windows > 0, line{
				lane: laneWrites, what: fmt.Sprintf("%s, %d KiB in %d files", encoding, w.files.Bytes>>10, w.names),
				control: fmt.Sprintf("kept %d; to the engine %v", k.files.Windows, w.others.Audio.Round(time.Millisecond)),
				found:   fmt.Sprintf("%d windows", w.files.Windows),
			})
			tellFiles(t, s, w.needles, encoding+", under strace")
		})
	}
}

// writes is what was found in the writes of one run.
type writes struct {
	files, others Report
	names         int
	needles       *Needles
}

// traced makes one call to a lethe under strace.
func traced(t *testing.T, binary, engine, encoding string, seed uint64) (writes, *server) {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	s := newServer(t, setting{binary: binary, engine: engine, under: []string{
		"strace", "-f", "-qq", "-xx", "-y", "-s", "16777216", "-o", trace,
		"-e", "trace=write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice,copy_file_range",
	}})
	c := newCaller(t, s, encoding, seed)
	n := c.needles()
	c.do("dial")
	s.heard(talk)
	c.do("bye")
	s.idle(10 * time.Second)
	c.leave()
	s.stop()
	w, err := readTrace(n, trace)
	if err != nil {
		t.Fatal(err)
	}
	return w, s
}

// readTrace searches what strace saw: the data of each file in the order in
// which it was written, and likewise that of each socket and pipe.
func readTrace(n *Needles, name string) (writes, error) {
	f, err := os.Open(name) //nolint:gosec // the test's own
	if err != nil {
		return writes{}, err
	}
	files, others := map[string][]byte{}, map[string][]byte{}
	lines := bufio.NewReaderSize(f, 1<<20)
	for {
		l, err := lines.ReadString('\n')
		if l != "" {
			if err := traceLine(l, files, others); err != nil {
				return writes{}, errors.Join(err, f.Close())
			}
		}
		if err != nil {
			break
		}
	}
	w := writes{names: len(files), needles: n}
	inFiles, inOthers := n.Search(), n.Search()
	for name, data := range files {
		if err := inFiles.Reader(bytes.NewReader(data), name); err != nil {
			return w, err
		}
	}
	for name, data := range others {
		if err := inOthers.Reader(bytes.NewReader(data), name); err != nil {
			return w, err
		}
	}
	w.files, w.others = inFiles.Report(), inOthers.Report()
	return w, f.Close()
}

var (
	traceCall   = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<((?:\\x[0-9a-f]{2}|[^>\\])*)>`) //nolint:gochecknoglobals // a constant
	traceString = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?`)                   //nolint:gochecknoglobals // a constant
)

// traceLine adds the data of one system call to what its descriptor got.
func traceLine(l string, files, others map[string][]byte) error {
	m := traceCall.FindStringSubmatch(l)
	if m == nil {
		return nil // the rest of a call, a signal, an exit
	}
	name := unescape(m[4])
	if m[2] == "sendfile" || m[2] == "splice" || m[2] == "copy_file_range" {
		return fmt.Errorf("forensic: %s was called, and what it moved is not seen: %s", m[2], l)
	}
	into := others
	if strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "/dev/") {
		into = files
	} else {
		name = m[1] + " " + m[3] + " " + name
	}
	for _, s := range traceString.FindAllStringSubmatch(l[len(m[0]):], -1) {
		if s[2] != "" {
			return errors.New("forensic: strace cut the data of a write short")
		}
		b, err := hex.DecodeString(strings.ReplaceAll(s[1], `\x`, ""))
		if err != nil {
			return fmt.Errorf("forensic: the trace can't be read: %w", err)
		}
		into[name] = append(into[name], b...)
	}
	return nil
}

// unescape reads the name of a descriptor, which may be in hexadecimal.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s
	}
	return string(b)
}

func TestTraceLine(t *testing.T) {
	for l, want := range map[string][2]string{
		`12 write(5</tmp/a b>, "\x61\x62", 2) = 2`:                            {"/tmp/a b", "ab"},
		`12 write(5<\x2f\x74>, "\x61", 1 <unfinished ...>`:                    {"/t", "a"},
		`12 writev(5</t>, [{iov_base="\x61", iov_len=1}, {iov_base="\x62"}])`: {"/t", "ab"},
		`12 pwrite64(5</t>, "\x61\x62\x63", 3, 4096) = 3`:                     {"/t", "abc"},
		`12 write(1</dev/null>, "\x61", 1) = 1`:                               {"", ""},
		`12 sendto(7<socket:[44]>, "\x61", 1, MSG_NOSIGNAL, NULL, 0) = 1`:     {"", ""},
		`12 <... write resumed>)              = 2`:                            {"", ""},
	} {
		files, others := map[string][]byte{}, map[string][]byte{}
		if err := traceLine(l+"\n", files, others); err != nil {
			t.Errorf("%s: %v", l, err)
		}
		if got := string(files[want[0]]); got != want[1] || want[0] == "" && len(files) != 0 {
			t.Errorf("%s: %q in %v", l, got, files)
		}
	}
	for _, l := range []string{`12 write(5</t>, "\x61"..., 9) = 9`, `12 splice(5</t>, NULL, 6</u>, NULL, 9, 0) = 9`} {
		if err := traceLine(l, map[string][]byte{}, map[string][]byte{}); err == nil {
			t.Errorf("%s: what is not seen passes for nothing", l)
		}
	}
}
