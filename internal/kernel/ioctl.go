//go:build linux

package kernel

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// port is what an announcement needs to know of a link.
type port struct {
	index int
	mac   [6]byte
	quiet bool // no Ethernet, or nobody to tell: loopback, tunnels
}

// port asks for a link as it is at this moment, by netdevice(7): these three
// requests do not wait for the kernel's lock on its network configuration,
// which others may hold for seconds. netlink does.
func (h *Host) port(dev string) (p port, err error) {
	index, err := h.ifreq(dev, unix.SIOCGIFINDEX)
	if err != nil {
		return p, err
	}
	hardware, err := h.ifreq(dev, unix.SIOCGIFHWADDR)
	if err != nil {
		return p, err
	}
	flags, err := h.ifreq(dev, unix.SIOCGIFFLAGS)
	if err != nil {
		return p, err
	}
	p.index = int(binary.NativeEndian.Uint32(index[:]))
	copy(p.mac[:], hardware[2:]) // behind sa_family, which is the type of the link
	const mute = unix.IFF_LOOPBACK | unix.IFF_NOARP
	p.quiet = binary.NativeEndian.Uint16(hardware[:]) != unix.ARPHRD_ETHER || binary.NativeEndian.Uint16(flags[:])&mute != 0
	return p, nil
}

// ifreq makes a request about a link and returns the answer's part of struct
// ifreq.
func (h *Host) ifreq(dev string, request uintptr) (answer [24]byte, err error) {
	var r struct {
		name   [unix.IFNAMSIZ]byte
		answer [24]byte
	}
	if len(dev) >= len(r.name) {
		return answer, fmt.Errorf("link %q: %w", dev, unix.ENODEV)
	}
	copy(r.name[:], dev)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(h.packet), request, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return answer, os.NewSyscallError("ioctl", errno)
	}
	return r.answer, nil
}
