package sip

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lethe/media"
	"lethe/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is what any wait of a test may take.
const patience = 20 * time.Second

// record is an Observer and a log that remember.
type record struct {
	mu        sync.Mutex
	codes     []int
	results   []Result
	most      int
	active    int
	malformed int
	panics    int
	log       bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(b)
}

func (r *record) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *record) observer() Observer {
	with := func(f func()) {
		r.mu.Lock()
		defer r.mu.Unlock()
		f()
	}
	return Observer{
		Response:  func(code int) { with(func() { r.codes = append(r.codes, code) }) },
		Active:    func(n int) { with(func() { r.active, r.most = n, max(n, r.most) }) },
		Ended:     func(x Result) { with(func() { r.results = append(r.results, x) }) },
		Malformed: func(string) { with(func() { r.malformed++ }) },
		Panicked:  func() { with(func() { r.panics++ }) },
	}
}

func (r *record) count(x Result) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, y := range r.results {
		if x == y {
			n++
		}
	}
	return n
}

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(patience)
	for !f() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// newPlane is a real media plane on free ports of loopback.
func newPlane(t *testing.T) *media.Plane {
	t.Helper()
	c := media.Default()
	c.Ports = "20000-29999"
	c.ArenaKiB = 1024
	p, err := media.NewPlane(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// loopback is a configuration that may be called from loopback.
func loopback() Config {
	c := Default()
	c.InsecureUDP = []string{"127.0.0.1:0"}
	c.Trunks = []Trunk{{Name: "loopback", From: []string{"127.0.0.0/8"}}}
	return c
}

// untilOver is a conversation that lasts as long as its call.
func untilOver(ctx context.Context, c *Call, _ policy.Facts) error {
	<-ctx.Done()
	return nil
}

func deps(t *testing.T, r *record) Deps {
	t.Helper()
	return Deps{
		Plane:   newPlane(t),
		Log:     slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Serve:   untilOver,
		Numbers: func(n string) bool { return n == "support" },
		Observe: r.observer(),
	}
}

// start is a UA that listens until the test ends.
func start(t *testing.T, c Config, d Deps) *UA {
	t.Helper()
	u, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	return listen(t, u)
}

func listen(t *testing.T, u *UA) *UA {
	t.Helper()
	if err := u.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, u) })
	return u
}

func shut(t *testing.T, u *UA) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := u.Close(ctx); err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// client is a UA that only calls.
func client(t *testing.T, roots *x509.CertPool) *UA {
	t.Helper()
	u, err := New(Default(), Deps{Plane: newPlane(t), Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, u) })
	return u
}

func address(t *testing.T, u *UA, transport string) netip.AddrPort {
	t.Helper()
	for _, l := range u.Addrs() {
		if l.Transport == transport {
			return l.Address
		}
	}
	t.Fatalf("no %s listener", transport)
	return netip.AddrPort{}
}

// certificate is a pair of PEM files for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lethe test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for f, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(f, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, pool
}

// letGo closes a peer's socket at the end of the test.
func letGo(t *testing.T, c io.Closer) {
	t.Helper()
	t.Cleanup(func() {
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Log(err)
		}
	})
}

func tlsConfig(pool *x509.CertPool) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
}

func dialTLS(t *testing.T, to netip.AddrPort, c *tls.Config) error {
	t.Helper()
	conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		return err
	}
	return conn.Close()
}
