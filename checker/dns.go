package checker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
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
	counts:   true,
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
	t := &dnsTalk{query: slices.Clone(q.query), trace: traced(ctx)}
	j := q.journey(t)
	return q.judge(t, j.walk(ctx))
}

// start is Check on a poller.
func (q *dnsQuery) start(p *poller, done func(Result)) *flight {
	if q.invalid != nil {
		done(Result{Reason: q.invalid.Error()})
		return nil
	}
	t := &dnsTalk{query: slices.Clone(q.query)}
	return p.travel(q.journey(t), func(err error) Result { return q.judge(t, err) }, done)
}

func (q *dnsQuery) journey(t *dnsTalk) journey {
	return journey{dialer: q.dialer, network: "udp", step: q.timeout, talk: t}
}

func (q *dnsQuery) judge(t *dnsTalk, err error) Result {
	switch {
	case err != nil:
		return q.failure(err)
	case t.code != dns.RcodeSuccess:
		return Result{Reason: fmt.Sprintf("read error occurred. (rcode = %d)", t.code)}
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

// dnsTalk is a query under an identifier of its own, and the response code of
// its answer. Of that the header is read, and only that.
type dnsTalk struct {
	query  []byte
	id     uint16
	others int // datagrams that are no answer
	code   int
	trace  *trace
}

func (t *dnsTalk) begin() []byte {
	t.id = uint16(rand.Uint32())
	binary.BigEndian.PutUint16(t.query, t.id)
	return t.query
}

func (t *dnsTalk) hear(b []byte, end error) (say []byte, over bool, err error) {
	const header = 12 // octets, RFC 1035 section 4.1.1
	switch {
	case end != nil:
		return nil, true, end
	case len(b) >= header && b[2]&0x80 != 0 && binary.BigEndian.Uint16(b) == t.id: // a response
		t.code = int(b[3] & 0xf)
		t.trace.note("reply", "the answer says %s", dns.RcodeToString[t.code])
		return nil, true, nil
	}
	if t.others++; t.others == maxStrangers {
		return nil, true, errStrangers
	}
	return nil, false, nil
}
