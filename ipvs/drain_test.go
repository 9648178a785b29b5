package ipvs

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lvsd/lvsd/config"
)

// A server that a reload takes out has weight 0 while it has connections, and
// its time at most. Other reloads do not matter to it.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 drain=60s", "10.0.0.3:80 drain=60s", "10.0.0.4:80")
		apply(t, r, web)
		r.kernel.connect(web.Key, "10.0.0.2:80", 2)
		r.kernel.took()

		less := web
		less.Servers = web.Servers[2:]
		apply(t, r, less)
		wantOps(t, r.kernel, "-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 0", "-e -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 0")
		if now := r.Snapshot()[0]; len(now.Servers) != 1 || len(now.Drains) != 2 || time.Until(now.Drains[1].Until) != time.Minute {
			t.Errorf("%+v", now)
		}
		pass(t, drainInterval)
		wantOps(t, r.kernel, "-d -t 10.0.0.1:80 -r 10.0.0.3:80") // which has no connection
		apply(t, r, less)
		pass(t, 58*time.Second)
		wantOps(t, r.kernel)
		pass(t, time.Second)
		wantOps(t, r.kernel, "-d -t 10.0.0.1:80 -r 10.0.0.2:80") // its time is over
		if now := r.Snapshot()[0]; now.Drains != nil {
			t.Errorf("%+v", now)
		}

		// It comes back in time.
		apply(t, r, web)
		r.kernel.took()
		apply(t, r, less)
		pass(t, drainInterval)
		wantOps(t, r.kernel, "-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 0", "-e -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 0", "-d -t 10.0.0.1:80 -r 10.0.0.3:80")
		apply(t, r, web)
		pass(t, time.Hour)
		wantOps(t, r.kernel, "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1", "-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1")
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// pass lets time pass.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
}

// The connections of a server that nobody can tell may be there.
func TestDrainUntold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		apply(t, r, service("10.0.0.1:80", "10.0.0.2:80 drain=60s"))
		r.kernel.breakIt(func(what string) error {
			if strings.HasPrefix(what, "-L") {
				return errors.New("interrupted")
			}
			return nil
		})
		apply(t, r, service("10.0.0.1:80"))
		r.kernel.took()
		pass(t, 59*time.Second)
		wantOps(t, r.kernel)
		pass(t, time.Second)
		wantOps(t, r.kernel, "-d -t 10.0.0.1:80 -r 10.0.0.2:80")
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A service that is removed goes with the last of its servers, unless somebody
// else gets its address.
func TestDrainService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 drain=60s", "10.0.0.3:80")
		group := service("10.0.0.1:0", "10.0.0.9:80 drain=60s dr")
		group.Key = config.ServiceKey{Group: "G", Protocol: config.TCP}
		group.Entries = []config.GroupEntry{parseEntry([]string{"10.0.0.5-10.0.0.6", "80"})}
		apply(t, r, web, group)
		r.kernel.connect(web.Key, "10.0.0.2:80", 1)
		last := service("10.0.0.6:80").Key
		r.kernel.connect(last, "10.0.0.9:80", 1)
		r.kernel.took()
		apply(t, r)
		wantOps(t, r.kernel,
			"-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 0", "-d -t 10.0.0.1:80 -r 10.0.0.3:80",
			"-e -t 10.0.0.5:80 -r 10.0.0.9:80 -g -w 0", "-e -t 10.0.0.6:80 -r 10.0.0.9:80 -g -w 0")
		pass(t, 2*drainInterval)
		wantOps(t, r.kernel)
		for _, s := range r.Snapshot() {
			if !s.Leaving || len(s.Servers) != 0 || len(s.Drains) != 1 {
				t.Errorf("%+v", s)
			}
		}
		delete(r.kernel.table, web.Key) // by hand, which is drift until it has drained
		r.Resync()
		pass(t, 0)
		wantOps(t, r.kernel, "-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 0")
		r.kernel.connect(web.Key, "10.0.0.2:80", 0)
		pass(t, drainInterval)
		wantOps(t, r.kernel, "-D -t 10.0.0.1:80")

		mail := service("10.0.0.5:80", "10.0.0.2:80")
		apply(t, r, mail) // what the group has left there makes room
		wantOps(t, r.kernel, "-a -t 10.0.0.5:80 -r 10.0.0.2:80 -g -w 1", "-d -t 10.0.0.5:80 -r 10.0.0.9:80")
		apply(t, r, mail, group) // it is back, but for that
		wantOps(t, r.kernel, "-e -t 10.0.0.6:80 -r 10.0.0.9:80 -g -w 1")
		apply(t, r, mail)
		wantOps(t, r.kernel, "-e -t 10.0.0.6:80 -r 10.0.0.9:80 -g -w 0")
		other := group
		other.Entries = []config.GroupEntry{parseEntry([]string{"10.0.0.7", "80"})}
		apply(t, r, mail, other) // it is back with another address, and goes on to drain where it was
		wantOps(t, r.kernel, "-A -t 10.0.0.7:80 -s rr", "-a -t 10.0.0.7:80 -r 10.0.0.9:80 -g -w 1")
		pass(t, drainInterval)
		r.kernel.connect(service("10.0.0.7:80").Key, "10.0.0.9:80", 1)
		apply(t, r, mail, group) // the other way round
		wantOps(t, r.kernel, "-e -t 10.0.0.6:80 -r 10.0.0.9:80 -g -w 1", "-e -t 10.0.0.7:80 -r 10.0.0.9:80 -g -w 0")
		pass(t, drainInterval)
		wantOps(t, r.kernel)
		r.kernel.connect(service("10.0.0.7:80").Key, "10.0.0.9:80", 0)
		pass(t, drainInterval)
		wantOps(t, r.kernel, "-D -t 10.0.0.7:80")
		apply(t, r, mail)
		wantOps(t, r.kernel, "-e -t 10.0.0.6:80 -r 10.0.0.9:80 -g -w 0")
		apply(t, r, mail, service("10.0.0.6:80"))
		wantOps(t, r.kernel, "-d -t 10.0.0.6:80 -r 10.0.0.9:80")
		if now := r.Snapshot(); len(now) != 2 {
			t.Errorf("%+v", now)
		}
		pass(t, time.Hour)
		apply(t, r, mail, service("10.0.0.6:80"), web)
		apply(t, r, mail, service("10.0.0.6:80"))
		r.kernel.took()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		wantOps(t, r.kernel, "-D -t 10.0.0.5:80", "-D -t 10.0.0.6:80", "-D -t 10.0.0.1:80")
	})
}

