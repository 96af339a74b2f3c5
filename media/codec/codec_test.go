package codec

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func codecs() []Codec { return []Codec{PCMU, PCMA, G722} }

// TestCodecTable is RFC 3551 table 4 and section 4.5.
func TestCodecTable(t *testing.T) {
	for _, want := range []struct {
		codec              Codec
		name, other        string
		static             uint8
		clock, rate, bytes int
	}{
		{PCMU, "PCMU", "pcmu", 0, 8000, 8000, 160},
		{PCMA, "PCMA", "PcmA", 8, 8000, 8000, 160},
		{G722, "G722", "g722", 9, 8000, 16000, 160},
		{None, "none", "", 255, 0, 0, 0},
	} {
		c := want.codec
		if c.String() != want.name || c.PayloadType() != want.static || c.ClockRate() != want.clock || c.SampleRate() != want.rate {
			t.Errorf("%d: %s %d %d %d", c, c, c.PayloadType(), c.ClockRate(), c.SampleRate())
		}
		samples := c.SampleRate() / 50
		if c.BytesFor(samples) != want.bytes || c.SamplesFor(want.bytes) != samples {
			t.Errorf("%s: 20 ms are %d samples, %d bytes", c, c.SamplesFor(want.bytes), c.BytesFor(samples))
		}
		if c == None {
			if c.BytesFor(160) != 0 || c.SamplesFor(160) != 0 {
				t.Error("none codes something")
			}
			continue
		}
		for _, name := range []string{want.name, want.other} {
			if got, ok := ByName(name); got != c || !ok {
				t.Errorf("ByName(%q) = %s, %v", name, got, ok)
			}
		}
		if got, ok := ByStatic(want.static); got != c || !ok {
			t.Errorf("ByStatic(%d) = %s, %v", want.static, got, ok)
		}
	}
	for _, name := range []string{"", "none", "opus", "PCMU ", "G7221"} {
		if got, ok := ByName(name); got != None || ok {
			t.Errorf("ByName(%q) = %s, %v", name, got, ok)
		}
	}
	for _, pt := range []uint8{1, 3, 13, 18, 101, 255} {
		if got, ok := ByStatic(pt); got != None || ok {
			t.Errorf("ByStatic(%d) = %s, %v", pt, got, ok)
		}
	}
}

// TestWrongLengths: a clear error, and neither the destination nor the state is
// touched.
func TestWrongLengths(t *testing.T) {
	for _, c := range codecs() {
		var d Decoder
		d.Init(c)
		before := d
		if n, err := d.Decode(make([]int16, 10), nil); n != 0 || !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: empty payload: %d, %v", c, n, err)
		}
		short := make([]int16, c.SamplesFor(50)-1)
		if n, err := d.Decode(short, make([]byte, 50)); n != 0 || !errors.Is(err, ErrShort) || energy(short) != 0 {
			t.Errorf("%s: short destination: %d, %v", c, n, err)
		}
		var e Encoder
		e.Init(c)
		coding := e
		if n, err := e.Encode(make([]byte, 10), nil); n != 0 || !errors.Is(err, ErrEmpty) {
			t.Errorf("%s: no audio: %d, %v", c, n, err)
		}
		if n, err := e.Encode(make([]byte, c.BytesFor(100)-1), noise(100, 1)); n != 0 || !errors.Is(err, ErrShort) {
			t.Errorf("%s: short destination: %d, %v", c, n, err)
		}
		if d != before || e != coding {
			t.Errorf("%s: a refused payload changed the state", c)
		}
	}
	var e Encoder
	e.Init(G722)
	for _, n := range []int{1, 99} {
		if _, err := e.Encode(make([]byte, 100), noise(n, 1)); !errors.Is(err, ErrOdd) {
			t.Errorf("G722: %d samples: %v", n, err)
		}
	}
}

