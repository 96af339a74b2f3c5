package redact

import "strings"

// isSDPLine says whether a line has the form of SDP (RFC 8866): "x=...".
func isSDPLine(s string) bool { return len(s) >= 2 && s[0] >= 'a' && s[0] <= 'z' && s[1] == '=' }

// sdpLine masks one line of SDP: keys, passwords, names and free text go; what
// says how the media runs stays.
func sdpLine(s string) string {
	if s == "" {
		return ""
	}
	if !isSDPLine(s) {
		return masked(len(s))
	}
	v := s[2:]
	switch s[0] {
	case 'v', 't', 'r', 'z', 'c', 'b', 'm':
		if sdpPlain(v) {
			return s
		}
	case 'o':
		user, rest, ok := strings.Cut(v, " ")
		if ok && sdpPlain(rest) {
			if user != "-" {
				user = "[user]"
			}
			return "o=" + user + " " + rest
		}
	case 's':
		if v == "-" || v == " " || v == "" {
			return s
		}
	case 'a':
		return "a=" + sdpAttribute(v)
	}
	return s[:2] + masked(len(v))
}

// sdpPlain says whether a value is made of the few signs and the short words
// that such lines need.
func sdpPlain(v string) bool {
	for _, w := range strings.Fields(v) {
		if len(w) > 46 || !isHost(strings.NewReplacer("/", ".", "*", ".", "+", ".").Replace(w)) {
			return false
		}
	}
	return len(v) <= 512 && len(strings.Fields(v)) <= 64
}

func sdpAttribute(v string) string {
	name, value, has := strings.Cut(v, ":")
	if !isToken(name) {
		return masked(len(v))
	}
	if !has {
		return name
	}
	switch strings.ToLower(name) {
	case "rtpmap", "ptime", "maxptime", "rtcp", "mid", "group", "setup", "fingerprint", "candidate", "rtcp-fb", "extmap",
		"connection", "framerate", "quality", "curr", "des", "conf", "record", "recordpref", "rtcp-mux-only", "ice-options":
		if attributePlain(value) {
			return v
		}
	case "fmtp":
		if attributePlain(strings.NewReplacer("=", ".", ";", " ", ",", ".").Replace(value)) {
			return v
		}
	case "crypto":
		f := strings.Fields(value)
		if len(f) >= 2 && isToken(f[0]) && isToken(f[1]) {
			return name + ":" + f[0] + " " + f[1] + " " + masked(len(value)-len(f[0])-len(f[1]))
		}
	}
	return name + ":" + masked(len(value))
}

func attributePlain(v string) bool {
	for _, w := range strings.Fields(v) {
		if len(w) > 128 || !isHost(strings.NewReplacer("/", ".", "*", ".", "+", ".").Replace(w)) {
			return false
		}
	}
	return len(v) <= 512
}
