package vrrp

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below never block: they keep the runtime's permission to run Go
// code (RawSyscall), which on a busy machine it might take long to get back,
// and allocate nothing.

// batch is how many datagrams one call receives.
const batch = 32

// longest is more than any datagram with a VRRP message in it has bytes; what
// is longer is cut, and has no length of a message any more.
const longest = 4608

// inbox is where datagrams are received. Connections that are asked one after
// the other share it.
type inbox struct {
	headers  [batch]mmsghdr
	vectors  [batch]unix.Iovec
	from     [batch]unix.RawSockaddrInet6
	controls [batch][128]byte
	bytes    [batch][longest]byte
	ready    bool
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	length uint32
}

// receive fills the inbox from a socket, and says how many datagrams there are.
// Who has sent them is asked for where no header says it.
func (in *inbox) receive(fd int, senders bool) int {
	in.clear(senders)
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.headers)), batch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// clear makes room.
func (in *inbox) clear(senders bool) {
	for i := range in.headers {
		h := &in.headers[i]
		if !in.ready {
			in.vectors[i] = unix.Iovec{Base: &in.bytes[i][0]}
			in.vectors[i].SetLen(longest)
			h.Iov, h.Control = &in.vectors[i], &in.controls[i][0]
			h.SetIovlen(1)
		}
		if h.Name, h.Namelen = nil, 0; senders {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&in.from[i])), unix.SizeofSockaddrInet6
		}
		h.SetControllen(len(in.controls[i]))
	}
	in.ready = true
}

// at is datagram i, its ancillary data and its sender.
func (in *inbox) at(i int) (b, ancillary []byte, from *unix.RawSockaddrInet6) {
	h := &in.headers[i]
	return in.bytes[i][:h.length], in.controls[i][:h.Controllen], &in.from[i]
}

// letter is a datagram that is ready to leave: all that sendmsg(2) takes, to be
// written again and again.
type letter struct {
	fd     int
	flags  int
	header unix.Msghdr
	vector unix.Iovec
	to     unix.RawSockaddrInet6 // or an address of IPv4 in its place
	bytes  []byte
	errno  unix.Errno // of the last time it left
}

// address4 and address6 say where it goes.
func (l *letter) address4(to netip.Addr) {
	*(*unix.RawSockaddrInet4)(unsafe.Pointer(&l.to)) = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.As4()}
	l.header.Namelen = unix.SizeofSockaddrInet4
}

func (l *letter) address6(to netip.Addr, scope int32) {
	l.to = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.As16(), Scope_id: uint32(scope)}
	l.header.Namelen = unix.SizeofSockaddrInet6
}

// seal is the last that is done to it. The ancillary data must not change until
// it has left.
func (l *letter) seal(fd int, ancillary []byte, flags int) {
	l.fd, l.flags = fd, flags
	l.vector.Base = unsafe.SliceData(l.bytes)
	l.vector.SetLen(len(l.bytes))
	l.header.Name, l.header.Iov, l.header.Control = (*byte)(unsafe.Pointer(&l.to)), &l.vector, unsafe.SliceData(ancillary)
	l.header.SetIovlen(1)
	l.header.SetControllen(len(ancillary))
}

// leave is sendmsg(2). It needs no permission to run Go code.
//
//go:norace
//go:nosplit
func (l *letter) leave() {
	_, _, l.errno = unix.RawSyscall(unix.SYS_SENDMSG, uintptr(l.fd), uintptr(unsafe.Pointer(&l.header)), uintptr(l.flags))
}

// renew makes another datagram of it, with the identification after its last one,
// as [following] has it. The kernel makes the sum of the header.
//
//go:norace
//go:nosplit
func (l *letter) renew() {
	if l.header.Namelen != unix.SizeofSockaddrInet4 {
		return
	}
	id := uint16(l.bytes[4])<<8 + uint16(l.bytes[5]) + 1
	if id == 0 {
		id = 1
	}
	l.bytes[4], l.bytes[5] = byte(id>>8), byte(id)
}

// identified reports whether it has an identification, where there is any.
func (l *letter) identified(id uint16) bool {
	return l.header.Namelen != unix.SizeofSockaddrInet4 || l.bytes[4] == byte(id>>8) && l.bytes[5] == byte(id)
}

func failure(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
