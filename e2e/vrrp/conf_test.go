package vrrp

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// An instance is a vrrp_instance block on eth0. The zero value of a field
// leaves its line out.
type instance struct {
	name      string // VI_1
	vrid      int    // 51
	version   int
	state     string
	priority  int
	advert    string // advert_int: seconds
	pass      string
	ah        string // the password of auth_type AH
	nopreempt bool
	source    string // unicast_src_ip
	peers     []string
	from      string   // mcast_src_ip
	device    string   // eth0
	vips      []string // 10.9.0.100/24
	excluded  []string
	more      string // other lines
	before    string // other blocks
}

// String is the block as keepalived.conf has it.
func (i instance) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "\t"+format+"\n", args...) }
	list := func(keyword string, entries []string) {
		if len(entries) > 0 {
			line("%s {\n\t\t%s\n\t}", keyword, strings.Join(entries, "\n\t\t"))
		}
	}
	fmt.Fprintf(&b, "%svrrp_instance %s {\n", i.before, i.named())
	if i.state != "" {
		line("state %s", i.state)
	}
	line("interface %s", cmp.Or(i.device, "eth0"))
	line("virtual_router_id %d", i.id())
	if i.version != 0 {
		line("version %d", i.version)
	}
	line("priority %d", i.priority)
	if i.advert != "" {
		line("advert_int %s", i.advert)
	}
	if i.nopreempt {
		line("nopreempt")
	}
	if i.pass != "" {
		line("authentication {\n\t\tauth_type PASS\n\t\tauth_pass %s\n\t}", i.pass)
	}
	if i.ah != "" {
		line("authentication {\n\t\tauth_type AH\n\t\tauth_pass %s\n\t}", i.ah)
	}
	if i.source != "" {
		line("unicast_src_ip %s", i.source)
	}
	if i.from != "" {
		line("mcast_src_ip %s", i.from)
	}
	list("unicast_peer", i.peers)
	list("virtual_ipaddress", i.addresses())
	list("virtual_ipaddress_excluded", i.excluded)
	if i.more != "" {
		line("%s", strings.ReplaceAll(strings.TrimSpace(i.more), "\n", "\n\t"))
	}
	b.WriteString("}\n")
	return b.String()
}

func (i instance) named() string { return cmp.Or(i.name, "VI_1") }

func (i instance) id() int { return cmp.Or(i.vrid, 51) }

func (i instance) addresses() []string {
	if len(i.vips) == 0 {
		return []string{vip.String() + "/24"}
	}
	return i.vips
}

// ipv6 says that the adverts go over IPv6.
func (i instance) ipv6() bool { return strings.Contains(i.addresses()[0], ":") }

// interval is advert_int.
func (i instance) interval() time.Duration {
	if i.advert == "" {
		return time.Second
	}
	d, err := time.ParseDuration(i.advert + "s")
	if err != nil {
		panic(err) // of a test's own table
	}
	return d
}

// skew is Skew_Time: RFC 3768 section 6.1 for version 2, RFC 9568 section 6.1
// for version 3.
func (i instance) skew() time.Duration {
	unit := time.Second
	if i.version == 3 || i.version == 0 && i.ipv6() {
		unit = i.interval()
	}
	return time.Duration(256-i.priority) * unit / 256
}

// down is Active_Down_Interval, RFC 9568 section 6.1.
func (i instance) down() time.Duration { return 3*i.interval() + i.skew() }
