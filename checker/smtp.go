package checker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

var smtpPhrases = phrases{
	success:  "Remote SMTP server %s succeed on service.",
	failure:  "SMTP_CHECK %r",
	timeout:  "SMTP_CHECK %r",
	failed:   "SMTP_CHECK %r",
	retried:  "SMTP_CHECK %r",
	noSocket: "SMTP_CHECK connection failed to create socket. Rescheduling.",
	noBind:   "SMTP_CHECK socket bind failed. Rescheduling.",
}

// smtp is SMTP_CHECK, keepalived.conf(5): the server is up when it greets with
// 220, answers HELO with 250, and says anything to QUIT, RFC 5321 section 3.
// The connection and each of the three answers may take connect_timeout, so
// that the whole probe ends within four times that.
type smtp struct {
	dialer
	timeout time.Duration // of a step
	helo    string
}

func newSMTP(c config.Check) *smtp {
	return &smtp{newDialer(c), c.Timing.ConnectTimeout.Value, c.Params.(*config.SMTPParams).HeloName}
}

// Check goes through the dialogue.
func (s *smtp) Check(ctx context.Context) Result {
	conn, err := s.connectIn(ctx)
	if err != nil {
		return s.failure(err, "Connection timeout to", "Could not connect to")
	}
	defer func() { _ = conn.Close() }()
	t := traced(ctx)
	t.note("connect", "connected from %s", conn.LocalAddr())
	lines := bufio.NewReaderSize(conn, maxSMTPLine)
	for _, step := range []struct{ say, want, wrong string }{
		{"", "220", "Bad greeting banner from"},
		{"HELO " + s.helo + "\r\n", "250", "Bad HELO response from"},
		{"QUIT\r\n", "", ""},
	} {
		reply, err := s.step(ctx, conn, lines, step.say)
		if err != nil {
			return s.failure(err, "Read timeout from", "Read failure from")
		}
		t.note("reply", "%q%s", bytes.TrimSpace(reply), after(step.say))
		if !bytes.HasPrefix(reply, []byte(step.want)) {
			return Result{Reason: fmt.Sprintf("%s: %q", s.about(step.wrong), bytes.TrimSpace(reply))}
		}
	}
	return Result{Up: true}
}

// after is what a reply answers.
func after(said string) string {
	if said == "" {
		return ""
	}
	return " to " + strings.TrimSpace(said)
}

func (s *smtp) connectIn(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.dial(ctx, "tcp")
}

// failure is [failure] in keepalived's words.
func (s *smtp) failure(err error, timeout, other string) Result {
	r := failure(err, &smtpPhrases)
	switch {
	case r.Local != "":
	case errors.Is(err, unix.ENETUNREACH):
		r.Reason = fmt.Sprintf("Network unreachable for server %s - real server [%[1]s]:%d", s.target.Addr(), s.target.Port())
	case errors.Is(err, bufio.ErrBufferFull):
		r.Reason = s.about("Buffer overflow reading from")
	case r.Timeout:
		r.Reason = s.about(timeout)
	default:
		r.Reason = s.about(other) + ": " + r.Reason
	}
	return r
}

func (s *smtp) about(what string) string {
	return fmt.Sprintf("%s server [%s]:%d", what, s.target.Addr(), s.target.Port())
}

// maxSMTPLine is the longest line of a reply, RFC 5321 section 4.5.3.1.5, and
// maxSMTPLines how many of them one may have here.
const (
	maxSMTPLine  = 512
	maxSMTPLines = 100
)

// step says something, if there is anything to say, and gives the last line of
// the reply. All but the last have a hyphen behind their code, RFC 5321 section
// 4.2.1.
func (s *smtp) step(ctx context.Context, conn net.Conn, lines *bufio.Reader, say string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer endWith(ctx, conn)()
	if _, err := io.WriteString(conn, say); err != nil {
		return nil, err
	}
	for range maxSMTPLines {
		line, err := lines.ReadSlice('\n')
		if err != nil || len(line) < 4 || line[3] != '-' {
			return line, err
		}
	}
	return nil, bufio.ErrBufferFull
}
