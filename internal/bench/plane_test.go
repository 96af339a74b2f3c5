//go:build bench

package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime/pprof"
	"strings"

	"lethe/media"
	"lethe/media/vad"
)

// planeRole is media alone, without SIP: for every RTP port on a line of its
// input it answers a stream whose caller is heard by voice activity at 16 kHz,
// and prints the port of its own. For profiles: LETHE_BENCH_PROFILE names a
// file for the CPU's.
func planeRole(in io.Reader, out io.Writer) error {
	if f := os.Getenv("LETHE_BENCH_PROFILE"); f != "" {
		w, err := os.Create(f) //nolint:gosec // named by whoever measures
		if err != nil {
			return err
		}
		defer w.Close() //nolint:errcheck // a profile
		if err := pprof.StartCPUProfile(w); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	c := media.Default()
	c.ArenaKiB, c.Ports = 64<<10, "20000-29999"
	p, err := media.NewPlane(c)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		port, err := planeCall(p, lines.Text())
		if err != nil {
			return err
		}
		fmt.Fprintln(out, port)
	}
	return lines.Err()
}

func planeCall(p *media.Plane, port string) (uint16, error) {
	offer := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %s RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n", port)
	s, answer, err := p.Answer(media.Terms{Codecs: []string{"PCMU"}}, []byte(offer))
	if err != nil {
		return 0, err
	}
	ring, err := p.Arena().Ring(16000, vad.MaxPreroll)
	if err != nil {
		return 0, err
	}
	gate, err := vad.NewGate(16000, ring, vad.Default())
	if err != nil {
		return 0, err
	}
	gate.Open(deaf{})
	if _, err := s.Listen(media.Caller, 16000, gate); err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(answer), "m=audio ")
	a, err := netip.ParseAddrPort("127.0.0.1:" + strings.Fields(rest)[0])
	return a.Port(), err
}

type deaf struct{}

func (deaf) Hear(media.Frame) error { return nil }
func (deaf) Endpoint()              {}
