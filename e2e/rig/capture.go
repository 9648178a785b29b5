package rig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Frame is what a capture saw.
type Frame struct {
	At       time.Time // of the kernel
	Data     []byte    // Ethernet and all
	Sent     bool      // by the host itself
	Protocol uint16    // the EtherType; on nlmon the netlink family
}

// A Capture is a running packet capture on a device.
type Capture struct {
	file      *os.File
	receiving sync.WaitGroup
	mu        sync.Mutex
	frames    []Frame
	data      [1 << 16]byte
	control   [256]byte
}

// Capture starts to capture what passes a device of h, until the test ends.
// Multicast is flooded, so any host of a switch sees every advert on it.
func (h *Host) Capture(device string) *Capture {
	h.lab.t.Helper()
	c := &Capture{}
	if err := h.do(func() error { return c.open(device) }); err != nil {
		h.lab.t.Fatalf("%s: capture on %s: %v", h.Name, device, err)
	}
	c.receiving.Go(c.receive)
	h.lab.t.Cleanup(func() {
		c.file.Close()
		c.receiving.Wait()
	})
	return c
}

// open opens a packet socket, see packet(7).
func (c *Capture) open(device string) error {
	link, err := net.InterfaceByName(device)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("open a packet socket: %w", err)
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: link.Index}),
	)
	if err != nil {
		_ = unix.Close(fd)
		return fmt.Errorf("prepare a packet socket: %w", err)
	}
	c.file = os.NewFile(uintptr(fd), "capture on "+device)
	return nil
}

// networkOrder is htons and ntohs.
func networkOrder(n uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, n))
}

// receive collects frames until the socket is closed.
func (c *Capture) receive() {
	conn, err := c.file.SyscallConn()
	if err != nil {
		return
	}
	_ = conn.Read(func(fd uintptr) bool {
		c.take(int(fd))
		return false // and waits
	})
}

// take collects the frames that are there.
func (c *Capture) take(fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		n, controls, _, from, err := unix.Recvmsg(fd, c.data[:], c.control[:], unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.ENETDOWN) || errors.Is(err, unix.EINTR):
			continue // the link went down: it may come back
		case err != nil:
			return
		}
		frame := Frame{At: timestamp(c.control[:controls]), Data: append([]byte(nil), c.data[:n]...)}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok {
			frame.Sent = ll.Pkttype == unix.PACKET_OUTGOING
			frame.Protocol = networkOrder(ll.Protocol)
		}
		c.frames = append(c.frames, frame)
	}
}

// timestamp is the kernel's time of arrival, or now.
func timestamp(control []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(control)
	if err == nil {
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= 16 {
				return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
			}
		}
	}
	return time.Now()
}

// Frames are the frames so far: all that passed before the call. They are not to
// be changed.
func (c *Capture) Frames() []Frame {
	if conn, err := c.file.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { c.take(int(fd)) }) // once it is closed there is nothing more
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clip(c.frames) // whoever waits for something asks again and again
}

// An Advert is a VRRP datagram that a capture saw. The rig reads it
// without lvsd's own codec, which is under test.
type Advert struct {
	At       time.Time
	MAC      string // that it came from
	Source   netip.Addr
	Version  uint8
	VRID     uint8
	Priority uint8
	Datagram []byte // from the IP header on, without Ethernet's padding
}

// String reads "12:00:01.003 10.0.0.1 vrid 51 prio 100".
func (a Advert) String() string {
	return fmt.Sprintf("%s %s vrid %d prio %d", a.At.Format("15:04:05.000"), a.Source, a.VRID, a.Priority)
}

// Adverts are the VRRP adverts among the frames so far that are not older
// than since.
func (c *Capture) Adverts(since time.Time) []Advert {
	var found []Advert
	for _, f := range c.Frames() {
		if f.At.Before(since) {
			continue
		}
		if a, ok := parseAdvert(f); ok {
			found = append(found, a)
		}
	}
	return found
}

// parseAdvert reads an Ethernet frame that carries VRRP, which is protocol 112,
// behind an authentication header or without.
func parseAdvert(f Frame) (Advert, bool) {
	const ethernet = 14
	if len(f.Data) < ethernet {
		return Advert{}, false
	}
	ip := f.Data[ethernet:]
	var source netip.Addr
	var header, total int
	switch binary.BigEndian.Uint16(f.Data[12:]) {
	case unix.ETH_P_IP:
		source, header, total = readIPv4(ip)
	case unix.ETH_P_IPV6:
		source, header, total = readIPv6(ip)
	}
	if !source.IsValid() || total > len(ip) || total < header+8 {
		return Advert{}, false
	}
	body := ip[header:]
	return Advert{
		At: f.At, MAC: net.HardwareAddr(f.Data[6:12]).String(), Source: source,
		Version: body[0] >> 4, VRID: body[1], Priority: body[2], Datagram: ip[:total],
	}, true
}

const vrrp, authentication = 112, 51

// readIPv4 is the source and the lengths of the header and of all of it; no
// source when it is not VRRP.
func readIPv4(ip []byte) (source netip.Addr, header, total int) {
	if len(ip) < 20 || ip[0]&15 < 5 {
		return source, 0, 0
	}
	header = int(ip[0]&15) * 4
	switch protocol := ip[9]; {
	case protocol == vrrp:
	case protocol == authentication && len(ip) >= header+24 && ip[header] == vrrp:
		header += 24
	default:
		return source, 0, 0
	}
	return netip.AddrFrom4([4]byte(ip[12:16])), header, int(binary.BigEndian.Uint16(ip[2:]))
}

// readIPv6 does the same where VRRP follows the header at once.
func readIPv6(ip []byte) (source netip.Addr, header, total int) {
	const length = 40
	if len(ip) < length || ip[6] != vrrp {
		return source, 0, 0
	}
	return netip.AddrFrom16([16]byte(ip[8:24])), length, length + int(binary.BigEndian.Uint16(ip[4:]))
}
