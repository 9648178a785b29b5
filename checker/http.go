package checker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/pcre"
)

var httpPhrases = phrases{
	success:  "Remote Web server %s succeed on service.",
	failure:  "Connection failed server %s.",
	timeout:  "Timeout connecting server %s.",
	failed:   "HTTP_CHECK on service %s failed.",
	retried:  "HTTP_CHECK on service %s failed after %n retries.",
	noSocket: "WEB connection fail to create socket. Rescheduling.",
	noBind:   "WEB socket bind failed. Rescheduling",
}

// Sentences for what may happen to a request.
const (
	saysUnreachable = "HTTP_CHECK - network unreachable server %s."
	saysHandshake   = "SSL handshake/communication error connecting to server %s."
	saysNotSent     = "Cannot send get request to server %s."
	saysNoAnswer    = "Timeout WEB read server %s."
	saysSlow        = "Timeout HTTP read server %s."
	saysSlowTLS     = "Timeout SSL read server %s."
	saysReadError   = "Read error with server %s."
	saysTLSError    = "SSL read error from server %s."
	saysNoData      = "Read, no data received from  server %s."
	saysStatus      = "HTTP status code error to server %s."
	saysDigest      = "MD5 digest error to server %s."
	saysRegex       = "Regex match failed server %s."
)

// httpSteps is how many times connect_timeout a whole probe may take: to
// connect, to shake hands, until the answer begins, and until it has ended. No
// single wait may be longer than connect_timeout.
const httpSteps = 4

// httpGet is a URL of HTTP_GET or SSL_GET, keepalived.conf(5): the server is up
// when it answers with one of the status codes and with the right body.
// Redirections are not followed, and a body is compared as it is sent: neither
// chunks nor compression are undone.
type httpGet struct {
	dialer
	timeout time.Duration
	url     *config.URL
	version config.HTTPProtocol
	host    string       // Host
	want    expectations // of the answer
	tls     *tlsClient   // nil: in the clear
}

// newHTTP makes the recipe of HTTP_GET or SSL_GET, a probe for each URL.
func newHTTP(c config.Check, known patterns) (recipe, error) {
	p := c.Params.(*config.HTTPParams)
	how := recipe{says: &httpPhrases, fastRecovery: p.FastRecovery}
	for i := range p.URLs {
		h, err := newHTTPGet(c, p, &p.URLs[i], known)
		switch {
		case err != nil:
			return recipe{}, err
		case h.tls == nil && h.version != config.HTTP2:
			how.probes = append(how.probes, plainGet{h})
		default:
			how.probes = append(how.probes, h)
		}
	}
	return how, nil
}

func newHTTPGet(c config.Check, p *config.HTTPParams, u *config.URL, known patterns) (*httpGet, error) {
	h := &httpGet{
		dialer: newDialer(c), timeout: c.Timing.ConnectTimeout.Value, url: u, version: p.HTTPProtocol,
		host: cmp.Or(u.VirtualHost, p.VirtualHost, p.Inherited.Host, c.Target().String()),
		want: expectations{codes: u.StatusCodes, digest: u.Digest, limits: u.Regex},
	}
	if h.want.codes == nil {
		h.want.codes = config.DefaultStatusCodes()
	}
	if u.Regex != nil {
		var err error
		if h.want.regex, err = known.compile(u.Regex); err != nil {
			return nil, fmt.Errorf("invalid regex: '%s': %w", u.Regex.Pattern, err)
		}
	}
	if c.Kind == config.SSLGet {
		h.tls = newTLSClient(p, u, h.host)
	}
	return h, nil
}

// patterns are regular expressions that are ready to match: thousands of
// checks have the same one.
type patterns map[string]*pcre.Regexp

func (p patterns) compile(r *config.Regex) (*pcre.Regexp, error) {
	key := fmt.Sprintf("%q %q", r.Pattern, r.Options)
	if p[key] != nil {
		return p[key], nil
	}
	ready, err := pcre.Compile(r.Pattern, r.Options)
	if err == nil {
		p[key] = ready
	}
	return ready, err
}

// Check sends the request and looks at the answer.
func (h *httpGet) Check(ctx context.Context) Result {
	a := answer{text: h.want.collector()}
	if err := h.fetch(ctx, &a); err != nil {
		return httpFailure(err)
	}
	return h.judge(&a, traced(ctx))
}

// fetch gets the answer.
func (h *httpGet) fetch(ctx context.Context, a *answer) error {
	ctx, cancel := context.WithTimeout(ctx, httpSteps*h.timeout)
	defer cancel()
	raw, err := h.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }() // without close_notify, as keepalived
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	if err := h.exchange(ctx, raw, a); err != nil {
		return h.during(ctx.Err() != nil, err)
	}
	return nil
}

