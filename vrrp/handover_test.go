package vrrp_test

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
)

// throughJSON is what another program makes of it.
func throughJSON[T any](t *testing.T, v T) (again T) {
	t.Helper()
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &again)
	}
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// replaced is a router whose program is being replaced: a bridge sends for it.
type replaced struct {
	handover vrrp.Handover
	at       time.Time
	bridge   *vrrp.BridgeClient
	process  *vrrp.Bridge
	ended    chan error
}

// lead is how far away the handover is: an advert leaves before it.
const lead = 500 * time.Millisecond

// freeze lets a bridge send for a router.
func (r *router) freeze(t *testing.T, prepare ...func(*vrrp.Bridge)) replaced {
	t.Helper()
	ours, theirs := net.Pipe()
	bridge := vrrp.NewBridge(theirs, r)
	for _, f := range prepare {
		f(bridge)
	}
	is := replaced{bridge: vrrp.NewBridgeClient(ours), process: bridge, ended: make(chan error, 1)}
	go func() { is.ended <- bridge.Run() }()
	if err := r.runner.Blindfold(); err != nil {
		t.Fatal(err)
	}
	errands, err := r.runner.Errands(lead)
	if err == nil {
		err = is.bridge.Prepare(errands)
	}
	if err == nil {
		err = is.bridge.Begin(throughJSON(t, errands))
	}
	if err != nil {
		t.Fatal(err)
	}
	h, at, flush, err := r.runner.Freeze(errands)
	if err != nil {
		t.Fatal(err)
	}
	flush()
	is.handover, is.at = throughJSON(t, h), at
	return is
}

// successor is a new program in the place of a router's, with a link that is up.
func (r *router) successor(t *testing.T, is replaced, addresses ...string) *router {
	t.Helper()
	core, logged := observer.New(zap.DebugLevel)
	relieve := func(taken []string) ([]vrrp.Relief, error) { return is.bridge.End(taken, 50*time.Millisecond) }
	next := &router{lan: r.lan, addr: r.addr, log: logged, ended: make(chan error, 1)}
	for _, a := range addresses {
		next.host.Put(config.Address{Prefix: netip.MustParsePrefix(a), Dev: "eth0"})
	}
	next.runner = vrrp.New(vrrp.Options{
		Log: zap.New(core), Host: &next.host, Notifier: next, Opener: next, Uptime: func() time.Duration { return 0 },
		Taking: &vrrp.Taking{Handover: is.handover, At: is.at, Relieve: relieve},
	})
	ctx, cancel := context.WithCancel(context.Background())
	next.cancel = cancel
	go func() { next.ended <- next.runner.Run(ctx) }()
	next.link(true)
	return next
}

// A master that another program goes on for: its adverts leave on time,
// whenever that begins, count on, and nothing else happens to anybody. It is
// master as it was, in a sync group too.
func TestHandoverMaster(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		cfg := func(priority uint8) *config.Config {
			x, y := virtual("VI_1", 51, priority, vip), virtual("VI_2", 52, priority, "10.0.0.101/24")
			x.Authentication = config.Authentication{Type: config.AuthAH, Pass: "s3cret"}
			c := resolved(x, y)
			c.Groups = []config.SyncGroup{{Name: "G", Members: []string{"VI_1", "VI_2"}}}
			c.Resolve(nil)
			return c
		}
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, cfg(150))
		apply(t, b, cfg(100))
		l.until(11 * time.Second) // the second burst of gratuitous ARP is over
		l.sent()
		a.noted()
		b.noted()
		was, err := a.runner.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		is := a.freeze(t)
		l.until(13500 * time.Millisecond)
		a.stop(t) // frozen, it says no farewell
		next := a.successor(t, is, vip, "10.0.0.101/24")
		apply(t, next, cfg(150))
		if err := <-is.ended; err != nil {
			t.Error(err)
		}
		now, err := next.runner.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		for i := range now.Instances {
			w, n := was.Instances[i], now.Instances[i]
			if n.State != config.Master || n.Stats.AdvertSent != w.Stats.AdvertSent+3 || n.Stats.BecomeMaster != 1 || !n.Changed.Equal(w.Changed) || !n.Silent {
				t.Errorf("was %+v\nis %+v", w, n)
			}
		}
		l.until(16 * time.Second)
		var times, sequences []string
		for _, frame := range l.sent() {
			words := strings.Fields(frame)
			if slices.Contains(words, "52") {
				times = append(times, words[0])
				continue
			}
			sequences = append(sequences, strings.Join(words[6:8], " ")+" AH "+words[len(words)-1])
		}
		if len(times) != 5 || len(sequences) != 5 {
			t.Errorf("adverts: %q %q", times, sequences)
		}
		for i := range times[1:] {
			x, _ := time.ParseDuration(times[i])
			y, _ := time.ParseDuration(times[i+1])
			if y-x != time.Second {
				t.Errorf("%s between two adverts", y-x)
			}
		}
		want(t, "identification and number", sequences, []string{"id 9 AH 9", "id 10 AH 10", "id 11 AH 11", "id 12 AH 12", "id 13 AH 13"})
		want(t, "states", next.noted(), nil)
		want(t, "states of the backup", b.noted(), nil)
		want(t, "host", next.host.Operations(), nil)
		next.stop(t)
		if got := next.host.String(); got != "" {
			t.Errorf("addresses left:\n%s", got)
		}
		b.stop(t)
	})
}

