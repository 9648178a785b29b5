package ipvs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
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
	opts.OnServer = func(_ config.ServiceKey, s config.Server, up bool) {
		r.told = append(r.told, fmt.Sprint(s.Addr, " ", up))
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

		if d := cmp.Diff([]string{"10.0.0.2:80 false"}, r.told); d != "" {
			t.Error(d)
		}
		want := []Status{
			{web.Key, []ServerHealth{{web.Servers[0].Addr, false, web.Servers[0].Weight}, {web.Servers[1].Addr, true, web.Servers[1].Weight}, {web.Servers[2].Addr, true, web.Servers[2].Weight}}, true},
			{ssh.Key, []ServerHealth{{ssh.Servers[0].Addr, true, ssh.Servers[0].Weight}}, true},
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
		if err := kernel.Do(op); err != nil {
			t.Fatal(err)
		}
	}
	for _, flush := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, &fakeKernel{table: maps.Clone(kernel.table), fail: kernel.fail}, func(o *Options) { o.Flush, o.KeepOnStop = flush, flush })
			for key, s := range r.kernel.table {
				r.kernel.table[key] = clone(s)
			}
			apply(t, r, service("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"))
			want := []string{
				"-E -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.0.0.3:80 -g -w 1",
				"-e -t 10.0.0.1:80 -r 10.0.0.2:80 -g -w 1", "-d -t 10.0.0.1:80 -r 10.0.0.9:80",
			}
			if flush {
				want = append([]string{"-D -t 10.9.9.9:80"}, want...)
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

// Whatever happens, and however often the kernel fails: in the end it has what
// is wanted, and the pool wants what a model says.
func TestKernelConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) { converge(t, rt) })
	})
}

func converge(t *testing.T, rt *rapid.T) {
	kernel := newFakeKernel()
	foreign := service("192.0.2.1:80").Key
	kernel.table[foreign] = &Service{Key: foreign}
	dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed of faults"), 0))
	faults := []error{errRefused, errAnswerLost, nil, nil, nil}
	kernel.fail = func(string) error { return faults[dice.IntN(len(faults))] }
	r := start(t, kernel, func(o *Options) { o.Log = zap.NewNop() })

	services := genServices(rt)
	_ = r.Apply(services)
	dead := make(map[string]bool) // service, server: what the checks say
	for range rapid.IntRange(0, 20).Draw(rt, "steps") {
		switch rapid.IntRange(0, 3).Draw(rt, "what") {
		case 0:
			services = genServices(rt)
			_ = r.Apply(services)
			for name := range dead {
				if !strings.Contains(names(services), name) {
					delete(dead, name)
				}
			}
		case 1:
			time.Sleep(time.Duration(rapid.IntRange(0, 40).Draw(rt, "seconds")) * time.Second)
		default:
			if len(services) > 0 {
				s := services[rapid.IntRange(0, len(services)-1).Draw(rt, "service")]
				if len(s.Servers) > 0 {
					server := s.Servers[rapid.IntRange(0, len(s.Servers)-1).Draw(rt, "server")]
					up := rapid.Bool().Draw(rt, "up")
					r.verdict(s, server.Addr.String(), up)
					dead[name(s, server)] = !up
				}
			}
		}
	}
	kernel.breakIt(func(string) error { return nil })
	time.Sleep(2 * maxBackoff)
	synctest.Wait()

	want := map[config.ServiceKey]*Service{foreign: {Key: foreign}}
	for _, s := range services {
		w := &Service{Key: s.Key, Attrs: attrs(&s)}
		for _, server := range s.Servers {
			switch alive := !dead[name(s, server)]; {
			case alive:
				w.Dests = append(w.Dests, dest(&server, server.Weight))
			case server.InhibitOnFailure:
				w.Dests = append(w.Dests, dest(&server, 0))
			}
		}
		want[s.Key] = w
	}
	if d := cmp.Diff(table(want), table(kernel.table)); d != "" {
		rt.Errorf("kernel, -want +got:\n%s", d)
	}
	if err := r.stop(); err != nil || len(kernel.table) != 1 {
		rt.Errorf("after the end: %v, %v", kernel.table, err)
	}
}

func name(s config.Service, server config.Server) string {
	return fmt.Sprint("{", s.Key, server.Addr, "}")
}

func names(services []config.Service) string {
	var all strings.Builder
	for _, s := range services {
		for _, server := range s.Servers {
			all.WriteString(name(s, server))
		}
	}
	return all.String()
}

func genServices(rt *rapid.T) []config.Service {
	vips := rapid.SliceOfNDistinct(rapid.IntRange(1, 3), 0, 3, rapid.ID).Draw(rt, "vips")
	var all []config.Service
	for _, vip := range vips {
		s := service(fmt.Sprintf("10.0.0.%d:80", vip))
		s.Scheduler = rapid.SampledFrom([]string{"rr", "wlc"}).Draw(rt, "scheduler")
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 0, 4, rapid.ID).Draw(rt, "servers") {
			server := parseServer([]string{fmt.Sprintf("10.1.0.%d:80", n), "checks=80"})
			server.Weight = rapid.IntRange(0, 2).Draw(rt, "weight")
			server.InhibitOnFailure = rapid.Bool().Draw(rt, "inhibit")
			s.Servers = append(s.Servers, server)
		}
		all = append(all, s)
	}
	return all
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
