package syslog

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"go.uber.org/zap/zapcore"
)

// writer is a destination. An error means that the line was not written and
// may be tried again.
type writer interface {
	write(line) error
	String() string // what it is, for those who are told that it fails
}

// target is a destination with its buffer.
type target struct {
	buffer
	writer writer
}

// run writes lines until ctx ends. When the destination begins to fail, failed
// is told why.
func (t *target) run(ctx context.Context, failed func(error)) {
	pause := Retry
	for {
		last := ctx.Err() != nil
		err := t.drain()
		ok := err == nil
		if !ok && pause == Retry {
			failed(err)
		}
		if last {
			return
		}
		var retry <-chan time.Time
		wake := t.wake
		if ok {
			pause = Retry
		} else {
			retry, wake = time.After(pause), nil
			pause = min(2*pause, LongestRetry)
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-retry:
		}
	}
}

// drain writes what is buffered, until something fails.
func (t *target) drain() error {
	for {
		lines, lost := t.take()
		if len(lines) == 0 {
			return nil
		}
		if lost > 0 {
			note := line{time: lines[0].time, level: zapcore.WarnLevel, message: fmt.Sprintf("log: %d lines lost", lost), suffix: lines[0].suffix}
			if err := t.writer.write(note); err != nil {
				t.putBack(lines, lost)
				return err
			}
		}
		if all, ok := t.writer.(together); ok {
			all.writeAll(lines)
			continue
		}
		for i := range lines {
			if err := t.writer.write(lines[i]); err != nil {
				t.putBack(lines[i:], 0)
				return err
			}
		}
	}
}

// together is a writer that takes any number of lines, as written even if they
// were not.
type together interface{ writeAll(lines []line) }

// console writes lines to a terminal, or to whatever reads standard error.
type console struct {
	w      io.Writer
	format Format
}

func (c *console) String() string { return "console" }

// write takes a line as written even if it was not: a console that is gone
// does not come back.
func (c *console) write(l line) error {
	c.writeAll([]line{l})
	return nil
}

// atOnce is what is written to the console in one go, in bytes: no more than a
// pipe takes without a line of somebody else's in between, PIPE_BUF of pipe(7).
const atOnce = 4096

// writeAll writes as many lines at once as fit: thousands of services that come
// or go say one each.
func (c *console) writeAll(lines []line) {
	var b []byte
	for i := range lines {
		text := c.format.form(lines[i])
		if len(b) > 0 && len(b)+len(text) > atOnce {
			_, _ = c.w.Write(b)
			b = b[:0]
		}
		b = append(b, text...)
	}
	_, _ = c.w.Write(b)
}

// local writes to the machine's syslog, in the form of glibc's syslog(3) with
// LOG_PID: <PRI>TIME IDENT[PID]: TEXT.
type local struct {
	path     string
	facility Facility
	pid      int
	conn     net.Conn
	stream   bool // a connection, whose messages end with a NUL
}

// patience is how long a full syslog is waited for.
const patience = 100 * time.Millisecond

func (s *local) String() string { return "syslog" }

func (s *local) write(l line) error {
	if s.conn == nil {
		if err := s.dial(); err != nil {
			return err
		}
		return s.send(l)
	}
	if s.send(l) == nil {
		return nil
	}
	if err := s.dial(); err != nil { // it was restarted
		return err
	}
	return s.send(l)
}

// dial waits for nobody: a syslog on this machine takes a connection at once, or
// not at all.
func (s *local) dial() (err error) {
	for _, network := range []string{"unixgram", "unix"} {
		if s.conn, err = net.Dial(network, s.path); err == nil {
			s.stream = network == "unix"
			return nil
		}
	}
	s.conn = nil
	return err
}

func (s *local) send(l line) error {
	end := ""
	if s.stream {
		end = "\x00"
	}
	pri := int(s.facility.code())<<3 | severity(l.level)
	message := fmt.Sprintf("<%d>%s %s[%d]: %s%s", pri, l.time.Format(time.Stamp), ident(l), s.pid, l.text(), end)
	err := s.conn.SetWriteDeadline(time.Now().Add(patience))
	if err == nil {
		_, err = io.WriteString(s.conn, message)
	}
	if err != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
	return err
}

// ident is the name of the keepalived process that would have written the
// line.
func ident(l line) string {
	if p := process(l.name); p != "keepalived" {
		return "Keepalived_" + p + l.suffix
	}
	return "Keepalived" + l.suffix
}
