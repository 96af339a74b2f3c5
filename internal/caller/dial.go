package caller

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"lethe/media"
	"lethe/sip"
)

const (
	// ringing is the longest that an answer is waited for (RFC 3261 timer C is
	// three minutes; a test wants to know sooner).
	ringing = 40 * time.Second
	// arenaKiB holds one call and a recording's ring.
	arenaKiB = 512
	// ports are apart from the server's default, which may run on this machine.
	ports = "31000-31999"
)

// phone is a user agent and its media, for one call.
type phone struct {
	plane *media.Plane
	ua    *sip.UA
}

func newPhone(ctx context.Context, o Options) (*phone, error) {
	host := strings.TrimPrefix(o.Target[strings.LastIndex(o.Target, "@")+1:], "sip:")
	local, err := localAddress(ctx, host)
	if err != nil {
		return nil, err
	}
	cfg := media.Default()
	cfg.Address, cfg.Ports, cfg.ArenaKiB = local, ports, arenaKiB
	plane, err := media.NewPlane(cfg)
	if err != nil {
		return nil, fmt.Errorf("caller: %w", err)
	}
	deps := sip.Deps{Plane: plane}
	if o.Transport == "tls" && o.Insecure {
		deps.Roots, err = shown(ctx, host)
	}
	var ua *sip.UA
	if err == nil {
		ua, err = sip.New(sip.Default(), deps)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("caller: %w", err), plane.Close())
	}
	return &phone{plane: plane, ua: ua}, nil
}

// dial places the call and returns when it was answered.
func (p *phone) dial(ctx context.Context, o Options) (*sip.Call, error) {
	ctx, cancel := context.WithTimeout(ctx, ringing)
	defer cancel()
	d := sip.DialOptions{Target: o.Target, Transport: o.Transport, From: o.From}
	if o.Codec != "" {
		d.Codecs = []string{o.Codec}
	}
	return p.ua.Dial(ctx, d)
}

func (p *phone) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if err := errors.Join(p.ua.Close(ctx), p.plane.Close()); err != nil {
		return fmt.Errorf("caller: %w", err)
	}
	return nil
}

// localAddress is the address of this machine that host sees; nothing is sent.
func localAddress(ctx context.Context, host string) (string, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", host)
	if err != nil {
		return "", fmt.Errorf("caller: no way to %s: %w", host, err)
	}
	local, _, err := net.SplitHostPort(c.LocalAddr().String())
	return local, errors.Join(err, c.Close())
}

// shown is the certificate that host shows, as the only one to trust: the name
// in it must still be the host's.
func shown(ctx context.Context, host string) (*x509.CertPool, error) {
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}} //nolint:gosec // only to look at it, and only when asked to
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, fmt.Errorf("looking at the certificate of %s: %w", host, err)
	}
	pool := x509.NewCertPool()
	if t, ok := c.(*tls.Conn); ok {
		for _, cert := range t.ConnectionState().PeerCertificates {
			pool.AddCert(cert)
		}
	}
	return pool, c.Close()
}
