//go:build linux

package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// receiveBuffer holds the messages of a burst: some thousand addresses that
// come or go at once.
const receiveBuffer = 4 << 20

// rereadInterval bounds how long something can go unnoticed that no message
// told about.
const rereadInterval = 30 * time.Second

// subscription tells that something changed, not what. Nothing is read while
// nobody waits.
type subscription struct {
	file *os.File
	raw  syscall.RawConn
	buf  []byte

	heard func(datagram []byte) // nil, or takes each of the kernel's
}

// changes are the multicast groups of rtnetlink(7) that are listened to.
const changes = unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR |
	unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE |
	1<<(unix.RTNLGRP_IPV4_RULE-1) | 1<<(unix.RTNLGRP_IPV6_RULE-1)

// subscribe opens a socket in the network namespace of the calling thread.
func subscribe(buffer int) (*subscription, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("subscribe to changes of the network: %w", err)
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer) // a smaller one does, too
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: changes}); err != nil {
		return nil, fmt.Errorf("subscribe to changes of the network: %w", errors.Join(err, unix.Close(fd)))
	}
	s := &subscription{file: os.NewFile(uintptr(fd), "rtnetlink"), buf: make([]byte, 1<<16)}
	s.raw, err = s.file.SyscallConn()
	return s, err
}

func (s *subscription) close() { _ = s.file.Close() }

// expect says until when to wait.
func (s *subscription) expect(until time.Time) error { return s.file.SetReadDeadline(until) }

// wait returns after a change, with everything that arrived meanwhile taken;
// also when there was none until it was expected.
func (s *subscription) wait(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.expect(time.Unix(1, 0)) })
	defer stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		news, err := s.receive(true)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return ctx.Err()
		case err != nil:
			return err
		case news:
			return s.drain()
		}
	}
}

// drain takes what has arrived; one look at the kernel covers all of it.
func (s *subscription) drain() error {
	const most = 1 << 14 // then it is time for a look
	for range most {
		_, err := s.receive(false)
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive takes one datagram and says whether it is news.
func (s *subscription) receive(block bool) (news bool, err error) {
	var n int
	var sender unix.Sockaddr
	var failed error
	err = s.raw.Read(func(fd uintptr) bool {
		n, sender, failed = unix.Recvfrom(int(fd), s.buf, 0)
		return !block || !errors.Is(failed, unix.EAGAIN)
	})
	if err = errors.Join(err, failed); err != nil {
		return false, err
	}
	if from, ok := sender.(*unix.SockaddrNetlink); !ok || from.Pid != 0 {
		return false, nil // not from the kernel
	}
	if s.heard != nil {
		s.heard(s.buf[:n])
	}
	return isNews(s.buf[:n]), nil
}

// isNews leaves out what a router with many routes hears all day: those that
// come, and foreign ones that go.
func isNews(datagram []byte) bool {
	for len(datagram) >= unix.SizeofNlMsghdr+unix.SizeofRtMsg {
		length := int(binary.NativeEndian.Uint32(datagram))
		kind, flags := binary.NativeEndian.Uint16(datagram[4:]), binary.NativeEndian.Uint16(datagram[6:])
		const protocol = unix.SizeofNlMsghdr + 5 // of struct rtmsg
		switch {
		case kind == unix.RTM_DELROUTE && datagram[protocol] == config.ProtocolKeepalived:
			return true
		case kind == unix.RTM_NEWROUTE && flags&unix.NLM_F_REPLACE != 0:
			return true
		case kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE && kind != unix.RTM_NEWRULE:
			return true
		}
		if length < unix.SizeofNlMsghdr || length > len(datagram) {
			return false
		}
		datagram = datagram[min((length+3)&^3, len(datagram)):]
	}
	return false
}
