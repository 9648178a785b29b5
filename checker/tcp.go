package checker

import (
	"context"
	"time"

	"github.com/lvsd/lvsd/config"
)

var tcpPhrases = phrases{
	success:  "TCP connection to %s success.",
	failure:  "TCP connection to %s failed.",
	timeout:  "TCP connection to %s timeout.",
	failed:   "TCP_CHECK on service %s failed.",
	retried:  "TCP_CHECK on service %s failed after %n retries.",
	noSocket: "TCP connect fail to create socket. Rescheduling.",
	noBind:   "TCP socket bind failed. Rescheduling.",
}

// tcp is TCP_CHECK, keepalived.conf(5): the server is up when a connection is
// established within connect_timeout. Nothing is sent.
type tcp struct {
	dialer
	timeout time.Duration
}

func newTCP(c config.Check) *tcp { return &tcp{newDialer(c), c.Timing.ConnectTimeout.Value} }

// Check connects and closes again.
func (t *tcp) Check(ctx context.Context) Result {
	j := t.journey()
	return t.judge(j.walk(ctx))
}

// start is Check on a poller.
func (t *tcp) start(p *poller, done func(Result)) *flight {
	return p.travel(t.journey(), t.judge, done)
}

func (t *tcp) journey() journey {
	return journey{dialer: t.dialer, network: "tcp", step: t.timeout}
}

func (t *tcp) judge(err error) Result {
	if err != nil {
		return failure(err, &tcpPhrases)
	}
	return Result{Up: true}
}
