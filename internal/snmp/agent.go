package snmp

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
	"github.com/lvsd/lvsd/internal/dump"
)

// Daemon is what the agent shows. Its methods are called by one goroutine.
type Daemon interface {
	// Snapshot is what holds now.
	Snapshot(ctx context.Context) (*config.Config, *dump.Facts, error)
	// Change makes what runs another configuration, until the next reload:
	// change gets a copy and changes it; with an error nothing changes.
	Change(ctx context.Context, change func(*config.Config) error) error
}

// Options are what an [Agent] needs.
type Options struct {
	Log     *zap.Logger
	Daemon  Daemon
	Version string // of the program, as objects show it
	// Traffic is that of a service of the kernel, nil when there is none; it is
	// called by one goroutine. A nil function: nobody counts.
	Traffic func(config.ServiceKey) (*Traffic, error)
}

// Agent is lvsd at an SNMP daemon. Whoever tells it something never waits.
type Agent struct {
	o     Options
	agent *agentx.Subagent
	began time.Time

	mu      sync.Mutex
	traps   bool
	parts   Parts
	router  string               // routerId
	started map[string]time.Time // instances, when they left INIT

	// What follows belongs to the goroutine of Run.
	services, servers *counting
	counted           *config.Config // what they are about
	view              view
	taken             time.Time
	cost              time.Duration
}

// New makes an Agent that does nothing before Run and is nowhere before Apply.
func New(o Options) *Agent {
	a := &Agent{o: o, began: time.Now(), started: make(map[string]time.Time)}
	a.agent = agentx.New(agentx.Options{Log: o.Log, Handler: a, ID: enterprise, Text: "Keepalived"})
	return a
}

// Run is at the SNMP daemon until ctx ends, whenever the configuration says so.
func (a *Agent) Run(ctx context.Context) error { return a.agent.Run(ctx) }

// Apply takes from a configuration what is to be shown, and where.
func (a *Agent) Apply(c *config.Config, parts Parts) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.parts, a.traps = parts, c.Global.Interface.EnableTraps
	if a.router = c.Global.RouterID; a.router == "" {
		a.router = hostname()
	}
	a.agent.Apply(agentx.Settings{Socket: c.Global.Interface.SNMPSocket, Subtrees: parts.subtrees()})
}

// Parts are what is shown beside what holds for all.
type Parts struct{ VRRP, Checker, RFC2787, RFC6527 bool }

// subtrees are those of the parts; without any, what holds for all is not
// shown either.
func (p Parts) subtrees() (all []agentx.Subtree) {
	if p == (Parts{}) {
		return nil
	}
	for _, part := range []struct {
		on   bool
		tree agentx.Subtree
	}{
		{true, agentx.Subtree{Root: global, Text: "The MIB module for Keepalived"}},
		{p.VRRP, agentx.Subtree{Root: router, Text: "The MIB module for KEEPALIVED-VRRP"}},
		{p.Checker, agentx.Subtree{Root: check, Text: "The MIB module for Keepalived checker"}},
		{p.RFC2787, agentx.Subtree{Root: vrrp2, Text: "The MIB module for VRRP"}},
		{p.RFC6527, agentx.Subtree{Root: vrrp3, Text: "The MIB module for VRRPV3"}},
	} {
		if part.on {
			all = append(all, part.tree)
		}
	}
	return all
}

// How often a new view is made at the most: once in viewAge, and so that
// making them takes no more than a part of the time.
const (
	viewAge   = time.Second
	viewShare = 20
	viewLimit = 2 * time.Second // for making one
)

// View implements [agentx.Handler].
func (a *Agent) View(ctx context.Context) (agentx.View, error) {
	if !a.taken.IsZero() && time.Since(a.taken) < max(viewAge, viewShare*a.cost) {
		return a.view, nil
	}
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	began := time.Now()
	c, facts, err := a.o.Daemon.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	a.count(c)
	s := &State{Traffic: a.services, ServerTraffic: a.servers, Version: a.o.Version, Parts: a.shown(), Config: c, Facts: facts, Up: time.Since(a.began), Began: a.beginning}
	a.view = s.view()
	a.taken = time.Now()
	a.cost = a.taken.Sub(began)
	return a.view, nil
}

func (a *Agent) shown() Parts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.parts
}

// count follows a configuration: how old the numbers may be, and what they are
// about.
func (a *Agent) count(c *config.Config) {
	if a.o.Traffic == nil {
		return
	}
	x := &c.Global.Interface
	vs, rs := x.SNMPVSStatsUpdateInterval, x.SNMPVSStatsUpdateInterval
	if x.SNMPRSStatsUpdateInterval.Set {
		rs = x.SNMPRSStatsUpdateInterval.Value
	}
	if c == a.counted {
		return
	}
	a.counted = c
	a.services = &counting{a.o.Traffic, vs, make(map[config.ServiceKey]*counted)}
	a.servers = &counting{a.o.Traffic, rs, make(map[config.ServiceKey]*counted)}
}

// forget makes that the next view is a new one.
func (a *Agent) forget() { a.taken = time.Time{} }

// beginning is when an instance left INIT.
func (a *Agent) beginning(instance string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.started[instance]; ok {
		return at.Sub(a.began)
	}
	return 0
}

// Test implements [agentx.Handler].
func (a *Agent) Test(ctx context.Context, variables []agentx.VarBind) (agentx.Error, int) {
	c, _, err := a.snapshot(ctx)
	if err != nil {
		return agentx.GenErr, 1
	}
	for i := range variables {
		if _, code := setting(c, &variables[i]); code != agentx.NoError {
			return code, i + 1
		}
	}
	return agentx.NoError, 0
}

func (a *Agent) snapshot(ctx context.Context) (*config.Config, *dump.Facts, error) {
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	return a.o.Daemon.Snapshot(ctx)
}

var errGone = errors.New("what was to be set has gone")

// Commit implements [agentx.Handler].
func (a *Agent) Commit(ctx context.Context, variables []agentx.VarBind) (func(context.Context) error, error) {
	var back []func(*config.Config)
	err := a.change(ctx, func(c *config.Config) error {
		for i := range variables {
			set, code := setting(c, &variables[i])
			if code != agentx.NoError {
				return errGone
			}
			back = append(back, set(c))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		return a.change(ctx, func(c *config.Config) error {
			for i := len(back) - 1; i >= 0; i-- {
				back[i](c)
			}
			return nil
		})
	}, nil
}

func (a *Agent) change(ctx context.Context, f func(*config.Config) error) error {
	ctx, cancel := context.WithTimeout(ctx, viewLimit)
	defer cancel()
	defer a.forget()
	return a.o.Daemon.Change(ctx, f)
}
