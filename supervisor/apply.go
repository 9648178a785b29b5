package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/bfd"
	"github.com/lvsd/lvsd/checker"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/ipvs"
)

// apply makes the parts run a configuration that was found good.
func (s *Supervisor) apply(next *config.Config, problems []config.Problem) error {
	s.threads.apply(&next.Global.Process, s.router != nil && len(next.Instances) > 0 || !s.opts.NoBFD && len(next.Trackers.BFD) > 0)
	s.scripts.learn(next)
	s.dispatch.Grace(next.Daemon.ChildWaitTime)
	s.sync.learn(next)
	s.mail.Apply(next)
	s.fifos.Apply(s.usedFIFOs(next))
	s.links.beats.Apply(next.Linkbeats())
	s.agent.Apply(next, s.shown(next))
	if !s.opts.NoBFD {
		if s.taking != nil {
			if err := s.watch.sessions.TakeOver(bfd.Taking{Sessions: s.taking.BFD, At: s.taking.then()}); err != nil {
				return fmt.Errorf("start BFD: %w", err)
			}
		}
		if err := s.watch.sessions.Apply(next.Trackers.BFD, &next.Global.Process); err != nil {
			return fmt.Errorf("start BFD: %w", err)
		}
	}
	if s.router != nil {
		s.bus.Apply(next)
		if err := s.applyVRRP(next); err != nil {
			return fmt.Errorf("start VRRP: %w", err)
		}
	}
	if !s.opts.NoCheck {
		s.files.apply(next)
		if err := s.applyServices(next.KernelServices(), &next.Global.Firewall); err != nil {
			return err
		}
		s.sessions.apply(next) // a new one is down at first, which is told, as with keepalived
	}
	if !s.opts.NoCheck && len(next.Services) > 0 {
		if err := s.services.Timeouts(next.Global.LVSTimeouts); err != nil {
			s.log.Named("healthcheckers").Error(err.Error())
		}
	}
	s.services.FlushOnStop(next.Global.LVSFlushOnStop && !next.Global.LVSFlushOnStopVS)
	s.schedule.apply(&next.Global.Reload)
	s.config, s.problems, s.due = next, problems, &next.Global
	return nil
}

// standing is the owner of what is in the kernel whatever the state of the
// instances. No instance has its name: that would be a word.
const standing = "static configuration"

// refreshLimit bounds a look at all links.
const refreshLimit = 10 * time.Second

// applyVRRP: what holds in any state comes before the instances, and what they
// do not need any more goes after them.
func (s *Supervisor) applyVRRP(next *config.Config) error {
	release := s.claims.Hold()
	defer release()
	want := next.Standing()
	if err := s.host.Firewall(next.Global.Firewall); err != nil {
		s.log.Warn(err.Error())
	}
	if len(s.static) > 0 { // they may have other attributes now
		if err := s.host.Sweep(context.Background(), config.Claims{Addresses: s.static, Static: true}); err != nil {
			s.log.Warn(err.Error())
		}
		s.static = nil
	}
	if err := s.claims.Claim(context.Background(), standing, want); err != nil {
		s.log.Warn(err.Error())
	}
	if len(want.Links)+len(want.Addresses) > 0 {
		// An instance whose link or source has just been made would take it for missing.
		ctx, cancel := context.WithTimeout(context.Background(), refreshLimit)
		defer cancel()
		if err := s.kernelLinks.Refresh(ctx); err != nil {
			s.log.Warn("looking at the links", zap.Error(err))
		}
	}
	return s.router.Apply(next)
}

// usedFIFOs are the FIFOs that something can be written to.
func (s *Supervisor) usedFIFOs(c *config.Config) config.FIFOs {
	f := c.Global.FIFO
	routes, serves := !s.opts.NoVRRP && len(c.Instances) > 0, !s.opts.NoCheck && len(c.Services) > 0
	if !routes {
		f.VRRPNotify = config.FIFO{}
	}
	if !serves {
		f.LVSNotify = config.FIFO{}
	}
	if !routes && !serves {
		f.Notify = config.FIFO{}
	}
	return f
}

// applyServices: what single services lack in the kernel is tried again, and
// does not keep back the others.
func (s *Supervisor) applyServices(services []config.Service, firewall *config.Firewall) error {
	s.marking.give(services, firewall.NFTablesIPVSStartFWMark)
	other := s.marking.prioritise(firewall.NFTablesIPVSPriority)
	if config.SameServices(s.serving, services) && len(s.abandoned)+len(s.unnamed) == 0 {
		if other {
			s.services.Remark()
		}
		return nil
	}
	entries := append(serviceEntries(services), s.marking.entries()...)
	s.ledger.enter(entries...)
	s.suspension.apply(services)
	err := s.told.Apply(services, func(known []checker.Report) error {
		verdicts := make([]ipvs.Verdict, len(known))
		for i := range known {
			verdicts[i] = verdict(known[i])
		}
		return s.services.Apply(services, verdicts...)
	})
	switch {
	case errors.Is(err, ipvs.ErrNoIPVS) || errors.Is(err, ipvs.ErrStopped):
		return err
	case err != nil:
		s.log.Named("healthcheckers").Error("IPVS is not as configured", zap.Error(err))
	default:
		for _, key := range s.services.Leaving() {
			entries = append(entries, entry{service: key})
		}
		s.ledger.crossServices(entries...)
	}
	s.abandoned = nil
	s.marking.sweep(s.unnamed)
	s.unnamed = nil
	if err := s.checks.Apply(services); err != nil {
		s.log.Named("healthcheckers").Error("checks that cannot be run are left out", zap.Error(err))
	}
	s.serving = services
	return nil
}
