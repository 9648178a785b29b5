package ipvs

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lvsd/lvsd/config"
)

// groupOf is a service of a group: "g tcp 10.0.0.1-10.0.0.4:80 fwmark:7".
func groupOf(words string) config.Service {
	all := strings.Fields(words)
	s := config.Service{Key: config.ServiceKey{Group: all[0], Protocol: map[string]config.Protocol{"tcp": config.TCP, "udp": config.UDP, "sctp": config.SCTP}[all[1]]}}
	s.Scheduler, s.Quorum = "rr", 1
	for _, word := range all[2:] {
		at := strings.LastIndex(word, ":")
		e := config.GroupEntry{}
		if head := word[:at]; head == "fwmark" {
			_, _ = fmt.Sscan(word[at+1:], &e.FWMark)
		} else {
			first, last, ranged := strings.Cut(head, "-")
			e.First = netip.MustParseAddr(first)
			if e.Last = e.First; ranged {
				e.Last = netip.MustParseAddr(last)
			}
			_, _ = fmt.Sscan(word[at+1:], &e.Port)
		}
		s.Entries = append(s.Entries, e)
	}
	return s
}

func groups(lines ...string) (all []config.Service) {
	for _, words := range lines {
		all = append(all, groupOf(words))
	}
	return all
}

func textOf(all []config.Marked) (lines []string) {
	for _, m := range all {
		lines = append(lines, fmt.Sprintf("%s %s-%s %d-%d %d", m.Protocol, m.First, m.Last, m.FirstPort, m.LastPort, m.Mark))
	}
	return lines
}

func TestMarked(t *testing.T) {
	for name, c := range map[string]struct{ services, want []string }{
		"ranges, families and protocols": {
			[]string{"b udp 10.0.0.1:53 2001:db8::1-2001:db8::9:53", "a tcp 10.0.0.1-10.0.0.4:80 10.0.0.1:443"},
			[]string{"UDP 10.0.0.1-10.0.0.1 53-53 1000", "UDP 2001:db8::1-2001:db8::9 53-53 1000", "TCP 10.0.0.1-10.0.0.4 80-80 1001", "TCP 10.0.0.1-10.0.0.1 443-443 1001"},
		},
		"within a group": {
			[]string{"a tcp 10.0.0.4-10.0.0.7:80 10.0.0.5:80 10.0.0.4-10.0.0.7:80 10.0.0.3-10.0.0.9:80"},
			[]string{"TCP 10.0.0.3-10.0.0.3 80-80 1000", "TCP 10.0.0.4-10.0.0.7 80-80 1000", "TCP 10.0.0.8-10.0.0.9 80-80 1000"},
		},
		"the first one has it": {
			[]string{"a tcp 10.0.0.4-10.0.0.5:80 10.0.0.8:80", "b tcp 10.0.0.1-10.0.0.20:80", "c tcp 10.0.0.5-10.0.0.6:80"},
			[]string{"TCP 10.0.0.1-10.0.0.3 80-80 1001", "TCP 10.0.0.4-10.0.0.5 80-80 1000", "TCP 10.0.0.6-10.0.0.7 80-80 1001", "TCP 10.0.0.8-10.0.0.8 80-80 1000", "TCP 10.0.0.9-10.0.0.20 80-80 1001"},
		},
		"every port": {
			[]string{"a tcp 10.0.0.1-10.0.0.3:0", "b tcp 10.0.0.2:80 10.0.0.2:65535 10.0.0.3:443 10.0.0.9:80"},
			[]string{
				"TCP 10.0.0.1-10.0.0.1 0-65535 1000", "TCP 10.0.0.2-10.0.0.2 0-79 1000", "TCP 10.0.0.2-10.0.0.2 80-80 1001", "TCP 10.0.0.2-10.0.0.2 81-65534 1000", "TCP 10.0.0.2-10.0.0.2 65535-65535 1001",
				"TCP 10.0.0.3-10.0.0.3 0-442 1000", "TCP 10.0.0.3-10.0.0.3 443-443 1001", "TCP 10.0.0.3-10.0.0.3 444-65535 1000", "TCP 10.0.0.9-10.0.0.9 80-80 1001",
			},
		},
		"a mark of its own": {[]string{"a tcp 10.0.0.1:80 fwmark:7", "b tcp 10.0.1.1:80"}, []string{"TCP 10.0.1.1-10.0.1.1 80-80 1000"}},
	} {
		services := groups(c.services...)
		new(Marks).Give(services, 1000, nil)
		if d := cmp.Diff(c.want, textOf(marked(services))); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
}

// Whatever the groups are: no packet has two marks, and it has that of the first
// group that names its address and port, or else of the first that names its
// address for every port.
func TestMarkedOnce(t *testing.T) {
	address := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}) }
	rapid.Check(t, func(t *rapid.T) {
		services := groups("a tcp", "b tcp", "c tcp")
		for i := range services {
			for range rapid.IntRange(1, 4).Draw(t, "entries") {
				first := rapid.IntRange(0, 9).Draw(t, "first")
				last := rapid.IntRange(first, 9).Draw(t, "last")
				services[i].Entries = append(services[i].Entries, config.GroupEntry{First: address(first), Last: address(last), Port: rapid.SampledFrom([]uint16{0, 1, 80, 81, 65535}).Draw(t, "port")})
			}
		}
		new(Marks).Give(services, 1000, nil)
		all := marked(services)
		for n := range 10 {
			for _, port := range []uint16{0, 1, 2, 79, 80, 81, 82, 65534, 65535} {
				var got []uint32
				for _, m := range all {
					if m.First.Compare(address(n)) <= 0 && address(n).Compare(m.Last) <= 0 && m.FirstPort <= port && port <= m.LastPort {
						got = append(got, m.Mark)
					}
				}
				var want []uint32
				for _, named := range []uint16{port, 0} {
					for i := range services {
						for _, e := range services[i].Entries {
							if len(want) == 0 && e.Port == named && e.First.Compare(address(n)) <= 0 && address(n).Compare(e.Last) <= 0 {
								want = []uint32{services[i].Mark}
							}
						}
					}
				}
				if d := cmp.Diff(want, got); d != "" {
					t.Fatalf("%s port %d: -want +got\n%s\n%v", address(n), port, d, textOf(all))
				}
			}
		}
	})
}

