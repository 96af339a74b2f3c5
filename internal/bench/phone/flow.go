package phone

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Flow is the RTP of one call: a raw socket that blocks never. It belongs to
// one goroutine. What arrives is counted and looked at, and not kept.
type Flow struct {
	fd   int
	port uint16

	// Set before the first Send.
	Payload uint8 // RTP payload type
	SSRC    uint32

	seq  uint16
	time uint32
	out  [12 + maxPayload]byte
	in   [2048]byte
	ctl  [128]byte

	Sent     uint64
	Received uint64
	Gaps     *Gaps // counts the deviations; may be shared by the flows of one goroutine

	lastAt  int64 // kernel time of the last packet, ns
	lastSeq uint16
	lastTS  uint32
	known   bool
}

const maxPayload = 480

// NewFlow binds a socket to a free port of the loopback.
func NewFlow() (*Flow, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("phone: socket: %w", err)
	}
	f := &Flow{fd: fd}
	if err := f.bind(); err != nil {
		_ = unix.Close(fd) // the error below says more
		return nil, fmt.Errorf("phone: %w", err)
	}
	return f, nil
}

func (f *Flow) bind() error {
	if err := unix.SetsockoptInt(f.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		return fmt.Errorf("SO_TIMESTAMPNS: %w", err)
	}
	if err := unix.Bind(f.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	a, err := unix.Getsockname(f.fd)
	if err != nil {
		return fmt.Errorf("getsockname: %w", err)
	}
	in4, ok := a.(*unix.SockaddrInet4)
	if !ok {
		return fmt.Errorf("bound to %T", a)
	}
	f.port = uint16(in4.Port) //nolint:gosec // a port
	return nil
}

// Port is the local port.
func (f *Flow) Port() uint16 { return f.port }

// To says where to send, and from where to receive.
func (f *Flow) To(a netip.AddrPort) error {
	if err := unix.Connect(f.fd, &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}); err != nil {
		return fmt.Errorf("phone: connect: %w", err)
	}
	return nil
}

// Close closes the socket.
func (f *Flow) Close() error { return unix.Close(f.fd) }

// Send sends one payload; the timestamp advances by its length, as it does for
// every codec of 64 kbit/s. A refused packet (nobody listens) is no error.
func (f *Flow) Send(payload []byte, marker bool) error {
	b := f.out[:12+len(payload)]
	b[0], b[1] = 0x80, f.Payload
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], f.seq)
	binary.BigEndian.PutUint32(b[4:], f.time)
	binary.BigEndian.PutUint32(b[8:], f.SSRC)
	copy(b[12:], payload)
	f.seq++
	f.time += uint32(len(payload)) //nolint:gosec // at most maxPayload
	_, err := unix.Write(f.fd, b)
	if err != nil && err != unix.ECONNREFUSED && err != unix.EAGAIN { //nolint:errorlint // a bare errno
		return fmt.Errorf("phone: send: %w", err)
	}
	f.Sent++
	return nil
}

// Skip lets time pass in which nothing is sent.
func (f *Flow) Skip(samples int) { f.time += uint32(samples) } //nolint:gosec // a few packets

// Receive takes one packet and returns its payload, which is valid until the
// next call; nil means that there is none.
func (f *Flow) Receive() []byte {
	n, at := f.recvmsg()
	if n < 12 || f.in[0]>>6 != 2 {
		return nil
	}
	f.Received++
	seq, ts := binary.BigEndian.Uint16(f.in[2:]), binary.BigEndian.Uint32(f.in[4:])
	if f.Gaps != nil && f.known && seq == f.lastSeq+1 && ts-f.lastTS == 160 && f.in[1]&0x80 == 0 {
		f.Gaps.add(time.Duration(at - f.lastAt))
	}
	f.lastAt, f.lastSeq, f.lastTS, f.known = at, seq, ts, true
	return f.in[12:n]
}

// recvmsg reads into f.in, and returns the time at which the kernel got it.
func (f *Flow) recvmsg() (n int, at int64) {
	iov := unix.Iovec{Base: &f.in[0], Len: uint64(len(f.in))}
	msg := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: &f.ctl[0], Controllen: uint64(len(f.ctl))}
	r, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&msg)), 0) //nolint:gosec // recvmsg(2)
	if errno != 0 {
		return 0, 0
	}
	if msg.Controllen >= unix.SizeofCmsghdr+16 { // one message: SCM_TIMESTAMPNS, a timespec
		sec := binary.NativeEndian.Uint64(f.ctl[unix.SizeofCmsghdr:])
		nsec := binary.NativeEndian.Uint64(f.ctl[unix.SizeofCmsghdr+8:])
		at = int64(sec)*1e9 + int64(nsec) //nolint:gosec // a time of day
	}
	return int(r), at
}

// Gaps counts how far the distance of successive packets is from 20 ms, in
// steps of 10 us up to 100 ms.
type Gaps struct {
	steps [10000]uint64
	n     uint64
}

func (g *Gaps) add(d time.Duration) {
	d -= 20 * time.Millisecond
	if d < 0 {
		d = -d
	}
	g.steps[min(int(d/(10*time.Microsecond)), len(g.steps)-1)]++
	g.n++
}

// Count is how many were counted.
func (g *Gaps) Count() uint64 { return g.n }

// Reset forgets what was counted.
func (g *Gaps) Reset() { *g = Gaps{} }

// Quantile is the deviation that a share q of all stays within.
func (g *Gaps) Quantile(q float64) time.Duration {
	sum, want := uint64(0), uint64(q*float64(g.n))
	for i, c := range g.steps {
		if sum += c; sum >= want && sum > 0 {
			return time.Duration(i+1) * 10 * time.Microsecond
		}
	}
	return 0
}
