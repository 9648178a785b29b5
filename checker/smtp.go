package checker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	t := &smtpTalk{smtp: s, trace: traced(ctx)}
	j := s.journey(t)
	return s.judge(t, j.walk(ctx))
}

// start is Check on a poller.
func (s *smtp) start(p *poller, done func(Result)) *flight {
	t := &smtpTalk{smtp: s}
	return p.travel(s.journey(t), func(err error) Result { return s.judge(t, err) }, done)
}

func (s *smtp) journey(t *smtpTalk) journey {
	return journey{dialer: s.dialer, network: "tcp", step: s.timeout, total: smtpSteps * s.timeout, talk: t}
}

// smtpSteps are the connection and the answers.
const smtpSteps = 1 + 3

func (s *smtp) judge(t *smtpTalk, err error) Result {
	switch {
	case err != nil && !t.connected:
		return s.failure(err, "Connection timeout to", "Could not connect to")
	case err != nil:
		return s.failure(err, "Read timeout from", "Read failure from")
	case t.wrong != "":
		return Result{Reason: t.wrong}
	}
	return Result{Up: true}
}

// failure is [failure] in keepalived's words.
func (s *smtp) failure(err error, timeout, other string) Result {
	r := failure(err, &smtpPhrases)
	switch {
	case r.Local != "":
	case errors.Is(err, unix.ENETUNREACH):
		r.Reason = fmt.Sprintf("Network unreachable for server %s - real server [%[1]s]:%d", s.target.Addr(), s.target.Port())
	case errors.Is(err, errSMTPTooLong):
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

var errSMTPTooLong = errors.New("a reply is too long")

// smtpTalk is the dialogue, as far as it has come.
type smtpTalk struct {
	*smtp
	connected bool
	step      int    // which reply is awaited
	line      []byte // the beginning of its next line
	lines     int    // of it, before this one
	wrong     string // what is wrong with a reply
	trace     *trace
}

func (t *smtpTalk) begin() []byte {
	t.connected = true
	return nil // the server begins
}

func (t *smtpTalk) hear(b []byte, end error) (say []byte, over bool, err error) {
	if end != nil {
		return nil, true, end
	}
	for len(b) > 0 {
		piece, rest, whole := bytes.Cut(b, []byte("\n"))
		b = rest
		if len(t.line)+len(piece) >= maxSMTPLine || t.lines == maxSMTPLines {
			return nil, true, errSMTPTooLong
		}
		if t.line = append(t.line, piece...); !whole {
			break
		}
		line := t.line
		t.line = t.line[:0]
		if t.lines++; len(line) > 3 && line[3] == '-' {
			continue // all but the last have a hyphen behind their code, RFC 5321 section 4.2.1
		}
		next, over := t.reply(bytes.TrimSpace(line))
		if say = append(say, next...); over {
			return nil, true, nil
		}
	}
	return say, false, nil
}

// reply takes the last line of one.
func (t *smtpTalk) reply(line []byte) (say string, over bool) {
	steps := [...]struct{ want, wrong, say string }{
		{"220", "Bad greeting banner from", "HELO " + t.helo + "\r\n"},
		{"250", "Bad HELO response from", "QUIT\r\n"},
		{},
	}
	now := steps[t.step]
	t.trace.note("reply", "heard %q", line)
	if !bytes.HasPrefix(line, []byte(now.want)) {
		t.wrong = fmt.Sprintf("%s: %q", t.about(now.wrong), line)
		return "", true
	}
	t.step, t.lines = t.step+1, 0
	if now.say != "" {
		t.trace.note("request", "sent %s", strings.TrimSpace(now.say))
	}
	return now.say, t.step == len(steps)
}
