package syslog

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap/zapcore"
)

// writer is a destination. An error means that the line was not written and
// may be tried again.
type writer interface{ write(line) error }

// target is a destination with its buffer.
type target struct {
	buffer
	writer writer
}

func (t *target) run(ctx context.Context) {
	pause := Retry
	for {
		last := ctx.Err() != nil
		ok := t.drain()
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
func (t *target) drain() (ok bool) {
	for {
		lines, lost := t.take()
		if len(lines) == 0 {
			return true
		}
		if lost > 0 {
			note := line{time: lines[0].time, level: zapcore.WarnLevel, text: fmt.Sprintf("log: %d lines lost", lost)}
			if t.writer.write(note) != nil {
				t.putBack(lines, lost)
				return false
			}
		}
		for i := range lines {
			if t.writer.write(lines[i]) != nil {
				t.putBack(lines[i:], 0)
				return false
			}
		}
	}
}

// console writes lines in keepalived's form: ctime(3), a colon, the text.
type console struct{ w io.Writer }

// write takes a line as written even if it was not: a console that is gone
// does not come back.
func (c *console) write(l line) error {
	_, _ = io.WriteString(c.w, l.time.Format(time.ANSIC)+": "+l.text+"\n")
	return nil
}

// local writes to the machine's syslog, in the form of glibc's syslog(3) with
// LOG_PID: <PRI>TIME IDENT[PID]: TEXT.
type local struct {
	path     string
	facility Facility
	pid      int
	suffix   *atomic.Pointer[string] // of idents
	conn     net.Conn
	stream   bool // a connection, whose messages end with a NUL
}

// patience is how long a full syslog is waited for.
const patience = 100 * time.Millisecond

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

func (s *local) dial() (err error) {
	for _, network := range []string{"unixgram", "unix"} {
		if s.conn, err = net.DialTimeout(network, s.path, patience); err == nil {
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
	message := fmt.Sprintf("<%d>%s %s[%d]: %s%s", pri, l.time.Format(time.Stamp), ident(l.name)+*s.suffix.Load(), s.pid, l.text, end)
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
func ident(logger string) string {
	part, _, _ := strings.Cut(logger, ".")
	switch part {
	case "vrrp", "bfd":
		return "Keepalived_" + part
	case "checker", "healthcheckers":
		return "Keepalived_healthcheckers"
	}
	return "Keepalived"
}

// severity is the syslog severity, RFC 5424 section 6.2.1. Details (-D) are of
// severity info, as keepalived's.
func severity(l zapcore.Level) int {
	switch {
	case l <= zapcore.InfoLevel:
		return 6
	case l == zapcore.WarnLevel:
		return 4
	case l == zapcore.ErrorLevel:
		return 3
	}
	return 2
}
