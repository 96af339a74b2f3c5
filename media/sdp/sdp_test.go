package sdp

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"lethe/media/codec"
)

const ms = time.Millisecond

func local() Local {
	return Local{Address: netip.MustParseAddr("192.0.2.1"), Port: 10234, Session: 7001, Version: 3}
}

func local6() Local {
	return Local{Address: netip.MustParseAddr("2001:db8::1"), Port: 10234, Session: 7001, Version: 3}
}

func terms(codecs ...codec.Codec) Terms { return Terms{Codecs: codecs} }

func all() Terms { return terms(codec.G722, codec.PCMU, codec.PCMA) }

// session is the head of an offer of a peer at 198.51.100.9.
const session = "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n"

// offer adds lines to the head.
func offer(lines ...string) string {
	return session + strings.Join(lines, "\r\n") + "\r\n"
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// plain is what comes of offer("m=audio 4000 RTP/AVP 0"), for the tables to vary.
func plain(change ...func(*Agreed)) Agreed {
	a := Agreed{
		Remote: addr("198.51.100.9:4000"), RemoteRTCP: addr("198.51.100.9:4001"),
		Codec: codec.PCMU, PayloadType: 0, Accept: []Format{{0, codec.PCMU}}, Ptime: 20 * ms,
	}
	for _, c := range change {
		c(&a)
	}
	return a
}

func as(c codec.Codec, pt uint8) func(*Agreed) {
	return func(a *Agreed) { a.Codec, a.PayloadType, a.Accept = c, pt, []Format{{pt, c}} }
}

func directed(d Direction, hold bool) func(*Agreed) {
	return func(a *Agreed) { a.Direction, a.Hold = d, hold }
}

func paced(ptime, most time.Duration) func(*Agreed) {
	return func(a *Agreed) { a.Ptime, a.MaxPtime = ptime, most }
}

func at(rtp, rtcp string) func(*Agreed) {
	return func(a *Agreed) { a.Remote, a.RemoteRTCP = addr(rtp), addr(rtcp) }
}

// lineOf is the first line of an SDP that starts so.
func lineOf(sdp []byte, start string) string {
	for l := range strings.SplitSeq(string(sdp), "\r\n") {
		if strings.HasPrefix(l, start) {
			return l
		}
	}
	return ""
}

func mediaLines(sdp []byte) []string {
	var out []string
	for l := range strings.SplitSeq(string(sdp), "\r\n") {
		if strings.HasPrefix(l, "m=") {
			out = append(out, l)
		}
	}
	return out
}

func TestAnswerAgrees(t *testing.T) {
	for _, c := range []struct {
		name  string
		offer string
		terms Terms
		want  Agreed
	}{
		{"static payload types without rtpmap", offer("m=audio 4000 RTP/AVP 0"), all(), plain()},
		{"PCMA", offer("m=audio 4000 RTP/AVP 8"), all(), plain(as(codec.PCMA, 8))},
		{"G722", offer("m=audio 4000 RTP/AVP 9"), all(), plain(as(codec.G722, 9))},
		{"our order, not theirs", offer("m=audio 4000 RTP/AVP 8 0 9"), terms(codec.PCMU, codec.G722, codec.PCMA), plain()},
		{"our second", offer("m=audio 4000 RTP/AVP 8 0"), all(), plain()},
		{"dynamic payload type", offer("m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 PCMA/8000"), all(), plain(as(codec.PCMA, 97))},
		{"lower case and one channel", offer("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 pcma/8000/1"), all(), plain(as(codec.PCMA, 97))},
		{"not stereo, not 16 kHz", offer("m=audio 4000 RTP/AVP 96 97 0", "a=rtpmap:96 PCMA/8000/2", "a=rtpmap:97 G722/16000"), all(), plain()},
		{"rtpmap over static", offer("m=audio 4000 RTP/AVP 8 0", "a=rtpmap:8 opus/48000/2"), terms(codec.PCMA, codec.PCMU), plain()},
		{"first of two payload types of a codec", offer("m=audio 4000 RTP/AVP 0 97", "a=rtpmap:97 PCMU/8000"), all(), plain()},
		{"first of two rtpmaps", offer("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 PCMA/8000", "a=rtpmap:97 PCMU/8000"), all(), plain(as(codec.PCMA, 97))},
		{"events and comfort noise", offer("m=audio 4000 RTP/AVP 0 13 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16"), all(),
			plain(func(a *Agreed) { a.Event, a.HasEvent, a.ComfortNoise, a.HasComfortNoise = 101, true, 13, true })},
		{"dynamic comfort noise, events of another clock", offer("m=audio 4000 RTP/AVP 0 98 99 100", "a=rtpmap:98 telephone-event/48000", "a=rtpmap:99 CN/8000", "a=rtpmap:100 CN/32000"), all(),
			plain(func(a *Agreed) { a.ComfortNoise, a.HasComfortNoise = 99, true })},
		{"payload type 0 for events", offer("m=audio 4000 RTP/AVP 8 0", "a=rtpmap:0 telephone-event/8000"), all(),
			plain(as(codec.PCMA, 8), func(a *Agreed) { a.HasEvent = true })},

		{"ptime", offer("m=audio 4000 RTP/AVP 0", "a=ptime:30"), all(), plain(paced(30*ms, 0))},
		{"ptime of the session", session + "a=ptime:40\r\nm=audio 4000 RTP/AVP 0\r\n", all(), plain(paced(40*ms, 0))},
		{"ptime with a fraction, between two steps", offer("m=audio 4000 RTP/AVP 0", "a=ptime:29.9"), all(), plain(paced(20*ms, 0))},
		{"ptime too short", offer("m=audio 4000 RTP/AVP 0", "a=ptime:5"), all(), plain(paced(10*ms, 0))},
		{"ptime too long", offer("m=audio 4000 RTP/AVP 0", "a=ptime:240"), all(), plain(paced(60*ms, 0))},
		{"ptime absurd", offer("m=audio 4000 RTP/AVP 0", "a=ptime:1e300", "a=maxptime:99999"), all(), plain()},
		{"ptime 0", offer("m=audio 4000 RTP/AVP 0", "a=ptime:0"), all(), plain()},
		{"maxptime", offer("m=audio 4000 RTP/AVP 0", "a=maxptime:15"), all(), plain(paced(10*ms, 15*ms))},
		{"maxptime below ptime", offer("m=audio 4000 RTP/AVP 0", "a=ptime:60", "a=maxptime:40"), all(), plain(paced(40*ms, 40*ms))},
		{"our ptime", offer("m=audio 4000 RTP/AVP 0"), Terms{Codecs: []codec.Codec{codec.PCMU}, Ptime: 30 * ms}, plain(paced(30*ms, 0))},
		{"their ptime over ours", offer("m=audio 4000 RTP/AVP 0", "a=ptime:20"), Terms{Codecs: []codec.Codec{codec.PCMU}, Ptime: 30 * ms}, plain()},
		{"our ptime out of bounds", offer("m=audio 4000 RTP/AVP 0"), Terms{Codecs: []codec.Codec{codec.PCMU}, Ptime: time.Second}, plain(paced(60*ms, 0))},

		{"sendonly is a hold", offer("m=audio 4000 RTP/AVP 0", "a=sendonly"), all(), plain(directed(RecvOnly, true))},
		{"inactive is a hold", offer("m=audio 4000 RTP/AVP 0", "a=inactive"), all(), plain(directed(Inactive, true))},
		{"recvonly is none", offer("m=audio 4000 RTP/AVP 0", "a=recvonly"), all(), plain(directed(SendOnly, false))},
		{"direction of the session", session + "a=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n", all(), plain(directed(RecvOnly, true))},
		{"media over session", session + "a=inactive\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n", all(), plain()},
		{"hold of RFC 2543", strings.Replace(offer("m=audio 4000 RTP/AVP 0"), "c=IN IP4 198.51.100.9", "c=IN IP4 0.0.0.0", 1), all(),
			plain(directed(RecvOnly, true), at("0.0.0.0:4000", "0.0.0.0:4001"))},
		{"hold of both kinds", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=inactive"), all(),
			plain(directed(Inactive, true), at("0.0.0.0:4000", "0.0.0.0:4001"))},
		{"hold of RFC 2543, recvonly", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0", "a=recvonly"), all(),
			plain(directed(Inactive, true), at("0.0.0.0:4000", "0.0.0.0:4001"))},

		{"c= of the media", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 203.0.113.5"), all(), plain(at("203.0.113.5:4000", "203.0.113.5:4001"))},
		{"a=rtcp port", offer("m=audio 4000 RTP/AVP 0", "a=rtcp:4711"), all(), plain(at("198.51.100.9:4000", "198.51.100.9:4711"))},
		{"a=rtcp address", offer("m=audio 4000 RTP/AVP 0", "a=rtcp:4711 IN IP4 203.0.113.5"), all(), plain(at("198.51.100.9:4000", "203.0.113.5:4711"))},
		{"rtcp-mux", offer("m=audio 4000 RTP/AVP 0", "a=rtcp:4000", "a=rtcp-mux"), all(),
			plain(at("198.51.100.9:4000", "198.51.100.9:4000"), func(a *Agreed) { a.RTCPMux = true })},
		{"the last port", offer("m=audio 65535 RTP/AVP 0"), all(),
			plain(func(a *Agreed) { a.Remote, a.RemoteRTCP = addr("198.51.100.9:65535"), netip.AddrPort{} })},
		{"a port with a count", offer("m=audio 4000/2 RTP/AVP 0"), all(), plain()},

		{"AVPF", offer("m=audio 4000 RTP/AVPF 0", "a=rtcp-fb:0 nack"), all(), plain()},
		{"second audio stream, the first is SRTP", offer("m=audio 3000 RTP/SAVP 0", "m=audio 4000 RTP/AVP 0"), all(), plain()},
		{"second audio stream, the first has no codec", offer("m=audio 3000 RTP/AVP 18", "m=audio 4000 RTP/AVP 0"), all(), plain()},
		{"second audio stream, the first is off", offer("m=audio 0 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"), all(), plain()},
		{"second audio stream, the first has a host name", offer("m=audio 3000 RTP/AVP 0", "c=IN IP4 pbx.example.com", "m=audio 4000 RTP/AVP 0"), all(), plain()},
		{"lines not needed", strings.Replace(offer("m=audio 4000 RTP/AVP 0", "i=x", "b=WHAT:64", "k=clear:secret", "a=ice-ufrag:x"), "s=-\r\n", "s=-\r\ni=x\r\nu=::bad url\r\ne=x\r\np=+1\r\nb=XYZ:1\r\n", 1), all(), plain()},

		{"information that looks like an attribute", offer("m=audio 4000 RTP/AVP 0", "i=inactive"), all(), plain()},
		{"empty session name", strings.Replace(offer("m=audio 4000 RTP/AVP 0"), "s=-", "s=", 1), all(), plain()},
		{"blank session name", strings.Replace(offer("m=audio 4000 RTP/AVP 0"), "s=-", "s= ", 1), all(), plain()},
		{"lone line feeds", strings.ReplaceAll(offer("m=audio 4000 RTP/AVP 0"), "\r", ""), all(), plain()},
		{"blanks at the ends, blank lines", strings.ReplaceAll(offer("m=audio 4000 RTP/AVP 0"), "\r\n", " \t\r\n\r\n"), all(), plain()},
		{"no end of the last line", strings.TrimSpace(offer("m=audio 4000 RTP/AVP 0")), all(), plain()},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, got, err := Answer([]byte(c.offer), c.terms, local())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("agreed\n%+v, want\n%+v", got, c.want)
			}
			consistent(t, answer, got)
		})
	}
}

