package caller

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// defaults fills what was left out and refuses what makes no sense.
func (o *Options) defaults() error {
	if o.Transport == "" {
		o.Transport = "udp"
	}
	if o.From == "" {
		o.From = "caller"
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	if o.Linger == 0 {
		o.Linger = 8 * time.Second
	}
	o.Transport, o.Codec = strings.ToLower(o.Transport), strings.ToUpper(o.Codec)
	switch o.Transport {
	case "udp", "tcp", "tls":
	default:
		return fmt.Errorf("caller: transport %q is not one of udp, tcp, tls", o.Transport)
	}
	switch o.Codec {
	case "", "PCMU", "PCMA", "G722":
	default:
		return fmt.Errorf("caller: codec %q is not one of PCMU, PCMA, G722", o.Codec)
	}
	if o.Timeout < 0 || o.Linger < 0 {
		return fmt.Errorf("caller: time-outs must not be negative")
	}
	target, err := address(o.Target, o.Transport)
	if err != nil {
		return err
	}
	o.Target = target
	for i, l := range o.Lines {
		if err := l.check(); err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrLine, i+1, err)
		}
	}
	return nil
}

// check refuses a line that is two things, or none.
func (l Line) check() error {
	n := 0
	for _, s := range []string{l.Say, l.WAV, l.Keys} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		return fmt.Errorf("it must be one of text, a WAV file and keys")
	}
	if i := strings.IndexFunc(l.Keys, func(r rune) bool { return !strings.ContainsRune("0123456789*#ABCDabcd", r) }); i >= 0 {
		return fmt.Errorf("%q is not a telephone key (0-9 * # A-D)", l.Keys[i:i+1])
	}
	if l.Wait < 0 {
		return fmt.Errorf("its pause is negative")
	}
	return nil
}

// address makes a whole SIP URI of what a person types: sip:user@host:port,
// user@host, or user alone for a server on this machine.
func address(target, transport string) (string, error) {
	rest := strings.TrimPrefix(target, "sip:")
	user, host, found := strings.Cut(rest, "@")
	if !found {
		host = "127.0.0.1"
	}
	if user == "" || host == "" || strings.ContainsAny(rest, " <>\"\r\n\t;?") {
		return "", fmt.Errorf("caller: target %q is not an address: write user@host:port, such as support@127.0.0.1:5060", target)
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		port := "5060"
		if transport == "tls" {
			port = "5061"
		}
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	return "sip:" + user + "@" + host, nil
}
