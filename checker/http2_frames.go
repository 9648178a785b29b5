package checker

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
)

// Frames of HTTP/2, RFC 9113 section 4.1: their header begins with the length of
// what they carry, and goes on with their type, of which the lowest are those of
// section 6. One that is longer than a client has agreed to is an error.
const (
	frameHeader  = 9
	frameTypes   = 10
	frameData    = 0
	longestFrame = 16 << 10
)

// framesConn is a connection of HTTP/2 of which the frames that come are counted:
// a client has to answer a ping, however many there are. Those of unknown types,
// which it ignores, are left out; package http would write a line about each.
type framesConn struct {
	net.Conn
	in     *bufio.Reader // of Conn
	pieces pieces
	header []byte // that has not been read yet
	left   int    // of what that frame carries
}

func newFramesConn(c net.Conn) *framesConn {
	return &framesConn{Conn: c, in: bufio.NewReader(c)}
}

func (c *framesConn) Read(b []byte) (n int, err error) {
	if len(c.header) == 0 && c.left == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if len(c.header) > 0 {
		n = copy(b, c.header)
		c.header = c.header[n:]
		return n, nil
	}
	n, err = c.in.Read(b[:min(c.left, len(b))])
	c.left -= n
	return n, err
}

// next goes on to the next frame that counts.
func (c *framesConn) next() error {
	for {
		header := make([]byte, frameHeader)
		if _, err := io.ReadFull(c.in, header); err != nil {
			return err
		}
		length, octets := int(binary.BigEndian.Uint32(header)>>8), 0
		if header[3] == frameData {
			octets = length
		}
		if err := c.pieces.add(octets); err != nil {
			return err
		}
		if header[3] < frameTypes || length > longestFrame {
			c.header, c.left = header, length
			return nil
		}
		if _, err := c.in.Discard(length); err != nil {
			return err
		}
	}
}