// consistent holds an answer against what was agreed.
func consistent(t *testing.T, answer []byte, a Agreed) {
	t.Helper()
	for attribute, want := range map[string]bool{
		"a=" + a.Direction.String():      true,
		"a=rtcp-mux":                     a.RTCPMux,
		"a=ptime:":                       true,
		"a=maxptime:60":                  true,
		" telephone-event/8000":          a.HasEvent,
		" CN/8000":                       a.HasComfortNoise,
		" " + a.Codec.String() + "/8000": true,
	} {
		if strings.Contains(string(answer), attribute) != want {
			t.Errorf("%q in the answer: want %v\n%s", attribute, want, answer)
		}
	}
	if n := strings.Count(string(answer), "a=rtpmap:"); n > 3 {
		t.Errorf("more than one codec:\n%s", answer)
	}
}

func TestAnswerText(t *testing.T) {
	answer, _, err := Answer([]byte(offer("m=audio 4000 RTP/AVP 8 0 13 96", "a=rtpmap:96 telephone-event/8000", "a=sendonly", "a=ptime:30", "a=rtcp-mux")), all(), local())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"v=0", "o=- 7001 3 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0",
		"m=audio 10234 RTP/AVP 0 13 96",
		"a=rtpmap:0 PCMU/8000", "a=rtpmap:13 CN/8000", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15",
		"a=ptime:30", "a=maxptime:60", "a=recvonly", "a=rtcp-mux", "",
	}, "\r\n")
	if string(answer) != want {
		t.Errorf("got\n%s\nwant\n%s", answer, want)
	}
}

