package sdp

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// From a stranger's bytes to a description: limits, then lines, then sections
// (one per m= line). pion checks and reads what is needed of the session and of
// the audio sections; the others (video, image, data) only have to be refused,
// and pion knows only some of their kinds, so it never sees them.

// line is one line without its end and trailing blanks.
type line struct {
	number int // from 1
	text   string
}

// section is one m= line and what follows it.
type section struct {
	lines  []line // the m= line first
	media  string
	port   uint16
	proto  string
	format []string
	audio  *pion.MediaDescription // only if it is audio over RTP
}

type description struct {
	session  *pion.SessionDescription
	header   []line // before the first m=
	sections []section
}

func parse(text []byte) (*description, error) {
	lines, err := split(text)
	if err != nil {
		return nil, err
	}
	d := &description{}
	for _, l := range lines {
		if l.text[0] == 'm' {
			s, err := readMedia(l)
			if err != nil {
				return nil, err
			}
			d.sections = append(d.sections, s)
			continue
		}
		if n := len(d.sections); n > 0 {
			d.sections[n-1].lines = append(d.sections[n-1].lines, l)
		} else {
			d.header = append(d.header, l)
		}
	}
	return d, d.read()
}

// split makes lines of text. They may end in CR LF or LF (RFC 8866 section 5
// asks parsers to take both), and blank lines and trailing blanks are forgiven.
func split(text []byte) ([]line, error) {
	if len(text) > MaxSize {
		return nil, &SyntaxError{Reason: fmt.Sprintf("longer than %d bytes", MaxSize)}
	}
	if bytes.Count(text, []byte{'\n'}) > MaxLines {
		return nil, &SyntaxError{Reason: fmt.Sprintf("more than %d lines", MaxLines)}
	}
	var lines []line
	for i, raw := range strings.Split(string(text), "\n") {
		l := line{number: i + 1, text: strings.TrimRight(raw, "\r\t ")}
		if l.text == "" {
			continue
		}
		if strings.ContainsFunc(l.text, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, &SyntaxError{l.number, "has a control character"}
		}
		if len(l.text) < 2 || l.text[0] < 'a' || l.text[0] > 'z' || l.text[1] != '=' {
			return nil, &SyntaxError{l.number, "is not of the form type=value"}
		}
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil, &SyntaxError{Reason: "empty"}
	}
	return lines, nil
}

// readMedia reads m=<media> <port>[/<count>] <proto> <format>... of any kind.
func readMedia(l line) (section, error) {
	fields := strings.Fields(l.text[2:])
	if len(fields) < 4 {
		return section{}, &SyntaxError{l.number, "m= needs media, port, transport and a format"}
	}
	number, _, _ := strings.Cut(fields[1], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return section{}, &SyntaxError{l.number, "m= has no valid port"}
	}
	return section{
		lines: []line{l}, media: fields[0], port: uint16(port), proto: fields[2], format: fields[3:],
	}, nil
}

// isAudio says whether a section is audio over some profile of RTP.
func (s *section) isAudio() bool {
	return s.media == "audio" && s.profile() != ""
}

// profile is the RTP profile, without what carries it.
func (s *section) profile() string {
	switch p := strings.TrimPrefix(s.proto, "UDP/TLS/"); p {
	case "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF":
		return p
	}
	return ""
}

// secure says whether a section wants SRTP.
func (s *section) secure() bool { return strings.HasPrefix(s.profile(), "RTP/SAVP") }

// read lets pion read the header and the audio sections. Left out are lines
// that change nothing here: information, addresses of people, bandwidth (of
// which unknown types are to be ignored, pion refuses them), keys.
func (d *description) read() error {
	keep := func(from []line, into []line) []line {
		for _, l := range from {
			if strings.IndexByte("vosctam", l.text[0]) >= 0 {
				into = append(into, l)
			}
		}
		return into
	}
	lines := keep(d.header, nil)
	for i := range d.sections {
		if d.sections[i].isAudio() {
			lines = keep(d.sections[i].lines, lines)
		}
	}
	var err error
	if d.session, err = unmarshal(lines); err != nil {
		return explain(lines)
	}
	if d.session.Origin.NetworkType == "" || len(d.session.TimeDescriptions) == 0 {
		return &SyntaxError{Reason: "v=, o=, s= and t= must come first"}
	}
	audio := d.session.MediaDescriptions
	for i := range d.sections {
		if d.sections[i].isAudio() {
			d.sections[i].audio, audio = audio[0], audio[1:]
		}
	}
	return nil
}

func unmarshal(lines []line) (*pion.SessionDescription, error) {
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.text)
		text.WriteString("\r\n")
	}
	s := &pion.SessionDescription{}
	return s, s.UnmarshalString(text.String())
}

// explain finds the line that pion stops at: its own error quotes the content,
// which must not get into a log. It is the end of the shortest beginning that
// fails.
func explain(lines []line) error {
	low, high := 0, len(lines)
	for high-low > 1 {
		middle := (low + high) / 2
		if _, err := unmarshal(lines[:middle]); err != nil {
			high = middle
		} else {
			low = middle
		}
	}
	l := lines[high-1]
	return &SyntaxError{l.number, "out of order, or " + expected(l.text[0])}
}

func expected(kind byte) string {
	switch kind {
	case 'v':
		return "the version is not 0"
	case 'o':
		return "not o=<user> <number> <number> IN IP4|IP6 <address>"
	case 't':
		return "not t=<number> <number>"
	case 'c':
		return "not c=IN IP4|IP6 <address>"
	}
	return "not valid"
}

// attribute finds the first of some attributes of a section, or of the session
// if the section has none.
func (d *description) attribute(s *section, names ...string) (name, value string, number int, ok bool) {
	for _, lines := range [...][]line{s.lines, d.header} {
		for _, l := range lines {
			if name, value, ok := attribute(l); ok && contains(names, name) {
				return name, value, l.number, true
			}
		}
	}
	return "", "", 0, false
}

// attribute reads a=<name>[:<value>].
func attribute(l line) (name, value string, ok bool) {
	if l.text[0] != 'a' {
		return "", "", false
	}
	name, value, _ = strings.Cut(l.text[2:], ":")
	return strings.TrimSpace(name), strings.TrimSpace(value), true
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
