package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/vrrp"
)

// startLimit is how long a new program may take until everything runs.
const startLimit = 30 * time.Second

// The guard is the other half of a bridge: it watches over the program that
// takes the place of the one that has started it. To the service manager it is
// the main process meanwhile, or the end of that program would be the end of
// the service.
//
//	lvsd                          bridge
//	 watch: handover  ---------->  watches this process
//	                  <----------  ready
//	 execve(2)
//	 dismiss          ---------->  the main process is that one again; ends
//
// When the program ends, or does not dismiss it in time, or closes the
// connection, the guard kills it and lets the former program, which is its own,
// go on from the same handover, as another process; the bridge sends the
// adverts again until then. When that one fails, too, or somebody has asked for
// a stop meanwhile, it gives up: priority 0, and nothing of lvsd's is left on the
// links, so that the peers take over.

// watchOrder is what a guard has to know.
type watchOrder struct {
	Handover  daemon.Handover
	Program   string // that is executed
	Namespace string // of the network, that was entered; empty: none
	Bridge    bridgeHandover
	Asker     int    // see handover
	Ledger    string // the file; empty: none
	Limit     time.Duration
	Watchdog  time.Duration // of the service manager; 0: none
}

// guardAsk is one line to a guard, which answers each with an empty object.
type guardAsk struct {
	Watch   *watchOrder `json:",omitempty"`
	Dismiss bool        `json:",omitempty"`
}

// guardClient speaks to a guard.
type guardClient struct {
	out *json.Encoder
	in  *json.Decoder
}

func newGuardClient(conn io.ReadWriter) *guardClient {
	return &guardClient{json.NewEncoder(conn), json.NewDecoder(conn)}
}

func (c *guardClient) ask(a guardAsk) error {
	err := c.out.Encode(a)
	if err == nil {
		err = c.in.Decode(&struct{}{})
	}
	if err != nil {
		return fmt.Errorf("bridge: %w", err)
	}
	return nil
}

func (c *guardClient) watch(o *watchOrder) error { return c.ask(guardAsk{Watch: o}) }
func (c *guardClient) dismiss() error            { return c.ask(guardAsk{Dismiss: true}) }

// guard is the process at the other end.
type guard struct {
	log     *zap.Logger
	bridge  *vrrp.Bridge
	signals <-chan os.Signal // SIGTERM
	*ward
	order    *watchOrder // nil: nobody is watched over
	returned bool        // the ward is the former program
	ending   bool        // it was told to
}

// ward is the program that is watched over.
type ward struct {
	process *daemon.Watched
	asks    <-chan guardAsk // closed at the end of the connection
	conn    net.Conn
	late    <-chan time.Time
}

// RunBridge is the process that sends the adverts while another program takes
// the place of the one that has started it, and that lets that one go on when
// this fails. SIGTERM is for whoever takes the place.
func RunBridge(b daemon.Bridge, log *zap.Logger, signals <-chan os.Signal) error {
	first, err := newWard(b.PID, b.Watch)
	if err != nil {
		return err
	}
	g := guard{log: log, bridge: vrrp.NewBridge(b.Adverts, nil), signals: signals, ward: first}
	g.bridge.Stay()
	done := make(chan error, 1)
	go func() { done <- g.bridge.Run() }()
	g.run()
	g.bridge.Stop()
	return <-done
}

func newWard(pid int, conn net.Conn) (*ward, error) {
	process, err := daemon.Watch(pid)
	if err != nil {
		return nil, err
	}
	asks := make(chan guardAsk)
	go func() {
		defer close(asks)
		for in := json.NewDecoder(conn); ; {
			var a guardAsk
			if in.Decode(&a) != nil {
				return
			}
			asks <- a
		}
	}()
	return &ward{process: process, conn: conn, asks: asks}, nil
}

