package sdp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const secret = "sv3nsk4" // must not get into any error

func TestMalformed(t *testing.T) {
	m := "m=audio 4000 RTP/AVP 0 97"
	for _, c := range []struct {
		name, offer string
		line        int
	}{
		{"empty", "", 0},
		{"blank", " \r\n\r\n", 0},
		{"not SDP", "<xml>" + secret, 1},
		{"one letter", session + "m", 6},
		{"capital type", session + "M=audio " + secret, 6},
		{"leading blank", session + " m=audio 4000 RTP/AVP 0", 6},
		{"control character", offer(m, "a=x"+secret+"\x00"), 7},
		{"carriage return inside", offer(m, "a=x"+secret+"\rm=audio"), 7},
		{"version", strings.Replace(offer(m), "v=0", "v=1", 1), 1},
		{"version missing", strings.TrimPrefix(offer(m), "v=0\r\n"), 1},
		{"origin", strings.Replace(offer(m), "o=- 1 1", "o=- "+secret, 1), 2},
		{"origin of another net", strings.Replace(offer(m), "1 1 IN IP4", "1 1 ATM "+secret, 1), 2},
		{"session name missing", strings.Replace(offer(m), "s=-\r\n", "", 1), 3},
		{"c= of another kind", strings.Replace(offer(m), "c=IN IP4 198", "c=IN "+secret+" 198", 1), 4},
		{"time", strings.Replace(offer(m), "t=0 0", "t="+secret, 1), 5},
		{"time missing", strings.Replace(offer(m), "t=0 0\r\n", "", 1), 5},
		{"all before the media missing", "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 198.51.100.9\r\n", 1},
		{"header only in part", "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\n", 0},
		{"version only", "v=0\r\n", 0},
		{"no c= anywhere", strings.Replace(offer(m), "c=IN IP4 198.51.100.9\r\n", "", 1), 5},
		{"c= without address", offer(m, "c=IN IP4"), 6},
		{"c= with the wrong family", offer(m, "c=IN IP6 198.51.100.9"), 6},
		{"c= with a zone", offer(m, "c=IN IP6 fe80::1%"+secret), 6},
		{"m= too short", offer("m=audio 4000 RTP/AVP"), 6},
		{"m= port", offer("m=audio " + secret + " RTP/AVP 0"), 6},
		{"m= port too great", offer("m=audio 65536 RTP/AVP 0"), 6},
		{"m= port negative", offer("m=audio -1 RTP/AVP 0"), 6},
		{"m= count", offer("m=audio 4000/" + secret + " RTP/AVP 0"), 6},
		{"m= of video", offer(m, "m=video x RTP/AVP 99"), 7},
		{"format", offer("m=audio 4000 RTP/AVP 0 " + secret), 6},
		{"format too great", offer("m=audio 4000 RTP/AVP 0 128"), 6},
		{"rtpmap", offer(m, "a=ptime:20", "a=rtpmap:97 "+secret), 8},
		{"rtpmap without encoding", offer(m, "a=rtpmap:97"), 7},
		{"rtpmap without a name", offer(m, "a=rtpmap:97 /8000"), 7},
		{"rtpmap with four parts", offer(m, "a=rtpmap:97 a/b/c/d"), 7},
		{"rtpmap of no payload type", offer(m, "a=rtpmap:"+secret+" PCMU/8000"), 7},
		{"rtpmap of payload type 128", offer(m, "a=rtpmap:128 PCMU/8000"), 7},
		{"ptime", offer(m, "a=ptime:"+secret), 7},
		{"ptime negative", offer(m, "a=ptime:-20"), 7},
		{"ptime not a number", offer(m, "a=ptime:NaN"), 7},
		{"maxptime", offer(m, "a=maxptime:"), 7},
		{"rtcp", offer(m, "a=rtcp:"+secret), 7},
		{"rtcp port 0", offer(m, "a=rtcp:0"), 7},
		{"rtcp port too great", offer(m, "a=rtcp:65537"), 7},
		{"rtcp without address", offer(m, "a=rtcp:5000 IN IP4"), 7},
		{"rtcp of another net", offer(m, "a=rtcp:5000 ATM IP4 198.51.100.9"), 7},
		{"rtcp of another kind", offer(m, "a=rtcp:5000 IN X25 198.51.100.9"), 7},
		{"rtcp with the wrong family", offer(m, "a=rtcp:5000 IN IP6 198.51.100.9"), 7},
		{"too long", offer(m, "a=x:"+strings.Repeat("x", MaxSize)), 0},
		{"too many lines", offer(m, strings.Repeat("a=x\r\n", MaxLines)), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer, _, err := Answer([]byte(c.offer), all(), local())
			var syntax *SyntaxError
			if !errors.As(err, &syntax) || !errors.Is(err, ErrMalformed) || answer != nil {
				t.Fatalf("%v, answer %q", err, answer)
			}
			if syntax.Line != c.line || syntax.Reason == "" {
				t.Errorf("%v: line %d, want %d", err, syntax.Line, c.line)
			}
			if said := fmt.Sprintf("line %d: ", c.line); strings.Contains(err.Error(), said) != (c.line > 0) || !strings.HasSuffix(err.Error(), syntax.Reason) {
				t.Errorf("the message has no place or no reason: %v", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error quotes the peer: %v", err)
			}
			if _, err := Accept([]byte(c.offer), all(), local()); err == nil || strings.Contains(err.Error(), secret) {
				t.Errorf("as an answer: %v", err)
			}
		})
	}
}

// TestLimits: the longest and the most that is taken.
func TestLimits(t *testing.T) {
	if MaxSize != 16384 || MaxLines != 200 {
		t.Errorf("limits of %d bytes and %d lines", MaxSize, MaxLines)
	}
	text := offer("m=audio 4000 RTP/AVP 0", "a=x:")
	text = strings.TrimSuffix(text, "\r\n")
	text += strings.Repeat("x", MaxSize-len(text))
	if _, _, err := Answer([]byte(text), all(), local()); err != nil || len(text) != MaxSize {
		t.Errorf("%d bytes: %v", len(text), err)
	}
	lines := offer("m=audio 4000 RTP/AVP 0") + strings.Repeat("a=x\r\n", MaxLines-6)
	if _, _, err := Answer([]byte(lines), all(), local()); err != nil || strings.Count(lines, "\n") != MaxLines {
		t.Errorf("%d lines: %v", strings.Count(lines, "\n"), err)
	}
}