// A backup that another program goes on for has heard nothing meanwhile: its
// timer goes on where it stood.
func TestHandoverBackup(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a, b := l.newRouter("10.0.0.1", nil), l.newRouter("10.0.0.2", nil)
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip)))
		apply(t, b, resolved(virtual("VI_1", 51, 100, vip)))
		l.until(5 * time.Second) // an advert at 4.4 s, the timer of b at 8.02 s
		a.kill()
		b.noted()
		is := b.freeze(t)
		l.until(7 * time.Second)
		b.stop(t) // frozen, it says no farewell
		next := b.successor(t, is)
		apply(t, next, resolved(virtual("VI_1", 51, 100, vip)))
		l.until(12 * time.Second)
		const due = 4414062500*time.Nanosecond + 3609375*time.Microsecond + 2*time.Second - lead
		want(t, "states", next.noted(), []string{due.String() + " VI_1 MASTER 100"})
		next.stop(t)
		a.stop(t)
	})
}

// An instance that the new program does not have resigns; one that only it has
// begins like any other.
func TestHandoverOtherInstances(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		apply(t, a, resolved(virtual("VI_1", 51, 150, vip), virtual("VI_2", 52, 150, "10.0.0.101/24")))
		l.until(3500 * time.Millisecond)
		a.noted()
		l.sent()
		is := a.freeze(t)
		l.until(4200 * time.Millisecond)
		a.stop(t) // frozen, it says no farewell
		next := a.successor(t, is, vip)
		apply(t, next, resolved(virtual("renamed", 51, 150, vip), virtual("VI_3", 53, 150, "10.0.0.102/24")))
		l.until(4500 * time.Millisecond)
		want(t, "wire", l.sent(), []string{
			"4.2s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 52 prio 0",
			"4.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 51 prio 150",
		})
		want(t, "states", next.noted(), []string{"4.2s VI_3 BACKUP 150"})
		next.stop(t)
	})
}

// When the program that is to go on cannot be executed the old one goes on, from
// where the bridge will have come to when it ends, here 1.5 s later.
func TestThaw(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		cfg := resolved(virtual("VI_1", 51, 150, vip))
		a := l.newRouter("10.0.0.1", nil)
		apply(t, a, cfg)
		l.until(5 * time.Second)
		is := a.freeze(t)
		l.until(6 * time.Second)
		reliefs, err := is.bridge.End([]string{"VI_1"}, 1500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.runner.Thaw(cfg, reliefs); err != nil {
			t.Fatal(err)
		}
		l.until(9 * time.Second)
		want(t, "wire", l.sent(), []string{
			"3.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 1 vrid 51 prio 150",
			"4.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 2 vrid 51 prio 150",
			"5.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 3 vrid 51 prio 150",
			"6.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 4 vrid 51 prio 150",
			"7.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 5 vrid 51 prio 150",
			"8.4140625s 10.0.0.1 > 224.0.0.18 ttl 255 id 6 vrid 51 prio 150",
		})
		a.stop(t)
	})
}

// A bridge that stays sends again when who relieved it has failed, at once where
// an advert is missing, with numbers that nobody has heard. Relieved again, it
// is silent; and it can resign.
func TestBridgeStays(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		x := virtual("VI_1", 51, 150, vip)
		x.Authentication = config.Authentication{Type: config.AuthAH, Pass: "s3cret"}
		a := l.newRouter("10.0.0.1", nil)
		apply(t, a, resolved(x, virtual("VI_2", 52, 150, "10.0.0.101/24")))
		l.until(4 * time.Second)
		is := a.freeze(t, (*vrrp.Bridge).Stay)
		a.stop(t)
		l.sent()
		if _, err := is.bridge.End([]string{"VI_1"}, 50*time.Millisecond); err != nil { // VI_2 resigns
			t.Fatal(err)
		}
		l.until(7 * time.Second) // whoever relieved it has failed meanwhile
		resume := func() *vrrp.BridgeClient {
			ours, theirs := net.Pipe()
			t.Cleanup(func() { _ = ours.Close() })
			is.process.Resume(theirs)
			return vrrp.NewBridgeClient(ours)
		}
		bridge := resume()
		l.until(9500 * time.Millisecond)
		reliefs, err := bridge.End([]string{"VI_1"}, 50*time.Millisecond)
		if err != nil || len(reliefs) != 1 || reliefs[0].Sequence != 71 {
			t.Errorf("reliefs %+v %v", reliefs, err)
		}
		l.until(9520 * time.Millisecond)
		resume() // before its work is done
		l.until(10500 * time.Millisecond)
		is.process.Resign()
		is.process.Resign() // says it once
		l.until(12 * time.Second)
		is.process.Stop()
		if err := <-is.ended; err != nil {
			t.Error(err)
		}
		want(t, "wire", l.sent(), []string{
			"4.5s 10.0.0.1 > 224.0.0.18 ttl 255 id 3 vrid 52 prio 0",
			"7s 10.0.0.1 > 224.0.0.18 ttl 255 id 3 vrid 51 prio 150 AH 69",
			"8s 10.0.0.1 > 224.0.0.18 ttl 255 id 4 vrid 51 prio 150 AH 70",
			"9s 10.0.0.1 > 224.0.0.18 ttl 255 id 5 vrid 51 prio 150 AH 71",
			"10s 10.0.0.1 > 224.0.0.18 ttl 255 id 6 vrid 51 prio 150 AH 72",
			"10.5s 10.0.0.1 > 224.0.0.18 ttl 255 id 7 vrid 51 prio 0 AH 73",
		})
	})
}

// A bridge whose program has been killed ends, and says nothing.
func TestBridgeAlone(t *testing.T) {
	bubble(t, func(t *testing.T, l *lan) {
		a := l.newRouter("10.0.0.1", nil)
		ours, theirs := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- vrrp.NewBridge(theirs, a).Run() }()
		if err := vrrp.NewBridgeClient(ours).Prepare(vrrp.Errands{}); err != nil {
			t.Error(err)
		}
		_ = ours.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want(t, "wire", l.sent(), nil)
		a.stop(t)
	})
}
