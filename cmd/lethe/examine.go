package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"lethe/media"
	"lethe/store"
)

// examineMachine looks at limits, helpers and models.
func examineMachine(ctx context.Context, c *Config) []finding {
	out := []finding{examineArena(c), examineFiles(c)}
	return append(out, examineHelpers(ctx, c)...)
}

// examineArena locks an arena of the configured size and lets go of it.
func examineArena(c *Config) finding {
	a, err := media.NewArena(c.Media.ArenaKiB << 10)
	if err != nil {
		return missing("arena", fmt.Errorf("%w; set LimitMEMLOCK (systemd) or ulimit -l to at least %d KiB, or lower media.arena_kib", err, c.Media.ArenaKiB))
	}
	if err := a.Close(); err != nil {
		return missing("arena", err)
	}
	return fine("arena", "%d KiB can be locked", c.Media.ArenaKiB)
}

// filesPerCall is what one call holds open: RTP, RTCP, the engine's pipes, and
// as much again in reserve.
const filesPerCall, filesBeside = 8, 64

func examineFiles(c *Config) finding {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return missing("files", fmt.Errorf("the limit of open files can't be read: %w", err))
	}
	need := uint64(c.SIP.MaxCalls)*filesPerCall + filesBeside //nolint:gosec // validated: positive
	if lim.Max < need {
		return warning("files", fmt.Errorf("%d may be open, and sip.max_calls %d may need %d; raise LimitNOFILE (systemd) or ulimit -n, or lower sip.max_calls",
			lim.Max, c.SIP.MaxCalls, need))
	}
	return fine("files", "%d may be open", lim.Max)
}

// examineStore opens an existing store, or sees that one could be made.
func (m *Main) examineStore(ctx context.Context, c *Config) []finding {
	if _, err := os.Stat(c.Store.File); errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return []finding{examineFolder("store", c.Store.File), examineFolder("keys", c.Store.Keys)}
	}
	s, err := store.Visit(ctx, c.Store, m.Now)
	if err != nil {
		return []finding{missing("store", err)}
	}
	end, err := s.Journal().Verify(ctx)
	if err = errors.Join(err, s.Close()); err != nil {
		return []finding{missing("store", err)}
	}
	return []finding{fine("store", "%s opens; %d entries in its journal are sound", c.Store.File, end.Seq), examineKeys(c.Store.Keys)}
}

func examineKeys(path string) finding {
	info, err := os.Stat(path)
	if err != nil {
		return missing("keys", fmt.Errorf("%w; start the server once, or put the key store back", err))
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return missing("keys", fmt.Errorf("%s is open to others (mode %04o); chmod 600 %s", path, mode, path))
	}
	return fine("keys", "%s is its owner's alone", path)
}

// examineFolder sees whether a file could be made: the nearest folder above it
// that exists must be writable.
func examineFolder(name, file string) finding {
	dir := filepath.Dir(file)
	for {
		if info, err := os.Stat(dir); err == nil {
			if !info.IsDir() {
				return missing(name, fmt.Errorf("%s can't be made: %s is no folder; set store.file and store.keys", file, dir))
			}
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			break
		}
		dir = up
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return missing(name, fmt.Errorf("%s can't be made: %s: %w; let the user that runs lethe write there, or set store.file and store.keys", file, dir, err))
	}
	return fine(name, "%s will be made", file)
}

// examinePorts binds what the server would bind, and lets go of it.
func examinePorts(ctx context.Context, c *Config) []finding {
	var out []finding
	for _, l := range []struct {
		key, network string
		addresses    []string
	}{{"sip.insecure_udp", "udp", c.SIP.InsecureUDP}, {"sip.insecure_tcp", "tcp", c.SIP.InsecureTCP}, {"sip.tls", "tcp", c.SIP.TLS},
		{"admin.insecure_listen", "tcp", nonempty(c.Admin.InsecureListen)}} {
		for _, a := range l.addresses {
			out = append(out, examinePort(ctx, l.key, l.network, a))
		}
	}
	return out
}

func nonempty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func examinePort(ctx context.Context, key, network, address string) finding {
	err := bind(ctx, network, address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return warning("port", fmt.Errorf("%s %s (%s) is in use; it may be a lethe that runs: ss -lnp shows whose it is; otherwise set %s", network, address, key, key))
	case err != nil:
		return missing("port", fmt.Errorf("%s %s (%s): %w; set %s to an address of this machine", network, address, key, err, key))
	}
	return fine("port", "%s %s (%s) is free", network, address, key)
}

func bind(ctx context.Context, network, address string) error {
	if network == "udp" {
		p, err := (&net.ListenConfig{}).ListenPacket(ctx, network, address)
		if err != nil {
			return err //nolint:wrapcheck // the caller words it
		}
		return p.Close() //nolint:wrapcheck // the caller words it
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return err //nolint:wrapcheck // the caller words it
	}
	return l.Close() //nolint:wrapcheck // the caller words it
}