func (g *guard) run() {
	for {
		var alive <-chan time.Time
		if g.order != nil && g.order.Watchdog > 0 {
			alive = time.After(g.order.Watchdog / 2)
		}
		failed := ""
		select {
		case a, ok := <-g.asks:
			switch {
			case !ok:
				failed = "it does not say how it goes"
				if exited(g.process.Ended) {
					failed = "it has ended before everything ran"
				}
			case a.Watch != nil:
				g.order, g.late = a.Watch, time.After(a.Watch.Limit)
				g.reply()
			default:
				g.tell(daemon.Main(g.process.PID))
				g.reply()
				g.order = nil // the connection ends now
			}
		case <-g.process.Ended:
			failed = "it has ended before everything ran"
		case <-g.late:
			failed = fmt.Sprintf("it did not start within %s", g.order.Limit)
		case <-alive:
			g.tell(daemon.Alive)
		case sig := <-g.signals:
			if number, ok := sig.(syscall.Signal); ok && g.order != nil {
				g.ending = true
				g.process.Signal(number)
			}
		}
		if failed == "" {
			continue
		}
		if g.order == nil || !g.fail(failed) {
			return
		}
	}
}

// grace is how long the end of a connection may be ahead of that of its process.
const grace = 100 * time.Millisecond

func exited(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return true
	case <-time.After(grace):
		return false
	}
}

func (g *guard) reply() { _ = json.NewEncoder(g.conn).Encode(struct{}{}) } // its end is seen elsewhere

func (g *guard) tell(state string) {
	if err := daemon.Tell(state); err != nil {
		g.log.Warn(err.Error())
	}
}

// fail lets the former program go on where the new one has failed, and reports
// whether there is somebody to watch over.
func (g *guard) fail(why string) bool {
	g.process.Signal(syscall.SIGKILL)
	<-g.process.Ended
	// Whoever has sent it to the process itself, before the program listens, means lvsd.
	if by, _ := g.process.EndedBy(); by == syscall.SIGTERM || by == syscall.SIGINT {
		g.ending = true
	}
	_ = g.conn.Close()
	if g.returned {
		g.giveUp(g.order.Handover.Failed + "; the former program: " + why)
		return false
	}
	why = g.order.Program + ": " + why
	if g.ending {
		g.giveUp(why + "; it was told to stop")
		return false
	}
	g.log.Error(why + "; back to the former program")
	if err := g.back(why); err != nil {
		g.giveUp(why + "; " + err.Error())
		return false
	}
	return true
}

func (g *guard) back(why string) error {
	o := g.order
	g.returned, o.Handover.Failed = true, why
	ends, pid, err := daemon.Return(o.Namespace, o.Handover, o.Bridge.Adverts, o.Bridge.Watch)
	if err != nil {
		return err
	}
	defer ends.Close() // the connections have their own
	adverts, err := net.FileConn(ends.Adverts)
	if err != nil {
		return err
	}
	watch, err := net.FileConn(ends.Watch)
	if err != nil {
		return err
	}
	g.bridge.Resume(adverts)
	if g.ward, err = newWard(pid, watch); err != nil {
		return err
	}
	g.late = time.After(o.Limit)
	return nil
}

// giveUp leaves everything to the peers.
func (g *guard) giveUp(why string) {
	g.bridge.Resign()
	err := error(&UpgradeError{ExitGivenUp, errors.New(why + "; the addresses are given up")})
	g.log.Error(err.Error())
	if e := release(g.log, g.order.Ledger); e != nil {
		g.log.Error("addresses are left: " + e.Error())
	}
	g.tell(daemon.Status(err.Error()))
	if g.order.Asker != 0 {
		_ = tell(g.order.Asker, outcome("", err)) // who has gone does not hear it
	}
}

// release takes what a ledger names from the links of this machine. Services
// stay: nobody reaches them any more, and their connections may go on elsewhere.
func release(log *zap.Logger, file string) (err error) {
	s := New(Options{Log: log})
	if s.host, err = kernel.Open(log); err != nil {
		return err
	}
	defer s.host.Close()
	var left []entry
	s.ledger, left = openLedger(log, file)
	s.sweep(context.Background(), left, new(config.Config))
	s.ledger.close()
	return nil
}
