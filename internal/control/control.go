// Package control is how lvsd's own subcommands talk to a running lvsd: one
// question and one answer, each a line of JSON, over a Unix socket beside the
// pid file. Signals have no answer, and a reload has an outcome.
//
//	lvsd reload                       lvsd -f FILE
//	  Ask --- {"command":...} --->  Server.Run: one goroutine for each Call
//	      <-- {"status":0,...} ---    \-- Server.Calls --> the supervisor: Answer
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Commands.
const (
	Reload  = "reload"  // read the configuration again, as SIGHUP does
	Plan    = "plan"    // tell what a reload would do
	Upgrade = "upgrade" // let another program take the daemon's place
)

// Request is a question.
type Request struct {
	Command string `json:"command"`
	File    string `json:"file,omitempty"`   // of Plan: an absolute path; empty: the daemon's own
	Binary  string `json:"binary,omitempty"` // of Upgrade: an absolute path; empty: where the daemon's own was
}

// Answer is what came of it.
type Answer struct {
	Status int    `json:"status"` // the exit status of whoever asked
	Text   string `json:"text"`   // for people
}

// Call is a question that waits for its answer.
type Call struct {
	Request
	answer chan Answer
	conn   *net.UnixConn
}

// Answer answers, once.
func (c *Call) Answer(a Answer) { c.answer <- a }

// Connection is a copy of the connection, for a successor that is to [Reply].
func (c *Call) Connection() (*os.File, error) { return c.conn.File() }

// Reply answers a question that a predecessor was asked.
func Reply(conn net.Conn, a Answer) error {
	return errors.Join(json.NewEncoder(conn).Encode(a), conn.Close())
}

// Server answers at a socket.
type Server struct {
	listener *net.UnixListener
	calls    chan *Call
}

// limit bounds a question, and the time that one may take to be asked.
const (
	limit   = 64 << 10
	askTime = 10 * time.Second
	// acceptAgain is the pause after a question that could not be taken.
	acceptAgain = 100 * time.Millisecond
)

// New makes a server without a socket.
func New() *Server { return &Server{calls: make(chan *Call)} }

// Listen makes the socket. One that a crash left there is replaced: who holds
// the pid file is alone.
func (s *Server) Listen(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the control socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return fmt.Errorf("make the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, l.Close())
	}
	s.listener = l
	return nil
}

// Adopt goes on at a socket that a predecessor has made at a path, by its
// descriptor; ok is false when it is not there any more.
func (s *Server) Adopt(fd int, path string) (ok bool) {
	f := os.NewFile(uintptr(fd), path)
	if f == nil {
		return false
	}
	defer f.Close() // the listener has its own
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSocket == 0 {
		return false
	}
	l, err := net.FileListener(f)
	if err != nil {
		return false
	}
	listener, ok := l.(*net.UnixListener)
	if !ok {
		_ = l.Close() // nobody has asked there
		return false
	}
	listener.SetUnlinkOnClose(true)
	s.listener = listener
	return true
}

// Socket is a copy of the socket, for a successor.
func (s *Server) Socket() (*os.File, error) {
	if s.listener == nil {
		return nil, errors.New("there is no control socket")
	}
	return s.listener.File()
}

// Calls are the questions; each wants an Answer.
func (s *Server) Calls() <-chan *Call { return s.calls }

// Run takes questions at the socket of [Server.Listen] until ctx ends, and
// removes the socket.
func (s *Server) Run(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	stop := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer stop()
	for {
		conn, err := s.listener.AcceptUnix()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil { // no descriptor is left, as a rule: no reason to end a director
			time.Sleep(acceptAgain)
			continue
		}
		asking.Go(func() { s.serve(ctx, conn) })
	}
}

func (s *Server) serve(ctx context.Context, conn *net.UnixConn) {
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if !ours(conn) {
		return
	}
	_ = conn.SetReadDeadline(time.Now().Add(askTime)) // it cannot fail on a socket that is open
	c := &Call{answer: make(chan Answer, 1), conn: conn}
	if json.NewDecoder(io.LimitReader(conn, limit)).Decode(&c.Request) != nil {
		return
	}
	select {
	case s.calls <- c:
	case <-ctx.Done():
		return
	}
	select {
	case a := <-c.answer:
		_ = json.NewEncoder(conn).Encode(a) // who has gone does not read it
	case <-ctx.Done():
	}
}

// ours reports that the peer is root or who runs this daemon: the mode of the
// socket may have been changed.
func ours(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		ok = err == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
	})
	return err == nil && ok
}

// ErrNotRunning is the error of [Ask] when nobody listens.
var ErrNotRunning = errors.New("no lvsd is running here")

// Ask asks the lvsd that listens at a socket and waits for its answer.
func Ask(ctx context.Context, path string, r Request) (Answer, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ECONNREFUSED) {
		return Answer{}, fmt.Errorf("%w: %w", ErrNotRunning, err)
	}
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := json.NewEncoder(conn).Encode(r); err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", path, err)
	}
	var a Answer
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Answer{}, fmt.Errorf("wait for the answer of %s: %w", path, err)
	}
	return a, nil
}
