package vrrp_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

const vip = "10.0.0.100/24"

// Two routers elect the one of the higher priority; it says farewell and the
// other takes over after its skew time.
func TestElectionAndShutdown(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip)))
		apply(t, b, resolved(virtual("VI_1", 51, 100, vip)))
		l.until(5 * time.Second)
		want(t, "states of a", a.noted(), []string{"0s VI_1 BACKUP 150", "3.4140625s VI_1 MASTER 150"})
		want(t, "states of b", b.noted(), []string{"0s VI_1 BACKUP 100"})
		want(t, "wire", l.sent(), []string{
			"3.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 150",
			"4.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 51 prio 150",
		})
		if got := a.host.String(); got != "eth0:\n    inet 10.0.0.100/24 scope global eth0\n" {
			t.Errorf("addresses of a:\n%s", got)
		}
		want(t, "host a", a.host.Operations(), []string{
			"add 10.0.0.100/24 dev eth0",
			"announce 10.0.0.100/24 dev eth0", "announce 10.0.0.100/24 dev eth0", "announce 10.0.0.100/24 dev eth0",
			"announce 10.0.0.100/24 dev eth0", "announce 10.0.0.100/24 dev eth0",
		})

		a.stop(t)
		want(t, "states of a", a.noted(), []string{"5s VI_1 STOP 150"})
		want(t, "host a", a.host.Operations(), []string{"del 10.0.0.100/24 dev eth0"})
		l.until(5700 * time.Millisecond)
		want(t, "wire", l.sent(), []string{
			"5s 10.0.0.1 > 224.0.0.18 ttl 255 id 3 vrid 51 prio 0",
			"5.609375s 10.0.0.2 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 100",
		})
		want(t, "states of b", b.noted(), []string{"5.609375s VI_1 MASTER 100"})
		b.stop(t)
	})
}

// A master that dies without a word is replaced after Active_Down_Interval,
// RFC 9568 section 6.1, to the nanosecond.
func TestKilledMaster(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip)))
		apply(t, b, resolved(virtual("VI_1", 51, 100, vip)))
		l.until(5 * time.Second)
		a.kill()
		b.noted()
		l.until(9 * time.Second)
		want(t, "states of b", b.noted(), []string{(4414062500*time.Nanosecond + 3609375*time.Microsecond).String() + " VI_1 MASTER 100"})
		a.stop(t)
		b.stop(t)
	})
}

// A reload of the same configuration: no packet out of turn, nothing done to
// the host, nobody told.
func TestReloadUnchanged(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip), virtual("VI_2", 52, 90, "10.0.0.101/24")))
		apply(t, b, resolved(virtual("VI_1", 51, 100, vip), virtual("VI_2", 52, 100, "10.0.0.101/24")))
		l.until(5500 * time.Millisecond)
		l.sent()
		for _, r := range []*router{a, b} {
			r.noted()
			r.host.Operations()
		}
		for range 10 {
			apply(t, a, resolved(virtual("VI_1", 51, 150, vip), virtual("VI_2", 52, 90, "10.0.0.101/24")))
			apply(t, b, resolved(virtual("VI_1", 51, 100, vip), virtual("VI_2", 52, 100, "10.0.0.101/24")))
		}
		l.until(7 * time.Second)
		want(t, "wire", l.sent(), []string{
			"5.609375s 10.0.0.2 > 224.0.0.18 ttl 255 id 3 vrid 52 prio 100",
			"6.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 4 vrid 51 prio 150",
			"6.609375s 10.0.0.2 > 224.0.0.18 ttl 255 id 4 vrid 52 prio 100",
		})
		for _, r := range []*router{a, b} {
			want(t, "states", r.noted(), nil)
			want(t, "host", r.host.Operations(), nil)
			if r.opened != 1 || len(r.filtered) != 1 {
				t.Errorf("sockets: opened %d, filters %v", r.opened, r.filtered)
			}
			r.stop(t)
		}
	})
}