// At a start what the kernel has and no block names drains as the service says:
// a predecessor may have been about to.
func TestDrainAdopted(t *testing.T) {
	for _, drain := range []time.Duration{0, time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			kernel := newFakeKernel()
			web := service("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80 tun w=3")
			was := start(t, kernel, func(o *Options) { o.KeepOnStop = true })
			apply(t, was, web)
			kernel.connect(web.Key, "10.0.0.3:80", 1)
			if err := was.stop(); err != nil {
				t.Error(err)
			}
			kernel.took()
			web.Servers, web.DrainTimeout = web.Servers[:1], drain
			r := start(t, kernel, nil)
			apply(t, r, web)
			if drain == 0 {
				wantOps(t, kernel, "-d -t 10.0.0.1:80 -r 10.0.0.3:80")
			} else {
				wantOps(t, kernel, "-e -t 10.0.0.1:80 -r 10.0.0.3:80 -i -w 0")
				pass(t, drain)
				wantOps(t, kernel, "-d -t 10.0.0.1:80 -r 10.0.0.3:80")
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The servers of an address that has left its group drain there, each for its own
// time; without drain_timeout they go at once, and so do those of a mark that this
// host gives.
func TestDrainGroupAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		group := service("10.0.0.1:0", "10.0.0.8:8080 drain=60s", "10.0.0.9:8080 drain=2h0m0s", "10.0.0.10:80")
		group.Key = config.ServiceKey{Group: "G", Protocol: config.TCP}
		group.Entries = []config.GroupEntry{parseEntry([]string{"10.0.0.5-10.0.0.6", "80"})}
		apply(t, r, group)
		left := service("10.0.0.6:80").Key
		r.kernel.connect(left, "10.0.0.8:80", 1)
		r.kernel.connect(left, "10.0.0.9:80", 1)
		r.kernel.took()
		less := group
		less.Entries = []config.GroupEntry{parseEntry([]string{"10.0.0.5", "80"})}
		less.Servers = group.Servers[1:] // and one of its servers
		apply(t, r, less)
		wantOps(t, r.kernel, "-e -t 10.0.0.5:80 -r 10.0.0.8:80 -g -w 0",
			"-e -t 10.0.0.6:80 -r 10.0.0.8:80 -g -w 0", "-e -t 10.0.0.6:80 -r 10.0.0.9:80 -g -w 0", "-d -t 10.0.0.6:80 -r 10.0.0.10:80")
		if now := r.Snapshot(); len(now) != 2 || now[1].Key != left || !now[1].Leaving || len(now[1].Drains) != 2 {
			t.Errorf("%+v", now)
		}
		pass(t, drainInterval)
		wantOps(t, r.kernel, "-d -t 10.0.0.5:80 -r 10.0.0.8:80") // which has no connection there
		pass(t, time.Minute-drainInterval)
		wantOps(t, r.kernel, "-d -t 10.0.0.6:80 -r 10.0.0.8:80")
		pass(t, 2*time.Hour)
		wantOps(t, r.kernel, "-D -t 10.0.0.6:80")

		marked := less
		marked.Mark = 1000
		apply(t, r, marked)
		r.kernel.connect(config.ServiceKey{FWMark: 1000}, "10.0.0.9:0", 1)
		marked.Mark = 1001
		r.kernel.took()
		apply(t, r, marked)
		if got := strings.Join(r.kernel.took(), "\n"); !strings.HasSuffix(got, "-D -f 1000") {
			t.Errorf("a mark that is not given any more stays:\n%s", got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// What drains goes on doing so in a program that takes this one's place, for as
// long as is left.
func TestDrainHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		was := start(t, kernel, nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 drain=60s", "10.0.0.3:80")
		gone := service("10.0.0.1:25", "10.0.0.2:25 drain=60s")
		gone.PersistenceTimeout, gone.PersistenceMask, gone.SchedFlags = time.Minute, 24, config.SchedFlag2
		group := service("10.0.0.1:0", "10.0.0.9:80 drain=60s dr")
		group.Key = config.ServiceKey{Group: "G", Protocol: config.TCP}
		group.Entries = []config.GroupEntry{parseEntry([]string{"10.0.0.5-10.0.0.6", "80"}), parseEntry([]string{"7", "ipv6"})}
		apply(t, was, web, gone, group)
		kernel.connect(web.Key, "10.0.0.2:80", 1)
		kernel.connect(gone.Key, "10.0.0.2:25", 1)
		kernel.connect(service("10.0.0.6:80").Key, "10.0.0.9:80", 1)
		web.Servers = web.Servers[1:]
		apply(t, was, web)
		pass(t, 20*time.Second)

		h, thaw := was.Freeze()
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		var read Handover
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		kernel.took()
		next := start(t, kernel, func(o *Options) { o.Taking, o.Abandoned = &read, map[config.ServiceKey]bool{gone.Key: true} })
		apply(t, next, web)
		wantOps(t, kernel)
		if len(next.told) > 0 {
			t.Errorf("told %q", next.told)
		}
		pass(t, 39*time.Second)
		wantOps(t, kernel)
		pass(t, time.Second)
		got := strings.Join(kernel.took(), "\n")
		for _, want := range []string{
			"-d -t 10.0.0.1:80 -r 10.0.0.2:80", "-D -t 10.0.0.1:25", "-D -t 10.0.0.5:80", "-D -t 10.0.0.6:80", "-D -f 7 -6",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in\n%s", want, got)
			}
		}
		if err := next.stop(); err != nil {
			t.Error(err)
		}

		// The other program has a service again that was removed: it begins anew,
		// but for the connections.
		starts := false
		for _, op := range Diff(nil, &Service{Key: gone.Key, Attrs: attrs(&gone), Dests: []Dest{dest(&gone.Servers[0], 0)}}) {
			if err := kernel.one(op); err != nil {
				t.Fatal(err)
			}
		}
		kernel.took()
		back := start(t, kernel, func(o *Options) {
			o.Taking, o.OnChange = &read, func(c Change) { starts = starts || c.Service.Key == gone.Key && c.Starting }
		})
		apply(t, back, gone)
		if ops := kernel.took(); !slices.Contains(ops, "-e -t 10.0.0.1:25 -r 10.0.0.2:25 -g -w 1") || !starts {
			t.Errorf("back again: %q, %t", ops, starts)
		}
		if err := back.stop(); err != nil {
			t.Error(err)
		}
		thaw()
		if err := was.stop(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

// A large service is asked no more often than it may cost.
func TestDrainPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{})
		e := &entry{pool: &Pool{leavers: []leaver{{Dest{Addr: netip.MustParseAddrPort("10.0.0.2:80")}, time.Now().Add(time.Minute)}}}}
		m.draining = []*entry{e}
		for _, c := range []struct{ took, want time.Duration }{{0, time.Second}, {time.Millisecond, time.Second}, {time.Second, 50 * time.Second}, {2 * time.Second, time.Minute}} {
			if m.drainTook = c.took; m.drainPause() != c.want {
				t.Errorf("%v after a look that took %v", m.drainPause(), c.took)
			}
		}
	})
}
