package forensic

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrGone means that the process ended before or while it was searched.
var ErrGone = errors.New("forensic: the process is gone")

// Tree is pid and all its descendants that live, pid first.
func Tree(pid int) ([]int, error) {
	parents := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("forensic: %w", err)
	}
	alive := false
	for _, e := range entries {
		p, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		parent, state, ok := parentOf(p)
		if !ok || state == 'Z' || state == 'X' {
			continue
		}
		alive = alive || p == pid
		parents[parent] = append(parents[parent], p)
	}
	if !alive {
		return nil, fmt.Errorf("%w: %d", ErrGone, pid)
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, parents[tree[i]]...)
	}
	return tree, nil
}

// parentOf reads /proc/PID/stat; the name in parentheses may hold anything.
func parentOf(pid int) (parent int, state byte, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, false
	}
	_, rest, ok := strings.Cut(string(b[max(strings.LastIndexByte(string(b), ')'), 0):]), ") ")
	f := strings.Fields(rest)
	if !ok || len(f) < 2 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(f[1])
	return parent, f[0][0], err == nil
}

// Process searches the memory of pid and of all its descendants. Every mapping
// has to be read, save those of the kernel itself ([vvar], [vsyscall]).
func (s *Search) Process(pid int) error {
	tree, err := Tree(pid)
	if err != nil {
		return err
	}
	for i, p := range tree {
		if err := s.Memory(p); err != nil && (i == 0 || !errors.Is(err, ErrGone)) {
			return err
		}
	}
	return nil
}

// region is one line of /proc/PID/maps.
type region struct {
	from, to uint64
	private  bool // what is written to it reaches no file
	name     string
}

// Memory searches the memory of one process, without its children.
func (s *Search) Memory(pid int) error {
	m, err := openMemory(pid)
	if err != nil {
		return err
	}
	defer m.close()
	regions, err := maps(pid)
	if err != nil {
		return err
	}
	if len(regions) == 0 {
		return fmt.Errorf("%w: %d has no memory", ErrGone, pid)
	}
	for _, r := range regions {
		if err := s.region(m, r); err != nil {
			if again, e := maps(pid); e == nil && len(again) > 0 && !slices.Contains(again, r) {
				continue // unmapped or changed since the list was read; what is mapped now was listed
			} else if e != nil || len(again) == 0 {
				return fmt.Errorf("%w: %d", ErrGone, pid)
			}
			return fmt.Errorf("forensic: pid %d, %s at %#x-%#x could not be read: %w", pid, r.name, r.from, r.to, err)
		}
	}
	return nil
}

// maps lists what can hold something: not the kernel's own pages.
func maps(pid int) ([]region, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %d", ErrGone, pid)
	}
	if err != nil {
		return nil, fmt.Errorf("forensic: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	var out []region
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		r, err := parseMap(lines.Text())
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(r.name, "[vvar") && r.name != "[vsyscall]" {
			out = append(out, r)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %d: %w", ErrGone, pid, err)
	}
	return out, nil
}

// parseMap reads "from-to perms offset device inode   name".
func parseMap(line string) (region, error) {
	f := strings.Fields(line)
	if len(f) < 5 {
		return region{}, fmt.Errorf("forensic: no mapping: %q", line)
	}
	from, to, _ := strings.Cut(f[0], "-")
	a, err1 := strconv.ParseUint(from, 16, 64)
	b, err2 := strconv.ParseUint(to, 16, 64)
	if err := errors.Join(err1, err2); err != nil {
		return region{}, fmt.Errorf("forensic: no mapping: %q: %w", line, err)
	}
	name := "anonymous"
	if len(f) > 5 {
		name = strings.Join(f[5:], " ")
	}
	return region{a, b, strings.HasSuffix(f[1], "p"), name}, nil
}

// memory reads a process; pages tells which pages there are.
type memory struct {
	pid   int
	mem   *os.File
	pages *os.File
	buf   []byte
}

func openMemory(pid int) (*memory, error) {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return nil, fmt.Errorf("%w: %d", ErrGone, pid)
	}
	if err != nil {
		return nil, fmt.Errorf("forensic: %w (only the parent or root may look, and only while PR_SET_DUMPABLE is 1)", err)
	}
	pages, err := os.Open(fmt.Sprintf("/proc/%d/pagemap", pid))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("forensic: %w", err), mem.Close())
	}
	return &memory{pid: pid, mem: mem, pages: pages, buf: make([]byte, overlap+chunk)}, nil
}

