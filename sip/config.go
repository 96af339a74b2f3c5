package sip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"lethe/media"
)

// Bounds of the configuration.
const (
	defaultMaxCalls = 100
	mostCalls       = 10_000
	mostTrunks      = 1_000
)

// Config is the `sip` section. Listeners in the clear (RFC 3261 over UDP and
// TCP) stand under keys that say so; TLS needs a certificate and its key.
type Config struct {
	// InsecureUDP and InsecureTCP are addresses (IP:port) to listen on in the clear.
	InsecureUDP []string `yaml:"insecure_udp"`
	InsecureTCP []string `yaml:"insecure_tcp"`
	// TLS are addresses (IP:port) to listen on with TLS 1.2 or later.
	TLS []string `yaml:"tls"`
	// Certificate and Key are PEM files for TLS.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// MaxCalls is the number of calls at once, over all trunks.
	MaxCalls int `yaml:"max_calls"`
	// Trunks are the peers that may call.
	Trunks []Trunk `yaml:"trunks"`
}

// Trunk is a peer that may place calls, known by its source address.
type Trunk struct {
	// Name identifies the trunk in records and metrics.
	Name string `yaml:"name"`
	// From are the source addresses of the trunk: CIDR blocks or single addresses.
	From []string `yaml:"from"`
	// Numbers are the numbers the trunk may reach; empty means all that exist.
	Numbers []string `yaml:"numbers"`
	// Codecs are encoding names in order of preference; empty means G722, PCMU, PCMA.
	Codecs []string `yaml:"codecs"`
	// MaxCalls is the number of this trunk's calls at once; 0 means no limit of its own.
	MaxCalls int `yaml:"max_calls"`
}

// Default has no listener and no trunk: both are the operator's to name.
func Default() Config { return Config{MaxCalls: defaultMaxCalls} }

// Validate reports every fault of the section, each with its key and its remedy.
func (c Config) Validate() error {
	errs := []error{c.valid()}
	if len(c.InsecureUDP)+len(c.InsecureTCP)+len(c.TLS) == 0 {
		errs = append(errs, errors.New("sip: nothing to listen on: set sip.tls, or sip.insecure_udp or sip.insecure_tcp, to a list of addresses such as 127.0.0.1:5060"))
	}
	if len(c.Trunks) == 0 {
		errs = append(errs, errors.New("sip.trunks is missing: without a trunk nobody may call; add one with its name and its source addresses under from"))
	}
	return errors.Join(errs...)
}

// valid is Validate without what only an answering agent needs.
func (c Config) valid() error {
	var errs []error
	for _, l := range []struct {
		key   string
		addrs []string
	}{{"sip.insecure_udp", c.InsecureUDP}, {"sip.insecure_tcp", c.InsecureTCP}, {"sip.tls", c.TLS}} {
		for i, a := range l.addrs {
			errs = append(errs, validListener(fmt.Sprintf("%s[%d]", l.key, i), a))
		}
	}
	if len(c.TLS) > 0 && (c.Certificate == "" || c.Key == "") {
		errs = append(errs, errors.New("sip.tls needs sip.certificate and sip.key: set both to PEM files"))
	}
	if c.MaxCalls < 1 || c.MaxCalls > mostCalls {
		errs = append(errs, fmt.Errorf("sip.max_calls is %d: set it between 1 and %d", c.MaxCalls, mostCalls))
	}
	if len(c.Trunks) > mostTrunks {
		errs = append(errs, fmt.Errorf("sip.trunks has %d entries: at most %d are allowed", len(c.Trunks), mostTrunks))
	}
	names := map[string]bool{}
	for i, t := range c.Trunks {
		key := fmt.Sprintf("sip.trunks[%d]", i)
		if names[t.Name] {
			errs = append(errs, fmt.Errorf("%s.name %q is used twice: give each trunk a name of its own", key, t.Name))
		}
		names[t.Name] = true
		errs = append(errs, t.valid(key))
	}
	return errors.Join(errs...)
}