func TestWithoutInit(t *testing.T) {
	var d Decoder
	var e Encoder
	if _, err := d.Decode(make([]int16, 10), make([]byte, 5)); !errors.Is(err, ErrCodec) {
		t.Errorf("decoder: %v", err)
	}
	if _, err := e.Encode(make([]byte, 10), make([]int16, 4)); !errors.Is(err, ErrCodec) {
		t.Errorf("encoder: %v", err)
	}
}

// TestInitIsClean: a state that was used and is started again is as new.
func TestInitIsClean(t *testing.T) {
	pcm := speech(16000, 640, 1)
	for _, c := range codecs() {
		var d, newD Decoder
		var e, newE Encoder
		newD.Init(c)
		newE.Init(c)
		d.Init(c)
		e.Init(c)
		line, out := make([]byte, 640), make([]int16, 1280)
		n, err := e.Encode(line, pcm)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(out, line[:n]); err != nil {
			t.Fatal(err)
		}
		if c == G722 && (d == newD || e == newE) {
			t.Fatal("the states hold nothing: the test sees nothing")
		}
		if d.Codec() != c || e.Codec() != c {
			t.Errorf("%s: codecs %s and %s", c, d.Codec(), e.Codec())
		}
		wiped, wipedE := d, e
		wiped.Wipe()
		wipedE.Wipe()
		if wiped != (Decoder{}) || wipedE != (Encoder{}) {
			t.Errorf("%s: Wipe left something", c)
		}
		d.Init(c)
		e.Init(c)
		if d != newD || e != newE {
			t.Errorf("%s: Init left something", c)
		}
	}
}

func TestPlainData(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Decoder](), reflect.TypeFor[Encoder](), reflect.TypeFor[Concealer](),
		reflect.TypeFor[Noise](), reflect.TypeFor[KeyDetector](), reflect.TypeFor[KeySender](),
	} {
		plainData(t, typ)
	}
}

// plainData fails if a value of this type could not lie in locked memory.
func plainData(t *testing.T, typ reflect.Type) {
	t.Helper()
	switch typ.Kind() {
	case reflect.Struct:
		for i := range typ.NumField() {
			plainData(t, typ.Field(i).Type)
		}
	case reflect.Array:
		plainData(t, typ.Elem())
	case reflect.Bool, reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Float32:
	default:
		t.Errorf("%v is not plain data", typ)
	}
}

// TestNoAllocation runs everything that runs per packet, bad packets included.
func TestNoAllocation(t *testing.T) {
	pcm, out, line := speech(16000, 320, 1), make([]int16, 640), make([]byte, 640)
	var c Concealer
	var n Noise
	var k KeyDetector
	var s KeySender
	if err := c.Init(16000); err != nil {
		t.Fatal(err)
	}
	allocations := testing.AllocsPerRun(50, func() {
		for _, codec := range [...]Codec{PCMU, PCMA, G722} {
			var d Decoder
			var e Encoder
			d.Init(codec)
			e.Init(codec)
			size, err := e.Encode(line, pcm)
			_, err2 := d.Decode(out, line[:size])
			_, err3 := d.Decode(out, nil)
			if err != nil || err2 != nil || err3 == nil {
				panic("codec")
			}
		}
		c.Good(pcm)
		c.Lost(out[:320])
		n.Level(40)
		n.Fill(out)
		if err := s.Press('5', 100*time.Millisecond, 20*time.Millisecond); err != nil {
			panic(err)
		}
		for s.Active() {
			size, _, _ := s.Next(line)
			if err := k.Hear(1000, line[:size], 0); err != nil {
				panic(err)
			}
		}
		k.Take()
		if k.Hear(1000, line[:3], 0) == nil {
			panic("event of 3 bytes")
		}
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range codecs() {
		b.Run(c.String(), func(b *testing.B) {
			var d Decoder
			d.Init(c)
			line, out := garbage(160, 1), make([]int16, 320)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Decode(out, line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range codecs() {
		b.Run(c.String(), func(b *testing.B) {
			var e Encoder
			e.Init(c)
			pcm, line := speech(c.SampleRate(), c.SampleRate()/50, 1), make([]byte, 160)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Encode(line, pcm); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
