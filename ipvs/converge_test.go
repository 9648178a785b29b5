package ipvs

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/lvsd/lvsd/config"
)

// Whatever happens, and however often the kernel fails: in the end it has what
// is wanted, and the pool wants what a model says.
func TestKernelConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		faults := rapid.Uint64().Draw(rt, "seed of faults")
		marks := rapid.Bool().Draw(rt, "nftables_ipvs")
		// A service is of one kind, so that many survive a reload.
		kinds := rapid.SliceOfN(rapid.IntRange(0, 5), 3, 3).Draw(rt, "kinds")
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step { return genStep(rt, kinds) }), 20, 40).Draw(rt, "steps")
		var wrong string // rapid must not give up within a bubble
		synctest.Test(t, func(t *testing.T) { wrong = converge(t, faults, marks, steps) })
		if wrong != "" {
			rt.Fatalf("%s\n%s", steps, wrong)
		}
	})
}

// step is one thing that happens.
type step struct {
	services        []config.Service // a reload, and others as the first one that is not zero says
	seconds, victim int
	service, server int // whose check has a result
	up              bool
}

// String is the step for who reads what has failed.
func (s step) String() string {
	switch {
	case s.services != nil:
		var b strings.Builder
		b.WriteString("reload")
		for i := range s.services {
			v := &s.services[i]
			fmt.Fprintf(&b, "\n\t%s %s quorum=%d hysteresis=%d", v.Key, v.Scheduler, v.Quorum, v.Hysteresis)
			for k := range v.Servers {
				fmt.Fprintf(&b, ", %s w=%d inhibit=%t drain=%s", v.Servers[k].Addr, v.Servers[k].Weight, v.Servers[k].InhibitOnFailure, v.Servers[k].DrainTimeout)
			}
			if v.Sorry != nil {
				fmt.Fprintf(&b, ", sorry %s inhibit=%t", v.Sorry.Addr, v.Sorry.InhibitOnFailure)
			}
		}
		return b.String()
	case s.seconds > 0:
		return fmt.Sprintf("%d s", s.seconds)
	case s.victim > 0:
		return fmt.Sprintf("damage %d", s.victim)
	}
	return fmt.Sprintf("server %d of service %d up=%t", s.server, s.service, s.up)
}

func genStep(rt *rapid.T, kinds []int) (s step) {
	switch rapid.IntRange(0, 4).Draw(rt, "what") {
	case 0:
		s.services = genServices(rt, kinds)
	case 1:
		s.seconds = rapid.IntRange(1, 40).Draw(rt, "seconds")
	case 2:
		s.victim = rapid.IntRange(1, 10).Draw(rt, "victim")
	default:
		s.service, s.server, s.up = rapid.IntRange(0, 2).Draw(rt, "service"), rapid.IntRange(0, 3).Draw(rt, "server"), rapid.Bool().Draw(rt, "up")
	}
	return s
}

func converge(t *testing.T, seed uint64, nft bool, steps []step) (wrong string) {
	kernel, marker := newFakeKernel(), &fakeMarker{}
	foreign := service("192.0.2.1:80").Key
	kernel.table[foreign] = &Service{Key: foreign}
	dice := rand.New(rand.NewPCG(seed, 0))
	faults := []error{errRefused, errAnswerLost, nil, nil, nil}
	kernel.fail = func(string) error { return faults[dice.IntN(len(faults))] }
	kernel.connected = busy
	marker.fail = func() error {
		kernel.mu.Lock()
		defer kernel.mu.Unlock()
		return kernel.fail("nft")
	}
	r := start(t, kernel, func(o *Options) { o.Log, o.Marker = zap.NewNop(), marker })

	m := model{services: map[config.ServiceKey]*modelService{}, leaving: map[config.ServiceKey]*modelService{}}
	var marks Marks
	for _, s := range steps {
		switch {
		case s.services != nil:
			services := slices.Clone(s.services)
			if nft {
				marks.Give(services, 1000, nil)
			}
			_ = r.Apply(services)
			m.reload(services)
		case s.seconds > 0:
			time.Sleep(time.Duration(s.seconds) * time.Second)
		case s.victim > 0:
			damage(s.victim, kernel, foreign)
		case s.service < len(m.order):
			v := m.services[m.order[s.service].Key]
			if s.server < len(v.Servers) {
				addr := v.Servers[s.server].Addr
				r.verdict(v.Service, addr.String(), s.up)
				v.dead[addr] = !s.up
				v.weigh()
			}
		}
	}
	kernel.breakIt(func(string) error { return nil })
	time.Sleep(2*maxBackoff + 2*compareRound)
	synctest.Wait()

	want := m.table()
	want[foreign] = &Service{Key: foreign}
	if d := cmp.Diff(table(want), table(kernel.table)); d != "" {
		wrong += fmt.Sprintf("kernel, -want +got:\n%s", d)
	}
	if d := cmp.Diff(textOf(marked(m.order)), textOf(marker.marked)); d != "" {
		wrong += fmt.Sprintf("marks, -want +got:\n%s", d)
	}
	if err := r.stop(); err != nil || len(kernel.table) != 1 || len(marker.marked) > 0 {
		wrong += fmt.Sprintf("after the end: %v, %v, %v", kernel.table, marker.marked, err)
	}
	return wrong
}

