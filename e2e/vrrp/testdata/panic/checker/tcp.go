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

func (t tcp) start(p *poller, done func(func() Result)) *flight {
	return p.connect(t.dialer, time.Second, judging(done, func(error) Result { panic("this check has a fault") }))
}
