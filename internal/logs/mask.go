package logs

import (
	"bytes"
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"lethe/policy"
	"lethe/policy/redact"
)

// masker turns attributes into ones that may be seen, as long as the line has
// room left.
type masker struct{ left int }

func (m *masker) attr(a slog.Attr, depth int) slog.Attr {
	v := a.Value.Resolve()
	if id, ok := conversation(a.Key, v); ok {
		m.left -= len(a.Key) + len(id)
		return slog.String(a.Key, string(id))
	}
	a.Key = text(a.Key)
	a.Value = m.value(v, depth)
	m.left -= len(a.Key) + 8
	if a.Value.Kind() == slog.KindString {
		m.left -= len(a.Value.String())
	}
	return a
}

// conversation gives the id that stands under the key "conversation": it is
// random, says nothing, and would be taken for a telephone number now and then.
func conversation(key string, v slog.Value) (policy.ConversationID, bool) {
	if key != "conversation" {
		return "", false
	}
	id, ok := v.Any().(policy.ConversationID)
	if v.Kind() == slog.KindString {
		id, ok = policy.ConversationID(v.String()), true
	}
	return id, ok && id.Valid()
}

func (m *masker) value(v slog.Value, depth int) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return m.string(v.String())
	case slog.KindInt64:
		return m.number(v, strconv.FormatInt(v.Int64(), 10))
	case slog.KindUint64:
		return m.number(v, strconv.FormatUint(v.Uint64(), 10))
	case slog.KindFloat64:
		return m.number(v, strconv.FormatFloat(v.Float64(), 'f', -1, 64))
	case slog.KindDuration:
		return slog.StringValue(v.Duration().String())
	case slog.KindGroup:
		return m.group(v.Group(), depth+1)
	case slog.KindAny:
		return m.any(v.Any(), depth+1)
	case slog.KindLogValuer:
		return slog.StringValue("[a LogValuer without end]")
	case slog.KindBool, slog.KindTime:
	}
	return v
}

// number masks a whole number that the redactor takes for a telephone's.
func (m *masker) number(v slog.Value, digits string) slog.Value {
	if s, found := redact.Text(digits); len(found) > 0 {
		return slog.StringValue(s)
	}
	return v
}

func (m *masker) string(s string) slog.Value {
	if m.left <= 0 {
		return slog.StringValue("[left out]")
	}
	return slog.StringValue(text(s))
}

func (m *masker) group(attrs []slog.Attr, depth int) slog.Value {
	if depth > maxDepth {
		return slog.StringValue("[too deep]")
	}
	out := make([]slog.Attr, 0, min(len(attrs), MaxAttrs))
	for _, a := range attrs[:min(len(attrs), MaxAttrs)] {
		if m.left <= 0 {
			break
		}
		out = append(out, m.attr(a, depth))
	}
	return slog.GroupValue(out...)
}

// any prints what says itself what it is, and of the rest the type alone.
func (m *masker) any(v any, depth int) slog.Value {
	if depth > maxDepth {
		return slog.StringValue("[too deep]")
	}
	switch x := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case []byte:
		return m.string(string(x[:min(len(x), maxInput+1)]))
	case []slog.Attr:
		return m.group(x, depth)
	case slog.Attr:
		return m.group([]slog.Attr{x}, depth)
	case slog.Value:
		return m.value(x.Resolve(), depth)
	case error:
		return m.string(said(x.Error))
	case fmt.Stringer:
		return m.string(said(x.String))
	case encoding.TextMarshaler:
		return m.string(said(func() string { b, _ := x.MarshalText(); return string(b) }))
	}
	return m.kind(reflect.ValueOf(v), depth)
}

// kind prints the plain kinds, and lists of them.
func (m *masker) kind(v reflect.Value, depth int) slog.Value {
	switch {
	case v.Kind() == reflect.String:
		return m.string(v.String())
	case v.Kind() == reflect.Bool:
		return slog.BoolValue(v.Bool())
	case v.CanInt():
		return m.number(slog.Int64Value(v.Int()), strconv.FormatInt(v.Int(), 10))
	case v.CanUint():
		return m.number(slog.Uint64Value(v.Uint()), strconv.FormatUint(v.Uint(), 10))
	case v.CanFloat():
		return m.value(slog.Float64Value(v.Float()), depth)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
		return m.string(string(v.Bytes()[:min(v.Len(), maxInput+1)]))
	case v.Kind() == reflect.Slice && listed(v.Type().Elem()):
		return m.list(v, depth)
	}
	return slog.StringValue("[" + v.Type().String() + "]")
}

// listed says whether a list of t may be seen item by item: strings, errors
// and whatever prints itself. Bare numbers may be samples or bytes.
func listed(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Implements(reflect.TypeFor[error]()) || t.Implements(reflect.TypeFor[fmt.Stringer]())
}

func (m *masker) list(v reflect.Value, depth int) slog.Value {
	var out []string
	for i := range min(v.Len(), MaxAttrs) {
		item := m.any(v.Index(i).Interface(), depth+1).String()
		m.left -= len(item)
		out = append(out, item)
	}
	// Joined and masked again: a number may have been cut up into a list.
	return m.string(strings.Join(out, " "))
}

// said calls what prints a value; one that panics is said to.
func said(f func() string) (s string) {
	defer func() {
		if r := recover(); r != nil {
			s = "[panicked while printing]"
		}
	}()
	return f()
}

// maxInput bounds what of a string is looked at.
const maxInput = 32 << 10

// text redacts a string and bounds it. One that was cut before it was looked
// at loses its last word: a piece of a number can't be told from a number.
func text(s string) string {
	cut := len(s) > maxInput
	if cut {
		s = s[:maxInput]
	}
	if looksLikeSIP(s) {
		s = string(redact.SIP([]byte(s), nil))
	}
	s, _ = redact.Text(strings.ToValidUTF8(s, "?"))
	if cut {
		s = s[:max(strings.LastIndexAny(s, " \n"), 0)]
	}
	if len(s) > MaxValue {
		end := MaxValue
		for !utf8.RuneStart(s[end]) {
			end--
		}
		s = s[:end] + fmt.Sprintf(" [%d bytes more]", len(s)-end)
	}
	return s
}

// looksLikeSIP says whether s may hold a SIP message or SDP, whole or quoted.
func looksLikeSIP(s string) bool {
	return strings.Contains(s, "SIP/2.0") || strings.Contains(s, "a=crypto") || strings.Contains(s, "\nm=audio") ||
		strings.Contains(s, "uthorization:") || strings.Contains(s, "uthenticate:")
}

// frames keeps of a stack trace what names functions and lines; arguments are
// left out, although they are addresses.
func frames(stack []byte) string {
	var out []string
	for line := range bytes.Lines(stack) {
		l := strings.TrimSpace(string(line))
		if i := strings.LastIndexByte(l, '('); i > 0 && !strings.HasPrefix(l, "/") {
			l = l[:i]
		}
		if i := strings.LastIndex(l, " +0x"); i > 0 {
			l = l[strings.LastIndexByte(l[:i], '/')+1 : i]
		}
		if l != "" {
			out = append(out, l)
		}
	}
	return strings.Join(out, "; ")
}
