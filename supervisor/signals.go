package supervisor

import (
	"fmt"
	"os"
	"syscall"
)

// Signals of keepalived beside the usual ones, as numbers of Linux with glibc.
const (
	SignalJSON       = syscall.Signal(36) // SIGRTMIN+2
	SignalStatsClear = syscall.Signal(63) // SIGRTMAX-1
)

// Handled are the signals that [Options.Signals] is to deliver.
func Handled() []os.Signal {
	return []os.Signal{
		syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1, syscall.SIGUSR2,
		SignalJSON, SignalStatsClear,
	}
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
		if err := s.Reload(); err != nil {
			s.log.Error(err.Error())
		}
	case syscall.SIGUSR1:
		s.printData()
	case syscall.SIGUSR2:
		s.printStats()
	case SignalStatsClear:
		s.printStats()
		s.clearStats()
	default:
		s.log.Warn(fmt.Sprintf("signal %v: this dump file is known, but not written yet", sig))
	}
	return false
}
