package lvs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// ipvlans and VRFs are what the kernel of a container often lacks: the virtual
// machine has them.
const ipvlans = `
vrrp_instance VI_I {
	state MASTER
	interface eth0
	use_ipvlan ipv.51 10.9.0.9/24 bridge
	virtual_router_id 51
	priority 255
	virtual_ipaddress {
		10.9.0.100/24
	}
	virtual_routes {
		10.40.0.0/16 via 10.8.0.2 dev eth1 vrf red
		10.41.0.0/16 encap mpls 100 via 10.9.0.2 dev eth0
	}
}
vrrp_instance VI_6 {
	state MASTER
	interface eth0
	use_ipvlan ipv.54 2001:db8::9/64
	virtual_router_id 54
	priority 255
	virtual_ipaddress {
		fe80::100/64
		2001:db8::100/64
	}
}
vrrp_instance VI_P {
	state MASTER
	interface eth2
	use_ipvlan ipv.55 10.7.0.9/24 private
	virtual_router_id 55
	priority 255
	virtual_ipaddress {
		10.7.0.100/24
	}
}
vrrp_instance VI_E {
	state MASTER
	interface eth3
	use_ipvlan ipv.56 10.6.0.9/24 vepa
	virtual_router_id 56
	priority 255
	virtual_ipaddress {
		10.6.0.100/24
	}
}
vrrp_instance VI_V {
	state MASTER
	interface eth1
	use_vmac
	virtual_router_id 52
	priority 255
	virtual_ipaddress {
		10.8.0.100/24
	}
}
`

// inVRF is an instance without an interface, which keepalived 2.2.7 refuses.
const inVRF = `
vrrp_instance VI_U {
	state MASTER
	vrf red
	virtual_router_id 53
	priority 255
	unicast_src_ip 10.8.0.1
	unicast_peer {
		10.8.0.7
	}
	virtual_ipaddress {
		10.8.0.101/24 dev eth1
	}
}
`

// TestVirtualLinks: ipvlans, VMACs in a VRF, and routes and sockets of a VRF
// are those of keepalived with the same configuration.
func TestVirtualLinks(t *testing.T) {
	states := make(map[string][]string)
	for _, binary := range []string{rig.Keepalived, rig.Binary()} {
		lab := rig.New(t)
		h := lab.Host("r1")
		two := lab.Switch("two")
		h.Plug(lab.Switch("lan"), "eth0", "10.9.0.1/24")
		h.Plug(two, "eth1", "10.8.0.1/24")
		h.Plug(lab.Switch("three"), "eth2", "10.7.0.1/24")
		h.Plug(lab.Switch("four"), "eth3", "10.6.0.1/24")
		h.Run("ip", "addr", "add", "fe80::1/64", "dev", "eth0", "nodad")
		lab.Host("r7").Plug(two, "eth0", "10.8.0.7/24") // the peer of inVRF
		h.Run("ip", "link", "add", "red", "type", "vrf", "table", "10")
		h.Run("ip", "link", "set", "red", "up")
		h.Run("ip", "link", "set", "eth1", "master", "red")
		capture := h.Capture("eth1")
		before := linksOf(h)
		configuration, names := ipvlans, []string{"VI_I", "VI_6", "VI_P", "VI_E", "VI_V"}
		if binary == rig.Binary() {
			configuration, names = ipvlans+inVRF, append(names, "VI_U")
		}
		h.File("keepalived.conf", configuration)
		d := h.Start(binary, "-P")
		for _, name := range names {
			d.Wait(0, "("+name+") Entering MASTER STATE", 2*patience)
		}
		rig.Until(t, "the addresses", patience, func() bool {
			all := h.Run("ip", "-o", "addr")
			return !slices.ContainsFunc([]string{"10.9.0.100", "2001:db8::100", "10.7.0.100", "10.6.0.100", "10.8.0.100"}, func(a string) bool { return !strings.Contains(all, a) })
		})
		if binary == rig.Binary() {
			rig.Until(t, "an advert through the VRF", patience, func() bool {
				return slices.ContainsFunc(capture.Adverts(time.Time{}), func(a rig.Advert) bool { return a.VRID == 53 })
			})
		}
		states[isLvsd(binary)] = strings.Split(linksOf(h), "\n")
		d.Stop(patience)
		if diff := cmp.Diff(before, linksOf(h)); diff != "" && binary == rig.Binary() {
			t.Errorf("left (-before +after):\n%s", diff)
		}
	}
	if diff := cmp.Diff(states["keepalived"], states["lvsd"]); diff != "" {
		t.Errorf("(-keepalived +lvsd):\n%s", diff)
	}
}

func isLvsd(binary string) string {
	if binary == rig.Keepalived {
		return "keepalived"
	}
	return "lvsd"
}

// kernelsOwn is the link-local address that the kernel gives a link, by chance on
// an ipvlan.
var kernelsOwn = regexp.MustCompile(`fe80::[0-9a-f]+:[0-9a-f:]+/64 scope link (tentative )?`)

// linksOf is what can be seen of a host's links, addresses and keepalived's
// routes.
func linksOf(h *rig.Host) string {
	var lines []string
	for _, line := range strings.Split(h.Run("ip", "-o", "-d", "link"), "\n") {
		words := strings.Fields(line)
		if len(words) < 3 || strings.HasPrefix(words[1], "lo:") {
			continue
		}
		keep := words[1:3]
		for i, word := range words {
			if word == "macvlan" || word == "ipvlan" || word == "mode" || word == "master" {
				keep = append(keep, word, words[i+1])
			}
			if word == "mode" && words[i-1] == "ipvlan" {
				keep = append(keep, words[i+2]) // bridge, private or vepa
			}
		}
		if name, _, ours := strings.Cut(words[1], "@"); ours && strings.HasPrefix(name, "ipv.") {
			keep = append(keep, "disable_ipv6", strings.TrimSpace(h.Run("cat", "/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6")), kernelsOwn.ReplaceAllString(h.Run("ip", "-o", "-6", "addr", "show", "dev", name), "fe80:: of the kernel's own"))
		}
		lines = append(lines, strings.Join(keep, " "))
	}
	for _, line := range strings.Split(h.Run("ip", "-o", "-4", "addr"), "\n") {
		if strings.Contains(line, "10.8.0.101") {
			continue // of inVRF
		}
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	lines = append(lines, h.Run("ip", "route", "show", "table", "all", "proto", "keepalived"))
	return strings.Join(lines, "\n")
}
