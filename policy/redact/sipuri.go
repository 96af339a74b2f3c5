package redact

import "strings"

// addresses masks a list of name-addr or addr-spec with parameters (RFC 3261,
// 20.10): the display name and the user go, the host stays, and of the
// parameters those that are known to say nothing of a person.
func (m *masker) addresses(v string) string {
	var out []string
	for _, one := range splitOutside(v, ',') {
		out = append(out, m.address(strings.TrimSpace(one)))
	}
	return strings.Join(out, ", ")
}

func (m *masker) address(v string) string {
	if v == "*" {
		return v // Contact: *
	}
	open := indexOutside(v, '<')
	if open < 0 {
		uri, params, _ := strings.Cut(v, ";")
		return m.uriOrMask(uri) + knownParams(params)
	}
	name := ""
	if strings.TrimSpace(v[:open]) != "" {
		name = `"[name]" `
	}
	uri, rest, closed := strings.Cut(v[open+1:], ">")
	if !closed {
		return name + "<" + masked(len(v)-open)
	}
	_, params, _ := strings.Cut(rest, ";")
	return name + "<" + m.uriOrMask(uri) + ">" + knownParams(params)
}

// uriOrMask shows scheme, host and known parameters of a URI, or nothing.
func (m *masker) uriOrMask(v string) string {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(v), ":")
	switch s := strings.ToLower(scheme); {
	case !ok:
		return masked(len(v))
	case s == "tel":
		number, _, _ := strings.Cut(rest, ";")
		return s + ":" + m.name(number)
	case s == "sip" || s == "sips":
		return s + ":" + m.userHost(rest)
	case s == "urn" && strings.HasPrefix(strings.ToLower(rest), "service:") && isToken(rest[len("service:"):]):
		return s + ":" + rest
	}
	return masked(len(v))
}

// userHost is what follows sip: in a URI. The last @ counts: a user that has
// one unescaped is masked whole.
func (m *masker) userHost(v string) string {
	v, _, _ = strings.Cut(v, "?") // headers of a URI may hold anything
	user := ""
	if i := strings.LastIndexByte(v, '@'); i >= 0 {
		name, _, _ := strings.Cut(v[:i], ":") // a password goes
		user, v = m.name(name)+"@", v[i+1:]
	}
	host, params, _ := strings.Cut(v, ";")
	if !isHost(host) {
		host = masked(len(host))
	}
	return user + host + knownParams(params)
}

// name is the token for a user: what token gives, made safe to write.
func (m *masker) name(user string) string {
	if user == "" {
		return ""
	}
	return printable([]byte(m.token(user)))
}

func isHost(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-.:[]_", rune(c)) {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// knownParams keeps the parameters that name no person; of the others the name
// alone stays.
func knownParams(v string) string {
	var b strings.Builder
	for _, p := range splitOutside(v, ';') {
		name, value, has := strings.Cut(strings.TrimSpace(p), "=")
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !isToken(name) {
			b.WriteString(";" + masked(len(p)))
			continue
		}
		b.WriteString(";" + name)
		if !has {
			continue
		}
		value = strings.TrimSpace(value)
		if known := knownParam(strings.ToLower(name)); !known || !isToken(value) && !isHost(value) {
			value = masked(len(value))
		}
		b.WriteString("=" + value)
	}
	return b.String()
}

func knownParam(name string) bool {
	switch name {
	case "tag", "lr", "transport", "expires", "q", "reg-id", "received", "rport", "branch", "privacy", "screen", "party", "reason",
		"counter", "index", "ttl", "maddr", "user", "method", "ob", "comp", "id-type", "limit":
		return true
	}
	return false
}

// uris masks, in a value of any form, the users of what looks like a URI, and
// whatever stands before an @ but in a Call-ID, whose @ has no scheme before it.
func (m *masker) uris(v string) string {
	low := strings.ToLower(v)
	var b strings.Builder
	for i := 0; i < len(v); {
		n := uriScheme(low[i:])
		if n == 0 || i > 0 && wordByte(low[i-1]) {
			b.WriteByte(v[i])
			i++
			continue
		}
		end := i + n + strings.IndexAny(v[i+n:]+" ", " \t<>\",")
		b.WriteString(m.uriOrMask(v[i:end]))
		i = end
	}
	return b.String()
}

func uriScheme(s string) int {
	for _, p := range [...]string{"sip:", "sips:", "tel:", "mailto:", "im:", "pres:", "xmpp:"} {
		if strings.HasPrefix(s, p) {
			return len(p)
		}
	}
	return 0
}

func wordByte(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// quoted masks what stands in quotes; a quote that is not closed takes the rest.
func quoted(v string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(v, '"')
		if i < 0 {
			b.WriteString(v)
			return b.String()
		}
		end := endQuote(v, i)
		b.WriteString(v[:i] + `"` + masked(end-i-2) + `"`)
		v = v[end:]
	}
}

// endQuote is the place after the string that begins at i.
func endQuote(v string, i int) int {
	for j := i + 1; j < len(v); j++ {
		switch v[j] {
		case '\\':
			j++
		case '"':
			return j + 1
		}
	}
	return len(v)
}

// indexOutside finds c outside quotes.
func indexOutside(v string, c byte) int {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case c:
			return i
		case '"':
			i = endQuote(v, i) - 1
		}
	}
	return -1
}

// splitOutside splits at c outside quotes and angle brackets.
func splitOutside(v string, c byte) []string {
	var out []string
	from, angle := 0, false
	for i := 0; i < len(v); i++ {
		switch {
		case v[i] == '"' && !angle:
			i = endQuote(v, i) - 1
		case v[i] == '<':
			angle = true
		case v[i] == '>':
			angle = false
		case v[i] == c && !angle:
			out = append(out, v[from:i])
			from = i + 1
		}
	}
	return append(out, v[min(from, len(v)):])
}
