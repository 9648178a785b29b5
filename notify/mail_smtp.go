package notify

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail/smtp"

	"github.com/lvsd/lvsd/config"
)

// trouble is why a mail has not left, in keepalived's words.
type trouble struct {
	text    string
	cause   error
	server  bool // it would be the same with any mail
	lasting bool // it would be the same another time
}

// session is a connection to the mail server that is ready to take mails.
type session struct {
	client *smtp.Client
	cfg    *config.Global
	from   address
	to     []address
	server string // in the log
	tls    *tls.Config
	leave  func() // forgets the context
}

// connect opens a session: the name is looked up now. The look-up and the
// connection together, and then each command, have smtp_connect_timeout.
func (m *Mailer) connect(ctx context.Context, cfg *config.Global) (*session, *trouble) {
	host, port := cfg.MailServer()
	from := cmp.Or(cfg.NotificationEmailFrom, m.o.User+"@"+m.o.Host)
	s := &session{cfg: cfg, from: parseAddress(from), server: fmt.Sprintf("[%s]:%s", host, port)}
	s.tls = &tls.Config{ServerName: host, RootCAs: m.o.roots}
	for _, to := range cfg.NotificationEmail {
		s.to = append(s.to, parseAddress(to))
	}
	dialer := net.Dialer{Timeout: cfg.SMTPConnectTimeout}
	plain, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, s.unreachable(err)
	}
	m.o.Log.Debug("Remote SMTP server " + s.server + " connected.")
	var conn net.Conn = &pacedConn{Conn: plain, limit: cfg.SMTPConnectTimeout, left: maxReply}
	forget := context.AfterFunc(ctx, func() { _ = plain.Close() }) // whoever reads sees it
	s.leave = func() { forget() }
	if cfg.SMTPTLS == config.ImplicitTLS {
		conn = tls.Client(conn, s.tls)
	}
	_ = conn.SetDeadline(time.Now().Add(cfg.SMTPConnectTimeout)) // a dead one fails at the next step
	if failed := s.greet(conn, host, cmp.Or(cfg.SMTPHeloName, m.o.Host, "localhost")); failed != nil {
		s.leave()
		_ = plain.Close()
		return nil, failed
	}
	return s, nil
}

// greet goes as far as the server takes mails.
func (s *session) greet(conn net.Conn, host, name string) *trouble {
	var err error
	if s.client, err = smtp.NewClient(conn, host); err != nil {
		return s.failed("(E)SMTP", err, true)
	}
	if err := s.client.Hello(name); err != nil {
		return s.failed("HELO", err, true)
	}
	if s.cfg.SMTPTLS == config.StartTLS {
		if err := s.client.StartTLS(s.tls); err != nil {
			return s.failed("STARTTLS", err, true)
		}
	}
	if s.cfg.SMTPAuth.User != "" {
		if err := s.authenticate(host); err != nil {
			return s.failed("AUTH", err, true)
		}
	}
	// A relay that does not know SMTPUTF8 must not bounce what needs none.
	s.client.SkipSMTPUTF8(!s.beyondASCII())
	return nil
}

func (s *session) authenticate(host string) error {
	file, err := os.Open(s.cfg.SMTPAuth.PasswordFile)
	if err != nil {
		return fmt.Errorf("password of smtp_auth: %w", err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	if !lines.Scan() {
		return fmt.Errorf("password of smtp_auth: nothing in %s", file.Name())
	}
	user, password := s.cfg.SMTPAuth.User, lines.Text()
	_, offered := s.client.Extension("AUTH")
	for _, mechanism := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"PLAIN", smtp.PlainAuth("", user, password, host, false)},
		{"LOGIN", smtp.LoginAuth(user, password, host, false)},
		{"CRAM-MD5", smtp.CRAMMD5Auth(user, password)},
	} {
		for _, word := range strings.Fields(offered) {
			if strings.EqualFold(word, mechanism.name) {
				return s.client.Auth(mechanism.auth)
			}
		}
	}
	return fmt.Errorf("the server offers none of the ways to authenticate that lvsd knows: %q", offered)
}

