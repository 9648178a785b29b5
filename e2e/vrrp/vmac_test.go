package vrrp

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// vmacs are virtual routers on macvlans: IPv4 and IPv6, names that are taken, addresses
// on other interfaces with and without use_vmac, a name and an address of
// one's own, adverts from the interface itself.
const vmacs = `
vrrp_instance VI_1 {
	state MASTER
	interface eth0
	use_vmac
	virtual_router_id 51
	priority 255
	virtual_ipaddress {
		10.9.0.100/24
		10.9.0.101/24 dev eth0
		10.8.0.100/24 dev eth1
		10.8.0.110/24 dev eth1 use_vmac
	}
	virtual_ipaddress_excluded {
		2001:db8::1/64
		2001:db8::2/64 dev eth0 use_vmac
		2001:db8::3/64 dev eth1 use_vmac
	}
}
vrrp_instance VI_6 {
	state MASTER
	interface eth0
	use_vmac
	virtual_router_id 61
	priority 255
	virtual_ipaddress {
		fe80::100/64
		2001:db8::100/64
	}
}
vrrp_instance VI_2 {
	state MASTER
	interface eth0
	use_vmac_addr
	virtual_router_id 52
	priority 255
	virtual_ipaddress {
		10.9.0.102/24
		10.8.0.102/24 dev eth1
	}
	virtual_ipaddress_excluded {
		2001:db8::12/64
		10.8.0.103/24 dev eth1
	}
}
vrrp_instance VI_X {
	state MASTER
	interface eth1
	use_vmac vx 02:11:22:33:44
	vmac_xmit_base
	virtual_router_id 53
	priority 255
	virtual_ipaddress {
		10.8.0.104/24
	}
}
vrrp_instance VI_6X {
	state MASTER
	interface eth0
	use_vmac
	vmac_xmit_base
	virtual_router_id 63
	priority 255
	virtual_ipaddress {
		fe80::104/64
		2001:db8::104/64
	}
}
vrrp_instance VI_62 {
	state MASTER
	interface eth1
	use_vmac
	virtual_router_id 52
	priority 255
	virtual_ipaddress {
		2001:db8:2::100/64
	}
}
`

// devices is what can be seen of a router's links: kind, addresses, sysctls.
func (r *router) devices() string {
	r.t.Helper()
	var lines []string
	for _, line := range strings.Split(r.Run("ip", "-o", "-d", "link"), "\n") {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[1], "lo:") || stray(line) {
			continue
		}
		name := strings.TrimSuffix(words[1], ":")
		device, _, _ := strings.Cut(name, "@")
		keep := []string{name, words[2]}
		for i, word := range words {
			if word == "link/ether" || word == "macvlan" || word == "mtu" || word == "mode" && words[i-1] == "macvlan" {
				keep = append(keep, word, words[i+1])
			}
		}
		for _, sysctl := range []string{"arp_ignore", "arp_filter", "rp_filter", "accept_local", "promote_secondaries"} {
			keep = append(keep, sysctl, strings.TrimSpace(r.Run("cat", "/proc/sys/net/ipv4/conf/"+device+"/"+sysctl)))
		}
		keep = append(keep, "disable_ipv6", strings.TrimSpace(r.Run("cat", "/proc/sys/net/ipv6/conf/"+device+"/disable_ipv6")))
		lines = append(lines, strings.Join(keep, " "))
		for _, address := range strings.Split(r.Run("ip", "-o", "addr", "show", "dev", device), "\n") {
			if words := strings.Fields(address); len(words) > 2 && !stray(address) {
				lines = append(lines, "  "+strings.Join(words[2:], " "))
			}
		}
	}
	for _, device := range []string{"all", "default"} {
		lines = append(lines, device+" rp_filter "+strings.TrimSpace(r.Run("cat", "/proc/sys/net/ipv4/conf/"+device+"/rp_filter")))
	}
	return strings.Join(lines, "\n")
}

// vmacRouter is a router with two interfaces and strict reverse path filters.
func vmacRouter(s *segment, n int) *router {
	r := s.router6(n)
	r.Sysctl("net.ipv4.conf.all.rp_filter", "1")
	r.Run("ip", "addr", "add", "10.9.0.1/24", "broadcast", "+", "dev", "eth0")
	r.plug("eth1", s.Lab.Switch("two"), "02:00:00:00:01:01", "10.8.0.1/24")
	r.Run("ip", "addr", "add", "fe80::1:1/64", "dev", "eth1")
	r.Sysctl("net.ipv4.conf.eth1.rp_filter", "1") // keepalived 2.2.7 moves that of all to eth0 alone
	return r
}