// A reload that adds, changes and removes instances: the survivor keeps its
// state and its address, even under another name.
func TestReload(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		a.host.Put(config.Address{Prefix: netip.MustParsePrefix("10.0.0.102/24"), Dev: "eth0"})
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip), virtual("VI_2", 52, 150, "10.0.0.101/24")))
		l.until(4 * time.Second)
		a.noted()
		a.host.Operations()
		l.sent()

		// VI_1 keeps its address and gets one more, VI_2's goes to a new VI_3.
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip, "10.0.0.103/24"), virtual("VI_3", 53, 150, "10.0.0.102/24")))
		l.until(4100 * time.Millisecond)
		ops := a.host.Operations()
		n := len(ops)
		if n < 3 || ops[0] != "add 10.0.0.103/24 dev eth0" || ops[n-2] != "del 10.0.0.102/24 dev eth0" || ops[n-1] != "del 10.0.0.101/24 dev eth0" {
			t.Errorf("want an addition, and last the sweep of VI_3's address and VI_2's release: %q", ops)
		}
		if got := a.host.String(); got != "eth0:\n    inet 10.0.0.100/24 scope global eth0\n    inet 10.0.0.103/24 scope global eth0\n" {
			t.Errorf("addresses:\n%s", got)
		}
		sent := l.sent()
		if len(sent) == 0 || sent[0] != "4s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 52 prio 0" {
			t.Errorf("VI_2 did not say farewell: %q", sent)
		}
		snapshot, err := a.runner.Snapshot()
		if err != nil || len(snapshot.Instances) != 2 || snapshot.Instances[0].State != config.Master || snapshot.Instances[1].State != config.Backup {
			t.Errorf("snapshot %+v, %v", snapshot, err)
		}
		if a.opened != 1 {
			t.Errorf("opened %d sockets", a.opened)
		}
		a.stop(t)
		if got := a.host.String(); got != "" {
			t.Errorf("left behind:\n%s", got)
		}
	})
}

// The members of a sync group move together, and the group has a voice of its
// own.
func TestSyncGroup(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		cfg := resolved(virtual("VI_1", 51, 150, vip), virtual("VI_2", 52, 100, "10.0.0.101/24"))
		cfg.Groups = []config.SyncGroup{{Name: "G", Members: []string{"VI_1", "VI_2"}}}
		apply(t, a, cfg)
		l.until(8 * time.Second)
		snapshot, err := a.runner.Snapshot()
		if err != nil || len(snapshot.Groups) != 1 || snapshot.Groups[0] != (vrrp.GroupStatus{Name: "G", State: config.Master}) {
			t.Errorf("snapshot %+v, %v", snapshot, err)
		}
		if got := a.host.String(); got != "eth0:\n    inet 10.0.0.101/24 scope global eth0\n    inet 10.0.0.100/24 scope global eth0\n" {
			t.Errorf("addresses:\n%s", got)
		}
		a.noted()
		a.link(false)
		l.until(9 * time.Second)
		want(t, "states", a.noted(), []string{"8s VI_1 FAULT 150", "8s VI_2 FAULT 100", "8s G FAULT 0"})
		a.stop(t)
	})
}

// The link fails and comes back; the other router serves meanwhile.
func TestLinkFailure(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		apply(t, a, resolved(virtual("VI_1", 51, 100, vip)))
		l.until(4 * time.Second)
		a.link(false)
		l.until(5 * time.Second)
		_ = a.runner.Link(vrrp.LinkChanged{Link: "eth0"})
		_ = a.runner.Link(vrrp.LinkChanged{Link: "eth9", Exists: true, Up: true})
		l.until(6 * time.Second)
		a.link(true)
		l.until(10 * time.Second)
		want(t, "states", a.noted(), []string{
			"0s VI_1 BACKUP 100", "3.609375s VI_1 MASTER 100", "4s VI_1 FAULT 100",
			"6s VI_1 BACKUP 100", "9.609375s VI_1 MASTER 100",
		})
		if a.opened != 2 {
			t.Errorf("opened %d sockets; a link that was made again needs a new one", a.opened)
		}
		a.stop(t)
	})
}

