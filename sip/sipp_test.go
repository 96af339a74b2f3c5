package sip

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lethe/media"
	"lethe/policy"
)

// sipp plays a scenario of testdata against the address and fails the test
// unless every call went as the scenario says.
func sipp(t *testing.T, scenario, transport string, to netip.AddrPort, calls int) {
	t.Helper()
	bin, err := exec.LookPath("sipp")
	if err != nil {
		t.Fatal("sipp is missing: apt-get install sip-tester")
	}
	file, err := filepath.Abs(filepath.Join("testdata", scenario+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	mode := map[string]string{"UDP": "u1", "TCP": "t1"}[transport]
	cmd := exec.CommandContext(ctx, bin, "-sf", file, "-m", fmt.Sprint(calls), "-l", fmt.Sprint(calls), "-r", "50", "-nostdin", //nolint:gosec // our own file
		"-t", mode, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-recv_timeout", "15000", "-timeout", "50s", "-timeout_error", to.String())
	cmd.Dir = t.TempDir()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("sipp %s over %s: %v\n%s", scenario, transport, err, tail(out.String()))
	}
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

func TestSipp(t *testing.T) {
	r := &record{}
	conf := loopback()
	conf.InsecureTCP = []string{"127.0.0.1:0"}
	u := start(t, conf, deps(t, r))
	for _, transport := range []string{"UDP", "TCP"} {
		for scenario, calls := range map[string]int{"early": 20, "delayed": 20, "hold": 5, "wrong_number": 5, "wrong_codec": 5} {
			t.Run(transport+"/"+scenario, func(t *testing.T) {
				before := r.count(ResultCaller) + r.count(ResultRefused)
				sipp(t, scenario, transport, address(t, u, transport), calls)
				until(t, "every call counted", func() bool { return r.count(ResultCaller)+r.count(ResultRefused) == before+calls })
			})
		}
	}
	until(t, "nothing left", func() bool { return len(u.all()) == 0 })
}

func TestSippIsHungUpOn(t *testing.T) {
	r := &record{}
	d := deps(t, r)
	d.Serve = func(context.Context, *Call, policy.Facts) error { return nil }
	conf := loopback()
	conf.InsecureTCP = []string{"127.0.0.1:0"}
	u := start(t, conf, d)
	for _, transport := range []string{"UDP", "TCP"} {
		sipp(t, "agent_bye", transport, address(t, u, transport), 5)
	}
	until(t, "counted", func() bool { return r.count(ResultAgent) == 10 })
}

func TestSippCancels(t *testing.T) {
	r := &record{}
	u, err := New(loopback(), deps(t, r))
	if err != nil {
		t.Fatal(err)
	}
	let, answer := make(chan struct{}), u.plane.answer
	u.plane.answer = func(terms media.Terms, offer []byte) (stream, []byte, error) {
		<-let
		return answer(terms, offer)
	}
	listen(t, u)
	sipp(t, "cancel", "UDP", address(t, u, "UDP"), 3)
	close(let)
	until(t, "counted", func() bool { return r.count(ResultCancelled) == 3 })
}

func TestSippFindsNoRoom(t *testing.T) {
	conf := loopback()
	conf.MaxCalls = 1
	u := quick(t, conf, deps(t, &record{}))
	w := dialUDP(t, address(t, u, "UDP"))
	newScript(w).answered()
	sipp(t, "full", "UDP", address(t, u, "UDP"), 3)
	if got := strings.Join([]string{fmt.Sprint(len(u.all()))}, ""); got != "1" {
		t.Errorf("%s calls", got)
	}
}