// TestVMAC: macvlans, their names, addresses and sysctls are those that
// keepalived makes, beside links of others that have the names, and the end
// leaves nothing.
func TestVMAC(t *testing.T) {
	t.Parallel()
	states := make(map[string][]string)
	for _, binary := range []string{rig.Keepalived, rig.Binary()} {
		r := vmacRouter(newSegment(t), 1)
		r.Run("ip", "link", "add", "vrrp.61", "address", "02:00:00:00:00:61", "type", "bridge")
		r.Run("ip", "link", "add", "vrrp.52", "link", "eth0", "address", "02:00:00:00:00:52", "type", "macvlan", "mode", "private")
		before := r.devices()
		r.run(binary, vmacs)
		for _, name := range []string{"VI_1", "VI_6", "VI_2", "VI_X", "VI_6X", "VI_62"} {
			r.becomes(0, name, "MASTER", patience)
		}
		rig.Until(t, "the last address of "+r.String(), patience, func() bool {
			return strings.Contains(r.Run("ip", "-o", "addr"), "10.8.0.104")
		})
		for _, line := range r.Lines(0) {
			if strings.Contains(line.Text, "FAULT") {
				t.Errorf("%s: %s", r, line.Text)
			}
		}
		states[short(binary)] = strings.Split(r.devices(), "\n")
		if binary == rig.Binary() {
			mark := r.Mark()
			r.Signal(syscall.SIGHUP)
			r.Wait(mark, reloaded, patience)
			if diff := cmp.Diff(states["lvsd"], strings.Split(r.devices(), "\n")); diff != "" {
				t.Errorf("a reload of the same changes links (-before +after):\n%s", diff)
			}
		}
		r.Stop(patience)
		// keepalived 2.2.7 leaves its sysctls.
		if diff := cmp.Diff(before, r.devices()); diff != "" && binary == rig.Binary() {
			t.Errorf("%s left something (-before +after):\n%s", r, diff)
		}
	}
	if diff := cmp.Diff(states["keepalived"], states["lvsd"]); diff != "" {
		t.Errorf("(-keepalived +lvsd):\n%s", diff)
	}
}

// TestVMACInterop: with use_vmac on both sides, lvsd and keepalived hand a
// virtual router to each other; adverts and gratuitous ARP come from the
// virtual router's MAC, and an address is reached through it.
func TestVMACInterop(t *testing.T) {
	t.Parallel()
	for _, family := range []struct {
		name string
		instance
		mac string
	}{
		{"IPv4", instance{}, "00:00:5e:00:01:33"},
		{"IPv4 v3", instance{version: 3, advert: "0.2"}, "00:00:5e:00:01:33"},
		{"IPv6", instance{advert: "0.2", vips: vips6}, "00:00:5e:00:02:33"},
	} {
		for _, preferred := range []string{rig.Binary(), rig.Keepalived} {
			other := rig.Keepalived
			if preferred == rig.Keepalived {
				other = rig.Binary()
			}
			t.Run(family.name+"/"+short(preferred)+" preferred", func(t *testing.T) {
				t.Parallel()
				s := newSegment(t)
				high, low := family.instance, family.instance
				high.priority, low.priority = 150, 100
				high.more, low.more = "use_vmac", "use_vmac"
				p := &pair{
					t: t, preferred: s.routerOf(high, 1), other: s.routerOf(low, 2),
					binary: preferred, high: high, low: low,
				}
				began := time.Now()
				p.elect(other)
				p.preferred.sendsFrom(began, family.mac)
				p.crash()
				p.other.sendsFrom(time.Now(), family.mac)
				p.comeBack()
				p.handOver()
			})
		}
	}
}

// sendsFrom waits for an advert of the router with a MAC address, and finds
// none with another one.
func (r *router) sendsFrom(since time.Time, mac string) {
	r.t.Helper()
	rig.Until(r.t, "an advert from "+mac, patience, func() bool { return len(r.sent(since)) > 0 })
	for _, a := range r.sent(since) {
		if a.MAC != mac {
			r.t.Errorf("%s of %s comes from %s, want %s", a, r, a.MAC, mac)
		}
	}
}
