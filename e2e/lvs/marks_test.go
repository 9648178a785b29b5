package lvs

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// markedGroup is a virtual_server_group and its services.
type markedGroup struct {
	name, entries string
	services      []string
}

func (g markedGroup) String() string {
	text := fmt.Sprintf("virtual_server_group %s {\n%s\n}\n", g.name, g.entries)
	for _, s := range g.services {
		text += fmt.Sprintf("virtual_server group %s {\nlb_algo rr\n%s\n}\n", g.name, s)
	}
	return text
}

// markedConf is a configuration of groups with nftables_ipvs.
func markedConf(global string, groups ...markedGroup) string {
	var b strings.Builder
	fmt.Fprintf(&b, "global_defs {\nnftables_ipvs%s\nscript_user root\n}\n", global)
	for _, g := range groups {
		b.WriteString(g.String())
	}
	return b.String()
}

// markedGroups are what nftables_ipvs makes marks of, and what it does not.
func markedGroups() (all []markedGroup) {
	const tcp = "protocol TCP\nlb_kind NAT\n"
	add := func(entries string, services ...string) {
		entries = strings.NewReplacer("V6", fmt.Sprintf("2001:db8:99:%x::", len(all)+1), "V.", fmt.Sprintf("10.98.%d.", 2*len(all)), "W.", fmt.Sprintf("10.98.%d.", 2*len(all)+1)).Replace(entries)
		all = append(all, markedGroup{fmt.Sprintf("g%d", len(all)), entries, services})
	}
	add("V.4-7 80", "protocol UDP\nlb_kind NAT\n"+real4())
	add("V.4-7 80", tcp+real4())
	add("V.4 80\nV.9 443\nV.4 443\nV.16/29 80", tcp+real4()+"\nreal_server 10.1.0.3 {\n}")
	add("V.250-W.5 80", tcp+real4("weight 3"))
	add("V.4-7 80", "protocol SCTP\nlb_kind NAT\n"+real4())
	add("V.4-7 80\nV.53 53", tcp+real4(), "protocol UDP\nlb_kind DR\nops\nreal_server 10.1.0.3 53 {\n}", "protocol SCTP\nlb_kind NAT\n"+real4())
	add("V64-7 80\nV610 443", tcp+real6())
	add("V64-7 80\nV.4-7 80", "protocol TCP\nlb_kind TUN type gue port 6080\n"+real4()+"\nreal_server 2001:db8:1::2 {\n}")
	add("V.4-7 80\nfwmark 7", tcp+real4())
	add("fwmark 8", "lb_kind NAT\n"+real4())
	add("V.4-7 80", "protocol TCP\nlb_kind DR\npersistence_timeout 70\nreal_server 10.1.0.2 {\n}\nreal_server 10.1.0.3 80 {\n}")
	add("V.4-7 80", tcp+"quorum 2\nsorry_server 10.1.0.9 81\nsorry_server_inhibit\n"+real4(waiting, "inhibit_on_failure"))
	add("V.4-7 80", tcp+real4(waiting))
	add("V.4-7 80\nV.5 80\nV.4-7 80", tcp+real4())
	add("V.4-7 80", tcp+real4(), tcp+"real_server 10.1.0.3 81 {\n}")
	add("V.4-7 80")
	return all
}

// ruleset is what nft shows, with tables, maps, rules and elements in order:
// theirs means nothing.
func ruleset(h *rig.Host) []string {
	list := regexp.MustCompile(`(?s)elements = \{([^}]*)\}`)
	text := list.ReplaceAllStringFunc(h.Run("nft", "list", "ruleset"), func(elements string) string {
		words := strings.Split(list.FindStringSubmatch(elements)[1], ",")
		for i := range words {
			words[i] = strings.TrimSpace(words[i])
		}
		slices.Sort(words)
		return strings.Join(words, " ")
	})
	tables := strings.SplitAfter(text, "\n}\n")
	for i, table := range tables {
		blocks := strings.Split(table, "\n\n")
		for k, block := range blocks {
			lines := strings.Split(strings.TrimSpace(block), "\n")
			slices.Sort(lines)
			blocks[k] = strings.Join(lines, "\n")
		}
		slices.Sort(blocks)
		tables[i] = strings.Join(blocks, "\n")
	}
	slices.Sort(tables)
	return strings.Split(strings.Join(tables, "\n"), "\n")
}

