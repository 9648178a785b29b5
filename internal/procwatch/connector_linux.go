package procwatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Numbers of linux/connector.h and linux/cn_proc.h.
const (
	connectorProc = 1 // CN_IDX_PROC and CN_VAL_PROC, also the multicast group
	listenOp      = 1 // PROC_CN_MCAST_LISTEN

	eventNone = 0
	eventFork = 0x00000001
	eventExec = 0x00000002
	eventComm = 0x00000200
	eventExit = 0x80000000

	connectorHeader = 20 // struct cn_msg
	eventHeader     = 16 // struct proc_event up to its union
)

// confirmation is what the kernel has to say that it will tell. Outside of the
// first namespaces it does not even refuse.
const confirmation = time.Second

// receiveBuffer holds the events of a burst.
const receiveBuffer = 1 << 20

var errNoConfirmation = errors.New("proc connector: no answer")

// listen takes events from the proc connector until ctx ends or that fails.
func (w *Watcher) listen(ctx context.Context) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_CONNECTOR)
	if err != nil {
		return fmt.Errorf("proc connector: %w", err)
	}
	socket := os.NewFile(uintptr(fd), "proc connector")
	defer socket.Close()
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: connectorProc}); err != nil {
		return fmt.Errorf("proc connector: bind: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, w.buffer) // a small buffer means to count again more often
	if _, err := socket.Write(listenRequest()); err != nil {
		return fmt.Errorf("proc connector: listen: %w", err)
	}
	if err := socket.SetReadDeadline(time.Now().Add(confirmation)); err != nil {
		return fmt.Errorf("proc connector: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	return w.receive(socket)
}

// receive takes messages. What was missed between the first count and the
// confirmation, and when the kernel had to drop some, is counted again.
func (w *Watcher) receive(socket *os.File) error {
	conn, err := socket.SyscallConn()
	if err != nil {
		return fmt.Errorf("proc connector: %w", err)
	}
	buffer := make([]byte, os.Getpagesize())
	for confirmed := false; ; {
		n, err := receiveFrom(conn.Read, buffer)
		switch {
		case errors.Is(err, unix.ENOBUFS):
			err = w.recount()
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = errNoConfirmation
		case err == nil && !confirmed:
			if confirmed, err = confirms(buffer[:n]); confirmed && err == nil {
				err = errors.Join(socket.SetReadDeadline(time.Time{}), w.recount())
			}
		case err == nil:
			w.event(buffer[:n])
		}
		if err != nil {
			return fmt.Errorf("proc connector: %w", err)
		}
	}
}

// receiveFrom takes one message of the kernel's; those of others are skipped.
func receiveFrom(read func(func(uintptr) bool) error, buffer []byte) (n int, err error) {
	failed := read(func(fd uintptr) bool {
		for {
			var from unix.Sockaddr
			n, from, err = unix.Recvfrom(int(fd), buffer, 0)
			if errors.Is(err, unix.EAGAIN) {
				return false
			}
			sender, ok := from.(*unix.SockaddrNetlink)
			if err != nil || ok && sender.Pid == 0 {
				return true
			}
		}
	})
	if failed != nil {
		return 0, failed
	}
	return n, err
}

// listenRequest is a netlink message with a connector message with an operation.
func listenRequest() []byte {
	const operation = 4
	b := make([]byte, unix.SizeofNlMsghdr+connectorHeader+operation)
	order := binary.NativeEndian
	order.PutUint32(b, uint32(len(b)))
	order.PutUint16(b[4:], unix.NLMSG_DONE)
	message := b[unix.SizeofNlMsghdr:]
	order.PutUint32(message, connectorProc)
	order.PutUint32(message[4:], connectorProc)
	order.PutUint16(message[16:], operation)
	order.PutUint32(message[connectorHeader:], listenOp)
	return b
}

// payload is the event of a message: what happened, and its data.
func payload(b []byte) (what uint32, data []byte, ok bool) {
	const least = unix.SizeofNlMsghdr + connectorHeader + eventHeader + 4*4 // the numbers of a fork
	if len(b) < least {
		return 0, nil, false
	}
	event := b[unix.SizeofNlMsghdr+connectorHeader:]
	return binary.NativeEndian.Uint32(event), event[eventHeader:], true
}

// confirms reads the answer to the request, which may come after events.
func confirms(b []byte) (bool, error) {
	what, data, ok := payload(b)
	if !ok || what != eventNone {
		return false, nil
	}
	if errno := binary.NativeEndian.Uint32(data); errno != 0 {
		return true, unix.Errno(errno)
	}
	return true, nil
}

// event is one of struct proc_event. Threads are no processes.
func (w *Watcher) event(b []byte) {
	what, data, ok := payload(b)
	if !ok {
		return
	}
	number := func(i int) int { return int(int32(binary.NativeEndian.Uint32(data[4*i:]))) }
	switch thread, process := number(0), number(1); what {
	case eventFork:
		if child := number(3); number(2) == child {
			w.fork(process, child)
		}
	case eventExec:
		w.exec(process)
	case eventComm:
		if thread == process {
			w.exec(process)
		}
	case eventExit:
		if thread == process {
			w.exit(process)
		}
	}
}
