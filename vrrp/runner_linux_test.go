package vrrp_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp"
)

// director is a runner on the real kernel of a namespace.
type director struct {
	runner *vrrp.Runner
	host   *kernel.Host
	cancel context.CancelFunc
	ended  chan error
}

type silent struct{}

func (silent) Notify(vrrp.Became)                               {}
func (silent) ReceivedLowerPriority(vrrp.ReceivedLowerPriority) {}
func (silent) Reprioritised(vrrp.Reprioritised)                 {}

// direct runs a configuration in a namespace.
func direct(t *testing.T, ns *netns.NS, cfg *config.Config) *director {
	t.Helper()
	log := zaptest.NewLogger(t)
	d := &director{ended: make(chan error, 2)}
	err := ns.Do(func() (err error) {
		d.host, err = kernel.Open(log)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	d.runner = vrrp.New(vrrp.Options{Log: log, Host: d.host, Notifier: silent{}})
	links := kernel.NewLinks(log, d.host, func(l kernel.Link) {
		_ = d.runner.Link(vrrp.LinkChanged{Link: l.Name, Exists: l.Exists, Up: l.Up, IPv4: l.IPv4, IPv6: l.IPv6})
	})
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go func() { d.ended <- ns.Do(func() error { return d.runner.Run(ctx) }) }()
	go func() { d.ended <- ns.Do(func() error { return links.Run(ctx) }) }()
	<-links.Ready()
	if err := d.runner.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(t) })
	return d
}

func (d *director) stop(t *testing.T) {
	t.Helper()
	if d.cancel == nil {
		return
	}
	d.cancel()
	d.cancel = nil
	for range 2 {
		if err := <-d.ended; err != nil {
			t.Error(err)
		}
	}
	if err := d.host.Close(); err != nil {
		t.Error(err)
	}
}

// keepalived runs Debian's keepalived in a namespace; end signals all of it.
func keepalived(t *testing.T, ns *netns.NS, text string) (end func(syscall.Signal)) {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := ns.Command(context.Background(), "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", conf,
		"--pid", filepath.Join(dir, "pid"), "--vrrp_pid", filepath.Join(dir, "vrrp.pid"))
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func(signal syscall.Signal) {
		if ended {
			return
		}
		ended = true
		_ = syscall.Kill(-cmd.Process.Pid, signal)
		_ = cmd.Wait()
	}
	t.Cleanup(func() {
		end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("keepalived:\n%s", &out)
		}
	})
	return end
}

// awaitVIP waits until the address is on the first host and not on the other.
func awaitVIP(t *testing.T, on, off *netns.NS) {
	t.Helper()
	var onHas, offHas bool
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		onHas = strings.Contains(on.Run(t, "ip -o addr show dev eth0"), " 10.99.0.100/24 ")
		offHas = strings.Contains(off.Run(t, "ip -o addr show dev eth0"), " 10.99.0.100/24 ")
		if onHas && !offHas {
			return
		}
	}
	t.Fatalf("address on %s: %t, on %s: %t", on.Name, onHas, off.Name, offHas)
}

// lvsd and Debian's keepalived on one wire, each in both roles: election,
// farewell, return of the preferred one, death without a word.
func TestAgainstKeepalived(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: lvsd and keepalived are not brought together")
	}
	for _, c := range []struct {
		name    string
		version uint8
		auth    string
		advert  time.Duration
		unicast bool
	}{
		{"v2 PASS", 2, "authentication {\n auth_type PASS\n auth_pass secret\n}", time.Second, false},
		{"v3", 3, "", 200 * time.Millisecond, false},
		{"v3 unicast", 3, "", 200 * time.Millisecond, true},
	} {
		ours := func(priority uint8) *config.Config {
			i := virtual("VI_1", 51, priority, "10.99.0.100/24")
			i.Version, i.AdvertInt = config.Some(c.version), c.advert
			if c.auth != "" {
				i.Authentication = config.Authentication{Type: config.AuthPass, Pass: "secret"}
			}
			if c.unicast {
				i.UnicastPeers = []config.Peer{{Addr: netip.MustParseAddr("10.99.0.2")}}
			}
			return resolved(i)
		}
		theirs := func(priority int) string {
			peers := ""
			if c.unicast {
				peers = "unicast_peer {\n 10.99.0.1\n}"
			}
			return fmt.Sprintf("vrrp_instance VI_1 {\n version %d\n interface eth0\n virtual_router_id 51\n priority %d\n advert_int %v\n%s\n%s\n"+
				"virtual_ipaddress {\n 10.99.0.100/24\n}\n}\n", c.version, priority, c.advert.Seconds(), c.auth, peers)
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t)
			lvsd := direct(t, a, ours(150))
			awaitVIP(t, a, b)
			end := keepalived(t, b, theirs(100))
			lvsd.stop(t)
			awaitVIP(t, b, a)
			lvsd = direct(t, a, ours(150))
			awaitVIP(t, a, b)
			end(syscall.SIGTERM)
			lvsd.stop(t)

			lvsd = direct(t, a, ours(100))
			end = keepalived(t, b, theirs(150))
			awaitVIP(t, b, a)
			end(syscall.SIGKILL)
			b.Run(t, "ip addr del 10.99.0.100/24 dev eth0")
			awaitVIP(t, a, b)
			end = keepalived(t, b, theirs(150))
			awaitVIP(t, b, a)
			end(syscall.SIGTERM)
			awaitVIP(t, a, b)
			lvsd.stop(t)
			if got := a.Run(t, "ip -o -4 addr show dev eth0"); strings.Count(got, "inet ") != 1 {
				t.Errorf("left behind:\n%s", got)
			}
		})
	}
}
