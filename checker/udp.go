package checker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/lvsd/lvsd/config"
)

var udpPhrases = phrases{
	success:  "UDP connection to %s success.",
	failure:  "UDP connection to %s failed.",
	timeout:  "UDP connection to %s failed.",
	failed:   "UDP_CHECK on service %s failed.",
	retried:  "UDP_CHECK on service %s failed after %n retries.",
	noSocket: "UDP connect fail to create socket. Rescheduling.",
	noBind:   "UDP socket bind failed. Rescheduling.",
}

// saysMismatch is what keepalived says of a wrong reply.
const saysMismatch = "UDP check to %s reply data mismatch."

// udpFiller is sent by a UDP_CHECK without payload, as by keepalived.
const udpFiller = "keepalived check - keepalived ch"

// udp is UDP_CHECK, keepalived.conf(5): a datagram is sent, and the server is
// up unless the network answers with an ICMP error within connect_timeout.
// With require_reply a datagram has to come back, and the first that does
// decides.
type udp struct {
	dialer
	timeout time.Duration // of the whole probe
	params  *config.UDPParams
}

func newUDP(c config.Check) *udp {
	return &udp{newDialer(c), c.Timing.ConnectTimeout.Value, c.Params.(*config.UDPParams)}
}

// Check sends one datagram and waits for at most one.
func (u *udp) Check(ctx context.Context) Result {
	t := &udpTalk{params: u.params, trace: traced(ctx)}
	j := u.journey(t)
	return u.judge(t, j.walk(ctx))
}

// start is Check on a poller.
func (u *udp) start(p *poller, done func(Result)) *flight {
	t := &udpTalk{params: u.params}
	return p.travel(u.journey(t), func(err error) Result { return u.judge(t, err) }, done)
}

func (u *udp) journey(t *udpTalk) journey {
	return journey{dialer: u.dialer, network: "udp", step: u.timeout, talk: t}
}

func (u *udp) judge(t *udpTalk, err error) Result {
	switch {
	case err != nil:
		return unanswered(failure(err, &udpPhrases))
	case t.failed != nil:
		return *t.failed
	}
	return Result{Up: true}
}

// unanswered says what was waited for.
func unanswered(r Result) Result {
	if r.Timeout {
		r.Reason = "no reply: " + r.Reason
	}
	return r
}

// udpTalk is a datagram, and the one that comes back.
type udpTalk struct {
	params *config.UDPParams
	failed *Result // what is wrong with the reply
	trace  *trace
}

func (t *udpTalk) begin() []byte {
	if t.params.Payload == nil {
		return []byte(udpFiller)
	}
	return t.params.Payload
}

func (t *udpTalk) hear(b []byte, end error) (say []byte, over bool, err error) {
	switch {
	case errors.Is(end, os.ErrDeadlineExceeded) && !t.params.RequireReply:
		t.trace.note("silence", "nothing came back, no error of ICMP either")
		return nil, true, nil
	case end != nil:
		return nil, true, end
	}
	t.trace.note("reply", "%d octets came back", len(b))
	if t.params.RequireReply {
		t.failed = t.compare(b[:min(len(b), int(t.params.MaxReplyLength)+1)])
	}
	return nil, true, nil
}

// compare compares a reply with require_reply, as far as both go; nil: it is right.
func (t *udpTalk) compare(reply []byte) *Result {
	if n, low, high := len(reply), int(t.params.MinReplyLength), int(t.params.MaxReplyLength); n < low || n > high {
		return &Result{Said: saysMismatch, Reason: fmt.Sprintf("the reply has %d octets or more, not %d to %d", n, low, high)}
	}
	for i := range min(len(reply), len(t.params.Reply)) {
		if (reply[i]^t.params.Reply[i])&t.params.ReplyMask[i] != 0 {
			return &Result{Said: saysMismatch, Reason: fmt.Sprintf("the reply has %02x at octet %d", reply[i], i)}
		}
	}
	return nil
}