// TestAnswerEveryLine: RFC 3264 section 6: as many m= lines as the offer, in its
// order, the refused ones with port 0, and the t= line of the offer.
func TestAnswerEveryLine(t *testing.T) {
	text := strings.Replace(offer(
		"m=video 5000 RTP/AVP 99 100", "a=rtpmap:99 H264/90000",
		"m=audio 4000 RTP/AVP 0", "a=ptime:20",
		"m=audio 4002 RTP/AVPF 8",
		"m=image 4004 udptl t38", "a=T38FaxVersion:0",
		"m=application 4006 UDP/DTLS/SCTP webrtc-datachannel",
		"m=audio 4008 WHAT/EVER 0",
		"m=holo_graph 9 x/y/z a b",
	), "t=0 0", "t=3034423619 3042462419", 1)
	answer, a, err := Answer([]byte(text), all(), local())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a, plain()) {
		t.Errorf("agreed %+v", a)
	}
	want := []string{
		"m=video 0 RTP/AVP 99", "m=audio 10234 RTP/AVP 0", "m=audio 0 RTP/AVPF 8", "m=image 0 udptl t38",
		"m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 0 WHAT/EVER 0", "m=holo_graph 0 x/y/z a",
	}
	if got := mediaLines(answer); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := lineOf(answer, "t="); got != "t=3034423619 3042462419" {
		t.Errorf("time %q", got)
	}
	if _, _, err := Answer(answer, all(), local()); err != nil {
		t.Errorf("our own answer is not read: %v", err)
	}
}

