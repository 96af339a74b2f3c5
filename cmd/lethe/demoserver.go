package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// demoStart is how long the server may take until it is ready.
	demoStart = 2 * time.Minute
	// demoStop is how long it may take to end.
	demoStop = 20 * time.Second
	// demoLook is how often it is asked.
	demoLook = 100 * time.Millisecond
)

// demoServer is a lethe in a process of its own, with its built-in
// configuration, and its files in a folder of its own.
type demoServer struct {
	home, sip, admin string
	environ          []string
	cmd              *exec.Cmd
	log              *bytes.Buffer
	ended            chan struct{}
	err              error // of its end; to be read after ended
}

// startServer returns when the server is ready to take calls.
func startServer(ctx context.Context, m *Main, home string) (*demoServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this program: %w", err)
	}
	s := &demoServer{home: home, log: &bytes.Buffer{}, ended: make(chan struct{})}
	if s.sip, err = freeAddress(ctx, "127.0.0.1:5060"); err != nil {
		return nil, err
	}
	if s.admin, err = freeAddress(ctx, "127.0.0.1:9090"); err != nil {
		return nil, err
	}
	temp := filepath.Join(home, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		return nil, fmt.Errorf("a folder for the demonstration: %w", err)
	}
	own := slices.DeleteFunc(slices.Clone(m.Environ), func(v string) bool { return strings.HasPrefix(v, envPrefix+"_") })
	s.environ = append(own, "TMPDIR="+temp,
		"LETHE_SIP_INSECURE_UDP="+s.sip, "LETHE_SIP_INSECURE_TCP="+s.sip, "LETHE_ADMIN_INSECURE_LISTEN="+s.admin,
		"LETHE_STORE_FILE="+filepath.Join(home, "data", "lethe.db"), "LETHE_STORE_KEYS="+filepath.Join(home, "keys", "lethe.keys"))
	s.cmd = exec.Command(self, "serve", "--quickstart") //nolint:gosec,noctx // ourselves; stop ends it in good order, which a context would not
	s.cmd.Dir, s.cmd.Env = home, s.environ
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.start(); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	if err := s.ready(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// start runs the server until it ends. Should we be killed, so is the server:
// the kernel does it when the thread ends that started it.
func (s *demoServer) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(s.ended)
		s.err = s.cmd.Start()
		started <- s.err
		if s.err == nil {
			s.err = s.cmd.Wait()
		}
	}()
	return <-started
}

// freeAddress is wanted, or the same host with a free port where another
// program has it.
func freeAddress(ctx context.Context, wanted string) (string, error) {
	host, _, err := net.SplitHostPort(wanted)
	if err != nil {
		return "", err //nolint:wrapcheck // of a constant
	}
	for _, a := range []string{wanted, net.JoinHostPort(host, "0")} {
		var lc net.ListenConfig
		tcp, terr := lc.Listen(ctx, "tcp", a)
		if terr != nil {
			err = terr
			continue
		}
		a = tcp.Addr().String()
		udp, uerr := lc.ListenPacket(ctx, "udp", a)
		if err = errors.Join(uerr, tcp.Close()); err == nil {
			return a, udp.Close() //nolint:wrapcheck // of loopback
		}
		if udp != nil {
			err = errors.Join(err, udp.Close())
		}
	}
	return "", fmt.Errorf("no free port on %s: %w", host, err)
}

func (s *demoServer) pid() int { return s.cmd.Process.Pid }

// ready waits until the server says that it is.
func (s *demoServer) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoStart)
	defer cancel()
	look := time.NewTicker(demoLook)
	defer look.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.admin+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("asking the server: %w", err)
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			if err := res.Body.Close(); err != nil {
				return fmt.Errorf("asking the server: %w", err)
			}
			if res.StatusCode == http.StatusOK {
				http.DefaultClient.CloseIdleConnections()
				return nil
			}
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended before it was ready: %w\n%s", s.err, s.log)
		case <-ctx.Done():
			return fmt.Errorf("the server was not ready in time: %w", ctx.Err())
		case <-look.C:
		}
	}
}

// stop ends the server as an operator would, and says if it did not end well.
func (s *demoServer) stop() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping the server: %w", err)
	}
	late := time.NewTimer(demoStop)
	defer late.Stop()
	select {
	case <-s.ended:
	case <-late.C:
		err := s.cmd.Process.Kill()
		<-s.ended
		return errors.Join(errors.New("the server did not stop when it was told to"), err)
	}
	if s.err != nil {
		return fmt.Errorf("the server ended badly: %w\n%s", s.err, s.log)
	}
	return nil
}
