// Package smtptest is a mail server for tests, which answers as a script says.
package smtptest

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Server is a mail server on loopback. What it is told counts when it is
// started.
type Server struct {
	// Answer gives the answer to a command of a connection, which are counted
	// from 1: CONNECT is their beginning and BODY the end of a mail. An empty
	// answer closes the connection, a [Mute] one is never given. Without an
	// answer of its own the server takes everything. May be nil.
	Answer   func(conn int, command string) (answer string, own bool)
	TLS      *tls.Config // for STARTTLS; nil: none
	Implicit bool        // TLS from the beginning

	listener net.Listener
	mu       sync.Mutex
	said     []string
	conns    []net.Conn
	wait     sync.WaitGroup
}

// Mute is an answer that a client waits for in vain.
const Mute = " "

// On answers the commands that begin so with the answers in turn, and all
// others as usual.
func On(command string, answers ...string) func(int, string) (string, bool) {
	return func(_ int, said string) (string, bool) {
		if len(answers) == 0 || !strings.HasPrefix(said, command) {
			return "", false
		}
		own := answers[0]
		answers = answers[1:]
		return own, true
	}
}

// Start makes the server listen until the test ends.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	var err error
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s.wait.Go(s.accept)
	t.Cleanup(s.close)
}

func (s *Server) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	for _, c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wait.Wait()
}

// Addr is what smtp_server takes.
func (s *Server) Addr() string { return strings.Replace(s.listener.Addr().String(), ":", " ", 1) }

func (s *Server) accept() {
	for n := 1; ; n++ {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		s.wait.Go(func() {
			defer func() { _ = conn.Close() }()
			if s.Implicit {
				conn = tls.Server(conn, s.TLS)
			}
			s.serve(n, conn)
		})
	}
}

func (s *Server) note(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, line)
}

func (s *Server) serve(n int, conn net.Conn) {
	in := bufio.NewReader(conn)
	if !s.reply(n, conn, "CONNECT", "220 mail.example.org") {
		return
	}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSuffix(line, "\r\n")
		s.note(line)
		preset := "250 fine"
		switch verb, _, _ := strings.Cut(line, " "); verb {
		case "EHLO":
			preset = "250-mail.example.org\r\n250-SIZE 1000000\r\n250 8BITMIME"
		case "DATA":
			preset = "354 go on"
		case "STARTTLS":
			preset = "220 go ahead"
		case "QUIT":
			preset = "221 bye"
		}
		if !s.reply(n, conn, line, preset) {
			return
		}
		switch {
		case line == "STARTTLS" && s.TLS != nil:
			conn = tls.Server(conn, s.TLS)
			in = bufio.NewReader(conn)
		case line == "DATA" && !s.body(n, conn, in):
			return
		}
	}
}

// body takes a mail as it is on the wire.
func (s *Server) body(n int, conn net.Conn, in *bufio.Reader) bool {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			s.note(text.String())
			return s.reply(n, conn, "BODY", "250 taken")
		}
		text.WriteString(line)
	}
}

func (s *Server) reply(n int, conn net.Conn, command, preset string) bool {
	if s.Answer != nil {
		s.mu.Lock()
		if own, ok := s.Answer(n, command); ok {
			preset = own
			if strings.HasPrefix(own, "4") || strings.HasPrefix(own, "5") {
				s.said = append(s.said, "<-- "+own)
			}
		}
		s.mu.Unlock()
	}
	switch preset {
	case "":
		return false
	case Mute: // until the client gives up
		_, _ = io.Copy(io.Discard, conn)
		return false
	}
	_, err := fmt.Fprint(conn, preset+"\r\n")
	return err == nil
}

// Said is what clients have said so far, a line each, a mail in one piece as it
// came, and answers that refuse, behind an arrow.
func (s *Server) Said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.said, "\n")
}

// Mails are those that came, whether or not they were taken.
func (s *Server) Mails() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.said {
		if strings.HasPrefix(line, "Date: ") {
			all = append(all, line)
		}
	}
	return all
}

// Connections is how many there were.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
