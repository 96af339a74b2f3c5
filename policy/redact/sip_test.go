package redact_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"lethe/policy/redact"
)

func lines(l ...string) []byte { return []byte(strings.Join(l, "\r\n")) }

func TestSIP(t *testing.T) {
	in := lines(
		"INVITE sip:+442079460958:pw@pbx.example.org;transport=udp?Subject=x SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776;received=192.0.2.9",
		`From: "Jay Smith" <sip:jay@example.org>;tag=88sja8x`,
		"t: Jay <sip:agent@example.org;user=phone>",
		"CONTACT  : <sip:jay@192.0.2.1:5060;transport=tcp>;expires=60;+sip.instance=\"<urn:uuid:f81d4fae>\"",
		"P-Asserted-Identity: tel:+442079460958, <sip:jay@example.org>",
		"Call-ID: 3848276298220188511@192.0.2.1",
		"CSeq: 1 INVITE",
		`Authorization: Digest username="jay", realm="x",`,
		` response="6629fae49393a05397450978507c4ef1"`,
		"X-Customer: Jay Smith 1984",
		"Identity: eyJhbGciOi.eyJhdHRlc3QiOiJB.sig;info=<https://cert.example>",
		"User-Agent: Phone/1.2",
		"Content-Type: application/sdp",
		"Content-Length: 400",
		"",
		"v=0",
		"o=jay 2890844526 2890844526 IN IP4 192.0.2.1",
		"s=Jay's call",
		"c=IN IP4 192.0.2.1",
		"t=0 0",
		"m=audio 49170 RTP/SAVP 0 8 101",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-16",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4",
		"a=ice-ufrag:8hhY",
		"a=ice-pwd:asd88fgpdd777uzjYhagZg",
		"a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B",
		"a=ssrc:1 cname:jay@example.org",
		"")
	want := lines(
		"INVITE sip:<+442079460958>@pbx.example.org;transport=udp SIP/2.0",
		"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776;received=192.0.2.9",
		`From: "[name]" <sip:<jay>@example.org>;tag=88sja8x`,
		`t: "[name]" <sip:<agent>@example.org;user=phone>`,
		"CONTACT: <sip:<jay>@192.0.2.1:5060;transport=tcp>;expires=60;+sip.instance=[21 bytes]",
		"P-Asserted-Identity: tel:<+442079460958>, <sip:<jay>@example.org>",
		"Call-ID: 3848276298220188511@192.0.2.1",
		"CSeq: 1 INVITE",
		"Authorization: Digest [70 bytes]",
		"[header]: [14 bytes]",
		"Identity: [59 bytes]",
		"User-Agent: Phone/1.2",
		"Content-Type: application/sdp",
		"Content-Length: 400",
		"",
		"v=0",
		"o=[user] 2890844526 2890844526 IN IP4 192.0.2.1",
		"s=[10 bytes]",
		"c=IN IP4 192.0.2.1",
		"t=0 0",
		"m=audio 49170 RTP/SAVP 0 8 101",
		"a=rtpmap:101 telephone-event/8000",
		"a=fmtp:101 0-16",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 [58 bytes]",
		"a=ice-ufrag:[4 bytes]",
		"a=ice-pwd:[22 bytes]",
		"a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B",
		"a=ssrc:[23 bytes]",
		"")
	got := redact.SIP(in, func(u string) string { return "<" + u + ">" })
	g, w := strings.Split(string(got), "\r\n"), strings.Split(string(want), "\r\n")
	for i := range max(len(g), len(w)) {
		a, b := "", ""
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("line %d\n got %s\nwant %s", i, a, b)
		}
	}
}