func validListener(key, addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("%s is %q: write an IP address and a port, such as 127.0.0.1:5060 or [::1]:5060", key, addr)
	}
	if ap.Addr().IsMulticast() || ap.Addr().Zone() != "" {
		return fmt.Errorf("%s is %q: write a unicast address without a zone", key, addr)
	}
	return nil
}

func (t Trunk) valid(key string) error {
	var errs []error
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`).MatchString(t.Name) {
		errs = append(errs, fmt.Errorf("%s.name is %q: write 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit", key, t.Name))
	}
	if len(t.From) == 0 {
		errs = append(errs, fmt.Errorf("%s.from is missing: list the source addresses of the trunk, such as 192.0.2.0/24", key))
	}
	for i, f := range t.From {
		if _, err := parsePrefix(f); err != nil {
			errs = append(errs, fmt.Errorf("%s.from[%d] is %q: write an address or a CIDR block, such as 192.0.2.7 or 192.0.2.0/24", key, i, f))
		}
	}
	for i, n := range t.Numbers {
		if n == "" || strings.ContainsFunc(n, forbidden) {
			errs = append(errs, fmt.Errorf("%s.numbers[%d] is not a number: write the user part of its SIP address, without spaces", key, i))
		}
	}
	known := codecs()
	for i, c := range t.Codecs {
		if !slices.Contains(known, c) {
			errs = append(errs, fmt.Errorf("%s.codecs[%d] is %q: write one of %s", key, i, c, strings.Join(known, ", ")))
		}
	}
	if t.MaxCalls < 0 || t.MaxCalls > mostCalls {
		errs = append(errs, fmt.Errorf("%s.max_calls is %d: set it between 0 (no limit of its own) and %d", key, t.MaxCalls, mostCalls))
	}
	return errors.Join(errs...)
}

// codecs are those that media speaks, the better first.
func codecs() []string { return []string{"G722", "PCMU", "PCMA"} }

func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err == nil && p.Addr().Is4In6() {
		err = errors.New("an IPv4 address in IPv6 form")
	}
	if err != nil {
		return netip.Prefix{}, err
	}
	return p.Masked(), nil
}

// trunk is a Trunk made ready for look-up. calls is guarded by UA.mu.
type trunk struct {
	name    string
	from    []netip.Prefix
	numbers map[string]bool
	terms   media.Terms
	max     int
	calls   int
}

func newTrunk(t Trunk) (*trunk, error) {
	k := &trunk{name: t.Name, max: t.MaxCalls, terms: media.Terms{Codecs: t.Codecs}}
	if len(t.Codecs) == 0 {
		k.terms.Codecs = codecs()
	}
	for _, f := range t.From {
		p, err := parsePrefix(f)
		if err != nil {
			return nil, fmt.Errorf("sip: trunk %s: %w", t.Name, err)
		}
		k.from = append(k.from, p)
	}
	if len(t.Numbers) > 0 {
		k.numbers = map[string]bool{}
		for _, n := range t.Numbers {
			k.numbers[n] = true
		}
	}
	return k, nil
}

// reaches says whether the trunk may call the number.
func (t *trunk) reaches(number string) bool { return t.numbers == nil || t.numbers[number] }

// trunkOf is the trunk that a source address belongs to: the one with the
// longest prefix, the first of equals; nil for a stranger.
func trunkOf(trunks []*trunk, source netip.Addr) *trunk {
	var best *trunk
	bits := -1
	source = source.Unmap().WithZone("")
	for _, t := range trunks {
		for _, p := range t.from {
			if p.Contains(source) && p.Bits() > bits {
				best, bits = t, p.Bits()
			}
		}
	}
	return best
}

// forbidden are characters that no value we put into a message may have:
// they end a header line, or a URI's place in it (RFC 3261 section 25.1).
func forbidden(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' || r == '"' }

// listenNetwork is the network of an address, so that [::]:5060 does not
// also take the IPv4 port.
func listenNetwork(proto, addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err == nil && strings.Contains(host, ":") {
		return proto + "6"
	}
	return proto + "4"
}