// busy: every other server has connections whenever it is in the kernel.
func busy(addr netip.AddrPort) int {
	octets := addr.Addr().AsSlice()
	return int(octets[len(octets)-1]) % 2
}

// fakeMarker fails at random.
type fakeMarker struct {
	mu     sync.Mutex
	fail   func() error
	marked []config.Marked
}

func (f *fakeMarker) Mark(all []config.Marked) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.fail(); err != nil {
		return false, err
	}
	changed = !slices.Equal(f.marked, all)
	f.marked = slices.Clone(all)
	return changed, nil
}

// model is what the kernel should have, reckoned anew from the past of each
// service.
type model struct {
	order    []config.Service
	services map[config.ServiceKey]*modelService
	leaving  map[config.ServiceKey]*modelService // removed, with servers that drain
}

type modelService struct {
	config.Service
	dead  map[netip.AddrPort]bool
	up    bool                       // the quorum is held
	keys  map[config.ServiceKey]bool // that are its own in the kernel
	drain map[netip.AddrPort]modelLeaver
}

type modelLeaver struct {
	Dest
	until time.Time
}

func (m *model) reload(services []config.Service) {
	before := m.services
	m.order, m.services = services, map[config.ServiceKey]*modelService{}
	claimed := map[config.ServiceKey]bool{}
	for _, next := range services {
		s := &modelService{Service: next, dead: map[netip.AddrPort]bool{}, drain: map[netip.AddrPort]modelLeaver{}, keys: map[config.ServiceKey]bool{}}
		if was := before[next.Key]; was != nil {
			s.up, s.dead = was.up, was.dead
			was.leave(next.Servers)
			s.drain = was.drain
		} else if was := m.leaving[next.Key]; was != nil {
			s.drain = was.drain
			delete(m.leaving, next.Key)
		}
		for _, server := range next.Servers {
			delete(s.drain, server.Addr)
		}
		for addr := range s.dead {
			if !slices.ContainsFunc(next.Servers, func(s config.Server) bool { return s.Addr == addr }) {
				delete(s.dead, addr)
			}
		}
		s.weigh()
		m.services[next.Key] = s
		for key := range next.KernelKeys() {
			if !claimed[key] {
				s.keys[key] = true
			}
			claimed[key] = true
		}
		if len(s.keys) == 0 {
			clear(s.drain)
		}
	}
	for key, was := range before {
		if m.services[key] == nil {
			was.leave(nil)
			was.Servers, was.Sorry = nil, nil
			m.leaving[key] = was
		}
	}
	for key, s := range m.leaving {
		s.end()
		maps.DeleteFunc(s.keys, func(key config.ServiceKey, _ bool) bool { return claimed[key] })
		if len(s.drain)+len(s.Servers) == 0 || len(s.keys) == 0 {
			delete(m.leaving, key)
		}
	}
}

// leave makes servers that are in the kernel, and not among the next ones, drain.
func (s *modelService) leave(next []config.Server) {
	for _, server := range s.Servers {
		stays := slices.ContainsFunc(next, func(n config.Server) bool { return n.Addr == server.Addr })
		there := server.InhibitOnFailure || !s.dead[server.Addr] && !s.sorry()
		if !stays && there && server.DrainTimeout > 0 {
			s.drain[server.Addr] = modelLeaver{dest(&server, 0), time.Now().Add(server.DrainTimeout)}
		}
	}
}

// end is that of leavers whose time is over.
func (s *modelService) end() {
	maps.DeleteFunc(s.drain, func(_ netip.AddrPort, l modelLeaver) bool { return !time.Now().Before(l.until) })
}

// weigh says whether the quorum is held from now on.
func (s *modelService) weigh() {
	sum := 0
	for _, server := range s.Servers {
		if !s.dead[server.Addr] {
			sum += server.Weight
		}
	}
	margin := int(s.Hysteresis)
	if s.up {
		margin = -margin
	}
	s.up = sum > 0 && sum >= int(s.Quorum)+margin
}

