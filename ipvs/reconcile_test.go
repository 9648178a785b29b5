package ipvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/lvsd/lvsd/config"
)

// running is a Manager in a bubble, with what it told.
type running struct {
	*Manager
	kernel *fakeKernel
	told   []string
	cancel func()
	result chan error
}

func start(t *testing.T, kernel *fakeKernel, change func(*Options)) *running {
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{kernel: kernel, cancel: cancel, result: make(chan error, 1)}
	opts := Options{Log: zaptest.NewLogger(t), Kernel: kernel}
	opts.OnChange = func(c Change) {
		if c.Server != nil {
			r.told = append(r.told, fmt.Sprint(c.Server.Addr, " ", c.Up))
		} else {
			r.told = append(r.told, fmt.Sprint(c.Service.Key, " ", c.Up))
		}
	}
	if change != nil {
		change(&opts)
	}
	r.Manager = New(opts)
	go func() { r.result <- r.Run(ctx) }()
	return r
}

func (r *running) stop() error {
	r.cancel()
	return <-r.result
}

// verdict reports a check and waits until it has been acted on.
func (r *running) verdict(s config.Service, server string, up bool) {
	addr := netip.MustParseAddrPort(server)
	check := testCheck(addr.Addr(), "80", false)
	r.Health(s.Key, Health{Server: addr, Check: check.ID(), Up: up})
	synctest.Wait()
}

func service(vip string, servers ...string) config.Service {
	s := parseService([]string{vip})
	for _, words := range servers {
		s.Servers = append(s.Servers, parseServer(strings.Fields(words)))
	}
	return s
}

func wantOps(t *testing.T, k *fakeKernel, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, k.took()); d != "" {
		t.Errorf("operations, -want +got:\n%s", d)
	}
}

func apply(t *testing.T, r *running, services ...config.Service) {
	t.Helper()
	if err := r.Apply(services); err != nil {
		t.Error(err)
	}
}

func TestReloadTouchesOnlyWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 checks=80", "10.0.0.3:80 checks=80")
		dns := service("10.0.0.1:53", "10.0.0.2:53 checks=80")
		apply(t, r, web, dns)
		if got := len(r.kernel.took()); got != 5 {
			t.Errorf("%d operations at start", got)
		}
		apply(t, r, web, dns)
		wantOps(t, r.kernel)

		r.verdict(web, "10.0.0.2:80", false)
		wantOps(t, r.kernel, "-d -t 10.0.0.1:80 -r 10.0.0.2:80")
		apply(t, r, web, dns)
		wantOps(t, r.kernel)

		web.Servers = append(slices.Clone(web.Servers), parseServer(strings.Fields("10.0.0.4:80 checks=80")))
		apply(t, r, web, dns)
		wantOps(t, r.kernel, "-a -t 10.0.0.1:80 -r 10.0.0.4:80 -g -w 1")
		if r.kernel.lists != 1 || r.kernel.reads != 0 {
			t.Errorf("%d lists, %d reads", r.kernel.lists, r.kernel.reads)
		}

		ssh := service("10.0.0.1:22", "10.0.0.2:22")
		apply(t, r, web, ssh)
		wantOps(t, r.kernel, "-A -t 10.0.0.1:22 -s rr", "-a -t 10.0.0.1:22 -r 10.0.0.2:22 -g -w 1", "-D -t 10.0.0.1:53")

		if d := cmp.Diff([]string{"[10.0.0.1]:tcp:80 true", "[10.0.0.1]:tcp:53 true", "10.0.0.2:80 false", "[10.0.0.1]:tcp:22 true", "10.0.0.2:53 false", "[10.0.0.1]:tcp:53 false"}, r.told); d != "" {
			t.Error(d)
		}
		want := []Status{
			{web.Key, Standing{Quorum: true, Servers: []ServerHealth{{web.Servers[0].Addr, false, 1}, {web.Servers[1].Addr, true, 1}, {web.Servers[2].Addr, true, 1}}}, true, false},
			{ssh.Key, Standing{Quorum: true, Servers: []ServerHealth{{ssh.Servers[0].Addr, true, 1}}}, true, false},
		}
		if d := cmp.Diff(want, r.Snapshot(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
			t.Error(d)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		wantOps(t, r.kernel, "-D -t 10.0.0.1:80", "-D -t 10.0.0.1:22")
		if err := r.Apply(nil); !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
		r.Health(web.Key, Health{Server: web.Servers[0].Addr, Up: true}) // does not block
	})
}