// TestMarks: with nftables_ipvs the services and the tables are those that
// keepalived makes, at a start and after reloads in which groups, their entries
// and their services come and go, and nothing is left.
func TestMarks(t *testing.T) {
	onlyLVSD(t, "it is compared with itself")
	const server = "protocol TCP\nlb_kind NAT\n"
	a := markedGroup{"a", "10.97.0.4-7 80", []string{server + real4()}}
	b := markedGroup{"b", "10.97.1.4-7 80", []string{server + real4()}}
	wider, narrower := a, b
	wider.entries, narrower.entries = a.entries+"\n10.97.0.20 80", "10.97.1.5-7 80"
	c := markedGroup{"c", "10.97.2.4 80", []string{server + real4()}}
	steps := []struct{ name, text string }{
		{"all kinds", markedConf("", markedGroups()...)},
		{"two groups", markedConf(" lvs\nnftables_ipvs_priority 5\nnftables_ipvs_start_fwmark 2000", a, b)},
		{"entries come and go", markedConf(" lvs\nnftables_ipvs_priority 5\nnftables_ipvs_start_fwmark 2000", wider, narrower)},
		{"groups come and go", markedConf(" lvs\nnftables_ipvs_priority 5\nnftables_ipvs_start_fwmark 2000", c, narrower)},
		{"another name is refused", markedConf(" other", a)},
	}
	states := map[string][][]string{}
	for _, binary := range []string{rig.Keepalived, rig.Binary()} {
		lab := rig.New(t)
		h := lab.Host("director")
		h.Plug(lab.Switch("lan"), "eth0", "10.1.0.1/16", "2001:db8:1::1/64")
		var d *rig.Daemon
		for i, step := range steps {
			mark := 0
			h.File("keepalived.conf", step.text)
			if i < 2 {
				if d != nil {
					d.Stop(patience)
					states[isLvsd(binary)] = append(states[isLvsd(binary)], append([]string{"stopped"}, ruleset(h)...))
					h.Run("ipvsadm", "-C")
				}
				d = h.Start(binary)
				d.Wait(0, "Startup complete", patience)
			} else {
				mark = d.Mark()
				d.Signal(syscall.SIGHUP)
				if i == len(steps)-1 {
					d.Wait(mark, "Cannot change IPVS nftables table name at a reload - please restart keepalived", patience)
				} else {
					d.Wait(mark, "Reload complete", patience)
				}
			}
			state := func() []string {
				services := strings.Split(h.Run("ipvsadm", "-Sn"), "\n")
				slices.Sort(services)
				return slices.Concat([]string{step.name}, services, ruleset(h))
			}
			before := state()
			rig.Until(t, "the table to settle", patience, func() bool {
				time.Sleep(2 * time.Second)
				now := state()
				settled := slices.Equal(now, before)
				before = now
				return settled
			})
			states[isLvsd(binary)] = append(states[isLvsd(binary)], before)
		}
		d.Stop(patience)
		states[isLvsd(binary)] = append(states[isLvsd(binary)], append([]string{"stopped"}, ruleset(h)...))
	}
	for i, want := range states["keepalived"] {
		if diff := cmp.Diff(want, states["lvsd"][i]); diff != "" {
			t.Errorf("%s (-keepalived +lvsd):\n%s", want[0], diff)
		}
		if want[0] != "stopped" && len(want) < 10 {
			t.Errorf("keepalived has made nothing:\n%q", want)
		}
	}
}

