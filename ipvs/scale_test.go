package ipvs

import (
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
