package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/notify"
)

// errStopped is the end of a start that a signal ended.
var errStopped = errors.New("stopped while starting")

// startup runs startup_script. Nothing of the configuration runs yet; SIGTERM
// ends the script and the start, other signals are kept for later.
func (s *Supervisor) startup(ctx context.Context, c *config.Config) error {
	if c.Global.StartupScript.IsZero() || s.taking != nil {
		return nil
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.script(ctx, "startup script", c.Global.StartupScript, c.Global.StartupScriptTimeout)
	}()
	for {
		select {
		case <-done:
			return context.Cause(ctx)
		case sig := <-s.opts.Signals:
			if sig == syscall.SIGTERM || sig == syscall.SIGINT {
				end(errStopped)
				continue
			}
			s.early = append(s.early, sig)
		}
	}
}

// shutdown runs shutdown_script, when everything else has ended.
func (s *Supervisor) shutdown() {
	if !s.due.ShutdownScript.IsZero() {
		s.script(context.Background(), "shutdown script", s.due.ShutdownScript, s.due.ShutdownScriptTimeout)
	}
}

// script runs a script to its end, and at most so long. How it ends is said,
// and changes nothing.
func (s *Supervisor) script(ctx context.Context, what string, cmd config.Command, limit time.Duration) {
	s.log.Info(fmt.Sprintf("Running %s %s", what, cmd.Line))
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	status, err := notify.Exec(ctx, cmd)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		s.log.Warn(what + " timed out")
	case err != nil:
		s.log.Warn(what, zap.Error(err))
	case status != 0:
		s.log.Warn(fmt.Sprintf("%s failed, status %d", what, status))
	}
}

// tell tells the service manager. That it does not listen is said once.
func (s *Supervisor) tell(states ...string) {
	err := daemon.Tell(states...)
	if err != nil && !s.deaf {
		s.log.Warn(err.Error())
	}
	s.deaf = err != nil
}

// errImmutable is a change of what is set up once.
type errImmutable string

func (e errImmutable) Error() string {
	return "Cannot change " + string(e) + " at a reload - please restart keepalived"
}

// immutable is the first thing that differs and cannot change in a reload.
func immutable(prev, next *config.Config) error {
	a, b := &prev.Daemon, &next.Daemon
	switch {
	case a.NetNamespace != b.NetNamespace:
		return errImmutable("network namespace")
	case a.NetNamespaceIPVS != b.NetNamespaceIPVS:
		return errImmutable("IPVS network namespace")
	case a.Instance != b.Instance:
		return errImmutable("instance name")
	case prev.Global.Firewall.NFTablesIPVS != next.Global.Firewall.NFTablesIPVS:
		return errImmutable("IPVS nftables table name")
	case prev.Global.DisableLocalIGMP != next.Global.DisableLocalIGMP:
		return errImmutable("disable_local_igmp")
	}
	return nil
}

// localReports says whether groups that never leave a link are reported,
// net.ipv4.igmp_link_local_mcast_reports.
const localReports = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports"

// quietIGMP is disable_local_igmp. The returned function undoes it.
func (s *Supervisor) quietIGMP(c *config.Config) (undo func()) {
	if !c.Global.DisableLocalIGMP {
		return func() {}
	}
	former, err := os.ReadFile(localReports)
	if s.taking != nil && s.taking.LocalReports != nil {
		former = []byte(*s.taking.LocalReports)
	}
	if err == nil {
		err = os.WriteFile(localReports, []byte("0"), 0)
	}
	if err != nil {
		s.log.Warn("disable_local_igmp", zap.Error(err))
		return func() {}
	}
	text := string(former)
	s.localReports = &text
	return func() {
		if err := os.WriteFile(localReports, former, 0); err != nil {
			s.log.Warn("disable_local_igmp", zap.Error(err))
		}
	}
}
