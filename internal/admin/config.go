// Package admin is the listener for whoever runs the server: metrics in
// Prometheus' format, health and readiness. It shows counts, times and reasons;
// no label and no reason carries a number, an address or a word that was said.
//
// It imports nothing of ours: what it shows is handed to it.
package admin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

// Config is the section `admin`.
type Config struct {
	// InsecureListen is the address of a listener without TLS, loopback only;
	// empty means that there is none.
	InsecureListen string `yaml:"insecure_listen"`
}

// Default has no listener.
func Default() Config { return Config{} }

// Validate says what is wrong and what to do.
func (c Config) Validate() error {
	if c.InsecureListen == "" {
		return nil
	}
	if err := loopback(c.InsecureListen); err != nil {
		return fmt.Errorf("admin.insecure_listen: %w", err)
	}
	return nil
}

func loopback(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address; write an IP address and a port, such as 127.0.0.1:9090", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has no port from 0 to 65535; write one, such as 127.0.0.1:9090", address)
	}
	if ip, err := netip.ParseAddr(host); err != nil {
		return fmt.Errorf("%q is no IP address; write one, such as 127.0.0.1:9090", host)
	} else if !ip.IsLoopback() {
		return errors.New("is not on loopback, and this listener has neither TLS nor log-in; bind it to 127.0.0.1 or [::1] and put a proxy in front")
	}
	return nil
}