func (s *session) beyondASCII() bool {
	return slices.ContainsFunc(append(s.to, s.from), func(a address) bool {
		return strings.ContainsFunc(a.envelope, func(r rune) bool { return r > unicode.MaxASCII })
	})
}

// send is one mail to all that have not got it. Some may be refused while the
// others get it.
func (s *session) send(l *letter) *trouble {
	to := s.to
	if l.left != nil {
		to = slices.DeleteFunc(slices.Clone(to), func(a address) bool { return !slices.Contains(l.left, a.envelope) })
	}
	if len(to) == 0 {
		return nil // the new configuration does not name who is left
	}
	if err := s.client.Mail("<" + s.from.envelope + ">"); err != nil {
		return s.failed("MAIL", err, false)
	}
	var refused *trouble
	var later []string
	taken := false
	for _, a := range to {
		err := s.client.Rcpt("<" + a.envelope + ">")
		if err == nil {
			taken = true
			continue
		}
		failed := s.failed("RCPT", err, false)
		if failed.server {
			return failed
		}
		failed.text += ", recipient " + a.envelope
		if !failed.lasting {
			later = append(later, a.envelope)
		}
		if refused == nil || refused.lasting && !failed.lasting {
			refused = failed
		}
	}
	if taken {
		if failed := s.write(l); failed != nil {
			return failed
		}
	}
	l.left = later
	return refused
}

func (s *session) write(l *letter) *trouble {
	w, err := s.client.Data()
	if err != nil {
		return s.failed("DATA", err, false)
	}
	if _, err = w.Write(s.message(l)); err == nil {
		err = w.Close()
	}
	if err != nil {
		return s.failed("BODY", err, false)
	}
	return nil
}

// reset ends a mail that was not taken.
func (s *session) reset() error { return s.client.Reset() }

// close says good-bye; it waits for the answer, since some servers drop mails
// of a client that does not.
func (s *session) close() {
	_ = s.client.Quit() // the mails are taken, whatever it says
	s.leave()
	_ = s.client.Close()
}

func (s *session) unreachable(err error) *trouble {
	text := "SMTP connection ERROR to " + s.server + "."
	if timeout(err) {
		text = "Timeout connecting SMTP server " + s.server + "."
	}
	return &trouble{text: text, cause: err, server: true}
}

// failed says why a command has not done its work. A server that gives no
// answer, or that says that it goes (RFC 5321, section 3.8), is in trouble as a
// whole.
func (s *session) failed(command string, err error, server bool) *trouble {
	t := &trouble{cause: err, server: true}
	var reply *textproto.Error
	switch {
	case errors.As(err, &reply):
		t.text = fmt.Sprintf("Error processing %s cmd on SMTP server %s. SMTP status code = %d", command, s.server, reply.Code)
		const closing, permanent = 421, 500
		t.server = server || reply.Code == closing
		t.lasting = !t.server && reply.Code >= permanent
	case errors.Is(err, errTooMuch):
		t.text = fmt.Sprintf("Received buffer from remote SMTP server %s overflow our get read buffer length.", s.server)
	case timeout(err):
		t.text = fmt.Sprintf("Timeout reading data to remote SMTP server %s.", s.server)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		t.text = fmt.Sprintf("Remote SMTP server %s has closed the connection.", s.server)
	case errors.As(err, new(*net.OpError)), errors.As(err, new(textproto.ProtocolError)):
		t.text = fmt.Sprintf("Error reading data from remote SMTP server %s.", s.server)
	default: // the certificate, the password
		t.text = fmt.Sprintf("SMTP connection ERROR to %s.", s.server)
	}
	return t
}

func timeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// maxReply is how much a server may say to one command, certificates included.
const maxReply = 1 << 17

var errTooMuch = errors.New("the server says too much")

// pacedConn gives each command and its reply a time limit of their own, and
// bounds what the server says.
type pacedConn struct {
	net.Conn
	limit time.Duration
	left  int
}

func (c *pacedConn) Write(p []byte) (int, error) {
	_ = c.SetDeadline(time.Now().Add(c.limit)) // a dead one fails below
	c.left = maxReply
	return c.Conn.Write(p)
}

func (c *pacedConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooMuch
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
