package media

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"lethe/media/internal/frame"
)

// counter is an ear that does next to nothing.
type counter struct{ frames, samples int }

func (c *counter) String() string { return "counter" }
func (c *counter) Hear(f Frame) error {
	c.frames++
	c.samples += len(frame.Samples(f))
	return nil
}

// BenchmarkFrame is the hot path of one packet time of one call: one packet in
// from the socket, through the jitter buffer, the decoder and the resampler to
// an ear at 16 kHz, and one packet of speech out to the socket.
func BenchmarkFrame(b *testing.B) {
	for _, name := range []string{"PCMU", "PCMA", "G722"} {
		b.Run(name, func(b *testing.B) { benchFrame(b, name) })
	}
}

func benchFrame(b *testing.B, name string) {
	c := Default()
	c.Ports = "25000-25999"
	p, err := NewPlane(c)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	}()
	far, err := openSocket(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := far.close(); err != nil {
			b.Error(err)
		}
	}()
	pt := map[string]int{"PCMU": 0, "PCMA": 8, "G722": 9}[name]
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP %d\r\n", pt)
	s, _, err := p.Answer(Terms{Codecs: []string{name}}, []byte(sdp))
	if err != nil {
		b.Fatal(err)
	}
	s.clock.remove(s)
	ear := &counter{}
	if _, err := s.Listen(Caller, 16000, ear); err != nil {
		b.Fatal(err)
	}
	far.aim(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), s.local.Port))
	packet := make([]byte, 172)
	packet[0], packet[1] = 0x80, byte(pt)
	for i := range packet[12:] {
		packet[12+i] = byte(i * 7)
	}
	pcm := make([]int16, s.Rate()/50)
	now := time.Now()
	seq := uint16(0)
	oneTurn := func() {
		seq++
		binary.BigEndian.PutUint16(packet[2:], seq)
		binary.BigEndian.PutUint32(packet[4:], uint32(seq)*160)
		far.send(packet)
		if ok, err := s.speech.put(pcm, s.speech.rate, s.speech.cuts); !ok || err != nil {
			b.Fatal("no room to speak", err)
		}
		now = now.Add(20 * time.Millisecond)
		s.serve(now)
		for { // what we sent would fill the far end's socket
			if _, ok := far.recv(packet[:0]); !ok {
				break
			}
		}
	}
	for range 100 { // the trusted source, the ledger's entries
		s.agreed.Remote = netip.AddrPort{}
		oneTurn()
	}
	heard := ear.frames
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		oneTurn()
	}
	b.StopTimer()
	if ear.frames-heard < b.N-2 || s.stats.Sent < uint64(b.N) {
		b.Fatalf("heard %d, sent %d of %d", ear.frames-heard, s.stats.Sent, b.N)
	}
}
