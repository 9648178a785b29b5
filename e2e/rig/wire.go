package rig

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Send sends a whole Ethernet frame from the device of the capture, as a host
// that keeps to no rules can.
func (c *Capture) Send(frame []byte) error {
	if _, err := c.file.Write(frame); err != nil {
		return fmt.Errorf("send a frame of %d bytes: %w", len(frame), err)
	}
	return nil
}

// Ignore makes the capture leave out the frames of a MAC address, from now on.
func (c *Capture) Ignore(mac [6]byte) error {
	const source = 6
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: source, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac[:]), SkipFalse: 3},
		bpf.LoadAbsolute{Off: source + 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipFalse: 1},
		bpf.RetConstant{Val: 0},
		bpf.RetConstant{Val: 1 << 16},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, op := range program {
		filter[i] = unix.SockFilter{Code: op.Op, Jt: op.Jt, Jf: op.Jf, K: op.K}
	}
	conn, err := c.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	return errors.Join(err, failed)
}

// Flood sends frames, over and over, at a rate a second, until ctx ends, and
// answers with their number. It takes a thread.
func (c *Capture) Flood(ctx context.Context, frames [][]byte, rate int) (sent int, err error) {
	conn, err := c.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for ctx.Err() == nil {
		due := int(time.Since(began) * time.Duration(rate) / time.Second)
		if sent == due {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		failed := conn.Control(func(fd uintptr) {
			for ; sent < due && err == nil; sent++ {
				err = unix.Send(int(fd), frames[sent%len(frames)], 0)
			}
		})
		if err = errors.Join(err, failed); err != nil {
			return sent, fmt.Errorf("flood: %w", err)
		}
	}
	return sent, nil
}