// The link of an address that is elsewhere fails and comes back.
func TestOtherLinkFailure(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		i := virtual("VI_1", 51, 100, vip)
		i.VirtualIPAddressExcluded = []config.Address{{Prefix: netip.MustParsePrefix("10.1.0.9/24"), Dev: "eth1"}}
		apply(t, a, resolved(i))
		for at, up := range []bool{true, false, true} {
			l.until(time.Duration(1+5*at) * time.Second)
			_ = a.runner.Link(vrrp.LinkChanged{Link: "eth1", Exists: true, Up: up})
		}
		l.until(15 * time.Second)
		want(t, "states", a.noted(), []string{
			"0s VI_1 FAULT 100", "1s VI_1 BACKUP 100", "4.609375s VI_1 MASTER 100",
			"6s VI_1 FAULT 100", "11s VI_1 BACKUP 100", "14.609375s VI_1 MASTER 100",
		})
		a.stop(t)
	})
}

// Without a socket an instance would hear nobody and become a second master:
// it is in FAULT until the socket can be opened.
func TestNoSocket(t *testing.T) {
	peers := []config.Peer{{Addr: netip.MustParseAddr("10.0.0.2")}}
	for name, tt := range map[string]struct {
		change func(*config.Instance)
		said   string
	}{
		"multicast": {func(*config.Instance) {}, "(VI_1): entering FAULT state (no socket on interface eth0)"},
		"unicast": {func(i *config.Instance) {
			i.UnicastPeers, i.UnicastSrcIP = peers, netip.MustParseAddr("10.0.0.1")
		}, "(VI_1): entering FAULT state (src address not configured)"},
		"unicast without an interface": {func(i *config.Instance) {
			i.UnicastPeers, i.UnicastSrcIP, i.Interface = peers, netip.MustParseAddr("10.0.0.1"), ""
		}, "(VI_1): entering FAULT state (src address not configured)"},
		"dont_track_primary": {func(i *config.Instance) { i.DontTrackPrimary = true }, "(VI_1): entering FAULT state (no socket on interface eth0)"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, l *lan) {
				a := l.newRouter("10.0.0.1", nil)
				a.fail(errNoSocket)
				i := virtual("VI_1", 51, 100, vip)
				tt.change(&i)
				apply(t, a, resolved(i))
				l.until(5500 * time.Millisecond)
				a.fail(nil)
				l.until(7 * time.Second)
				want(t, "states", a.noted(), []string{"0s VI_1 FAULT 100", "6s VI_1 BACKUP 100"})
				if a.log.FilterMessage(tt.said).Len() != 1 {
					t.Errorf("%q is not said", tt.said)
				}
				a.stop(t)
			})
		})
	}
}

// Addresses of instances are no source of adverts, even if a predecessor left
// them on the link.
func TestSourceIsNoVIP(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		_ = a.runner.Link(vrrp.LinkChanged{Link: "eth0", Exists: true, Up: true,
			IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.100"), netip.MustParseAddr("10.0.0.1")}})
		apply(t, a, resolved(virtual("VI_1", 51, 100, vip)))
		l.until(4 * time.Second)
		want(t, "wire", l.sent(), []string{"3.609375s 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 100"})
		a.stop(t)
	})
}

// Unicast: one datagram for each peer, all of one advert with the same
// identification, as keepalived sends them.
func TestUnicast(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		peers := func(i config.Instance, addrs ...string) *config.Config {
			for _, addr := range addrs {
				i.UnicastPeers = append(i.UnicastPeers, config.Peer{Addr: netip.MustParseAddr(addr)})
			}
			return resolved(i)
		}
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, peers(virtual("VI_1", 51, 150, vip), "10.0.0.2", "10.0.0.3"))
		apply(t, b, peers(virtual("VI_1", 51, 100, vip), "10.0.0.1"))
		l.until(4 * time.Second)
		want(t, "wire", l.sent(), []string{
			"3.4140625s 10.0.0.1 > 10.0.0.2 ttl 255 id 1 vrid 51 prio 150",
			"3.4140625s 10.0.0.1 > 10.0.0.3 ttl 255 id 1 vrid 51 prio 150",
		})
		a.stop(t)
		want(t, "states of b", b.noted(), []string{"0s VI_1 BACKUP 100"})
		b.stop(t)
	})
}