// marksOf gives marks and says which.
func marksOf(m *Marks, first uint32, there []config.Marked, lines ...string) string {
	services := groups(lines...)
	m.Give(services, first, there)
	var all []string
	for i := range services {
		all = append(all, fmt.Sprint(services[i].Key.Group, " ", services[i].Key.Protocol, " ", services[i].Mark))
	}
	return strings.Join(all, ", ")
}

func TestMarks(t *testing.T) {
	const a, b, c = "a tcp 10.0.0.1-10.0.0.9:80", "b tcp 10.0.1.1:80", "c udp 10.0.2.1:53"
	is := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", what, got, want)
		}
	}
	m := new(Marks)
	is("at first", marksOf(m, 1000, nil, a, b), "a TCP 1000, b TCP 1001")
	is("one goes, one comes", marksOf(m, 1000, nil, c, b), "c UDP 1002, b TCP 1001")
	is("another start", marksOf(m, 2000, nil, c, b, a), "c UDP 1002, b TCP 1001, a TCP 2000")
	is("a mark that is configured", marksOf(m, 2000, nil, "d tcp fwmark:1001", c, b), "d TCP 0, c UDP 1002, b TCP 2001")
	is("marks around it", marksOf(new(Marks), 1000, nil, "d tcp fwmark:1001 10.0.3.1:80", a, b), "d TCP 0, a TCP 1000, b TCP 1002")

	left := groups(a, b, c)
	new(Marks).Give(left, 5, nil)
	is("what a predecessor has left", marksOf(new(Marks), 1000, marked(left), c, "x tcp 10.0.9.9:80", "a2 tcp 10.0.0.3:80", b), "c UDP 7, x TCP 1000, a2 TCP 5, b TCP 6")
	is("not twice", marksOf(new(Marks), 1000, marked(left), "a1 tcp 10.0.0.1:80", "a2 tcp 10.0.0.3:80"), "a1 TCP 5, a2 TCP 1000")
	is("the last mark of all", marksOf(new(Marks), 1<<32-1, nil, a, b), "a TCP 4294967295, b TCP 1")
}
