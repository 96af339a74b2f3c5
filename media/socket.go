package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a UDP socket outside Go's poller: the clock asks it, and it never
// wakes anybody. It reads into locked memory and writes from it, with no copy.
type socket struct {
	fd   int
	from unix.RawSockaddrAny // of the last datagram
	to   unix.RawSockaddrAny
	tlen uintptr
}

// openPair binds an even port for RTP and the next for RTCP, at random within
// the range so that a port is not soon used again.
func openPair(addr netip.Addr, first, last int) (rtp, rtcp *socket, port uint16, err error) {
	pairs := (last - first + 1) / 2
	start := rand.IntN(pairs) //nolint:gosec // spreads load, keeps no secret
	for i := range pairs {
		p := uint16(first + 2*((start+i)%pairs)) //nolint:gosec // within 1 to 65535
		rtp, err = openSocket(netip.AddrPortFrom(addr, p))
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, nil, 0, err
		}
		rtcp, err = openSocket(netip.AddrPortFrom(addr, p+1))
		if err == nil {
			return rtp, rtcp, p, nil
		}
		err = errors.Join(err, rtp.close())
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, nil, 0, err
		}
	}
	return nil, nil, 0, fmt.Errorf("%w: every port of media.ports is taken", ErrFull)
}

func openSocket(addr netip.AddrPort) (*socket, error) {
	family, sa := sockaddr(addr)
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("media: opening a socket: %w", err)
	}
	if err := unix.Bind(fd, sa); err != nil {
		return nil, errors.Join(fmt.Errorf("media: binding %v: %w", addr, err), unix.Close(fd))
	}
	return &socket{fd: fd}, nil
}

func sockaddr(addr netip.AddrPort) (family int, sa unix.Sockaddr) {
	a := addr.Addr().Unmap()
	if a.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(addr.Port()), Addr: a.As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(addr.Port()), Addr: a.As16()}
}

func (s *socket) close() error {
	if s == nil {
		return nil
	}
	if err := unix.Close(s.fd); err != nil {
		return fmt.Errorf("media: closing a socket: %w", err)
	}
	return nil
}

// recv reads one datagram into buf. n is the datagram's own length, which may
// be more than len(buf). ok is false when there is none.
func (s *socket) recv(buf []byte) (n int, ok bool) {
	flen := uint32(unix.SizeofSockaddrAny)
	r, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(buf))), uintptr(len(buf)), unix.MSG_DONTWAIT|unix.MSG_TRUNC, //nolint:gosec // a system call's own form
		uintptr(unsafe.Pointer(&s.from)), uintptr(unsafe.Pointer(&flen))) //nolint:gosec // a system call's own form
	if e != 0 {
		// ECONNREFUSED is an ICMP answer to what we sent: not the end.
		return 0, e == unix.ECONNREFUSED
	}
	return int(r), true
}

// send writes one datagram to where aim pointed; it never waits.
func (s *socket) send(p []byte) bool {
	_, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, //nolint:gosec // a system call's own form
		uintptr(unsafe.Pointer(&s.to)), s.tlen) //nolint:gosec // a system call's own form
	return e == 0
}

// aim sets where send goes.
func (s *socket) aim(addr netip.AddrPort) {
	s.to = unix.RawSockaddrAny{}
	s.tlen = 0
	if !addr.IsValid() || addr.Port() == 0 || addr.Addr().IsUnspecified() {
		return
	}
	var port [2]byte
	binary.BigEndian.PutUint16(port[:], addr.Port())
	if a := addr.Addr().Unmap(); a.Is4() {
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.to))                                  //nolint:gosec // the kernel's own union
		sa.Family, sa.Port, sa.Addr = unix.AF_INET, *(*uint16)(unsafe.Pointer(&port)), a.As4() //nolint:gosec // network order
		s.tlen = unix.SizeofSockaddrInet4
		return
	}
	sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.to))                                              //nolint:gosec // the kernel's own union
	sa.Family, sa.Port, sa.Addr = unix.AF_INET6, *(*uint16)(unsafe.Pointer(&port)), addr.Addr().As16() //nolint:gosec // network order
	s.tlen = unix.SizeofSockaddrInet6
}

func (s *socket) aimed() bool { return s.tlen != 0 }

// source is where the last datagram came from.
func (s *socket) source() netip.AddrPort {
	switch s.from.Addr.Family {
	case unix.AF_INET:
		sa := (*unix.RawSockaddrInet4)(unsafe.Pointer(&s.from)) //nolint:gosec // the kernel's own union
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), hostOrder(sa.Port))
	case unix.AF_INET6:
		sa := (*unix.RawSockaddrInet6)(unsafe.Pointer(&s.from)) //nolint:gosec // the kernel's own union
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), hostOrder(sa.Port))
	}
	return netip.AddrPort{}
}

func hostOrder(p uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&p))[:]) //nolint:gosec // network order
}