func TestAnswerProfile(t *testing.T) {
	answer, _, err := Answer([]byte(offer("m=audio 4000 RTP/AVPF 0")), all(), local())
	if err != nil || lineOf(answer, "m=") != "m=audio 10234 RTP/AVPF 0" {
		t.Errorf("%q, %v", lineOf(answer, "m="), err)
	}
}

func TestIPv6(t *testing.T) {
	text := strings.ReplaceAll(offer("m=audio 4000 RTP/AVP 0", "a=rtcp:5000 IN IP6 2001:db8::7"), "IP4 198.51.100.9", "IP6 2001:db8::9")
	answer, a, err := Answer([]byte(text), all(), local6())
	if err != nil {
		t.Fatal(err)
	}
	if a.Remote != addr("[2001:db8::9]:4000") || a.RemoteRTCP != addr("[2001:db8::7]:5000") {
		t.Errorf("remote %v, RTCP %v", a.Remote, a.RemoteRTCP)
	}
	if lineOf(answer, "c=") != "c=IN IP6 2001:db8::1" || lineOf(answer, "o=") != "o=- 7001 3 IN IP6 2001:db8::1" {
		t.Errorf("%s", answer)
	}
	hold := strings.Replace(text, "c=IN IP6 2001:db8::9", "c=IN IP6 ::", 1)
	if _, a, err := Answer([]byte(hold), all(), local6()); err != nil || !a.Hold || a.Direction != RecvOnly {
		t.Errorf("hold: %+v, %v", a, err)
	}
	mapped := local()
	mapped.Address = netip.MustParseAddr("::ffff:192.0.2.1")
	if answer, _, err := Answer([]byte(offer("m=audio 4000 RTP/AVP 0")), all(), mapped); err != nil || lineOf(answer, "c=") != "c=IN IP4 192.0.2.1" {
		t.Errorf("an IPv4 address in IPv6 clothes: %q, %v", lineOf(answer, "c="), err)
	}
}

