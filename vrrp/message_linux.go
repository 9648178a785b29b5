package vrrp

import (
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
func (in *inbox) receive(fd int) int {
	for i := range in.headers {
		h := &in.headers[i]
		if !in.ready {
			in.vectors[i] = unix.Iovec{Base: &in.bytes[i][0]}
			in.vectors[i].SetLen(longest)
			h.Name, h.Iov, h.Control = (*byte)(unsafe.Pointer(&in.from[i])), &in.vectors[i], &in.controls[i][0]
			h.SetIovlen(1)
		}
		h.Namelen = unix.SizeofSockaddrInet6
		h.SetControllen(len(in.controls[i]))
	}
	in.ready = true
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&in.headers)), batch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// at is datagram i, its ancillary data and its sender.
func (in *inbox) at(i int) (b, ancillary []byte, from *unix.RawSockaddrInet6) {
	h := &in.headers[i]
	return in.bytes[i][:h.length], in.controls[i][:h.Controllen], &in.from[i]
}

// sendto is sendto(2).
func sendto(fd int, b []byte, flags int, to *unix.RawSockaddrInet4) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		uintptr(flags), uintptr(unsafe.Pointer(to)), unix.SizeofSockaddrInet4)
	return failure(errno)
}

// message is what sendmsg(2) takes, to be used again.
type message struct {
	header unix.Msghdr
	vector unix.Iovec
}

func (m *message) send(fd int, b, ancillary []byte, flags int, to *unix.RawSockaddrInet6) error {
	m.vector.Base = unsafe.SliceData(b)
	m.vector.SetLen(len(b))
	m.header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(to)), Namelen: unix.SizeofSockaddrInet6, Iov: &m.vector, Control: unsafe.SliceData(ancillary)}
	m.header.SetIovlen(1)
	m.header.SetControllen(len(ancillary))
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.header)), uintptr(flags))
	return failure(errno)
}

func failure(errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
