package checker

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

var pingPhrases = phrases{
	success:  "ICMP connection to %s success.",
	failure:  "ICMP connection to %s of %v failed.",
	timeout:  "ICMP connection to address %s timeout.",
	failed:   "ICMP CHECK on service %s failed.",
	retried:  "ICMP CHECK on service %s of %v failed after %n retries.",
	noSocket: "ICMP connect fail to create socket. Rescheduling.",
	noBind:   "ICMP socket bind failed. Rescheduling.",
}

// ping is PING_CHECK, keepalived.conf(5): the server is up when it answers an
// echo request, RFC 792 and RFC 4443, within connect_timeout.
type ping struct {
	dialer
	timeout time.Duration // of the whole probe
}

func newPing(c config.Check) *ping {
	p := &ping{newDialer(c), c.Timing.ConnectTimeout.Value}
	p.target = netip.AddrPortFrom(p.target.Addr(), 0)
	return p
}

// Check sends one echo request and waits for its reply.
func (p *ping) Check(ctx context.Context) Result {
	j := p.journey(traced(ctx))
	return p.judge(j.walk(ctx))
}

// start is Check on a poller.
func (p *ping) start(on *poller, done func(Result)) *flight {
	return on.travel(p.journey(nil), p.judge, done)
}

func (p *ping) journey(steps *trace) journey {
	t := &pingTalk{trace: steps}
	j := journey{dialer: p.dialer, network: "udp", step: p.timeout, talk: t} // the socket reports errors as one of UDP
	j.open = func() (fd int, err error) {
		fd, raw, err := p.open()
		t.echo = p.newEcho(raw)
		return fd, err
	}
	return j
}

func (p *ping) judge(err error) Result {
	if err != nil {
		return unanswered(failure(err, &pingPhrases))
	}
	return Result{Up: true}
}

// pingTalk is a request and its reply.
type pingTalk struct {
	echo   *echo
	others int // datagrams that are no answer
	trace  *trace
}

func (t *pingTalk) begin() []byte { return t.echo.request() }

func (t *pingTalk) hear(b []byte, end error) (say []byte, over bool, err error) {
	switch {
	case end != nil:
		return nil, true, end
	case t.echo.answeredBy(b[:min(len(b), maxEcho)]):
		t.trace.note("reply", "the reply came")
		return nil, true, nil
	}
	if t.others++; t.others == maxStrangers {
		return nil, true, errStrangers
	}
	return nil, false, nil
}

// maxStrangers bounds how many datagrams a probe takes that are not the answer
// that it waits for, so that a server cannot keep it busy.
const maxStrangers = 1000

var errStrangers = errors.New("too many datagrams that are no answer")

// echoText is what a request carries, as long as keepalived's and, up to its last
// eight octets, the same: those are chosen anew for each request.
const echoText = "keepalived check - keepalived check - keepalived check - keepalived check - keepalived check - keepalived check - keepal"

// maxEcho is the longest reply that is looked at, with an IPv4 header before
// it that has all its options.
const maxEcho = 60 + 8 + len(echoText) + 8

// open gives a socket for ICMP. An unprivileged one, icmp(7), is for the groups
// of the sysctl ping_group_range, which a distribution may have left empty; root
// opens a raw one then.
func (p *ping) open() (fd int, raw bool, err error) {
	family, protocol := unix.AF_INET, unix.IPPROTO_ICMP
	if p.target.Addr().Is6() {
		family, protocol = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	const flags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	fd, err = unix.Socket(family, unix.SOCK_DGRAM|flags, protocol)
	if raw = errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM); raw {
		fd, err = unix.Socket(family, unix.SOCK_RAW|flags, protocol)
	}
	return fd, raw, os.NewSyscallError("socket", err)
}

// echo is a request and what its reply looks like.
type echo struct {
	v4, raw bool
	message icmp.Echo
}

// newEcho makes a request that no reply to another one answers.
func (p *ping) newEcho(raw bool) *echo {
	e := &echo{p.target.Addr().Is4(), raw, icmp.Echo{ID: int(rand.Uint32() >> 16), Seq: 1}}
	e.message.Data = binary.BigEndian.AppendUint64([]byte(echoText), rand.Uint64())
	return e
}

// request is the message as it is sent. The kernel has the last word on the
// identifier, if the socket is not raw, and on the checksum of ICMPv6.
func (e *echo) request() []byte {
	m := icmp.Message{Type: ipv6.ICMPTypeEchoRequest, Body: &e.message}
	if e.v4 {
		m.Type = ipv4.ICMPTypeEcho
	}
	b, _ := m.Marshal(nil) // an echo has no length that could be too much
	return b
}

// answeredBy reports whether a datagram is the reply.
func (e *echo) answeredBy(b []byte) bool {
	protocol, reply := unix.IPPROTO_ICMPV6, icmp.Type(ipv6.ICMPTypeEchoReply)
	if e.v4 {
		protocol, reply = unix.IPPROTO_ICMP, ipv4.ICMPTypeEchoReply
		if e.raw {
			b = withoutIPv4Header(b)
		}
	}
	m, err := icmp.ParseMessage(protocol, b)
	if err != nil || m.Type != reply {
		return false
	}
	got, ok := m.Body.(*icmp.Echo)
	return ok && got.Seq == e.message.Seq && string(got.Data) == string(e.message.Data) && (!e.raw || got.ID == e.message.ID)
}

// withoutIPv4Header is what follows the header, RFC 791 section 3.1.
func withoutIPv4Header(b []byte) []byte {
	if len(b) == 0 || int(b[0]&0xf)*4 > len(b) {
		return nil
	}
	return b[int(b[0]&0xf)*4:]
}
