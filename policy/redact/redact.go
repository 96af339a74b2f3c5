// Package redact finds and masks personal data in text and in SIP octets. It
// imports nothing of ours.
package redact

// Found is one thing that was masked: its kind (number, email, card, ip, ...)
// and its length in bytes. It never holds the thing itself.
type Found struct {
	Kind string
	Len  int
}

// Text masks personal data in s.
func Text(s string) (string, []Found) { return s, nil }

// SIP masks.
func SIP(b []byte, token func(user string) string) []byte { return nil }