func (m *memory) close() {
	_ = m.mem.Close()   // only read
	_ = m.pages.Close() // only read
}

// region searches the pages of r that are present or swapped out; a page that
// is neither holds nothing. Pages that are a file's own, in a private mapping,
// are left to the search of files: a process that writes to one gets a copy,
// which is no file's.
func (s *Search) region(m *memory, r region) error {
	for at := r.from; at < r.to; {
		until := min(at+chunk, r.to)
		runs, err := s.present(m, r, at, until)
		if err != nil {
			return err
		}
		for _, run := range runs {
			if err := s.pages(m, r, run); err != nil {
				return err
			}
		}
		at = until
	}
	return nil
}

// pages searches one run of pages, with a little of what lies before it.
func (s *Search) pages(m *memory, r region, run [2]uint64) error {
	lead := min(run[0]-r.from, overlap)
	if lead > 0 {
		// The page before may be absent: then it reads as zeros.
		if _, err := m.mem.ReadAt(m.buf[:lead], int64(run[0]-lead)); err != nil { //nolint:gosec // addresses of user space
			return fmt.Errorf("at %#x: %w", run[0]-lead, err)
		}
	}
	n := run[1] - run[0]
	if _, err := m.mem.ReadAt(m.buf[lead:lead+n], int64(run[0])); err != nil { //nolint:gosec // addresses of user space
		return fmt.Errorf("at %#x: %w", run[0], err)
	}
	s.bytes += int64(n) //nolint:gosec // at most chunk
	s.look(m.buf[:lead+n], place{fmt.Sprintf("pid %d %s", m.pid, r.name), run[0] - lead})
	return nil
}

// Bits of an entry of /proc/PID/pagemap.
const (
	pageIs    = 3 << 62 // in memory, or in swap
	pageFile  = 1 << 61 // of a file, or shared memory
	pageFrame = 1<<55 - 1
)

// present lists the runs of pages of from..to that have to be looked at.
func (s *Search) present(m *memory, r region, from, to uint64) ([][2]uint64, error) {
	size := uint64(os.Getpagesize()) //nolint:gosec // positive
	entries := make([]byte, 8*((to-from)/size))
	if _, err := m.pages.ReadAt(entries, int64(8*(from/size))); err != nil { //nolint:gosec // below 2^63
		return nil, fmt.Errorf("pagemap at %#x: %w", from, err)
	}
	var runs [][2]uint64
	for i := 0; i < len(entries); i += 8 {
		e := binary.LittleEndian.Uint64(entries[i:])
		if e&pageIs == 0 || e&pageFile != 0 && r.private || s.looked(e) {
			continue
		}
		at := from + uint64(i/8)*size //nolint:gosec // positive
		if k := len(runs) - 1; k >= 0 && runs[k][1] == at {
			runs[k][1] += size
		} else {
			runs = append(runs, [2]uint64{at, at + size})
		}
	}
	return runs, nil
}

// looked says whether the frame of memory behind a page was searched already,
// in a process that shares it. Only of processes that stand still: see Still.
func (s *Search) looked(entry uint64) bool {
	frame := entry & pageFrame
	if s.frames == nil || frame == 0 || entry>>63 == 0 { // unknown without CAP_SYS_ADMIN, or in swap
		return false
	}
	_, ok := s.frames[frame]
	s.frames[frame] = struct{}{}
	return ok
}

// Still says that all processes searched from now on are stopped, until the
// search is over: memory that several of them share is looked at once.
func (s *Search) Still() { s.frames = map[uint64]struct{}{} }

// Process searches the memory of pid and of all its descendants.
func (n *Needles) Process(pid int) (Report, error) {
	s := n.Search()
	err := s.Process(pid)
	return s.Report(), err
}
