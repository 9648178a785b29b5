// This is lvsd for TestPanickingChecks: with an IPVS that takes everything, which
// the kernel of a test may not have.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/syslog"
	"github.com/lvsd/lvsd/ipvs"
	"github.com/lvsd/lvsd/supervisor"
)

// table takes services and does nothing with them.
type table struct{ supervisor.Table }

func (table) List() (map[config.ServiceKey]*ipvs.Service, error) { return nil, nil }

func (table) Read(keys []config.ServiceKey) ([]*ipvs.Service, error) {
	return make([]*ipvs.Service, len(keys)), nil
}

func (table) Do(ops []ipvs.Op) []error { return make([]error, len(ops)) }

func main() {
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2) // as cmd/lvsd
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM)
	out := syslog.New(syslog.Options{Console: os.Stderr})
	ctx, cancel := context.WithCancel(context.Background())
	written := make(chan error)
	go func() { written <- out.Run(ctx) }()
	err := supervisor.New(supervisor.Options{
		File: "/etc/keepalived/keepalived.conf", Log: out.Logger(), Signals: supervisor.Queue(ctx, signals), IPVS: table{},
	}).Run(context.Background())
	cancel()
	<-written
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