// connect connects. Each read and each write on the connection is to end within
// connect_timeout, too.
func (h *httpGet) connect(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	conn, err := h.dial(ctx, "tcp")
	switch {
	case errors.Is(err, unix.ENETUNREACH):
		return nil, &httpError{saysUnreachable, err}
	case err != nil:
		return nil, err
	}
	traced(ctx).note("connect", "connected from %s", conn.LocalAddr())
	return &pacedConn{Conn: conn, pace: h.timeout}, nil
}

// exchange gets an answer over a connection.
func (h *httpGet) exchange(ctx context.Context, conn net.Conn, a *answer) error {
	if h.tls != nil {
		secure, err := h.handshake(ctx, conn)
		if err != nil {
			return err
		}
		if t := traced(ctx); t != nil {
			t.note("tls", "%s", secured(secure.ConnectionState()))
		}
		if h.tls.compliant {
			defer func() { _ = secure.CloseWrite() }()
		}
		conn = secure
	}
	if h.version == config.HTTP2 {
		return h.getHTTP2(ctx, conn, a)
	}
	return h.get(conn, a, traced(ctx))
}

func (h *httpGet) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	return h.tls.handshake(ctx, conn, h.version == config.HTTP2)
}

// get is a request of HTTP/1 and its answer.
func (h *httpGet) get(conn net.Conn, a *answer, t *trace) error {
	if _, err := conn.Write(httpRequest(h.version, h.url.Path, h.host)); err != nil {
		return &httpError{saysNotSent, err}
	}
	t.note("request", "sent GET %s, HTTP/%s, Host: %s", h.url.Path, h.version, h.host)
	if t == nil {
		return a.readHTTP1(conn)
	}
	err := a.readHTTP1(&firstRead{Reader: conn, came: func(n int) { t.note("first", "the answer begins, %d octets at once", n) }})
	if a.inBody {
		t.note("body", "the body is over: %s", a.size())
	}
	return err
}

// httpRequest is what keepalived sends, octet for octet.
func httpRequest(version config.HTTPProtocol, path, host string) []byte {
	how := " HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: "
	switch version {
	case config.HTTP11:
		how = " HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: "
	case config.HTTP10C:
		how = " HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: "
	}
	const get, end = "GET ", "\r\n\r\n"
	b := make([]byte, 0, len(get)+len(path)+len(how)+len(host)+len(end))
	b = append(append(append(b, get...), path...), how...)
	return append(append(b, host...), end...)
}

// judge compares an answer with what it should be.
func (h *httpGet) judge(a *answer, t *trace) Result {
	says, err := h.want.compare(a, t)
	if err != nil {
		return httpFailure(err)
	}
	r := Result{Up: true, Said: says, Path: h.url.Path}
	if a.length >= 0 && a.received != a.length {
		r.Remark = fmt.Sprintf("http_check for RS %%s VS %%v url %%p: content_length (%d) does not match received bytes (%d)", a.length, a.received)
	}
	return r
}

// during gives an error of an exchange its sentence. One that is over is ended
// by the deadline of the whole probe.
func (h *httpGet) during(over bool, err error) error {
	var known *httpError
	var timeout net.Error
	var call *os.SyscallError
	says := saysReadError
	switch late := over || errors.As(err, &timeout) && timeout.Timeout(); {
	case errors.As(err, &known):
		return err
	case errors.As(err, &call) && call.Syscall == "write" && h.tls == nil:
		says = saysNotSent
	case late && h.tls != nil:
		says = saysSlowTLS
	case late && errors.Is(err, errBegun):
		says = saysSlow
	case late:
		says = saysNoAnswer
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // of HTTP/2
		says, err = saysNoData, errNoHeader
	case h.tls != nil:
		says = saysTLSError
	}
	if over {
		err = fmt.Errorf("no answer within %v: %w", httpSteps*h.timeout, context.DeadlineExceeded)
	}
	return &httpError{says, err}
}

// httpError is an error with keepalived's sentence for it.
type httpError struct {
	says string
	err  error
}

func (e *httpError) Error() string { return e.err.Error() }

func (e *httpError) Unwrap() error { return e.err }

func httpFailure(err error) Result {
	r := failure(err, &httpPhrases)
	var known *httpError
	if errors.As(err, &known) {
		r.Said, r.Local = known.says, ""
	}
	return r
}

// firstRead tells when something comes for the first time.
type firstRead struct {
	io.Reader
	came func(n int)
}

func (r *firstRead) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 && r.came != nil {
		r.came(n)
		r.came = nil
	}
	return n, err
}

// pacedConn has a deadline for each read and each write.
type pacedConn struct {
	net.Conn
	pace time.Duration
}

func (c *pacedConn) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.pace)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

func (c *pacedConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.pace)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