// Tracked scripts begin with the configuration that tracks them and end with
// it; a reload that leaves the command alone keeps what is known.
func TestTrackedScripts(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		var mu sync.Mutex
		var events []string
		track := func(ctx context.Context, s config.TrackScript, last *bool, report func(bool)) {
			known := "unknown"
			if last != nil {
				known = map[bool]string{true: "up", false: "down"}[*last]
			}
			mu.Lock()
			events = append(events, s.Name+" begins "+known)
			mu.Unlock()
			select {
			case <-time.After(s.Interval):
				report(s.Script.Line == "true")
			case <-ctx.Done():
				return
			}
			<-ctx.Done()
		}
		a := l.newRouter("10.0.0.1", &vrrp.Observers{Script: track})
		cfg := func(interval time.Duration) *config.Config {
			script := config.DefaultTrackScript
			script.Name, script.Script, script.Interval = "chk", config.Command{Line: "true", Args: []string{"true"}}, interval
			unused := script
			unused.Name = "unused"
			i := virtual("VI_1", 51, 100, vip)
			i.TrackScript = []config.Track{{Name: "chk", Weight: config.Some(0)}}
			c := &config.Config{Global: config.DefaultGlobal, Scripts: []config.TrackScript{script, unused}, Instances: []config.Instance{i}}
			c.Resolve(nil)
			return c
		}
		apply(t, a, cfg(time.Second))
		l.until(2 * time.Second)
		apply(t, a, cfg(time.Second))
		apply(t, a, cfg(2*time.Second))
		l.until(10 * time.Second)
		apply(t, a, resolved(virtual("VI_1", 51, 100, vip)))
		a.stop(t)
		want(t, "scripts", events, []string{"chk begins unknown", "chk begins up"})
		want(t, "states", a.noted(), []string{"1s VI_1 BACKUP 100", "4.609375s VI_1 MASTER 100", "10s VI_1 STOP 100"})
	})
}

// What a file says and which processes run is known before the instance
// starts; a file that cannot be read in time is waited for no longer.
func TestObservedBeforeStart(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		var mu sync.Mutex
		ended := map[string]time.Duration{}
		begin := time.Now()
		end := func(ctx context.Context, name string) {
			<-ctx.Done()
			mu.Lock()
			defer mu.Unlock()
			ended[name] = time.Since(begin)
		}
		a := l.newRouter("10.0.0.1", &vrrp.Observers{
			File: func(ctx context.Context, f config.TrackFile, report func(int)) {
				time.Sleep(map[string]time.Duration{"quick": time.Millisecond, "hanging": time.Hour}[f.Name])
				report(20)
				end(ctx, f.Name)
			},
			Process: func(ctx context.Context, p config.TrackProcess, report func(bool)) {
				report(true)
				time.Sleep(time.Minute)
				report(false)
				end(ctx, p.Name)
			},
		})
		cfg := func(files ...string) *config.Config {
			i := virtual("VI_1", 51, 100, vip)
			c := &config.Config{Global: config.DefaultGlobal}
			c.Trackers.Processes = []config.TrackProcess{{Name: "nginx", Process: []string{"nginx"}, Quorum: 1, Weight: config.Some(30)}}
			i.TrackProcess = []config.Track{{Name: "nginx"}}
			for _, name := range files {
				c.Trackers.Files = append(c.Trackers.Files, config.TrackFile{Name: name, File: "/" + name})
				i.TrackFile = append(i.TrackFile, config.Track{Name: name})
			}
			c.Instances = []config.Instance{i}
			c.Resolve(nil)
			return c
		}
		apply(t, a, cfg("quick"))
		l.until(2 * time.Minute)
		apply(t, a, cfg("hanging"))
		if now := time.Since(begin); now != 2*time.Minute+time.Second {
			t.Errorf("the reload took until %s", now)
		}
		l.until(2 * time.Hour)
		a.stop(t)
		want(t, "states", a.noted(), []string{"1ms VI_1 BACKUP 150", "3.4150625s VI_1 MASTER 150", "2h0m0s VI_1 STOP 120"})
		want(t, "ended", []string{fmt.Sprint(ended)}, []string{"map[hanging:2h0m0s nginx:2h0m0s quick:2m0s]"})
	})
}

