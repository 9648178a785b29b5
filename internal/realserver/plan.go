package realserver

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
)

// Have is what there is on a host.
type Have struct {
	Links    map[string]Link
	Settings map[string]string // net.ipv4.conf: eth0.arp_ignore and so on
	GUE      []Port
}

// Link is a network device.
type Link struct {
	Up        bool
	Addresses []netip.Prefix
}

func (h *Have) has(device string, p netip.Prefix) bool {
	return slices.Contains(h.Links[device].Addresses, p)
}

// Saved is what a start has changed.
type Saved struct {
	Settings  map[string]Change `json:"settings,omitempty"`
	Up        []string          `json:"up,omitempty"` // devices that were down
	GUE       []Port            `json:"gue,omitempty"`
	Made      []Device          `json:"made,omitempty"`
	Addresses []Placed          `json:"addresses,omitempty"`
}

// Change is a setting before and after.
type Change struct {
	Was string `json:"was"`
	Is  string `json:"is"`
}

// Placed is an address on a device.
type Placed struct {
	Device string       `json:"device"`
	Prefix netip.Prefix `json:"prefix"`
}

// Empty reports that there is nothing to put back.
func (s *Saved) Empty() bool {
	return len(s.Settings)+len(s.Up)+len(s.GUE)+len(s.Made)+len(s.Addresses) == 0
}

// Step is one change of the host. Exactly one of Setting, Link, GUE, Device
// and Address says of what.
type Step struct {
	Setting, Value string // of net.ipv4.conf
	Link           string // set up, or down with Undo
	GUE            Port   // listen on, or no longer with Undo
	Device         Device // make, or remove with Undo
	Address        Placed // add, or remove with Undo
	Undo           bool
}

// String is the step as the command of sysctl(8) or ip(8).
func (s Step) String() string {
	verb, state := "add", "up"
	if s.Undo {
		verb, state = "del", "down"
	}
	switch {
	case s.Setting != "":
		return fmt.Sprintf("sysctl -w net.ipv4.conf.%s=%s", s.Setting, s.Value)
	case s.Link != "":
		return fmt.Sprintf("ip link set %s %s", s.Link, state)
	case s.GUE != Port{}:
		return s.GUE.command(verb)
	case s.Device != Device{}:
		return s.Device.command(verb)
	}
	return fmt.Sprintf("ip addr %s %s dev %s", verb, s.Address.Prefix, s.Address.Device)
}

// settings are those that are wanted and are not good as they are. Of the
// values of all devices and of one the larger one counts.
func settings(have Have, want Want) map[string]string {
	set := make(map[string]string)
	if want.inet() {
		for _, device := range []string{"all", loopback} {
			if !silent(have.Settings[device+".arp_ignore"]) {
				set[device+".arp_ignore"] = "1"
			}
			if have.Settings[device+".arp_announce"] != "2" {
				set[device+".arp_announce"] = "2"
			}
		}
	}
	for _, device := range want.Tunnels {
		// Packets come out of a tunnel whose senders are reached another way.
		// 2 asks for any way, RFC 3704 section 2.4, and is larger than 1. A device
		// that is about to be made may begin with 1.
		if _, there := have.Links[device]; !there || effective(have, device, "rp_filter") == 1 {
			set[device+".rp_filter"] = "2"
		}
	}
	return set
}

// silent reports a value of arp_ignore with which no ARP is answered for an
// address on another device.
func silent(arpIgnore string) bool { return arpIgnore == "1" || arpIgnore == "2" || arpIgnore == "8" }

// effective is what counts of a setting for a device.
func effective(have Have, device, name string) int {
	all, _ := strconv.Atoi(have.Settings["all."+name])
	own, _ := strconv.Atoi(have.Settings[device+"."+name])
	return max(all, own)
}

// Start is how a host becomes as wanted, and what is to be put back once it is
// not wanted any more. ARP is quiet before the first address comes. What an
// earlier start has made and is not wanted any more goes.
func Start(have Have, want Want, saved Saved) (steps []Step, next Saved) {
	next.Settings = maps.Clone(saved.Settings)
	if next.Settings == nil {
		next.Settings = make(map[string]Change)
	}
	for _, device := range want.Made {
		made := slices.Contains(saved.Made, device)
		if _, there := have.Links[device.Name]; !there {
			steps, made = append(steps, Step{Device: device}), true
		}
		if made {
			next.Made = append(next.Made, device)
		}
	}
	set := settings(have, want)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		steps = append(steps, Step{Setting: name, Value: set[name]})
		was := have.Settings[name]
		if earlier, ok := next.Settings[name]; ok {
			was = earlier.Was
		}
		next.Settings[name] = Change{was, set[name]}
	}
	for _, device := range want.Tunnels {
		made := slices.Contains(saved.Up, device)
		if !have.Links[device].Up {
			steps, made = append(steps, Step{Link: device}), true
		}
		if made {
			next.Up = append(next.Up, device)
		}
	}
	for _, port := range want.GUE {
		made := slices.Contains(saved.GUE, port)
		if !slices.Contains(have.GUE, port) {
			steps, made = append(steps, Step{GUE: port}), true
		}
		if made {
			next.GUE = append(next.GUE, port)
		}
	}
	for _, vip := range want.sorted() {
		at := Placed{want.VIPs[vip], host(vip)}
		made := slices.Contains(saved.Addresses, at)
		if !have.has(at.Device, at.Prefix) {
			steps, made = append(steps, Step{Address: at}), true
		}
		if made {
			next.Addresses = append(next.Addresses, at)
		}
	}
	obsolete := Saved{
		Addresses: without(saved.Addresses, next.Addresses), Up: without(saved.Up, next.Up), GUE: without(saved.GUE, next.GUE),
		Made: without(saved.Made, next.Made), Settings: make(map[string]Change),
	}
	for name, change := range saved.Settings {
		if !needed(name, want) {
			obsolete.Settings[name] = change
			delete(next.Settings, name)
		}
	}
	return append(steps, Stop(have, obsolete)...), next
}

// needed reports a setting that what is wanted depends on.
func needed(name string, want Want) bool {
	for _, device := range want.Tunnels {
		if name == device+".rp_filter" {
			return true
		}
	}
	switch name {
	case "all.arp_ignore", "all.arp_announce", loopback + ".arp_ignore", loopback + ".arp_announce":
		return want.inet()
	}
	return false
}

func without[T comparable](all, but []T) []T {
	return slices.DeleteFunc(slices.Clone(all), func(x T) bool { return slices.Contains(but, x) })
}

// Stop puts back what was changed: the addresses go before ARP speaks again.
// What somebody else has changed meanwhile stays.
func Stop(have Have, saved Saved) (steps []Step) {
	for _, at := range saved.Addresses {
		if have.has(at.Device, at.Prefix) {
			steps = append(steps, Step{Address: at, Undo: true})
		}
	}
	for _, port := range saved.GUE {
		if slices.Contains(have.GUE, port) {
			steps = append(steps, Step{GUE: port, Undo: true})
		}
	}
	for _, device := range saved.Up {
		if have.Links[device].Up {
			steps = append(steps, Step{Link: device, Undo: true})
		}
	}
	for _, device := range saved.Made {
		if _, there := have.Links[device.Name]; there {
			steps = append(steps, Step{Device: device, Undo: true})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(saved.Settings)) {
		if c := saved.Settings[name]; cmp.Or(c.Was, c.Is) != c.Is && have.Settings[name] == c.Is {
			steps = append(steps, Step{Setting: name, Value: c.Was})
		}
	}
	return steps
}