// What a predecessor left of the configuration is made as wanted, what it did
// not name is not ours.
func TestAdoptsAndLeavesAlone(t *testing.T) {
	kernel := newFakeKernel()
	for _, op := range []Op{
		{Verb: AddService, Key: service("10.0.0.1:80").Key, Attrs: Attrs{Scheduler: "wlc", Mask: 32}},
		{Verb: AddDest, Key: service("10.0.0.1:80").Key, Dest: dest(new(parseServer([]string{"10.0.0.2:80"})), 9)},
		{Verb: AddDest, Key: service("10.0.0.1:80").Key, Dest: dest(new(parseServer([]string{"10.0.0.9:80"})), 1)},
		{Verb: AddService, Key: service("10.9.9.9:80").Key, Attrs: Attrs{Scheduler: "wlc", Mask: 32}},
	} {
		if err := kernel.one(op); err != nil {
			t.Fatal(err)
		}
	}
	for _, flush := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, &fakeKernel{table: maps.Clone(kernel.table), fail: kernel.fail}, func(o *Options) { o.Flush, o.KeepOnStop = flush, flush })
			for key, s := range r.kernel.table {
				r.kernel.table[key] = s.clone()
			}
			apply(t, r, service("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"))
			want := []string{
				"-E -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1",
				"-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1", "-d -t 10.0.0.1:80 -r 10.0.0.9:80",
			}
			if flush {
				want = append(want, "-D -t 10.9.9.9:80")
			}
			wantOps(t, r.kernel, want...)
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if flush {
				wantOps(t, r.kernel) // KeepOnStop
			} else {
				wantOps(t, r.kernel, "-D -t 10.0.0.1:80")
			}
		})
	}
}

func TestWithoutServicesTheKernelIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		kernel.fail = func(string) error { return ErrNoIPVS }
		r := start(t, kernel, nil)
		apply(t, r)
		web := service("10.0.0.1:80", "10.0.0.2:80 checks=80")
		for range 2 { // the second time nothing has changed, and it is still an error
			if err := r.Apply([]config.Service{web}); !errors.Is(err, ErrNoIPVS) {
				t.Error(err)
			}
		}
		r.verdict(web, "10.0.0.2:80", false) // health is not lost
		wantOps(t, kernel)
		kernel.breakIt(func(string) error { return nil }) // modprobe ip_vs
		time.Sleep(maxBackoff)
		synctest.Wait()
		wantOps(t, kernel, "-A -t 10.0.0.1:80 -s rr")
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The table is not as remembered: somebody else has changed it.
func TestForeignChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		web := service("10.0.0.1:80", "10.0.0.2:80 checks=80", "10.0.0.3:80 inhibit checks=80")
		apply(t, r, web)
		r.kernel.took()

		foreign := func(verb Verb, words string) {
			if err := r.kernel.do(Op{Verb: verb, Key: web.Key, Dest: dest(new(parseServer(strings.Fields(words))), 1)}); err != nil {
				t.Fatal(err)
			}
		}
		foreign(DeleteDest, "10.0.0.2:80")
		r.verdict(web, "10.0.0.2:80", false) // is gone already
		wantOps(t, r.kernel)
		foreign(AddDest, "10.0.0.2:80 nat")
		r.verdict(web, "10.0.0.2:80", true) // is there already, but not as wanted
		wantOps(t, r.kernel, "-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1")
		foreign(DeleteDest, "10.0.0.3:80")
		r.verdict(web, "10.0.0.3:80", false) // cannot be edited
		wantOps(t, r.kernel, "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 0")
		delete(r.kernel.table, web.Key)
		r.verdict(web, "10.0.0.3:80", true)
		wantOps(t, r.kernel, "-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1", "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1")
		delete(r.kernel.table, web.Key)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// What somebody deletes or changes by hand comes back: within a minute, or at
// once when asked. What somebody adds stays.
func TestDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		web, dns := service("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"), service("10.0.0.1:53", "10.0.0.2:53")
		apply(t, r, web, dns)
		r.kernel.took()
		damage := func() {
			r.kernel.mu.Lock()
			defer r.kernel.mu.Unlock()
			delete(r.kernel.table, dns.Key)
			s := r.kernel.table[web.Key]
			s.Scheduler = "sh"
			s.Dests = []Dest{dest(&web.Servers[0], 7), dest(new(parseServer([]string{"10.9.9.9:80"})), 1)}
		}
		want := []string{
			"-E -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1", "-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1",
			"-A -t 10.0.0.1:53 -s rr", "-a -t 10.0.0.1:53 -r 10.0.0.2:53 -g -w 1",
		}
		time.Sleep(compareRound - compareInterval)
		synctest.Wait()
		if n := r.kernel.readings(); n != 0 {
			t.Errorf("%d services read that have just been made", n)
		}
		damage()
		time.Sleep(2 * compareRound)
		synctest.Wait()
		wantOps(t, r.kernel, want...)
		damage()
		r.Resync()
		synctest.Wait()
		wantOps(t, r.kernel, want...)
		if len(r.kernel.table[web.Key].Dests) != 3 {
			t.Error("the foreign destination has gone")
		}
		r.kernel.readings()
		time.Sleep(10 * compareRound)
		synctest.Wait()
		if got := r.kernel.readings(); got != 20 {
			t.Errorf("%d reads in ten minutes", got)
		}
		wantOps(t, r.kernel)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A large table is looked at little by little, and all of it at once when asked.
func TestDriftOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		s := service("10.0.0.1:80", "10.0.0.2:80")
		s.Key = config.ServiceKey{Group: "many", Protocol: config.TCP}
		s.Entries = []config.GroupEntry{{First: netip.MustParseAddr("10.1.0.0"), Last: netip.MustParseAddr("10.1.39.15"), Port: 80}}
		apply(t, r, s)
		time.Sleep(compareRound + 2*compareInterval)
		synctest.Wait()
		if n := r.kernel.readings(); n == 0 || n > 62*compareAtOnce {
			t.Errorf("%d rows read", n)
		}
		r.Resync()
		synctest.Wait()
		if n := r.kernel.readings(); n != 10000 {
			t.Errorf("%d rows read at once", n)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// The entries of a group come and go one by one, and an address that two
// services name goes from one to the other.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		group := service("10.0.0.1:0", "10.0.0.9:80 checks=80 dr")
		group.Key = config.ServiceKey{Group: "G", Protocol: config.TCP}
		entry := func(words string) config.GroupEntry { return parseEntry(strings.Fields(words)) }
		group.Entries = []config.GroupEntry{entry("10.0.0.1 80"), entry("10.0.0.2-10.0.0.3 443"), entry("7")}
		twin := group
		twin.Key.Protocol = config.UDP
		apply(t, r, group, twin)
		wantOps(t, r.kernel,
			"-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.9:80 -g -w 1",
			"-A -t 10.0.0.2:443 -s rr", "-a -t 10.0.0.2:443 -r 10.0.0.9:443 -g -w 1",
			"-A -t 10.0.0.3:443 -s rr", "-a -t 10.0.0.3:443 -r 10.0.0.9:443 -g -w 1",
			"-A -f 7 -s rr", "-a -f 7 -r 10.0.0.9:0 -g -w 1",
			"-A -u 10.0.0.1:80 -s rr", "-a -u 10.0.0.1:80 -r 10.0.0.9:80 -g -w 1",
			"-A -u 10.0.0.2:443 -s rr", "-a -u 10.0.0.2:443 -r 10.0.0.9:443 -g -w 1",
			"-A -u 10.0.0.3:443 -s rr", "-a -u 10.0.0.3:443 -r 10.0.0.9:443 -g -w 1")
		apply(t, r, group, twin)
		wantOps(t, r.kernel)
		group.Entries = []config.GroupEntry{entry("10.0.0.1 80"), entry("10.0.0.3-10.0.0.4 443")}
		apply(t, r, group, twin)
		wantOps(t, r.kernel, // the mark is the twin's now, which wants the same
			"-A -t 10.0.0.4:443 -s rr", "-a -t 10.0.0.4:443 -r 10.0.0.9:443 -g -w 1", "-D -t 10.0.0.2:443")
		r.Health(twin.Key, Health{Server: netip.MustParseAddrPort("10.0.0.9:80"), Check: group.Servers[0].Checks[0].ID()})
		synctest.Wait()
		wantOps(t, r.kernel, "-d -u 10.0.0.1:80 -r 10.0.0.9:80", "-d -u 10.0.0.2:443 -r 10.0.0.9:443", "-d -u 10.0.0.3:443 -r 10.0.0.9:443", "-d -f 7 -r 10.0.0.9:0")
		apply(t, r, group)
		wantOps(t, r.kernel, "-D -u 10.0.0.1:80", "-D -u 10.0.0.2:443", "-D -u 10.0.0.3:443", "-D -f 7")
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// lvs_timeouts and lvs_flush_on_stop.
func TestTimeoutsAndFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		found := Timeouts{TCP: 900 * time.Second, TCPFin: 120 * time.Second, UDP: 300 * time.Second}
		kernel.timeouts = found
		kernel.table[service("192.0.2.1:80").Key] = &Service{Key: service("192.0.2.1:80").Key}
		r := start(t, kernel, nil)
		apply(t, r, service("10.0.0.1:80"))
		for _, c := range []struct {
			want config.LVSTimeouts
			have Timeouts
		}{
			{config.LVSTimeouts{}, found},
			{config.LVSTimeouts{UDP: config.Some(time.Minute)}, Timeouts{found.TCP, found.TCPFin, time.Minute}},
			{config.LVSTimeouts{TCP: config.Some(time.Hour), UDP: config.Some(time.Duration(0))}, Timeouts{time.Hour, found.TCPFin, found.UDP}},
		} {
			if err := r.Timeouts(c.want); err != nil || kernel.timeouts != c.have {
				t.Errorf("%v, %v", kernel.timeouts, err)
			}
		}
		r.FlushOnStop(true)
		kernel.took()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		wantOps(t, kernel, "-C")
		if kernel.timeouts != found || len(kernel.table) != 0 {
			t.Errorf("at the end: %v, %v", kernel.timeouts, kernel.table)
		}
	})
}