// A link that is down or up for less than its delay has not changed.
func TestUpDownDelays(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		cfg := func(delays ...config.UpDownDelay) *config.Config {
			i := virtual("VI_1", 51, 100, vip)
			i.TrackInterface = []config.Track{{Name: "eth1", Weight: config.Some(-30)}}
			i.NotifyPriorityChanges = config.Some(true)
			c := resolved(i)
			c.Links.Delays = delays
			return c
		}
		delay := config.UpDownDelay{Link: config.Link{Name: "eth1"}, Down: 10 * time.Second, Up: 3 * time.Second}
		own := config.UpDownDelay{Link: config.Link{Name: "eth0"}, Down: time.Minute, Up: time.Minute} // cut to two adverts
		eth1 := func(up bool) {
			if err := a.runner.Link(vrrp.LinkChanged{Link: "eth1", Exists: true, Up: up}); err != nil {
				t.Error(err)
			}
		}
		eth1(false) // not yet seen up: told at once
		apply(t, a, cfg(delay, own))
		eth1(true)
		l.until(10 * time.Second)
		eth1(false)
		l.until(19 * time.Second) // too short
		eth1(true)
		l.until(20 * time.Second)
		eth1(false) // told at 30 s
		l.until(32 * time.Second)
		eth1(true)
		l.until(34 * time.Second) // too short
		eth1(false)
		l.until(35 * time.Second)
		eth1(true) // told at 38 s
		l.until(40 * time.Second)
		eth1(false)
		l.until(41 * time.Second)
		apply(t, a, cfg(own)) // told at once: there is no delay any more
		a.link(false)
		l.until(44 * time.Second)
		a.link(true)
		l.until(51 * time.Second)
		a.stop(t)
		want(t, "states", a.noted(), []string{
			"0s VI_1 PRIORITY 70", "0s VI_1 BACKUP 70", "0s VI_1 PRIORITY 100", "3.609375s VI_1 MASTER 100",
			"30s VI_1 PRIORITY 70", "38s VI_1 PRIORITY 100", "41s VI_1 PRIORITY 70",
			"42.99609375s VI_1 FAULT 70", "45.99609375s VI_1 BACKUP 70", "49.72265625s VI_1 MASTER 70", "51s VI_1 STOP 70",
		})
	})
}

// What others tell about a BFD session counts, before the configuration that
// tracks it and over reloads.
func TestToldVerdicts(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		cfg := func(priority uint8) *config.Config {
			i := virtual("VI_1", 51, priority, vip)
			i.TrackBFD = []config.Track{{Name: "peer"}}
			c := resolved(i)
			c.Trackers.BFD = []config.BFDInstance{{Name: "peer"}}
			return c
		}
		tell := func(up bool) {
			if err := a.runner.Tracked(vrrp.Tracked{Kind: vrrp.BFD, Name: "peer", Up: up}); err != nil {
				t.Error(err)
			}
		}
		tell(false)
		apply(t, a, cfg(100))
		l.until(time.Second)
		apply(t, a, cfg(101))
		l.until(2 * time.Second)
		tell(true)
		l.until(10 * time.Second)
		apply(t, a, cfg(102))
		tell(false)
		a.stop(t)
		want(t, "states", a.noted(), []string{
			"0s VI_1 FAULT 100", "2s VI_1 BACKUP 101", "5.60546875s VI_1 MASTER 101", "10s VI_1 FAULT 102", "10s VI_1 STOP 102",
		})
	})
}

func TestAfterStop(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		a.stop(t)
		if err := a.runner.Apply(resolved()); !errors.Is(err, vrrp.ErrStopped) {
			t.Errorf("Apply: %v", err)
		}
		if _, err := a.runner.Snapshot(); !errors.Is(err, vrrp.ErrStopped) {
			t.Errorf("Snapshot: %v", err)
		}
	})
}
