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
	ctx, cancel := context.WithTimeout(ctx, u.timeout)
	defer cancel()
	conn, err := u.dial(ctx, "udp")
	if err != nil {
		return failure(err, &udpPhrases)
	}
	defer func() { _ = conn.Close() }()
	defer endWith(ctx, conn)()
	payload := u.params.Payload
	if payload == nil {
		payload = []byte(udpFiller)
	}
	if _, err := conn.Write(payload); err != nil {
		return failure(err, &udpPhrases)
	}
	t := traced(ctx)
	t.note("request", "sent %d octets from %s", len(payload), conn.LocalAddr())
	reply := make([]byte, int(u.params.MaxReplyLength)+1) // one more tells what is too long
	n, err := conn.Read(reply)
	if err == nil {
		t.note("reply", "%d octets came back", n)
	}
	switch {
	case err == nil && u.params.RequireReply:
		return u.judge(reply[:n])
	case err == nil:
		return Result{Up: true}
	}
	r := failure(err, &udpPhrases)
	if !u.params.RequireReply && errors.Is(err, os.ErrDeadlineExceeded) && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.note("silence", "nothing came back, no error of ICMP either")
		return Result{Up: true}
	}
	return r
}

// judge compares a reply with require_reply, as far as both go.
func (u *udp) judge(reply []byte) Result {
	if n, low, high := len(reply), int(u.params.MinReplyLength), int(u.params.MaxReplyLength); n < low || n > high {
		return Result{Reason: fmt.Sprintf("the reply has %d octets or more, not %d to %d", n, low, high)}
	}
	for i := range min(len(reply), len(u.params.Reply)) {
		if (reply[i]^u.params.Reply[i])&u.params.ReplyMask[i] != 0 {
			return Result{Said: "UDP check to %s reply data mismatch.", Reason: fmt.Sprintf("at octet %d", i)}
		}
	}
	return Result{Up: true}
}
