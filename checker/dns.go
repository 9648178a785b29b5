package checker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

var dnsPhrases = phrases{
	failure:  "DNS_CHECK (%s) %r",
	timeout:  "DNS_CHECK (%s) %r",
	failed:   "DNS_CHECK (%s) %r",
	retried:  "DNS_CHECK (%s) %r after %n retries",
	noSocket: "DNS_CHECK (%s) failed to create socket. Rescheduling.",
	noBind:   "DNS_CHECK (%s) UDP socket bind failed. Rescheduling.",
}

// dnsQuery is DNS_CHECK, keepalived.conf(5): the server is up when it answers
// the question over UDP, RFC 1035 section 4, with the response code NOERROR
// within connect_timeout. What the answer is does not matter.
type dnsQuery struct {
	dialer
	timeout time.Duration // of the whole probe
	query   []byte        // the message, with an identifier of 0
	invalid error         // why there is no query
}

func newDNS(c config.Check) *dnsQuery {
	p := c.Params.(*config.DNSParams)
	q := &dnsQuery{dialer: newDialer(c), timeout: c.Timing.ConnectTimeout.Value}
	var m dns.Msg
	m.SetQuestion(dns.Fqdn(p.Name), dns.StringToType[p.Type]) // recursion is desired
	m.Id = 0
	q.query, q.invalid = m.Pack()
	return q
}

// Check asks once and waits for the answer to its own question.
func (q *dnsQuery) Check(ctx context.Context) Result {
	if q.invalid != nil {
		return Result{Reason: q.invalid.Error()}
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	conn, err := q.dial(ctx, "udp")
	if err != nil {
		return q.failure(err)
	}
	defer func() { _ = conn.Close() }()
	defer endWith(ctx, conn)()
	t := traced(ctx)
	t.note("request", "asking from %s", conn.LocalAddr())
	code, err := ask(conn, q.query)
	if err == nil {
		t.note("reply", "the answer says %s", dns.RcodeToString[code])
	}
	switch {
	case err != nil:
		return q.failure(err)
	case code != dns.RcodeSuccess:
		return Result{Reason: fmt.Sprintf("read error occurred. (rcode = %d)", code)}
	}
	return Result{Up: true}
}

// failure is [failure] in keepalived's words.
func (q *dnsQuery) failure(err error) Result {
	r := failure(err, &dnsPhrases)
	var errno syscall.Errno
	switch {
	case r.Local != "":
	case r.Timeout:
		r.Reason = "read timeout from socket"
	case errors.Is(err, unix.ENETUNREACH):
		r.Reason = fmt.Sprintf("network unreachable for [%s]:%d", q.target.Addr(), q.target.Port())
	case errors.As(err, &errno):
		text := errno.Error() // of C it begins with a capital
		r.Reason = fmt.Sprintf("failed to read socket; errno %d (%s)", int(errno), strings.ToUpper(text[:1])+text[1:])
	}
	return r
}

// ask sends a query under an identifier of its own and gives the response code
// of its answer. Of that the header is read, and only that.
func ask(conn net.Conn, query []byte) (code int, err error) {
	query = slices.Clone(query)
	id := uint16(rand.Uint32())
	binary.BigEndian.PutUint16(query, id)
	if _, err := conn.Write(query); err != nil {
		return 0, err
	}
	var header [12]byte // RFC 1035 section 4.1.1
	for range maxStrangers {
		n, err := conn.Read(header[:])
		if err != nil {
			return 0, err
		}
		if response := header[2]&0x80 != 0; n == len(header) && response && binary.BigEndian.Uint16(header[:]) == id {
			return int(header[3] & 0xf), nil
		}
	}
	return 0, errStrangers
}