func TestSIPBodies(t *testing.T) {
	for name, body := range map[string][]byte{
		"message":      lines("MESSAGE sip:a@b SIP/2.0", "Content-Type: text/plain", "", "my secret is canary", "v=canary"),
		"no type":      lines("MESSAGE sip:a@b SIP/2.0", "", "m=canary"),
		"two types":    lines("MESSAGE sip:a@b SIP/2.0", "Content-Type: text/plain", "c: application/sdp", "", "m=canary"),
		"dtmf":         lines("INFO sip:a@b SIP/2.0", "Content-Type: application/dtmf-relay", "", "Signal=canary", "Duration=160"),
		"multipart":    lines("INVITE sip:a@b SIP/2.0", "Content-Type: multipart/mixed;boundary=canary", "", "--canary", "Content-Type: application/sdp", "", "v=0", "a=ice-pwd:canary", "--canary", "Content-Type: application/pidf+xml", "Subject: canary", "", "<x>canary</x>", "--canary--"),
		"CR alone":     []byte("INVITE sip:a@b SIP/2.0\rUser-Agent: x\rAuthorization: Digest canary\r\rcanary"),
		"no start":     lines("Authorization: Digest canary", "X: canary", "canary", ": canary", "Fröm: canary"),
		"status":       lines("SIP/2.0 200 OK", "Proxy-Authenticate: Digest nonce=canary", ""),
		"talk of SIP":  lines("MESSAGE sip:a@b SIP/2.0", "Content-Type: text/plain", "", "we speak SIP/2.0", "v=canary", "SIP/2.0 and more", "User-Agent: canary"),
		"odd status":   lines("SIP/2.0 canary", ""),
		"bad uris":     lines("INVITE sip:canary@@a@b SIP/2.0", "To: canary", "From: <sip:canary", "Contact: mailto:canary@x", "Route: <sip:x@h?Replaces=canary>", "Refer-To: \"canary", "Record-Route: <sip:h;secret=canary>;x=\"canary\""),
		"in a comment": lines("OPTIONS sip:h SIP/2.0", "Reason: SIP;cause=200;text=\"canary\"", "Warning: 399 h \"canary\"", "User-Agent: sip:canary@h"),
		"two messages": lines("OPTIONS sip:h SIP/2.0", "Content-Type: application/sdp", "", "v=0", "MESSAGE sip:h SIP/2.0", "", "canary"),
		"folded":       lines("OPTIONS sip:h SIP/2.0", "Subject: x", "\tcanary", " : canary", ""),
		"crypto case":  lines("v=0", "a=CRYPTO:1 AES inline:canary", "a=Ice-Pwd:canary", "k=clear:canary", "e=canary", "p=canary", "i=canary", "u=canary"),
	} {
		got := redact.SIP(body, func(string) string { return "u" })
		if bytes.Contains(got, []byte("canary")) {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// Whatever the spelling, a secret in a place for secrets does not come out.
func TestSIPSecretsGo(t *testing.T) {
	const secret = "Zq8canaryX"
	places := []string{
		"Authorization: Digest username=\"%s\"", "proxy-authorization: Digest response=%s", "From: \"%s\" <sip:x@h>", "f: <sip:%s@h>;tag=1",
		"To: %s <sip:h>", "t: sip:%s@h", "Contact: <sips:%s:pw@h>", "m: <tel:%s>", "P-Asserted-Identity: <sip:%s@h>", "Diversion: <sip:%s@h>;reason=x",
		"History-Info: <sip:%s@h>;index=1", "Remote-Party-ID: \"%s\"<sip:x@h>", "Identity: %s", "X-Whatever: %s", "Subject: %s", "s: %s",
		"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:%s", "a=ice-pwd:%s", "k=base64:%s", "o=%s 1 1 IN IP4 127.0.0.1", "Refer-To: <sip:x@h?a=%s>",
		"User-to-User: %s;encoding=hex", "INVITE sip:%s@h SIP/2.0", "%s", "%s: x", "Contact: <sip:h>;x=%s", "Call-Info: <http://%s/>",
	}
	rapid.Check(t, func(t *rapid.T) {
		var msg []string
		if rapid.Bool().Draw(t, "start") {
			msg = append(msg, "INVITE sip:h SIP/2.0", "Via: SIP/2.0/UDP h;branch=z9")
		}
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(places), 1, 8).Draw(t, "places") {
			l := fmt.Sprintf(p, secret)
			if rapid.Bool().Draw(t, "lws") {
				l = strings.Replace(l, ":", rapid.SampledFrom([]string{" :", ": \t", ":", ":\r\n "}).Draw(t, "colon"), 1)
			}
			if rapid.Bool().Draw(t, "case") && !strings.Contains(l[:min(2, len(l))], "=") {
				name, v, _ := strings.Cut(l, ":")
				l = strings.ToUpper(name) + ":" + v
			}
			msg = append(msg, l)
		}
		if rapid.Bool().Draw(t, "body") {
			msg = append(msg, "Content-Type: "+rapid.SampledFrom([]string{"text/plain", "application/isup", "x"}).Draw(t, "type"), "", secret, "v="+secret)
		}
		in := strings.Join(msg, rapid.SampledFrom([]string{"\r\n", "\n", "\r"}).Draw(t, "end"))
		got := redact.SIP([]byte(in), func(string) string { return "u" })
		if bytes.Contains(bytes.ToLower(got), []byte("zq8canaryx")) {
			t.Fatalf("in:\n%s\nout:\n%s", in, got)
		}
	})
}

func checkSIP(t *testing.T, in []byte) {
	t.Helper()
	before := bytes.Clone(in)
	out := redact.SIP(in, nil)
	if !bytes.Equal(in, before) {
		t.Fatal("the input was changed")
	}
	for i, c := range out {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' {
			t.Fatalf("octet %d is %#x", i, c)
		}
	}
	if len(out) > 64+24*len(in) {
		t.Fatalf("%d octets became %d", len(in), len(out))
	}
}

func FuzzSIP(f *testing.F) {
	f.Add([]byte("INVITE sip:a:b@h;x=y?z SIP/2.0\r\nFrom: \"x\\\"\" <sip:a@h>;tag=1\r\nc: multipart/mixed\r\n\r\n--b\r\nContent-Type: application/sdp\r\n\r\na=crypto:1 a inline:k\r\n"))
	f.Add([]byte("SIP/2.0 200 OK\nAuthorization: Digest x\n y\n\nbody"))
	f.Add([]byte("To: <sip:\"<\">@>;;==\r\rv=0\ro=- 1 1"))
	f.Fuzz(checkSIP)
}

func TestSIPIsLinear(t *testing.T) {
	for _, unit := range []string{"a", "\n", "\n ", ":", "a:", "From: <sip:", "\"", "\\\"", ",", ";", "<", "@", "sip:", "sip:a@", "a=crypto:", "--\r\n", "\r\n\r\n", " SIP/2.0\r\n", "From: x\r\n y", "Reason: \"", "User-Agent: one ", "tel:1,", " x\r\n"} {
		for _, head := range []string{"", "To: ", "OPTIONS sip:h SIP/2.0\r\nUser-Agent: ", "X: y\r\nContent-Type: multipart/x\r\n\r\n"} {
			linear(t, unit, func(s string) { redact.SIP([]byte(head+s), nil) })
		}
	}
}
