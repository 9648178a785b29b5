package supervisor

import (
	"errors"
	"os"
	"syscall"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// maxAsked is how many requests of the bus wait.
const maxAsked = 16

// busDaemon does what the bus asks for: most of it is what a signal does.
type busDaemon struct {
	s   *Supervisor
	log *zap.Logger
}

// PrintData implements dbus.Daemon.
func (b busDaemon) PrintData() error {
	return b.ask(syscall.SIGUSR1, "Printing VRRP data on DBus request")
}

// PrintStats implements dbus.Daemon.
func (b busDaemon) PrintStats() error {
	return b.ask(syscall.SIGUSR2, "Printing VRRP stats on DBus request")
}

// PrintStatsClear implements dbus.Daemon.
func (b busDaemon) PrintStatsClear() error {
	return b.ask(SignalStatsClear, "Printing and clearing VRRP stats on DBus request")
}

// Reload implements dbus.Daemon.
func (b busDaemon) Reload() error {
	return b.ask(syscall.SIGHUP, "Reloading on DBus request")
}

var errBusy = errors.New("too many requests wait")

func (b busDaemon) ask(sig os.Signal, log string) error {
	select {
	case b.s.asked <- sig:
		b.log.Info(log)
		return nil
	default:
		return errBusy
	}
}

// SendGarp implements dbus.Daemon.
func (b busDaemon) SendGarp(instance string) error {
	b.log.Info("Sending garps on " + instance + " on DBus request")
	return b.s.router.SendGarp(instance)
}

// State implements dbus.Daemon.
func (b busDaemon) State(instance string) (config.State, bool) {
	now, err := b.s.router.Snapshot()
	if err != nil {
		return 0, false
	}
	for _, i := range now.Instances {
		if i.Name == instance {
			return i.State, true
		}
	}
	return 0, false
}