func (s *modelService) sorry() bool { return !s.up && s.Sorry != nil }

// table is what the kernel should have when nothing has failed for long.
func (m *model) table() map[config.ServiceKey]*Service {
	all := map[config.ServiceKey]*Service{}
	add := func(s *modelService, stays bool) {
		s.end()
		w := s.wish()
		for key := range s.keys {
			if stays || len(w.Dests) > 0 {
				all[key] = w.As(key)
			}
		}
	}
	for _, s := range m.services {
		add(s, true)
	}
	for _, s := range m.leaving {
		add(s, false)
	}
	return all
}

func (s *modelService) wish() *Service {
	w := &Service{Key: s.Key, Attrs: attrs(&s.Service)}
	for _, server := range s.Servers {
		switch {
		case s.sorry() && server.Addr == s.Sorry.Addr:
		case !s.sorry() && !s.dead[server.Addr]:
			w.Dests = append(w.Dests, dest(&server, server.Weight))
		case server.InhibitOnFailure:
			w.Dests = append(w.Dests, dest(&server, 0))
		}
	}
	for addr, l := range s.drain {
		if busy(addr) > 0 && (!s.sorry() || s.Sorry.Addr != addr) {
			w.Dests = append(w.Dests, l.Dest)
		}
	}
	switch {
	case s.sorry():
		w.Dests = append(w.Dests, dest(s.Sorry, 1))
	case s.Sorry != nil && s.Sorry.InhibitOnFailure && !w.has(s.Sorry.Addr):
		w.Dests = append(w.Dests, dest(s.Sorry, 0))
	}
	return w
}

// damage is somebody who deletes or changes what is in the kernel.
func damage(n int, k *fakeKernel, foreign config.ServiceKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	keys := slices.SortedFunc(maps.Keys(k.table), func(a, b config.ServiceKey) int { return strings.Compare(a.String(), b.String()) })
	keys = slices.DeleteFunc(keys, func(key config.ServiceKey) bool { return key == foreign })
	if len(keys) == 0 {
		return
	}
	s := k.table[keys[n%len(keys)]]
	switch {
	case n%2 == 0 || len(s.Dests) == 0:
		delete(k.table, s.Key)
	default:
		s.Dests = s.Dests[1:]
	}
}

func genServices(rt *rapid.T, kinds []int) []config.Service {
	vips := rapid.SliceOfNDistinct(rapid.IntRange(1, 3), 0, 3, rapid.ID).Draw(rt, "vips")
	all := []config.Service{}
	for _, vip := range vips {
		s := service(fmt.Sprintf("10.0.0.%d:80", vip))
		own := "10.1.0.%d:80"
		switch n := kinds[vip-1]; n {
		case 1, 2, 3: // a group, with a mark or only addresses
			s.Key = config.ServiceKey{Group: fmt.Sprint(vip), Protocol: config.TCP}
			if n < 3 {
				s.Entries = []config.GroupEntry{{FWMark: uint32(n)}}
			}
			s.Entries = append(s.Entries, config.GroupEntry{First: netip.MustParseAddr("10.0.0.1"), Last: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), Port: 80})
		case 4, 5:
			s.Key = config.ServiceKey{FWMark: uint32(vip), IPv6: n == 5}
			if n == 5 {
				own = "[2001:db8::%d]:80"
			}
		}
		s.Scheduler = rapid.SampledFrom([]string{"rr", "wlc"}).Draw(rt, "scheduler")
		for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(1, 4), 0, 4, rapid.ID).Draw(rt, "servers") {
			server := parseServer([]string{fmt.Sprintf(own, n), "checks=80"})
			server.Weight = rapid.IntRange(0, 2).Draw(rt, "weight")
			server.InhibitOnFailure = rapid.Bool().Draw(rt, "inhibit")
			server.DrainTimeout = rapid.SampledFrom([]time.Duration{0, 20 * time.Second, 24 * time.Hour}).Draw(rt, "drain_timeout")
			s.Servers = append(s.Servers, server)
		}
		s.Quorum = uint32(rapid.IntRange(0, 4).Draw(rt, "quorum"))
		s.Hysteresis = uint32(rapid.IntRange(0, 2).Draw(rt, "hysteresis"))
		if n := rapid.IntRange(0, 5).Draw(rt, "sorry"); n > 0 {
			sorry := parseServer([]string{fmt.Sprintf(own, n)})
			sorry.InhibitOnFailure = rapid.Bool().Draw(rt, "sorry inhibited")
			s.Sorry = &sorry
		}
		all = append(all, s)
	}
	return all
}
