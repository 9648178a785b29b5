package realserver

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Finding is something wrong on a real server, and what to do about it.
type Finding struct{ What, Do string }

// String is both, on two lines.
func (f Finding) String() string { return f.What + "\n    " + f.Do }

const start = "lvsd real-server start does it"

// Check says what is wrong on a host that is to be as wanted, whoever set it
// up.
func Check(have Have, want Want) (found []Finding) {
	note := func(do, format string, args ...any) {
		found = append(found, Finding{fmt.Sprintf(format, args...), do})
	}
	for _, vip := range want.sorted() {
		for _, f := range checkAddress(have, want, vip) {
			note(f.Do, "%s", f.What)
		}
	}
	for _, device := range want.Tunnels {
		link, there := have.Links[device]
		made := slices.IndexFunc(want.Made, func(d Device) bool { return d.Name == device })
		switch {
		case !there && made >= 0:
			note(want.Made[made].command("add")+"; "+start, "nothing unwraps %s to %s: the kernel drops it", want.Made[made].what(), want.Made[made].Local)
		case !there:
			note("load the kernel's module: modprobe "+modules[device], "there is no %s: what comes through a tunnel is not unwrapped", device)
		case !link.Up:
			note("ip link set "+device+" up; "+start, "%s is down: what comes through the tunnel is dropped", device)
		case effective(have, device, "rp_filter") == 1:
			note("sysctl -w net.ipv4.conf."+device+".rp_filter=2; "+start,
				"rp_filter counts as 1 on %s: the kernel drops what comes out of the tunnel, because its senders are reached another way", device)
		}
	}
	for _, port := range want.GUE {
		if !slices.Contains(have.GUE, port) {
			note("modprobe fou; "+port.command("add")+"; "+start, "nothing unwraps generic UDP encapsulation on port %d", port.Port)
		}
	}
	if want.inet() {
		found = append(found, checkARP(have)...)
	}
	return found
}

func checkAddress(have Have, want Want, vip netip.Addr) (found []Finding) {
	quiet := false // it is where nobody is told of it
	for _, device := range slices.Sorted(maps.Keys(have.Links)) {
		for _, p := range have.Links[device].Addresses {
			hidden := device == loopback || strings.HasPrefix(device, "dummy") || slices.Contains(want.Tunnels, device)
			switch {
			case p.Addr() != vip:
			case !hidden:
				found = append(found, Finding{
					fmt.Sprintf("%s is on %s: this host answers neighbours that ask for it, and takes clients from the director", p, device),
					fmt.Sprintf("ip addr del %s dev %s, unless this host is a director, too", p, device),
				})
			case p.Bits() != vip.BitLen():
				quiet = true
				found = append(found, Finding{
					fmt.Sprintf("%s on %s is a whole network: what this host sends to its neighbours there stays on the host", p, device),
					fmt.Sprintf("ip addr del %s dev %s; ip addr add %s dev %s", p, device, host(vip), device),
				})
			default:
				quiet = true
			}
		}
	}
	if !quiet {
		found = append(found, Finding{
			fmt.Sprintf("%s is not on %s: what the director forwards to this host is dropped", vip, want.VIPs[vip]),
			fmt.Sprintf("ip addr add %s dev %s; %s", host(vip), want.VIPs[vip], start),
		})
	}
	return found
}

// checkARP looks at each device that neighbours ask on.
func checkARP(have Have) (found []Finding) {
	for _, device := range slices.Sorted(maps.Keys(have.Links)) {
		_, tunnel := modules[device]
		if device == loopback || tunnel || strings.HasPrefix(device, madePrefix) || !have.Links[device].Up {
			continue
		}
		if n := effective(have, device, "arp_ignore"); !silent(fmt.Sprint(n)) {
			found = append(found, Finding{
				fmt.Sprintf("arp_ignore counts as %d on %s: this host answers neighbours that ask for a virtual address, and takes clients from the director", n, device),
				"sysctl -w net.ipv4.conf.all.arp_ignore=1; " + start,
			})
		}
		if n := effective(have, device, "arp_announce"); n != 2 {
			found = append(found, Finding{
				fmt.Sprintf("arp_announce counts as %d on %s: this host may ask for neighbours in the name of a virtual address, and so move it here", n, device),
				"sysctl -w net.ipv4.conf.all.arp_announce=2; " + start,
			})
		}
	}
	return found
}

// modules of the kernel make the devices of tunnels.
var modules = map[string]string{
	"tunl0": "ipip", "sit0": "sit", "ip6tnl0": "ip6_tunnel", "gre0": "ip_gre", "ip6gre0": "ip6_gre",
}
