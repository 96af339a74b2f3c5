package sip

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestHoldAndResume(t *testing.T) {
	u := quick(t, loopback(), deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	s := newScript(w)
	s.answered()
	for i, d := range [][2]string{{"sendonly", "recvonly"}, {"sendrecv", "sendrecv"}, {"inactive", "inactive"}} {
		seq := s.seq + 1 + i
		re := *s
		re.seq = seq
		body := strings.Replace(offerSDP, "o=- 1 1", fmt.Sprintf("o=- 1 %d", i+2), 1) + "a=" + d[0] + "\r\n"
		w.send(s.later("INVITE", seq, "Content-Type: application/sdp\r\n", body))
		ok := w.finalTo(seq)
		if !strings.Contains(bodyOf(ok), "a="+d[1]) && d[1] != "sendrecv" {
			t.Errorf("%s was answered with\n%s", d[0], bodyOf(ok))
		}
		if i == 0 { // a second and a third before the ACK: one waits, one is too many
			early := *s
			early.seq = seq + 100
			w.send(s.later("INVITE", early.seq, "Content-Type: application/sdp\r\n", body))
			for m := ""; !strings.HasPrefix(m, "SIP/2.0 100") || header(m, "CSeq") != fmt.Sprintf("%d INVITE", early.seq); {
				m = w.read(patience)
			}
			w.send(s.later("INVITE", seq+101, "Content-Type: application/sdp\r\n", body))
			if m := w.finalTo(seq + 101); !strings.HasPrefix(m, "SIP/2.0 500") || header(m, "Retry-After") == "" {
				t.Fatalf("got %q", m)
			}
			w.send(re.ack())
			if m := w.finalTo(early.seq); !strings.HasPrefix(m, "SIP/2.0 200") {
				t.Fatalf("the one that overtook the ACK got %q", m)
			}
			re = early
			s.seq += 101
		}
		w.send(re.ack())
		for w.read(100*time.Millisecond) != "" { // repeated answers
		}
	}
	w.send(s.later("INVITE", s.seq+50, "", "")) // no offer: we make one
	ok := w.finalTo(s.seq + 50)
	if !strings.Contains(bodyOf(ok), "m=audio") || !strings.Contains(bodyOf(ok), "a=sendrecv") {
		t.Errorf("no offer in\n%s", ok)
	}
	w.send(s.later("ACK", s.seq+50, "Content-Type: application/sdp\r\n", offerSDP))
	for w.read(100*time.Millisecond) != "" { // repeated answers
	}
	w.send(s.later("INVITE", s.seq+51, "Content-Type: application/sdp\r\n", "rubbish"))
	if m := w.finalTo(s.seq + 51); !strings.HasPrefix(m, "SIP/2.0 400") {
		t.Errorf("malformed SDP got %q", m)
	}
	w.send(s.later("BYE", s.seq+52, "", ""))
	for m := ""; !strings.HasPrefix(m, "SIP/2.0 200") || !strings.HasSuffix(header(m, "CSeq"), "BYE"); {
		m = w.read(patience)
	}
}

// finalTo is the next final response to the INVITE of the CSeq.
func (w *wire) finalTo(seq int) string {
	w.t.Helper()
	for {
		m := w.read(patience)
		if m == "" {
			w.t.Fatalf("no final response to %d", seq)
		}
		if strings.HasPrefix(m, "SIP/2.0 ") && m[8] != '1' && header(m, "CSeq") == fmt.Sprintf("%d INVITE", seq) {
			return m
		}
	}
}

func TestDelayedOffer(t *testing.T) {
	r := &record{}
	u := quick(t, loopback(), deps(t, r))
	for name, answer := range map[string]string{"good": offerSDP, "none": "", "bad": "rubbish"} {
		t.Run(name, func(t *testing.T) {
			w := dialUDP(t, address(t, u, "UDP"))
			s := newScript(w)
			s.body = ""
			w.send(s.invite())
			ok := w.want("SIP/2.0 200")
			if !strings.Contains(bodyOf(ok), "m=audio ") {
				t.Fatalf("no offer in the 200: %q", ok)
			}
			s.to = tagOf(ok)
			extra := ""
			if answer != "" {
				extra = "Content-Type: application/sdp\r\n"
			}
			w.send(s.later("ACK", s.seq, extra, answer))
			if name == "good" {
				w.send(s.later("BYE", s.seq+1, "", ""))
				w.want("SIP/2.0 200")
				return
			}
			bye := w.asked("BYE ")
			if !strings.Contains(header(bye, "Reason"), "cause=400") {
				t.Errorf("Reason %q", header(bye, "Reason"))
			}
			w.send(replyOK(bye))
		})
	}
}
