package media

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config of a Plane: the section `media`.
type Config struct {
	// Address is the IP address that RTP sockets are bound to.
	Address string `yaml:"address"`
	// Advertise is the IP address that SDP names; empty means Address.
	Advertise string `yaml:"advertise"`
	// Ports is the UDP range, "first-last"; a stream takes an even port for RTP
	// and the next for RTCP (RFC 3550 section 11).
	Ports string `yaml:"ports"`
	// ArenaKiB is the size of the locked arena; a call takes about 30 KiB.
	ArenaKiB int `yaml:"arena_kib"`
	// Jitter is the play-out delay that the jitter buffer aims at.
	Jitter time.Duration `yaml:"jitter"`
	// StartTimeout ends a stream that never received anything.
	StartTimeout time.Duration `yaml:"start_timeout"`
	// IdleTimeout ends a stream that received nothing for so long, unless the
	// far end has said that it will not send (RFC 3264 sendonly, inactive).
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// Clocks is the number of threads that move audio; 0 means one for every
	// four cores.
	Clocks int `yaml:"clocks"`
}

// Default is a plane for loopback whose arena an ordinary user may lock.
func Default() Config {
	return Config{
		Address:      "127.0.0.1",
		Ports:        "10000-10999",
		ArenaKiB:     6144,
		Jitter:       40 * time.Millisecond,
		StartTimeout: 30 * time.Second,
		IdleTimeout:  60 * time.Second,
	}
}

// Validate names every key that is wrong and what to do.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, remedy string) { errs = append(errs, fmt.Errorf("media.%s: %s", key, remedy)) }
	if a, err := netip.ParseAddr(c.Address); err != nil {
		bad("address", "write an IP address to bind RTP to, such as 127.0.0.1")
	} else if a.IsUnspecified() && c.Advertise == "" {
		bad("advertise", "media.address is a wildcard: write the IP address that SDP should name")
	}
	if c.Advertise != "" {
		if a, err := netip.ParseAddr(c.Advertise); err != nil || a.IsUnspecified() {
			bad("advertise", "write the IP address that SDP should name, or leave it out")
		}
	}
	if _, _, err := c.portRange(); err != nil {
		bad("ports", err.Error())
	}
	if c.ArenaKiB < 64 || c.ArenaKiB > 1<<24 {
		bad("arena_kib", "write the size of the locked arena in KiB, 64 to 16777216; a call takes about 40")
	}
	if c.Jitter < 0 || c.Jitter > 200*time.Millisecond {
		bad("jitter", "write a play-out delay from 0ms to 200ms")
	}
	if c.StartTimeout < time.Second {
		bad("start_timeout", "write 1s or longer")
	}
	if c.IdleTimeout < time.Second {
		bad("idle_timeout", "write 1s or longer")
	}
	if c.Clocks < 0 || c.Clocks > 64 {
		bad("clocks", "write 0 (one for every four cores) to 64")
	}
	return errors.Join(errs...)
}

// portRange gives the first even port and the last odd one.
func (c Config) portRange() (first, last int, err error) {
	const want = `write a range with room for a pair, such as "10000-10999"`
	a, b, ok := strings.Cut(c.Ports, "-")
	if !ok {
		return 0, 0, errors.New(want)
	}
	first, err1 := strconv.Atoi(strings.TrimSpace(a))
	last, err2 := strconv.Atoi(strings.TrimSpace(b))
	if err1 != nil || err2 != nil || first < 1 || last > 65535 {
		return 0, 0, errors.New(want)
	}
	first += first % 2
	last -= 1 - last%2
	if last <= first {
		return 0, 0, errors.New(want)
	}
	return first, last, nil
}
