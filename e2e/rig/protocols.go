package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A Session is one connection to a web server, on which a client asks again and
// again.
type Session struct {
	conn   net.Conn
	reader *bufio.Reader
	server netip.AddrPort
}

// Session opens a connection that stays until the test ends.
func (h *Host) Session(server netip.AddrPort) *Session {
	h.lab.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), answerTime)
	defer cancel()
	conn, err := h.dial(ctx, "tcp", server.String())
	if err != nil {
		h.lab.t.Fatalf("%s: connect to %s: %v", h.Name, server, err)
	}
	h.lab.t.Cleanup(func() { _ = conn.Close() })
	return &Session{conn, bufio.NewReader(conn), server}
}

// Close ends it.
func (s *Session) Close() { _ = s.conn.Close() }

// Get sends one request, waits for its answer for at most limit, and answers
// with the name of the host that answered.
func (s *Session) Get(limit time.Duration) (string, error) {
	if err := s.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(s.conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", s.server); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(s.reader, nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	name, err := io.ReadAll(response.Body)
	return string(name), err
}

// ServeUDP answers every datagram to an address of h with the host's name.
func (h *Host) ServeUDP(at netip.AddrPort) {
	h.lab.t.Helper()
	var conn net.PacketConn
	err := h.do(func() (err error) {
		conn, err = net.ListenPacket("udp", at.String())
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: listen on UDP %s: %v", h.Name, at, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		question := make([]byte, 1500)
		for {
			_, client, err := conn.ReadFrom(question)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo([]byte(h.Name), client)
		}
	}()
	h.lab.t.Cleanup(func() { _ = conn.Close(); <-done })
}

// AskUDP sends n datagrams from one socket, and counts who answers.
func (h *Host) AskUDP(server netip.AddrPort, question string, n int) (t Tally) {
	h.lab.t.Helper()
	var conn net.Conn
	err := h.do(func() (err error) {
		conn, err = net.Dial("udp", server.String())
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: dial UDP %s: %v", h.Name, server, err)
	}
	defer func() { _ = conn.Close() }()
	answer := make([]byte, 100)
	for range n {
		size := 0
		err := conn.SetDeadline(time.Now().Add(answerTime))
		if err == nil {
			_, err = conn.Write([]byte(question))
		}
		if err == nil {
			size, err = conn.Read(answer)
		}
		t.Add(string(answer[:size]), err)
	}
	return t
}

// ServeSCTP answers HTTP over SCTP, at an IPv4 address of h, with the host's name.
func (h *Host) ServeSCTP(at netip.AddrPort) {
	h.lab.t.Helper()
	var listener net.Listener
	err := h.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fd), "sctp")
		defer file.Close()
		if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}), unix.Listen(fd, 10)); err != nil {
			return err
		}
		listener, err = net.FileListener(file)
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: listen on SCTP %s: %v", h.Name, at, err)
	}
	w := &Web{Host: h, server: h.namer()}
	w.serving.Go(func() { _ = w.server.Serve(listener) }) // it always ends with an error
	h.lab.t.Cleanup(w.Stop)
}

// GetSCTP is [Host.Get] over SCTP and IPv4.
func (h *Host) GetSCTP(server netip.AddrPort) (string, error) {
	return get(server, func(context.Context, string, string) (conn net.Conn, err error) {
		err = h.do(func() error {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
			if err != nil {
				return err
			}
			file := os.NewFile(uintptr(fd), "sctp")
			defer file.Close()
			wait := unix.NsecToTimeval(int64(answerTime))
			if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
				return err
			}
			if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(server.Port()), Addr: server.Addr().As4()}); err != nil {
				return fmt.Errorf("connect by SCTP: %w", err)
			}
			conn, err = net.FileConn(file)
			return err
		})
		return conn, err
	})
}
