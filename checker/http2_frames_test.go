package checker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

// readConn is a connection that something comes from.
type readConn struct {
	net.Conn
	io.Reader
}

func (c readConn) Read(b []byte) (int, error) { return c.Reader.Read(b) }

// frame is one of HTTP/2 on its first stream.
func frame(kind byte, carries string) string {
	n := len(carries)
	return string([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, 0, 0, 0, 0, 1}) + carries
}

// What a client would ignore is left out, and what it cannot read is its affair.
func TestFrames(t *testing.T) {
	data, settings, ping, origin := frame(0, "hello"), frame(4, ""), frame(6, "12345678"), frame(12, "www.example")
	long, empty := frame(0xff, strings.Repeat("x", longestFrame+1)), frame(0xff, "")
	for _, tc := range []struct {
		come, want string
		end        error
	}{
		{settings + data, settings + data, nil},
		{origin + settings + origin + empty + empty + data + origin, settings + data, nil},
		{strings.Repeat(ping, maxPieces), strings.Repeat(ping, maxPieces), nil},
		{strings.Repeat(ping, maxPieces+1), strings.Repeat(ping, maxPieces), errPieces},
		{strings.Repeat(origin, maxPieces+1), "", errPieces},
		{long, long, nil},
		{data[:4], "", io.ErrUnexpectedEOF},
		{data[:11], data[:11], nil},
	} {
		for _, from := range []io.Reader{strings.NewReader(tc.come), iotest.OneByteReader(strings.NewReader(tc.come))} {
			got, err := io.ReadAll(newFramesConn(readConn{Reader: from}))
			if string(got) != tc.want || !errors.Is(err, tc.end) {
				t.Errorf("of %d octets come %d, %v; want %d, %v", len(tc.come), len(got), err, len(tc.want), tc.end)
			}
		}
	}
}

// An answer of HTTP/1 may come in many pieces, and in more the longer it is.
func TestPieces(t *testing.T) {
	for _, tc := range []struct {
		octets, pieces int
		end            error
	}{
		{1, maxPieces + maxPieces/(pieceOctets-1), errPieces},
		{pieceOctets, maxHTTPBody / pieceOctets, errBodyTooLong},
	} {
		a := answer{text: new(collector), inBody: true, length: -1}
		n := -1
		var err error
		for b := bytes.Repeat([]byte("x"), tc.octets); err == nil; n++ {
			_, err = a.take(b)
		}
		if n != tc.pieces || !errors.Is(err, tc.end) {
			t.Errorf("%d pieces of %d octets, %v; want %d, %v", n, tc.octets, err, tc.pieces, tc.end)
		}
	}
}
