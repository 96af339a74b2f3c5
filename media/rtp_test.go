package media_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"lethe/media"
	"lethe/media/raw"
)

// peer is a far end made of packets: it sends exactly what a test says.
type peer struct {
	t    *testing.T
	conn *net.UDPConn
	to   *net.UDPAddr
	seq  uint16
	ts   uint32
	ssrc uint32
}

// connect answers a peer's offer and gives both ends.
func connect(t *testing.T, p *media.Plane, extra string) (*peer, *media.Stream) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 0 8 13 101\r\na=rtpmap:101 telephone-event/8000\r\n%s", conn.LocalAddr().(*net.UDPAddr).Port, extra)
	s, answer, err := p.Answer(media.Terms{Codecs: []string{"PCMU", "PCMA"}}, []byte(sdp))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &peer{t: t, conn: conn, to: audioAddr(t, answer), seq: 1000, ts: 5000, ssrc: 77}, s
}

func audioAddr(t *testing.T, sdp []byte) *net.UDPAddr {
	t.Helper()
	for line := range strings.Lines(string(sdp)) {
		if f := strings.Fields(line); strings.HasPrefix(line, "m=audio ") {
			port, err := strconv.Atoi(f[1])
			if err != nil {
				t.Fatal(err)
			}
			return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
		}
	}
	t.Fatal("no audio in the answer")
	return nil
}

// packet makes the next packet: 20 ms of mu-law whose bytes are all v.
func (p *peer) packet(v byte) []byte {
	b := make([]byte, 12, 172)
	b[0], b[1] = 0x80, 0
	binary.BigEndian.PutUint16(b[2:], p.seq)
	binary.BigEndian.PutUint32(b[4:], p.ts)
	binary.BigEndian.PutUint32(b[8:], p.ssrc)
	p.seq++
	p.ts += 160
	for range 160 {
		b = append(b, v)
	}
	return b
}

func (p *peer) send(b []byte) {
	if _, err := p.conn.WriteToUDP(b, p.to); err != nil {
		p.t.Error(err)
	}
}

// tape is an ear that notes the last sample of each frame and its length.
type tape struct {
	mu    sync.Mutex
	last  []int16
	at    []time.Duration
	total time.Duration
}

func (e *tape) String() string { return "tape" }
func (e *tape) Hear(f media.Frame) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	pcm := raw.Samples(f) // its end: after a loss the beginning is blended
	e.last = append(e.last, pcm[len(pcm)-1])
	e.at = append(e.at, f.At())
	e.total += f.Duration()
	return nil
}

// order gives the distinct values in the order heard, without what was made up.
func (e *tape) order(known map[int16]byte) (got []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range e.last {
		if v, ok := known[x]; ok {
			got = append(got, v)
		}
	}
	return got
}

// loud gives mu-law codes whose values are far from silence and distinct.
func loud() (codes []byte, known map[int16]byte) {
	known = make(map[int16]byte)
	for c := byte(0x10); c < 0x50; c++ {
		codes = append(codes, c)
		known[ulaw(c)] = c
	}
	return codes, known
}

// ulaw is G.711's expansion, written from the definition.
func ulaw(c byte) int16 {
	c = ^c
	t := (int(c&0x0f)<<3 + 0x84) << (c >> 4 & 7)
	if c&0x80 != 0 {
		return int16(0x84 - t)
	}
	return int16(t - 0x84)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within 5 s: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func (p *peer) paced(n int, each func(i int)) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		each(i)
		<-tick.C
	}
}

func TestReorderDuplicateAndLoss(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	ear := &tape{}
	if _, err := s.Listen(media.Caller, 0, ear); err != nil {
		t.Fatal(err)
	}
	codes, known := loud()
	packets := make([][]byte, 40)
	for i := range packets {
		packets[i] = far.packet(codes[i])
	}
	packets[10], packets[11] = packets[11], packets[10] // out of order
	far.paced(40, func(i int) {
		if i == 20 || i == 21 { // lost
			return
		}
		far.send(packets[i])
		if i == 5 {
			far.send(packets[i]) // twice
		}
	})
	waitFor(t, "all packets played", func() bool { return len(ear.order(known)) >= 38 })
	want := append(append([]byte{}, codes[:20]...), codes[22:40]...)
	if got := ear.order(known); string(got) != string(want) {
		t.Errorf("heard % x\nwant  % x", got, want)
	}
	st := s.Stats()
	if st.Lost != 2 || st.Duplicate != 1 || st.Received != 39 || st.Concealed == 0 {
		t.Errorf("stats %+v", st)
	}
	if l := s.Close(); l.Born != 39 || l.Forgotten != 39 {
		t.Errorf("ledger %+v", l)
	}
}

