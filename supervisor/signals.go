package supervisor

import (
	"context"
	"os"
	"slices"
	"syscall"
)

// Signals of keepalived beside the usual ones, as numbers of Linux with glibc.
const (
	SignalJSON       = syscall.Signal(36) // SIGRTMIN+2
	SignalStatsClear = syscall.Signal(63) // SIGRTMAX-1
)

// signalJSONMusl is what musl calls SIGRTMIN+2: clients that were built with
// it send this number.
const signalJSONMusl = syscall.Signal(37)

// Handled are the signals that [Options.Signals] is to deliver.
func Handled() []os.Signal {
	return []os.Signal{
		syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2,
		SignalJSON, signalJSONMusl, SignalStatsClear,
	}
}

// Queue passes signals on until ctx ends. Of each kind one waits while another
// is served, as with the kernel: a storm of SIGHUP becomes one reload, and no
// signal is lost behind others.
func Queue(ctx context.Context, in <-chan os.Signal) <-chan os.Signal {
	out := make(chan os.Signal)
	go func() {
		var waiting []os.Signal
		for {
			var first os.Signal
			var next chan<- os.Signal // nil: nobody waits
			if len(waiting) > 0 {
				first, next = waiting[0], out
			}
			select {
			case sig := <-in:
				if !slices.Contains(waiting, sig) {
					waiting = append(waiting, sig)
				}
			case next <- first:
				waiting = waiting[1:]
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

// Signum is the number of a signal by the name that --signum takes.
func Signum(name string) (syscall.Signal, bool) {
	sig, ok := map[string]syscall.Signal{
		"STOP": syscall.SIGTERM, "RELOAD": syscall.SIGHUP, "DATA": syscall.SIGUSR1, "STATS": syscall.SIGUSR2,
		"STATS_CLEAR": SignalStatsClear, "JSON": SignalJSON,
	}[name]
	return sig, ok
}

// signal handles one; it reports whether it is time to end.
func (s *Supervisor) signal(sig os.Signal) (end bool) {
	switch sig {
	case syscall.SIGTERM, syscall.SIGINT:
		return true
	case syscall.SIGHUP:
		_ = s.Reload() // it has said so
	case syscall.SIGUSR1:
		s.printData()
	case syscall.SIGUSR2:
		s.printStats()
	case SignalStatsClear:
		s.printStats()
		s.clearStats()
	case SignalJSON, signalJSONMusl:
		s.printJSON()
	}
	return false
}
