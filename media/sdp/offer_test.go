package sdp

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"lethe/media/codec"
)

func TestOfferText(t *testing.T) {
	got := Offer(Terms{Codecs: []codec.Codec{codec.PCMA, codec.G722, codec.PCMA, codec.None}, Ptime: 30 * ms}, local(), SendOnly)
	want := strings.Join([]string{
		"v=0", "o=- 7001 3 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
		"m=audio 10234 RTP/AVP 8 9 13 101",
		"a=rtpmap:8 PCMA/8000", "a=rtpmap:9 G722/8000", "a=rtpmap:13 CN/8000",
		"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15",
		"a=ptime:30", "a=maxptime:60", "a=sendonly", "a=rtcp-mux", "",
	}, "\r\n")
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Offer(Terms{}, local(), SendRecv); got != nil {
		t.Errorf("an offer without a codec: %q", got)
	}
}

// TestBothEnds: our offer, our answer, and both sides agree on the same.
func TestBothEnds(t *testing.T) {
	caller, callee := local(), local()
	callee.Port = 20000
	for _, way := range []struct {
		offered, answered Direction
	}{{SendRecv, SendRecv}, {SendOnly, RecvOnly}, {RecvOnly, SendOnly}, {Inactive, Inactive}} {
		o := Offer(all(), caller, way.offered)
		answer, theirs, err := Answer(o, terms(codec.PCMA, codec.PCMU), callee)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Accept(answer, all(), caller)
		if err != nil {
			t.Fatal(err)
		}
		want := Agreed{
			Remote: addr("192.0.2.1:20000"), RemoteRTCP: addr("192.0.2.1:20000"),
			Codec: codec.PCMA, PayloadType: 8, Accept: []Format{{8, codec.PCMA}},
			Event: 101, HasEvent: true, ComfortNoise: 13, HasComfortNoise: true,
			Ptime: 20 * ms, MaxPtime: 60 * ms, Direction: way.offered, RTCPMux: true,
			Hold: way.offered == RecvOnly || way.offered == Inactive,
		}
		if !reflect.DeepEqual(ours, want) {
			t.Errorf("%s: we agreed\n%+v, want\n%+v", way.offered, ours, want)
		}
		want.Remote, want.RemoteRTCP, want.Direction = addr("192.0.2.1:10234"), addr("192.0.2.1:10234"), way.answered
		want.Hold = way.offered == SendOnly || way.offered == Inactive
		if !reflect.DeepEqual(theirs, want) {
			t.Errorf("%s: they agreed\n%+v, want\n%+v", way.offered, theirs, want)
		}
	}
}

func TestAccept(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		want         []Format
	}{
		{"several: the answer's order", offer("m=audio 4000 RTP/AVP 8 0"), []Format{{8, codec.PCMA}, {0, codec.PCMU}}},
		{"what was not offered is left out", offer("m=audio 4000 RTP/AVP 18 9 0"), []Format{{9, codec.G722}, {0, codec.PCMU}}},
		{"numbers of its own: ours may come too", offer("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMA/8000"), []Format{{97, codec.PCMA}, {8, codec.PCMA}}},
	} {
		a, err := Accept([]byte(c.answer), all(), local())
		if err != nil || !slices.Equal(a.Accept, c.want) || a.Codec != c.want[0].Codec || a.PayloadType != c.want[0].PayloadType {
			t.Errorf("%s: %+v, %v", c.name, a, err)
		}
	}
	for _, c := range []struct {
		name, answer string
		want         error
	}{
		{"refused", offer("m=audio 0 RTP/AVP 0"), ErrNoCommonCodec},
		{"a codec that was not offered", offer("m=audio 4000 RTP/AVP 18"), ErrNoCommonCodec},
		{"SRTP", offer("m=audio 4000 RTP/SAVP 0"), ErrSecure},
		{"video", offer("m=video 4000 RTP/AVP 0"), ErrUnsupported},
		{"host name", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 pbx.example.com"), ErrUnsupported},
		{"no stream", session, ErrMalformed},
		{"two streams", offer("m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0"), ErrMalformed},
	} {
		if a, err := Accept([]byte(c.answer), all(), local()); !errors.Is(err, c.want) || !reflect.DeepEqual(a, Agreed{}) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := Accept([]byte(offer("m=audio 4000 RTP/AVP 9")), terms(codec.PCMU), local()); !errors.Is(err, ErrNoCommonCodec) {
		t.Errorf("a codec of ours, but not offered: %v", err)
	}
}

// TestAnonymous: nothing in an offer or an answer but address, port and the
// caller's numbers could tell one machine or user from another.
func TestAnonymous(t *testing.T) {
	for _, text := range [][]byte{Offer(all(), local(), SendRecv), func() []byte {
		answer, _, err := Answer([]byte(offer("m=audio 4000 RTP/AVP 0")), all(), local())
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}()} {
		if lineOf(text, "o=") != "o=- 7001 3 IN IP4 192.0.2.1" || lineOf(text, "s=") != "s=-" {
			t.Errorf("%s", text)
		}
		for _, start := range []string{"i=", "u=", "e=", "p=", "a=tool", "a=cname", "a=ssrc", "a=msid"} {
			if l := lineOf(text, start); l != "" {
				t.Errorf("says %q", l)
			}
		}
	}
}

// FuzzAnswer: whatever comes, there is an error of the known kinds or an answer
// that can be read again and has a line for each of the offer's.
func FuzzAnswer(f *testing.F) {
	f.Add(offer("m=audio 4000 RTP/AVP 0 8 9 13 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=rtcp:4001 IN IP4 198.51.100.9", "a=ptime:20", "a=sendonly"))
	f.Add(offer("m=audio 4000 RTP/SAVP 0", "m=image 4002 udptl t38", "m=video 5000 RTP/AVP 99"))
	f.Add(strings.ReplaceAll(string(Offer(all(), local6(), SendRecv)), "\r\n", "\n"))
	f.Add("v=0\no=- 0 0 IN IP6 ::\ns= \nt=0 0\na=inactive\nm=audio 1/2 RTP/AVPF 127\nc=IN IP6 ::\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range []Local{local(), local6()} {
			known := func(err error) bool {
				return errors.Is(err, ErrMalformed) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrNoCommonCodec)
			}
			if _, err := Accept([]byte(text), all(), l); err != nil && !known(err) {
				t.Fatal(err)
			}
			answer, a, err := Answer([]byte(text), all(), l)
			if err != nil {
				if !known(err) {
					t.Fatal(err)
				}
				continue
			}
			if a.Codec == codec.None || len(a.Accept) == 0 || a.Ptime < minPtime || a.Ptime > maxPtime || !a.Remote.IsValid() {
				t.Fatalf("agreed %+v", a)
			}
			d, err := parse(answer)
			if err != nil || utf8.ValidString(text) && len(d.sections) != strings.Count("\n"+text, "\nm=") {
				t.Fatalf("our answer: %v\n%s", err, answer)
			}
			if l.Address.Is4() != strings.Contains(lineOf(answer, "c="), "IP4") {
				t.Fatalf("%s", answer)
			}
		}
	})
}

func BenchmarkAnswer(b *testing.B) {
	text := []byte(offer("m=audio 4000 RTP/AVP 0 8 9 13 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=ptime:20"))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Answer(text, all(), local()); err != nil {
			b.Fatal(err)
		}
	}
}