// TestMarkedTraffic: requests to all addresses of a range, and to every port of
// one, go through one service. Connections outlive an address that a reload
// takes out of the range, kill -9 and an upgrade; a table that somebody deletes is
// made again.
func TestMarkedTraffic(t *testing.T) {
	onlyLVSD(t, "it does not repair its table")
	lab := rig.New(t)
	front, back := lab.Switch("front"), lab.Switch("back")
	director, client := lab.Host("director"), lab.Host("client")
	director.Plug(front, "eth0", "10.81.0.1/24", "2001:db8:81::1/64 nodad")
	director.Plug(back, "eth1", "10.82.0.1/24", "2001:db8:82::1/64 nodad")
	director.Sysctl("net.ipv4.ip_forward", "1")
	director.Sysctl("net.ipv6.conf.all.forwarding", "1")
	director.Run("ip", "route", "add", "local", "10.97.0.0/16", "dev", "lo")
	director.Run("ip", "route", "add", "local", "2001:db8:97::/64", "dev", "lo")
	client.Plug(front, "eth0", "10.81.0.9/24", "2001:db8:81::9/64 nodad")
	client.Run("ip", "route", "add", "default", "via", "10.81.0.1")
	client.Run("ip", "route", "add", "default", "via", "2001:db8:81::1")
	for i, name := range []string{"r1", "r2"} {
		h := lab.Host(name)
		h.Plug(back, "eth0", fmt.Sprintf("10.82.0.%d/24", 11+i), fmt.Sprintf("2001:db8:82::%d/64 nodad", 11+i))
		h.Run("ip", "route", "add", "default", "via", "10.82.0.1")
		h.Run("ip", "route", "add", "default", "via", "2001:db8:82::1")
		h.Serve(80)
		h.Serve(8080)
	}
	const nat = "protocol TCP\nlb_kind NAT\n"
	conf := func(web string) string {
		return markedConf("",
			markedGroup{"first", "10.97.9.1 80", []string{nat + "real_server 10.82.0.11 80 {\n}"}},
			markedGroup{"web", web, []string{nat + "real_server 10.82.0.11 80 {\n}\nreal_server 10.82.0.12 80 {\n}"}},
			markedGroup{"web6", "2001:db8:97::4-2001:db8:97::ff 80", []string{nat + "real_server 2001:db8:82::11 80 {\n}\nreal_server 2001:db8:82::12 80 {\n}"}},
			markedGroup{"ports", "10.97.1.1\n10.97.1.1 9", []string{nat + "persistence_timeout 1\nreal_server 10.82.0.12 {\n}"}})
	}
	director.File("keepalived.conf", conf("10.97.0.4-10.97.0.200 80"))
	d := director.Start(rig.Binary())
	d.Wait(0, "Startup complete", patience)
	serves := func(address string, names ...string) {
		t.Helper()
		at := netip.MustParseAddrPort(address)
		rig.Until(t, fmt.Sprintf("%s: answers of %v alone", address, names), patience, func() bool { return client.Load(at, 4).Even(names...) })
	}
	refused := func(address string) {
		t.Helper()
		if who, err := client.Get(netip.MustParseAddrPort(address)); err == nil {
			t.Errorf("%s: an answer of %s", address, who)
		}
	}
	serves("10.97.0.4:80", "r1", "r2")
	serves("10.97.0.200:80", "r1", "r2")
	serves("[2001:db8:97::7f]:80", "r1", "r2")
	serves("10.97.1.1:8080", "r2")
	serves("10.97.1.1:80", "r2")
	refused("10.97.0.3:80")
	refused("10.97.0.4:8080")
	if n := len(strings.Split(strings.TrimSpace(director.Run("ipvsadm", "-Sn")), "\n")); n != 10 {
		t.Errorf("%d services and servers", n)
	}

	session := client.Session(netip.MustParseAddrPort("10.97.0.200:80"))
	who, err := session.Get(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	mark := d.Mark()
	director.File("keepalived.conf", strings.Replace(conf("10.97.0.4-10.97.0.100 80"), "10.97.9.1 80", "10.97.9.2 80", 1))
	d.Signal(syscall.SIGHUP)
	d.Wait(mark, "Reload complete", patience)
	refused("10.97.0.200:80")
	lives(t, session, "an address that has left", who)

	stream := client.Stream(netip.MustParseAddrPort("10.97.0.50:80"))
	services := director.Run("ipvsadm", "-Sn")
	d.Kill()
	// In another order the groups would have other marks.
	head, rest, _ := strings.Cut(director.ReadFile("keepalived.conf"), "virtual_server_group first")
	first, others, _ := strings.Cut(rest, "virtual_server_group web ")
	director.File("keepalived.conf", head+"virtual_server_group web "+others+"virtual_server_group first"+first)
	table := director.Run("nft", "-a", "list", "ruleset")
	d = d.Again()
	d.Wait(0, "Startup complete", patience)
	if now := director.Run("nft", "-a", "list", "ruleset"); now != table {
		t.Errorf("the table was made anew after kill -9: before\n%s\nafter\n%s", table, now)
	}
	if now := director.Run("ipvsadm", "-Sn"); now != services {
		t.Errorf("after kill -9: before\n%s\nafter\n%s", services, now)
	}
	lives(t, session, "after kill -9", who)
	netlink, began := director.WatchNetlink(), time.Now()
	pid := slices.IndexFunc(d.PIDFiles(), func(path string) bool { return strings.HasSuffix(path, "/keepalived.pid") })
	if said := director.Run(rig.Binary(), "upgrade", "-p", d.PIDFiles()[pid]); !strings.Contains(said, "Upgrade complete") {
		t.Errorf("upgrade: %s", said)
	}
	if now := director.Run("nft", "-a", "list", "ruleset"); now != table {
		t.Errorf("the table was made anew by an upgrade: before\n%s\nafter\n%s", table, now)
	}
	if writes := slices.DeleteFunc(netlink.Writes(began), func(write string) bool { return !strings.HasPrefix(write, "ipvs") }); len(writes) > 0 {
		t.Errorf("an upgrade has written to IPVS: %q", writes)
	}
	lives(t, session, "after an upgrade", who)
	if tally := stream.Stop(); len(tally.Lost) > 0 || len(tally.Answers) != 2 {
		t.Errorf("requests around kill -9 and an upgrade: %s", tally)
	}

	director.Run("nft", "delete", "table", "ip", "keepalived_ipvs")
	refused("10.97.0.50:80")
	d.Signal(syscall.SIGHUP)
	d.Wait(0, "somebody has changed the firewall marks", patience)
	serves("10.97.0.50:80", "r1", "r2")
	director.Run("nft", "add", "element", "ip", "keepalived_ipvs", "tcp_map", "{ 10.97.5.5 . 80 : 1000 }")
	time.Sleep(time.Minute + 5*time.Second)
	if now := director.Run("nft", "list", "ruleset"); strings.Contains(now, "10.97.5.5") {
		t.Errorf("what somebody has added is still there:\n%s", now)
	}

	// Without the keyword a crash's table goes, and the addresses are services.
	d.Kill()
	director.File("keepalived.conf", strings.Replace(conf("10.97.0.4-10.97.0.10 80"), "nftables_ipvs", "", 1))
	d = d.Again()
	d.Wait(0, "Startup complete", patience)
	serves("10.97.0.10:80", "r1", "r2")
	if left := director.Run("nft", "list", "ruleset") + director.Run("ipvsadm", "-Sn"); strings.Contains(left, "keepalived_ipvs") || strings.Contains(left, "-f 100") {
		t.Errorf("left by a crash:\n%s", left)
	}
	d.Stop(patience)
}
