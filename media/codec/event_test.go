package codec

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

func TestEvent(t *testing.T) {
	payload := []byte{11, 0x80 | 10, 0x03, 0x20}
	want := Event{Code: 11, End: true, Volume: 10, Duration: 800}
	e, err := ParseEvent(payload)
	if err != nil || e != want {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err := ParseEvent([]byte{5, 0x40 | 63, 0, 0}); err != nil || e != (Event{Code: 5, Volume: 63}) {
		t.Errorf("the reserved bit must be ignored: %+v, %v", e, err)
	}
	dst := make([]byte, 6)
	if n, err := want.Put(dst); err != nil || n != 4 || !bytes.Equal(dst, append(payload, 0, 0)) {
		t.Errorf("%d % x, %v", n, dst, err)
	}
	if n, err := (Event{Volume: 255}).Put(dst); n != 4 || err != nil || dst[1] != 63 {
		t.Errorf("too great a volume sets other bits: %#x", dst[1])
	}
	if n, err := want.Put(dst[:3]); n != 0 || !errors.Is(err, ErrShort) {
		t.Errorf("%d, %v", n, err)
	}
	for _, n := range []int{0, 1, 3, 5, 20, 1200} {
		if _, err := ParseEvent(make([]byte, n)); !errors.Is(err, ErrEvent) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// packet is one telephone event packet on the wire.
type packet struct {
	timestamp uint32
	payload   []byte
	at        time.Duration
}

// press makes the packets of one key as KeySender sends them.
func press(t testing.TB, digit byte, length, ptime time.Duration, timestamp uint32, at time.Duration) []packet {
	t.Helper()
	var s KeySender
	if err := s.Press(digit, length, ptime); err != nil {
		t.Fatal(err)
	}
	var packets []packet
	for s.Active() {
		payload := make([]byte, EventSize)
		if n, _, _ := s.Next(payload); n != EventSize {
			t.Fatalf("a payload of %d bytes", n)
		}
		packets = append(packets, packet{timestamp, payload, at})
		at += ptime
	}
	return packets
}

func hear(t testing.TB, d *KeyDetector, packets ...packet) []Key {
	t.Helper()
	var got []Key
	for _, p := range packets {
		if err := d.Hear(p.timestamp, p.payload, p.at); err != nil {
			t.Fatal(err)
		}
		for k, ok := d.Take(); ok; k, ok = d.Take() {
			got = append(got, k)
		}
	}
	return got
}

func TestSender(t *testing.T) {
	var s KeySender
	if err := s.Press('#', 100*ms, 20*ms); err != nil {
		t.Fatal(err)
	}
	if err := s.Press('1', 100*ms, 20*ms); !errors.Is(err, ErrBusy) {
		t.Errorf("a second key at once: %v", err)
	}
	before := s
	if n, _, _ := s.Next(make([]byte, 3)); n != 0 || s != before {
		t.Error("a destination too short takes a packet")
	}
	for i, want := range []struct {
		duration     uint16
		marker, last bool
	}{{160, true, false}, {320, false, false}, {480, false, false}, {640, false, false}, {800, false, false}, {800, false, false}, {800, false, true}} {
		payload := make([]byte, EventSize)
		n, marker, last := s.Next(payload)
		e, err := ParseEvent(payload)
		end := i >= 4
		if err != nil || n != EventSize || e.Code != 11 || e.Volume != 10 ||
			e.End != end || e.Duration != want.duration || marker != want.marker || last != want.last {
			t.Errorf("packet %d: %+v marker %v last %v, %v", i, e, marker, last, err)
		}
	}
	if s.Active() || s != (KeySender{}) {
		t.Error("after the last packet it still holds the key")
	}
	if n, _, _ := s.Next(make([]byte, 4)); n != 0 {
		t.Error("it sends without a key")
	}
}

// TestSenderShort: a key not longer than a packet still begins before it ends.
func TestSenderShort(t *testing.T) {
	packets := press(t, '1', 40*ms, 60*ms, 0, 0)
	if len(packets) != 4 {
		t.Fatalf("%d packets", len(packets))
	}
	for i, p := range packets {
		if e, err := ParseEvent(p.payload); err != nil || e.End != (i > 0) || e.Duration != 320 {
			t.Errorf("packet %d: %+v, %v", i, e, err)
		}
	}
}

func TestSenderRefuses(t *testing.T) {
	for _, bad := range []struct {
		digit         byte
		length, ptime time.Duration
	}{
		{'E', 100 * ms, 20 * ms}, {0, 100 * ms, 20 * ms}, {' ', 100 * ms, 20 * ms},
		{'1', 39 * ms, 20 * ms}, {'1', 8001 * ms, 20 * ms}, {'1', 100 * ms, 9 * ms}, {'1', 100 * ms, 61 * ms},
	} {
		var s KeySender
		if err := s.Press(bad.digit, bad.length, bad.ptime); !errors.Is(err, ErrKey) || s.Active() {
			t.Errorf("%q %v %v: %v", bad.digit, bad.length, bad.ptime, err)
		}
	}
	var s KeySender
	if err := s.Press('1', 8*time.Second, 60*ms); err != nil {
		t.Errorf("the longest key: %v", err)
	}
}

func TestDetectorAllKeys(t *testing.T) {
	var d KeyDetector
	for i, digit := range []byte("0123456789*#ABCD") {
		got := hear(t, &d, press(t, digit, 100*ms, 20*ms, uint32(i)*2000, time.Duration(i)*250*ms)...)
		if !slices.Equal(got, []Key{{digit, 100 * ms}}) {
			t.Errorf("%q: %v", digit, got)
		}
	}
	for i, digit := range []byte("abcd") {
		got := hear(t, &d, press(t, digit, 100*ms, 20*ms, uint32(50000+2000*i), time.Duration(20+i)*time.Second)...)
		if !slices.Equal(got, []Key{{"ABCD"[i], 100 * ms}}) {
			t.Errorf("%q: %v", digit, got)
		}
	}
}

// TestDetectorAnyLoss: of one key, any packets but all may be lost, and the rest
// may come in any order and repeated: it is reported once.
func TestDetectorAnyLoss(t *testing.T) {
	packets := press(t, '7', 100*ms, 20*ms, 4294967000, 0) // wraps around meanwhile
	rng := rand.New(rand.NewPCG(1, 2))
	for mask := 1; mask < 1<<len(packets); mask++ {
		var come []packet
		longest := 0 * ms
		for i, p := range packets {
			if mask>>i&1 == 1 {
				come = append(come, p, p)
				longest = min(time.Duration(i+1)*20*ms, 100*ms)
			}
		}
		for _, shuffled := range []bool{false, true} {
			if shuffled {
				rng.Shuffle(len(come), func(i, j int) { come[i], come[j] = come[j], come[i] })
			}
			var d KeyDetector
			got := hear(t, &d, come...)
			d.Expire(time.Second)
			if k, ok := d.Take(); ok {
				got = append(got, k)
			}
			if !slices.Equal(got, []Key{{'7', longest}}) {
				t.Fatalf("of packets %07b (shuffled %v): %v, want one of %v", mask, shuffled, got, longest)
			}
		}
	}
}

// TestDetectorSequence: keys one after the other, the ends of the first lost, an
// old packet late, the same digit twice.
func TestDetectorSequence(t *testing.T) {
	var d KeyDetector
	first := press(t, '4', 100*ms, 20*ms, 1000, 0)
	second := press(t, '4', 80*ms, 20*ms, 3000, 250*ms)
	if got := hear(t, &d, first[:3]...); len(got) != 0 {
		t.Fatalf("before its end: %v", got)
	}
	got := hear(t, &d, second[0])
	if !slices.Equal(got, []Key{{'4', 60 * ms}}) {
		t.Fatalf("when the next begins: %v", got)
	}
	if got := hear(t, &d, first[4]); len(got) != 0 {
		t.Errorf("a late end of the first: %v", got)
	}
	if got := hear(t, &d, second[1:]...); !slices.Equal(got, []Key{{'4', 80 * ms}}) {
		t.Errorf("the second: %v", got)
	}
	if got := hear(t, &d, press(t, '5', 100*ms, 20*ms, 4294882296, time.Minute)...); !slices.Equal(got, []Key{{'5', 100 * ms}}) {
		t.Errorf("after the sender's clock jumped back: %v", got)
	}
}

func TestDetectorExpires(t *testing.T) {
	var d KeyDetector
	packets := press(t, '9', 100*ms, 20*ms, 1000, time.Second)
	hear(t, &d, packets[:2]...) // at 1 s and 1.02 s
	d.Expire(1219 * ms)
	if k, ok := d.Take(); ok {
		t.Fatalf("after 199 ms: %v", k)
	}
	d.Expire(1220 * ms)
	if k, ok := d.Take(); !ok || k != (Key{'9', 40 * ms}) {
		t.Fatalf("after 200 ms: %v, %v", k, ok)
	}
	d.Expire(2 * time.Second)
	if got := hear(t, &d, packets[2:]...); len(got) != 0 {
		t.Errorf("its late end is another key: %v", got)
	}
}

// TestDetectorSegments: a key of more than 8.19 s comes in segments (RFC 4733
// section 2.5.1.3) and is one key.
func TestDetectorSegments(t *testing.T) {
	var d KeyDetector
	report := func(timestamp uint32, e Event) packet {
		payload := make([]byte, EventSize)
		if _, err := e.Put(payload); err != nil {
			t.Fatal(err)
		}
		return packet{timestamp, payload, 0}
	}
	got := hear(t, &d,
		report(500, Event{Code: 3, Duration: 0xfff0}),
		report(500, Event{Code: 3, Duration: 0xffff}),
		report(500+0xffff, Event{Code: 3, Duration: 160}),
		report(500+0xffff, Event{Code: 3, Duration: 801, End: true}),
	)
	if want := (Key{'3', (0xffff + 801) * time.Second / EventClock}); !slices.Equal(got, []Key{want}) {
		t.Errorf("%v, want %v", got, want)
	}
	got = hear(t, &d,
		report(200000, Event{Code: 3, Duration: 800}),
		report(200000+0xffff, Event{Code: 4, Duration: 160, End: true}),
	)
	if want := []Key{{'3', 100 * ms}, {'4', 20 * ms}}; !slices.Equal(got, want) {
		t.Errorf("another key a segment later: %v, want %v", got, want)
	}
}

// TestDetectorManyReports: several events in one packet, each behind the other.
func TestDetectorManyReports(t *testing.T) {
	var d KeyDetector
	payload := []byte{1, 0x80, 0x01, 0x40, 2, 0x80, 0x01, 0x40, 3, 0x80, 0x01, 0x40}
	if err := d.Hear(100, payload, 0); err != nil {
		t.Fatal(err)
	}
	if err := d.Hear(100, payload, 0); err != nil { // and again
		t.Fatal(err)
	}
	var got []byte
	for k, ok := d.Take(); ok; k, ok = d.Take() {
		got = append(got, k.Digit)
	}
	if string(got) != "123" {
		t.Errorf("%q", got)
	}
}

// TestDetectorIgnores: flash and tones are no keys, but end the key before them.
func TestDetectorIgnores(t *testing.T) {
	var d KeyDetector
	hear(t, &d, press(t, '1', 100*ms, 20*ms, 0, 0)[:2]...)
	got := hear(t, &d, packet{1000, []byte{16, 0x80, 1, 0}, 50 * ms}, packet{2000, []byte{255, 0x80, 1, 0}, 90 * ms})
	if !slices.Equal(got, []Key{{'1', 40 * ms}}) {
		t.Errorf("%v", got)
	}
	if err := d.Hear(1, []byte{1, 2, 3}, 0); !errors.Is(err, ErrEvent) {
		t.Errorf("3 bytes: %v", err)
	}
}

// TestDetectorNobodyTakes: a flood of keys that nobody takes is bounded, and
// Wipe forgets them.
func TestDetectorNobodyTakes(t *testing.T) {
	var d KeyDetector
	for i := range uint32(1000) {
		if err := d.Hear(i*1000, []byte{byte(i % 10), 0x80, 1, 0}, 0); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for _, ok := d.Take(); ok; _, ok = d.Take() {
		n++
	}
	if n != 8 {
		t.Errorf("%d keys waited", n)
	}
	for _, k := range d.pending {
		if k != (Key{}) {
			t.Error("a taken key is still there")
		}
	}
	d.Wipe()
	if d != (KeyDetector{}) {
		t.Error("Wipe left something")
	}
}

func FuzzEvent(f *testing.F) {
	f.Add(uint32(0), []byte{1, 0x80, 1, 0, 2, 0x80, 1, 0})
	f.Fuzz(func(t *testing.T, timestamp uint32, stream []byte) {
		var d KeyDetector
		for at := 0 * ms; len(stream) > 0; at += 20 * ms {
			n := min(1+int(stream[0])%20, len(stream))
			if err := d.Hear(timestamp, stream[:n], at); err != nil && !errors.Is(err, ErrEvent) {
				t.Fatal(err)
			}
			timestamp += uint32(stream[n-1]) << 4
			stream = stream[n:]
			d.Expire(at)
			for k, ok := d.Take(); ok; k, ok = d.Take() {
				if k.Duration < 0 || !bytes.ContainsRune([]byte(keys), rune(k.Digit)) {
					t.Fatalf("%+v", k)
				}
			}
		}
	})
}