// A destination that the kernel refuses does not keep a dead one in the table,
// is reported, and is tried again with a growing delay.
func TestRefusedDestination(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFakeKernel(), nil)
		apply(t, r, service("10.0.0.1:80", "10.0.0.2:80"))
		r.kernel.took()
		attempts := []time.Time{}
		r.kernel.breakIt(func(what string) error {
			if strings.HasPrefix(what, "-a") {
				attempts = append(attempts, time.Now())
				return errors.New("invalid argument")
			}
			return nil
		})
		began := time.Now()
		err := r.Apply([]config.Service{service("10.0.0.1:80", "10.0.0.3:80")})
		if want := "IPVS, as ipvsadm -a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1: invalid argument"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		wantOps(t, r.kernel, "-d -t 10.0.0.1:80 -r 10.0.0.2:80")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var seconds []time.Duration
		for _, at := range attempts {
			seconds = append(seconds, at.Sub(began)/time.Second)
		}
		if d := cmp.Diff([]time.Duration{0, 1, 3, 7, 15, 31, 61, 91}, seconds); d != "" {
			t.Error(d)
		}
		if r.Snapshot()[0].Programmed {
			t.Error("programmed")
		}
		r.kernel.breakIt(func(string) error { return nil })
		time.Sleep(maxBackoff)
		synctest.Wait()
		wantOps(t, r.kernel, "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1")
		if !r.Snapshot()[0].Programmed {
			t.Error("not programmed")
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// table is a table in an order that does not depend on its history.
func table(all map[config.ServiceKey]*Service) []string {
	var lines []string
	for key, s := range all {
		lines = append(lines, Op{Verb: AddService, Key: key, Attrs: s.Attrs}.String())
		for _, d := range s.Dests {
			lines = append(lines, Op{Verb: AddDest, Key: key, Dest: d}.String())
		}
	}
	slices.Sort(lines)
	return lines
}

// What is refused again and again is complained about once, until it is refused
// for another reason or again after it was well.
func TestComplaints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kernel := newFakeKernel()
		core, logs := observer.New(zap.ErrorLevel)
		r := start(t, kernel, func(o *Options) { o.Log = zap.New(core) })
		refuse := func(reason error) {
			kernel.breakIt(func(what string) error {
				if strings.HasPrefix(what, "-A") {
					return reason
				}
				return nil
			})
		}
		complains := func(when string, want int) {
			t.Helper()
			time.Sleep(10 * maxBackoff)
			synctest.Wait()
			if got := len(logs.TakeAll()); got != want {
				t.Errorf("%s: %d complaints, want %d", when, got, want)
			}
		}
		refuse(errRefused)
		var services []config.Service
		for i := range 5 {
			services = append(services, service(fmt.Sprintf("10.0.0.%d:80", i+1)))
		}
		if err := r.Apply(services); err == nil {
			t.Error("no error")
		}
		complains("Apply has told it", 0)
		refuse(errors.New("another reason"))
		complains("another reason", 1)
		refuse(nil)
		complains("it is well", 0)
		refuse(errRefused)
		kernel.mu.Lock()
		clear(kernel.table)
		kernel.mu.Unlock()
		complains("somebody has deleted them", 1)
		refuse(nil)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// A state has everything of another one when nothing is to be done about it but
// to remove what only the first one has.
func TestWithin(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string) *Service {
			n := rapid.IntRange(-1, 2*few).Draw(rt, label)
			if n < 0 {
				return nil
			}
			s := &Service{Key: service("10.0.0.1:80").Key, Attrs: Attrs{Scheduler: rapid.SampledFrom([]string{"rr", "rr", "rr", "wlc"}).Draw(rt, "scheduler")}}
			for i := range n {
				weight := 1
				if rapid.IntRange(0, 60).Draw(rt, "weight") == 0 {
					weight = 2
				}
				s.Dests = append(s.Dests, Dest{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}), 80), Weight: weight})
			}
			if rapid.Bool().Draw(rt, "as the kernel lists them") {
				slices.Reverse(s.Dests)
			}
			return s
		}
		ours, theirs := draw("ours"), draw("theirs")
		want := !slices.ContainsFunc(Diff(theirs, ours), func(op Op) bool { return op.Verb != DeleteDest })
		if got := ours.within(theirs); got != want {
			rt.Errorf("%t, not %t", got, want)
		}
	})
}
