// Package checker has this file in place of its own tcp.go in the program that
// TestPanickingChecks runs: each TCP_CHECK panics when it is judged.
package checker

import (
	"context"
	"time"

	"github.com/lvsd/lvsd/config"
)

var tcpPhrases phrases

type tcp struct{ dialer }

func newTCP(c config.Check) tcp { return tcp{newDialer(c)} }

func (tcp) Check(context.Context) Result { panic("this check has a fault") }

func (t tcp) start(p *poller, done func(Result)) *flight {
	j := journey{dialer: t.dialer, network: "tcp", step: time.Second}
	return p.travel(j, func(error) Result { panic("this check has a fault") }, done)
}
