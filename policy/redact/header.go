package redact

import "strings"

// rule says what of a header may be shown.
type rule uint8

const (
	unknown     rule = iota // nothing, not even its name
	nameOnly                // its name
	credentials             // the scheme
	people                  // hosts, and tokens for users
	media                   // a media type without parameters
	routing                 // all but quoted strings and users
	count                   // what begins with a digit
	words                   // what Text leaves of it
)

// ruleOf is the rule of a header by its name in lower case, or its compact form.
func ruleOf(name string) rule {
	switch name {
	case "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info", "proxy-authentication-info":
		return credentials
	case "from", "f", "to", "t", "contact", "m", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion",
		"history-info", "refer-to", "r", "referred-by", "b", "reply-to", "route", "record-route", "path", "service-route",
		"p-called-party-id", "p-associated-uri":
		return people
	case "content-type", "c":
		return media
	case "via", "v", "call-id", "i", "session-id":
		return routing
	case "cseq", "max-forwards", "content-length", "l", "expires", "min-expires", "session-expires", "x", "min-se", "timestamp", "rseq", "rack":
		return count
	case "content-encoding", "e", "content-disposition", "content-language", "supported", "k", "require", "proxy-require", "unsupported",
		"allow", "allow-events", "u", "accept", "accept-encoding", "accept-language", "user-agent", "server", "date", "retry-after",
		"warning", "event", "o", "subscription-state", "reason", "mime-version", "privacy", "priority", "recv-info", "info-package":
		return words
	case "subject", "s", "identity", "y", "identity-info", "n", "user-to-user", "organization", "call-info", "alert-info", "error-info",
		"geolocation", "geolocation-routing", "in-reply-to", "replaces", "join", "target-dialog", "sip-etag", "sip-if-match",
		"p-charging-vector", "p-access-network-info", "p-visited-network-id", "p-early-media", "p-charging-function-addresses",
		"security-client", "security-server", "security-verify", "feature-caps", "answer-mode", "accept-contact", "a",
		"reject-contact", "j", "request-disposition", "d", "resource-priority":
		return nameOnly
	}
	return unknown
}

// value is what may be shown of a header's value.
func (m *masker) value(r rule, v string) string {
	switch r {
	case credentials:
		if scheme, rest, _ := strings.Cut(v, " "); authScheme(scheme) {
			return scheme + " " + masked(len(rest))
		}
	case people:
		return m.addresses(v)
	case media:
		if t := mediaType(v); isMediaType(t) {
			return t
		}
	case routing:
		return m.uris(quoted(v))
	case count:
		if v != "" && v[0] >= '0' && v[0] <= '9' {
			return m.uris(quoted(v))
		}
	case words:
		return plain(m.uris(quoted(v)))
	case unknown, nameOnly:
	}
	return masked(len(v))
}