func TestAnswerRefuses(t *testing.T) {
	for _, c := range []struct {
		name, offer string
		want        error
	}{
		{"no codec", offer("m=audio 4000 RTP/AVP 18 96", "a=rtpmap:96 opus/48000/2"), ErrNoCommonCodec},
		{"events alone are no codec", offer("m=audio 4000 RTP/AVP 13 101", "a=rtpmap:101 telephone-event/8000"), ErrNoCommonCodec},
		{"no codec in one, SRTP in the other", offer("m=audio 4000 RTP/AVP 18", "m=audio 4000 RTP/SAVP 0"), ErrNoCommonCodec},
		{"SRTP", offer("m=audio 4000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x"), ErrSecure},
		{"SRTP with feedback", offer("m=audio 4000 RTP/SAVPF 0"), ErrSecure},
		{"DTLS-SRTP", offer("m=audio 4000 UDP/TLS/RTP/SAVPF 0"), ErrSecure},
		{"SRTP is unsupported", offer("m=audio 4000 RTP/SAVP 0"), ErrUnsupported},
		{"no media", session, ErrUnsupported},
		{"no audio", offer("m=video 4000 RTP/AVP 99"), ErrUnsupported},
		{"audio that is off", offer("m=audio 0 RTP/AVP 0"), ErrUnsupported},
		{"audio over something else", offer("m=audio 4000 TCP/WHAT 0"), ErrUnsupported},
		{"host name", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 pbx.example.com"), ErrUnsupported},
		{"host name for RTCP", offer("m=audio 4000 RTP/AVP 0", "a=rtcp:5 IN IP4 pbx.example.com"), ErrUnsupported},
		{"multicast", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"), ErrUnsupported},
		{"multicast without a range", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1"), ErrUnsupported},
		{"broadcast", offer("m=audio 4000 RTP/AVP 0", "c=IN IP4 255.255.255.255"), ErrUnsupported},
		{"the other family", offer("m=audio 4000 RTP/AVP 0", "c=IN IP6 2001:db8::9"), ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, a, err := Answer([]byte(c.offer), all(), local())
			if !errors.Is(err, c.want) || errors.Is(err, ErrMalformed) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if secure := strings.Contains(c.offer, "/SAVP"); errors.Is(err, ErrSecure) && !secure {
				t.Errorf("%v is said to be SRTP", err)
			}
			if answer != nil || !reflect.DeepEqual(a, Agreed{}) {
				t.Errorf("an error with an answer: %q %+v", answer, a)
			}
		})
	}
	if _, _, err := Answer([]byte(offer("m=audio 4000 RTP/AVP 0")), Terms{}, local()); !errors.Is(err, ErrNoCommonCodec) {
		t.Errorf("no codec of ours: %v", err)
	}
}

func TestNoLocal(t *testing.T) {
	for _, l := range []Local{{}, {Address: netip.MustParseAddr("192.0.2.1")}, {Port: 5}, {Address: netip.IPv4Unspecified(), Port: 5}} {
		if _, _, err := Answer([]byte(offer("m=audio 4000 RTP/AVP 0")), all(), l); !errors.Is(err, ErrLocal) {
			t.Errorf("%+v: answer: %v", l, err)
		}
		if _, err := Accept([]byte(offer("m=audio 4000 RTP/AVP 0")), all(), l); !errors.Is(err, ErrLocal) {
			t.Errorf("%+v: accept: %v", l, err)
		}
		if got := Offer(all(), l, SendRecv); got != nil {
			t.Errorf("%+v: offer %q", l, got)
		}
	}
}

func TestDirection(t *testing.T) {
	for d, want := range map[Direction]struct {
		text            string
		sends, receives bool
	}{
		SendRecv: {"sendrecv", true, true}, SendOnly: {"sendonly", true, false},
		RecvOnly: {"recvonly", false, true}, Inactive: {"inactive", false, false},
	} {
		if d.String() != want.text || d.Sends() != want.sends || d.Receives() != want.receives {
			t.Errorf("%s sends %v receives %v", d, d.Sends(), d.Receives())
		}
	}
}