func TestSilenceOfTheSenderIsNoLoss(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	ear := &tape{}
	if _, err := s.Listen(media.Caller, 0, ear); err != nil {
		t.Fatal(err)
	}
	codes, known := loud()
	far.paced(60, func(i int) {
		switch {
		case i == 10: // comfort noise at -60 dBov, then nothing for 600 ms
			b := far.packet(0)[:13]
			b[1], b[12] = 13, 60
			far.send(b)
		case i > 10 && i < 40:
			far.ts += 160
		default:
			far.send(far.packet(codes[i]))
		}
	})
	waitFor(t, "all packets played", func() bool { return len(ear.order(known)) >= 30 })
	if st := s.Stats(); st.Lost != 0 || st.Late != 0 {
		t.Errorf("stats %+v", st)
	}
	ear.mu.Lock()
	defer ear.mu.Unlock()
	if ear.total < 1150*time.Millisecond {
		t.Errorf("the ear heard %v of 1.2 s: a pause has to be heard as one", ear.total)
	}
	for i := 1; i < len(ear.at); i++ {
		if d := ear.at[i] - ear.at[i-1]; d <= 0 || d > 60*time.Millisecond {
			t.Fatalf("frames at %v and %v", ear.at[i-1], ear.at[i])
		}
	}
}

func TestStrangersAreCountedAndNotHeard(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	ear := &tape{}
	if _, err := s.Listen(media.Caller, 0, ear); err != nil {
		t.Fatal(err)
	}
	stranger := *far
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	stranger.conn = conn
	codes, known := loud()
	far.send(far.packet(codes[0]))
	waitFor(t, "the first packet", func() bool { return s.Stats().Received == 1 })
	stranger.seq, stranger.ts = far.seq, far.ts
	for range 10 {
		stranger.send(stranger.packet(codes[9]))
	}
	bad := far.packet(codes[9])
	bad[0] = 0x40 // version 1
	far.send(bad)
	far.send([]byte{0x80})
	huge := append(far.packet(codes[9]), make([]byte, 2000)...)
	far.send(huge)
	waitFor(t, "all counted", func() bool { st := s.Stats(); return st.Refused == 10 && st.Malformed == 3 })
	if got := ear.order(known); strings.ContainsRune(string(got), rune(codes[9])) {
		t.Error("a stranger was heard")
	}
}

func TestNewSourceAndSequenceJump(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	ear := &tape{}
	if _, err := s.Listen(media.Caller, 0, ear); err != nil {
		t.Fatal(err)
	}
	codes, known := loud()
	far.paced(30, func(i int) {
		switch i {
		case 10: // a new SSRC with its own numbers
			far.ssrc, far.seq, far.ts = 78, 60000, 1<<31
		case 20: // a jump within one
			far.seq += 20000
			far.ts += 1 << 30
		}
		far.send(far.packet(codes[i]))
	})
	waitFor(t, "packets after the jump", func() bool { return len(ear.order(known)) >= 27 })
	if l := s.Close(); l.Born != l.Forgotten || l.Born != 30 {
		t.Errorf("ledger %+v", l)
	}
}

func TestTenPercentLoss(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	ear := &tape{}
	if _, err := s.Listen(media.Caller, 16000, ear); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	lost := uint64(0)
	far.paced(100, func(i int) {
		b := far.packet(0x20)
		if i > 0 && i < 99 && rng.IntN(10) == 0 {
			lost++
			return
		}
		far.send(b)
	})
	waitFor(t, "the losses are counted", func() bool { return s.Stats().Lost == lost })
	if st := s.Stats(); st.Late != 0 || st.Duplicate != 0 || lost == 0 {
		t.Errorf("lost %d: %+v", lost, st)
	}
	if l := s.Close(); l.Born != 100-lost || l.Forgotten != l.Born {
		t.Errorf("ledger %+v", l)
	}
}

// A far end may change its packet time; the buffer's places grow with it, and
// what waits meanwhile is heard.
func TestPacketsGrow(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	ear := &tape{}
	if _, err := s.Listen(media.Caller, 0, ear); err != nil {
		t.Fatal(err)
	}
	codes, known := loud()
	far.paced(30, func(i int) {
		switch {
		case i < 10:
			far.send(far.packet(codes[i]))
		case i%3 == 0: // 60 ms
			b := far.packet(codes[i])
			far.ts += 320
			for range 320 {
				b = append(b, codes[i])
			}
			far.send(b)
		}
	})
	waitFor(t, "all packets played", func() bool { return len(ear.order(known)) >= 16 })
	if st := s.Stats(); st.Lost != 0 || st.Malformed != 0 || st.Received != 16 {
		t.Errorf("stats %+v", st)
	}
	if l := s.Close(); l.Born != 16 || l.Forgotten != 16 {
		t.Errorf("ledger %+v", l)
	}
}

// Who sends an offer in somebody else's name must not have packets sent there.
func TestNothingGoesOutUnasked(t *testing.T) {
	p := plane(t, nil)
	far, s := connect(t, p, "")
	if err := far.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, _, err := far.conn.ReadFromUDP(make([]byte, 1500)); err == nil {
		t.Fatalf("%d bytes came before anybody spoke", n)
	}
	if err := s.Speech().Write(within(t, time.Second), tone(500, 8000, 60*time.Millisecond), 8000); err != nil {
		t.Fatal(err)
	}
	if err := far.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := far.conn.ReadFromUDP(make([]byte, 1500)); err != nil {
		t.Fatalf("the agent is not heard: %v", err)
	}
}
