package supervisor

import (
	"context"
	"net/netip"
	"slices"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/internal/snmp"
	"github.com/lvsd/lvsd/ipvs"
)

// snmp is what the command line says about SNMP.
func (o *Options) snmp(x *config.ExternalInterfaces) {
	if o.SNMP {
		x.EnableSNMPVRRP, x.EnableSNMPChecker, x.EnableSNMPRFCv2, x.EnableSNMPRFCv3 = true, true, true, true
	}
	if o.SNMPSocket != "" {
		x.SNMPSocket = o.SNMPSocket
	}
}

// agentLog is the one that keepalived's process would write to.
func (s *Supervisor) agentLog() *zap.Logger {
	if s.opts.NoVRRP {
		return s.log.Named("healthcheckers")
	}
	return s.log.Named("vrrp")
}

// shown are the parts that SNMP has: those whose process keepalived would have.
func (s *Supervisor) shown(c *config.Config) (p snmp.Parts) {
	x := &c.Global.Interface
	for _, d := range s.documents(c) {
		switch d.Process {
		case "vrrp":
			p.VRRP, p.RFC2787, p.RFC6527 = x.EnableSNMPVRRP, x.EnableSNMPRFCv2, x.EnableSNMPRFCv3
		case "healthcheckers":
			p.Checker = x.EnableSNMPChecker
		}
	}
	return p
}

// counters reads what passes through the kernel's services, beside what makes
// them.
func (s *Supervisor) counters(n ipvs.KernelOptions) func(config.ServiceKey) (*snmp.Traffic, error) {
	if s.opts.IPVS != nil {
		return nil
	}
	kernel := ipvs.NewKernel(n)
	return func(key config.ServiceKey) (*snmp.Traffic, error) {
		t, err := kernel.Traffic(key)
		if t == nil {
			return nil, err
		}
		all := &snmp.Traffic{Counters: snmp.Counters(t.Counters), Servers: make(map[netip.AddrPort]snmp.ServerTraffic, len(t.Dests))}
		for addr, d := range t.Dests {
			all.Servers[addr] = snmp.ServerTraffic{Counters: snmp.Counters(d.Counters), Active: d.Active, Inactive: d.Inactive, Persistent: d.Persistent}
		}
		return all, err
	}
}

// question is one of the SNMP agent, which the supervisor answers between
// other things.
type question struct {
	change func(*config.Config) error // nil: it wants to know what holds
	answer chan<- answered
}

type answered struct {
	config *config.Config
	facts  *dump.Facts
	err    error
}

// agentDaemon is what the SNMP agent asks.
type agentDaemon struct{ s *Supervisor }

// Snapshot implements snmp.Daemon.
func (d agentDaemon) Snapshot(ctx context.Context) (*config.Config, *dump.Facts, error) {
	a := d.ask(ctx, nil)
	return a.config, a.facts, a.err
}

// Change implements snmp.Daemon.
func (d agentDaemon) Change(ctx context.Context, change func(*config.Config) error) error {
	return d.ask(ctx, change).err
}

func (d agentDaemon) ask(ctx context.Context, change func(*config.Config) error) answered {
	answer := make(chan answered, 1) // nobody may be there any more
	select {
	case d.s.questions <- question{change, answer}:
	case <-ctx.Done():
		return answered{err: ctx.Err()}
	}
	select {
	case a := <-answer:
		return a
	case <-ctx.Done():
		return answered{err: ctx.Err()}
	}
}

// reply answers the SNMP agent.
func (s *Supervisor) reply(q question) {
	if q.change == nil {
		q.answer <- answered{config: s.config, facts: s.facts()}
		return
	}
	next := *s.config
	next.Instances, next.Services = slices.Clone(next.Instances), slices.Clone(next.Services)
	err := q.change(&next)
	if err == nil {
		err = s.amend(&next)
	}
	q.answer <- answered{err: err}
}

// amend makes the instances and services of another configuration run, which
// lasts until the next reload.
func (s *Supervisor) amend(next *config.Config) error {
	s.scripts.learn(next)
	if s.router != nil {
		if err := s.applyVRRP(next); err != nil {
			return err
		}
	}
	if !s.opts.NoCheck {
		if err := s.applyServices(next.KernelServices(), &next.Global.Firewall); err != nil {
			return err
		}
	}
	s.config, s.due = next, &next.Global
	return nil
}
