package codec

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"strconv"
	"testing"
)

// ffmpeg runs Debian's ffmpeg from one raw format to another.
func ffmpeg(t *testing.T, in []byte, from []string, to []string) []byte {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal("ffmpeg is the oracle of this test and is missing: apt-get install ffmpeg (or run with -short: committed vectors only)")
	}
	args := append([]string{"-hide_banner", "-loglevel", "error"}, from...)
	args = append(args, "-i", "pipe:0")
	args = append(append(args, to...), "pipe:1")
	cmd := exec.CommandContext(t.Context(), path, args...)
	var out, complaint bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &complaint
	if err := cmd.Run(); err != nil {
		t.Fatalf("ffmpeg: %v: %s", err, complaint.String())
	}
	return out.Bytes()
}

func rawPCM(rate int) []string {
	return []string{"-f", "s16le", "-ar", strconv.Itoa(rate), "-ac", "1"}
}

func pcmBytes(pcm []int16) []byte {
	out := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}

func bytesPCM(b []byte) []int16 {
	out := make([]int16, len(b)/2)
	for i := range out {
		out[i] = int16(binary.LittleEndian.Uint16(b[2*i:]))
	}
	return out
}
