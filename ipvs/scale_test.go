package ipvs

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// wide is a service with n real servers, each with a check.
func wide(vip string, n int) config.Service {
	s := service(vip)
	for i := range n {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80)
		s.Servers = append(s.Servers, parseServer([]string{addr.String(), "checks=80"}))
	}
	return s
}

// allocated is what f allocates, in bytes: whatever passes over a list to answer
// with another one does.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A verdict about one server costs the same among ten thousand as among ten, in
// a service of its own and in those of a group.
func TestVerdictCostsTheSame(t *testing.T) {
	cost := func(s config.Service) (bytes uint64) {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newFakeKernel(), func(o *Options) { o.Log, o.OnChange = zap.NewNop(), nil })
			apply(t, r, s)
			flap := func() {
				for _, up := range []bool{false, true} {
					r.verdict(s, s.Servers[len(s.Servers)/2].Addr.String(), up)
				}
			}
			flap() // places are known from now on
			r.kernel.took()
			bytes = allocated(flap)
			if got := len(r.kernel.took()); got != 2*len(r.kernel.table) {
				t.Errorf("%d operations for %d rows", got, len(r.kernel.table))
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
		})
		return bytes
	}
	group := func(n int) config.Service {
		s := wide("10.0.0.1:0", n)
		s.Key = config.ServiceKey{Group: "G", Protocol: config.TCP}
		s.Entries = []config.GroupEntry{{First: netip.MustParseAddr("10.0.0.1"), Last: netip.MustParseAddr("10.0.0.3"), Port: 80}}
		return s
	}
	for _, make := range []func(n int) config.Service{func(n int) config.Service { return wide("10.0.0.1:80", n) }, group} {
		few, many := cost(make(10)), cost(make(10000))
		if many > 2*few {
			t.Errorf("%d bytes among ten servers, %d among ten thousand", few, many)
		}
	}
}

// What is asked of the kernel, and what is allocated for it, is in proportion to
// what changes; a reload without a change asks for nothing.
func TestOperationsAreThoseOfTheChange(t *testing.T) {
	const m = 10
	many := func(n int) (all []config.Service) {
		for i := range n {
			all = append(all, wide(fmt.Sprintf("10.%d.%d.1:80", 100+i>>8, i&255), m))
		}
		return all
	}
	bytes := make(map[string][]float64) // of each step, for a service
	for _, n := range []int{300, 3000} {
		synctest.Test(t, func(t *testing.T) {
			k := newFakeKernel()
			r := start(t, k, func(o *Options) { o.Log, o.OnChange = zap.NewNop(), nil })
			heavier, more := many(n), many(n+1)
			heavier[n/2].Servers[m/2].Weight = 7
			for _, step := range []struct {
				name     string
				services []config.Service
				ops      int
			}{
				{"start", many(n), n * (1 + m)},
				{"no change", many(n), 0},
				{"one weight", heavier, 1},
				{"the weight as before", many(n), 1},
				{"one service more", more, 1 + m},
				{"one service less", many(n), 1},
			} {
				used := allocated(func() { apply(t, r, step.services...) })
				bytes[step.name] = append(bytes[step.name], float64(used)/float64(n))
				if got := len(k.took()); got != step.ops {
					t.Errorf("%d services, %s: %d operations, not %d", n, step.name, got, step.ops)
				}
			}
			if reads := k.readings(); k.lists != 1 || reads != 0 {
				t.Errorf("%d lists, %d services read", k.lists, reads)
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			if got := len(k.took()); got != n {
				t.Errorf("%d services, stop: %d operations", n, got)
			}
		})
	}
	for step, b := range bytes {
		if b[1] > 1.5*b[0] {
			t.Errorf("%s: %.0f bytes for each of 300 services, %.0f for each of 3000", step, b[0], b[1])
		}
	}
	// What stays as it is costs its places in lists, not those of its servers.
	if start, one := bytes["start"][1], bytes["one weight"][1]; one > start/8 {
		t.Errorf("%.0f bytes for each service when one changes, %.0f at the start", one, start)
	}
}

// Operations that do not fit into one call keep their order and their errors.
func TestManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel()
		r := start(t, k, func(o *Options) { o.Log = zap.NewNop() })
		bad := "-a -t 10.0.0.2:80 -r 10.1.3.7:80 -g -w 1"
		k.breakIt(func(what string) error {
			if what == bad {
				return errRefused
			}
			return nil
		})
		services := []config.Service{wide("10.0.0.1:80", 900), wide("10.0.0.2:80", 900), wide("10.0.0.3:80", atOnce), wide("10.0.0.4:80", 1)}
		err := r.Apply(services)
		if want := "IPVS, as ipvsadm " + bad + ": refused"; err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
		for i, s := range r.Snapshot() {
			if s.Programmed != (i != 1) {
				t.Errorf("%s is programmed: %t", s.Key, s.Programmed)
			}
			if got, want := len(k.table[s.Key].Dests), len(services[i].Servers); got != want && i != 1 || i == 1 && got != want-1 {
				t.Errorf("%s has %d of %d servers", s.Key, got, want)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}
