//go:build endtoend

package endtoend

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Human speech: three clips of two people, shipped by Debian with their text
// (pocketsphinx-testdata).
const (
	clips     = "/usr/share/pocketsphinx/test/data/"
	humanText = "ten of clubs seven of clubs go forward ten meters"
)

// cardDesk answers at the number cards, whose vocabulary is all cards of a pack
// and the commands of a toy, not just what will be said.
func cardDesk(t *testing.T) (settings string, home string) {
	t.Helper()
	home = t.TempDir()
	script := "language: en-US\ngreeting: Which cards do you hold?\n" +
		"intents:\n  - name: cards\n    phrases: [ace of spades, three of diamonds]\n    replies: [\"I have written that down.\"]\n" +
		"fallback:\n  replies: [\"I have written that down.\"]\n  limit: 9\n  then: end\n" +
		"no_input:\n  replies: [\"Which cards?\"]\n  limit: 9\n  then: end\n" +
		"goodbye: Goodbye.\n"
	if err := os.WriteFile(filepath.Join(home, "cards.yaml"), []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	var pack []string
	for _, rank := range strings.Fields("ace two three four five six seven eight nine ten jack queen king") {
		for _, suit := range strings.Fields("clubs diamonds hearts spades") {
			pack = append(pack, rank+" of "+suit)
		}
	}
	for _, way := range strings.Fields("forward backward") {
		for _, n := range strings.Fields("one two three five ten twenty") {
			pack = append(pack, fmt.Sprintf("go %s %s meters", way, n))
		}
	}
	pack = append(pack, "turn left", "turn right", "stop")
	return fmt.Sprintf("numbers: {cards: {script: %q, vocabulary: [%s]}}\n", filepath.Join(home, "cards.yaml"), strings.Join(pack, ", ")), home
}

// wordsOf fails unless the transcript has the words that were said, in order.
func wordsOf(t *testing.T, c told, s *server) {
	t.Helper()
	heard := strings.ToLower(c.by("caller"))
	rest := heard
	for _, w := range strings.Fields(humanText) {
		_, after, ok := strings.Cut(rest, w)
		if !ok {
			t.Fatalf("%q was said and %q was written down (%s)\n%s", humanText, heard, c.Outcome, s.said())
		}
		rest = after
	}
	if c.Receipt == nil || c.Receipt.Frames == 0 || c.Receipt.Frames != c.Receipt.Forgotten || c.Receipt.Held != 0 {
		t.Errorf("the receipt does not balance: %+v", c.Receipt)
	}
	t.Logf("lane: said %q, written down %q, receipt %+v", humanText, heard, *c.Receipt)
}

// greeted is how long a caller has to be quiet: the disclosure is said first.
const greeted = 20

// speech makes one file of the clips: silence until the agent has spoken, and
// four seconds after each clip.
func speech(t *testing.T, out string, format ...string) {
	t.Helper()
	sox := tool(t, "sox", "sox")
	run := func(args ...string) {
		if b, err := exec.CommandContext(t.Context(), sox, args...).CombinedOutput(); err != nil {
			t.Fatalf("sox: %v\n%s", err, b)
		}
	}
	dir := t.TempDir()
	var parts []string
	for i, in := range [][]string{
		{clips + "cards/001.wav"},
		{clips + "cards/003.wav"},
		{"-t", "raw", "-r", "16000", "-e", "signed", "-b", "16", "-c", "1", clips + "goforward.raw"},
	} {
		part := filepath.Join(dir, fmt.Sprintf("%d.wav", i))
		before := "0"
		if i == 0 {
			before = fmt.Sprint(greeted)
		}
		run(append(in, "-r", "8000", part, "pad", before, "4")...)
		parts = append(parts, part)
	}
	run(append(append(parts, format...), out)...)
}

const sippCall = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a caller who speaks">
  <send retrans="500">
    <![CDATA[
      INVITE sip:cards@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: <sip:cards@[remote_ip]:[remote_port]>
      Call-ID: [call_id]
      CSeq: 1 INVITE
      Contact: sip:sipp@[local_ip]:[local_port]
      Max-Forwards: 70
      Content-Type: application/sdp
      Content-Length: [len]

      v=0
      o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
      s=-
      c=IN IP[media_ip_type] [media_ip]
      t=0 0
      m=audio [rtpstream_audio_port] RTP/AVP 0
      a=rtpmap:0 PCMU/8000
    ]]>
  </send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send>
    <![CDATA[
      ACK [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: <sip:cards@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 1 ACK
      Max-Forwards: 70
      Content-Length: 0

    ]]>
  </send>
  <nop><action><exec rtp_stream="AUDIO,1,0,PCMU/8000"/></action></nop>
  <pause milliseconds="40000"/>
  <send retrans="500">
    <![CDATA[
      BYE [next_url] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      [routes]
      From: sipp <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]
      To: <sip:cards@[remote_ip]:[remote_port]>[peer_tag_param]
      Call-ID: [call_id]
      CSeq: 2 BYE
      Max-Forwards: 70
      Content-Length: 0

    ]]>
  </send>
  <recv response="200"/>
</scenario>
`

// TestPeerSipp: sipp calls and plays a person's speech in mu-law.
func TestPeerSipp(t *testing.T) {
	t.Parallel()
	settings, home := cardDesk(t)
	s := serve(t, home, settings)
	peer := t.TempDir()
	audio := filepath.Join(peer, "in.ulaw")
	speech(t, audio, "-r", "8000", "-c", "1", "-e", "mu-law", "-b", "8", "-t", "raw")
	scenario := filepath.Join(peer, "call.xml")
	if err := os.WriteFile(scenario, []byte(strings.Replace(sippCall, "AUDIO", audio, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(free(t), ":")
	cmd := exec.CommandContext(t.Context(), tool(t, "sipp", "sip-tester"), s.sip, "-sf", scenario, "-m", "1", "-nostdin",
		"-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", port, "-timeout", "90s", "-timeout_error")
	cmd.Dir = peer
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("sipp: %v\n%s\n%s", err, tail(b), s.said())
	}
	s.wait("the receipt", 10*time.Second, func() bool { return s.transcript().Receipt != nil })
	wordsOf(t, s.transcript(), s)
}

// TestPeerBaresip: baresip calls, speaks, and hears the agent.
func TestPeerBaresip(t *testing.T) {
	t.Parallel()
	settings, home := cardDesk(t)
	s := serve(t, home, settings)
	peer := t.TempDir()
	audio := filepath.Join(peer, "in.wav")
	speech(t, audio, "-r", "8000", "-c", "1", "-b", "16")
	config := fmt.Sprintf("module_path /usr/lib/baresip/modules\nmodule stdio.so\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n"+
		"module_app account.so\nmodule_app menu.so\naudio_source aufile,%s\naudio_player aufile,%s\naudio_srate 8000\naudio_channels 1\n"+
		"snd_path %s\nsip_listen 127.0.0.1:0\nrtp_ports 33000-33999\n", audio, filepath.Join(peer, "out.wav"), peer)
	for name, text := range map[string]string{"config": config, "accounts": "<sip:peer@127.0.0.1>;regint=0\n", "contacts": ""} {
		if err := os.WriteFile(filepath.Join(peer, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), tool(t, "baresip", "baresip-core"), "-f", peer, "-e", "d sip:cards@"+s.sip, "-t", "42")
	cmd.Dir = peer
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("baresip: %v\n%s\n%s", err, tail(out), s.said())
	}
	s.wait("the receipt", 10*time.Second, func() bool { return s.transcript().Receipt != nil })
	wordsOf(t, s.transcript(), s)
	heard, err := filepath.Glob(filepath.Join(peer, "dump-*-dec.wav"))
	if err != nil || len(heard) == 0 {
		t.Fatalf("baresip recorded nothing: %v\n%s", err, tail(out))
	}
	seconds, db := speechIn(t, heard[0])
	t.Logf("lane: baresip heard %.1f s of speech at %.0f dBov", seconds, db)
	if seconds < 4 {
		t.Errorf("baresip heard %.1f s of speech: the disclosure alone is longer", seconds)
	}
}

// speechIn measures a 16-bit mono WAV at 8 kHz: how long it is not silent, and
// how loud it is then.
func speechIn(t *testing.T, path string) (seconds, db float64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, data, ok := bytes.Cut(b, []byte("data"))
	if !ok || len(data) < 4 {
		t.Fatalf("%s is no WAV", path)
	}
	const frame = 320 // bytes of 20 ms
	var power float64
	var loud int
	for data = data[4:]; len(data) >= frame; data = data[frame:] {
		var sum float64
		for i := 0; i < frame; i += 2 {
			x := float64(int16(binary.LittleEndian.Uint16(data[i:])))
			sum += x * x
		}
		if mean := sum / (frame / 2); math.Sqrt(mean) > 160 {
			loud, power = loud+1, power+mean
		}
	}
	if loud == 0 {
		return 0, math.Inf(-1)
	}
	return float64(loud) / 50, 20 * math.Log10(math.Sqrt(power/float64(loud))/32768)
}

// tail is the end of what a program printed.
func tail(b []byte) []byte { return b[max(0, len(b)-3000):] }
