package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// A way is how packets get from a director to its real servers.
type way struct {
	name     string
	kind     string // of lb_kind
	vip, own byte   // the families of the virtual address and of the real servers: 4 or 6
}

var ways = []way{
	{"DR", "DR", 4, 4},
	{"DR, IPv6", "DR", 6, 6},
	{"NAT", "NAT", 4, 4},
	{"NAT, IPv6", "NAT", 6, 6},
	{"ipip", "TUN", 4, 4},
	{"ipip, IPv6", "TUN", 6, 6},
	{"ipip, IPv4 in IPv6", "TUN", 4, 6},
	{"ipip, IPv6 in IPv4", "TUN", 6, 4},
	{"gue", "TUN type gue port 6080", 4, 4},
	{"gue, csum", "TUN type gue port 6081 csum", 4, 4},
	{"gue, remcsum", "TUN type gue port 6080 remcsum", 4, 4},
	{"gue, IPv6", "TUN type gue port 6080", 6, 6},
	{"gue, IPv6, csum", "TUN type gue port 6080 csum", 6, 6},
	{"gue, IPv4 in IPv6", "TUN type gue port 6080", 4, 6},
	{"gue, IPv6 in IPv4", "TUN type gue port 6080", 6, 4},
	{"gre", "TUN type gre", 4, 4},
	{"gre, csum", "TUN type gre csum", 4, 4},
	{"gre, IPv6", "TUN type gre", 6, 6},
	{"gre, IPv6, csum", "TUN type gre csum", 6, 6},
	{"gre, IPv4 in IPv6", "TUN type gre", 4, 6},
	{"gre, IPv6 in IPv4", "TUN type gre", 6, 4},
}

// The networks: LAN holds client, director and real servers. By WAN the client
// reaches services of NAT, so that the answers come back through the director.
const (
	lanNet, lanNet6 = "10.80.0.", "2001:db8:80::"
	wanNet, wanNet6 = "10.80.1.", "2001:db8:81::"
)

// traffic is a director with every kind of service, two real servers and one
// that is sorry, and two clients.
type traffic struct {
	*rig.Lab
	director, client, other *rig.Host
	real                    [3]*rig.Host // r1, r2 and sorry
	alive                   [3]*rig.Web  // what checks connect to
	vips                    map[string]netip.Addr
	daemon                  *rig.Daemon
}

// vip is a new virtual address of the director, in one of the networks.
func (n *traffic) vip(name, net string, family byte) netip.Addr {
	address := netip.MustParseAddr(fmt.Sprintf("%s%d", net, 100+len(n.vips)))
	n.vips[name] = address
	device := "eth0"
	if net == wanNet || net == wanNet6 {
		device = "eth1"
	}
	if family == 6 {
		// As VRRP sets it. Otherwise the director would send tunnels from it, and
		// a real server drops what comes from an address of its own.
		n.director.Run("ip", "addr", "add", address.String()+"/128", "dev", device, "nodad", "preferred_lft", "0")
	} else {
		n.director.Run("ip", "addr", "add", address.String()+"/32", "dev", device)
	}
	return address
}

func (n *traffic) at(name string) netip.AddrPort { return netip.AddrPortFrom(n.vips[name], 80) }

func newTraffic(t *testing.T) *traffic {
	n := &traffic{Lab: rig.New(t), vips: map[string]netip.Addr{}}
	lan, wan := n.Switch("lan"), n.Switch("wan")
	plug := func(name, number string) *rig.Host {
		h := n.Host(name)
		h.Plug(lan, "eth0", lanNet+number+"/24", lanNet6+number+"/64 nodad")
		return h
	}
	n.director, n.client, n.other = plug("director", "1"), plug("client", "9"), plug("other", "8")
	for h, number := range map[*rig.Host]string{n.director: "1", n.client: "9"} {
		h.Plug(wan, "eth1", wanNet+number+"/24", wanNet6+number+"/64 nodad")
	}
	n.director.Sysctl("net.ipv4.ip_forward", "1")
	n.director.Sysctl("net.ipv6.conf.all.forwarding", "1")
	for i, name := range []string{"r1", "r2", "sorry"} {
		h := plug(name, fmt.Sprint(11+i))
		h.Run("ip", "addr", "add", fmt.Sprint(lanNet, 21+i, "/24"), "dev", "eth0")
		h.Run("ip", "addr", "add", fmt.Sprint(lanNet6, 21+i, "/64"), "dev", "eth0", "nodad")
		h.Run("ip", "route", "add", "default", "via", lanNet+"1")
		h.Run("ip", "route", "add", "default", "via", lanNet6+"1")
		h.Sysctl("net.ipv4.conf.all.rp_filter", "1") // as distributions have it
		h.Serve(80)
		n.real[i], n.alive[i] = h, h.Serve(81)
	}
	return n
}

// service is a virtual server of r1 and r2.
func service(head, lines, own, server string) string {
	numbers := []string{"11", "12"}
	if strings.HasSuffix(lines, "gre csum") {
		// An address takes GRE with checksums or without, not both.
		numbers = []string{"21", "22"}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "virtual_server %s {\nlb_algo rr\ndelay_loop 2\nwarmup 0\n%s\n", head, lines)
	for _, number := range numbers {
		fmt.Fprintf(&b, "real_server %s%s 80 {\n%s\n}\n", own, number, server)
	}
	return b.String() + "}\n"
}

// configuration has a service for each way, and those that the subtests name.
func (n *traffic) configuration() string {
	var b strings.Builder
	b.WriteString("global_defs {\nscript_user root\nlvs_timeouts tcpfin 2\n}\n")
	for _, w := range ways {
		net := map[byte]string{4: lanNet, 6: lanNet6}[w.vip]
		if w.kind == "NAT" {
			net = map[byte]string{4: wanNet, 6: wanNet6}[w.vip]
		}
		own := map[byte]string{4: lanNet, 6: lanNet6}[w.own]
		b.WriteString(service(n.vip(w.name, net, w.vip).String()+" 80", "protocol TCP\nlb_kind "+w.kind, own, ""))
	}
	dr := func(name, protocol, lines, server string) {
		b.WriteString(service(n.vip(name, lanNet, 4).String()+" 80", "protocol "+protocol+"\nlb_kind DR\n"+lines, lanNet, server))
	}
	dr("ops", "UDP", "ops", "")
	dr("SCTP", "SCTP", "", "")
	dr("persistent", "TCP", "persistence_timeout 5", "")
	dr("persistent for a network", "TCP", "persistence_timeout 50\npersistence_granularity 255.255.255.0", "")
	dr("sip", "UDP", "persistence_timeout 50\npersistence_engine sip", "")
	const check = "TCP_CHECK {\nconnect_port 81\nconnect_timeout 1\nretry 0\n}"
	sorry := "sorry_server " + lanNet + "13 80\nsorry_server_lvs_method TUN\n"
	dr("sorry", "TCP", sorry, check)
	dr("sorry inhibited", "TCP", sorry+"sorry_server_inhibit", check)
	dr("quorum", "TCP", "quorum 2\nhysteresis 1\nquorum_up \"/etc/keepalived/record.sh up\"\nquorum_down \"/etc/keepalived/record.sh down\"", "weight 2\n"+check)
	dr("drained", "TCP", "inhibit_on_failure", check)
	dr("reloaded", "TCP", "", "")
	dr("draining", "TCP", "drain_timeout 3600", "")
	dr("draining as a whole", "TCP", "drain_timeout 3600", "")
	for i, family := range []byte{4, 6} {
		net, mark, name := []string{lanNet, lanNet6}[i], fmt.Sprint(family), fmt.Sprintf("mark, IPv%d", family)
		b.WriteString(service("fwmark "+mark, []string{"", "ip_family inet6\n"}[i]+"lb_kind DR", net, ""))
		n.marked(n.vip(name, net, family), mark)
	}
	first, second := n.vip("group", lanNet, 4), n.vip("group, end of the range", lanNet, 4)
	n.marked(n.vip("group, mark", lanNet, 4), "7")
	fmt.Fprintf(&b, "virtual_server_group many {\n%s-%d 80\nfwmark 7\n}\n", first, second.As4()[3])
	b.WriteString(service("group many", "protocol TCP\nlb_kind DR", lanNet, ""))
	fmt.Fprintf(&b, "virtual_server_group shrinks {\n%s 80\n%s 80\n}\n", n.vip("address that stays", lanNet, 4), n.vip("address that leaves", lanNet, 4))
	b.WriteString(service("group shrinks", "protocol TCP\nlb_kind DR\ndrain_timeout 3600", lanNet, ""))
	return b.String()
}

// marked gives requests to an address a firewall mark in the director.
func (n *traffic) marked(vip netip.Addr, mark string) {
	family := map[bool]string{true: "ip", false: "ip6"}[vip.Is4()]
	n.director.Run("nft", "add table inet marks; add chain inet marks pre { type filter hook prerouting priority mangle; }; "+
		"add rule inet marks pre "+family+" daddr "+vip.String()+" tcp dport 80 meta mark set "+mark)
}

// TestTraffic sends requests from a client through a director to real servers,
// which lvsd real-server has set up from the director's configuration.
func TestTraffic(t *testing.T) {
	side := newRealServerSide(t)
	n := newTraffic(t)
	conf := n.configuration()
	n.director.File("keepalived.conf", conf)
	n.director.File("record.sh", "#!/bin/sh\necho \"$@\" >>/etc/keepalived/recorded\n")
	for _, h := range n.real {
		h.File("keepalived.conf", conf)
		side.start(h)
		if h.Name == "sorry" {
			continue
		}
		// What is behind a mark only hands know.
		byHand := realServerSide{t, t.TempDir()}
		byHand.start(h, n.vips["mark, IPv4"].String(), n.vips["mark, IPv6"].String(), n.vips["group, mark"].String())
		h.ServeUDP(n.at("ops"))
		h.ServeUDP(n.at("sip"))
		h.ServeSCTP(n.at("SCTP"))
	}
	n.director.File("keepalived.conf", strings.ReplaceAll(conf, "drain_timeout 3600", "")) // which is lvsd's own
	want := n.table(rig.Keepalived)
	n.daemon.Stop(patience)
	n.director.File("keepalived.conf", conf)
	if d := cmp.Diff(want, n.table(rig.Binary())); d != "" {
		t.Errorf("keepalived's table - and lvsd's +\n%s", d)
	}
	t.Run("ways", n.ways)
	t.Run("protocols", n.protocols)
	t.Run("persistence", n.persistence)
	t.Run("failures", n.failures)
	t.Run("reload", n.reload)
	t.Run("drain", n.drain)
	t.Run("adoption", n.adoption)
	for _, h := range n.real {
		if _, well := side.run(h, "stop"); !well {
			t.Errorf("%s: it does not stop", h.Name)
		}
		if links := h.Run("ip", "link"); strings.Contains(links, "lvs-") {
			t.Errorf("%s: a device is left:\n%s", h.Name, links)
		}
	}
}

// table starts a daemon on the director, and is what it makes there.
func (n *traffic) table(binary string) []string {
	n.daemon = n.director.Start(binary)
	n.daemon.Wait(0, "Startup complete", patience)
	time.Sleep(time.Second)
	lines := strings.Split(n.director.Run("ipvsadm", "-Sn"), "\n")
	slices.Sort(lines)
	return lines
}

// Each way, forwarding mark and address of a group leads to both real servers.
func (n *traffic) ways(t *testing.T) {
	names := []string{"mark, IPv4", "mark, IPv6", "group", "group, end of the range", "group, mark"}
	for _, w := range ways {
		names = append(names, w.name)
	}
	for _, name := range names {
		if tally := n.client.Load(n.at(name), 4); !tally.Even("r1", "r2") {
			t.Errorf("%s: %s", name, tally)
		}
	}
}

// One packet scheduling sends every datagram of a socket elsewhere, and SCTP
// gets through.
func (n *traffic) protocols(t *testing.T) {
	if tally := n.client.AskUDP(n.at("ops"), "who", 6); !tally.Even("r1", "r2") {
		t.Errorf("ops: %s", tally)
	}
	var tally rig.Tally
	for range 4 {
		tally.Add(n.client.GetSCTP(n.at("SCTP")))
	}
	if !tally.Even("r1", "r2") {
		t.Errorf("SCTP: %s", tally)
	}
}

// A persistent client stays with its server until it has been away for the
// timeout, other clients do not; those of a network stay together, and calls of
// one Call-ID from different ports.
func (n *traffic) persistence(t *testing.T) {
	first := n.who(t, n.client, "persistent")
	if tally := n.client.Load(n.at("persistent"), 4); tally.Answers[first] != 4 {
		t.Errorf("the first request went to %s, then: %s", first, tally)
	}
	if another := n.who(t, n.other, "persistent"); another == first {
		t.Errorf("the next client goes to %s, too", another)
	}
	if a, b := n.who(t, n.client, "persistent for a network"), n.who(t, n.other, "persistent for a network"); a != b {
		t.Errorf("clients of one network: %s and %s", a, b)
	}
	call := func(id string) string {
		t.Helper()
		tally := n.client.AskUDP(n.at("sip"), "INVITE sip:a@example.org SIP/2.0\r\nCall-ID: "+id+"\r\n\r\n", 1)
		for name := range tally.Answers {
			return name
		}
		t.Errorf("sip: %s", tally)
		return ""
	}
	if a, again, b := call("one@x"), call("one@x"), call("two@x"); a != again || a == b {
		t.Errorf("sip: %s, the same call %s, another one %s", a, again, b)
	}
	// The kernel looks again a minute after it found connections of the client.
	time.Sleep(2 * time.Minute)
	n.who(t, n.other, "persistent") // takes the first one's turn
	if later := n.who(t, n.client, "persistent"); later == first {
		t.Errorf("after the timeout: %s again", later)
	}
}

// who is the real server that answers a client.
func (n *traffic) who(t *testing.T, client *rig.Host, name string) string {
	t.Helper()
	who, err := client.Get(n.at(name))
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return who
}

// checked is how long it takes at most until a check has seen a change.
const checked = 5 * time.Second

// becomes waits until only these servers answer.
func (n *traffic) becomes(t *testing.T, name string, servers ...string) {
	t.Helper()
	rig.Until(t, fmt.Sprintf("%s: answers of %v alone", name, servers), checked, func() bool {
		return n.client.Load(n.at(name), 2*len(servers)).Even(servers...)
	})
}

// sessionWith is a connection to one of the real servers.
func (n *traffic) sessionWith(t *testing.T, name, server string) *rig.Session {
	t.Helper()
	for range 2 {
		s := n.client.Session(n.at(name))
		if who, err := s.Get(time.Second); err == nil && who == server {
			return s
		}
		s.Close()
	}
	t.Fatalf("%s: no session with %s", name, server)
	return nil
}

// lives expects that a connection goes on.
func lives(t *testing.T, s *rig.Session, what, server string) {
	t.Helper()
	if who, err := s.Get(2 * time.Second); err != nil || who != server {
		t.Errorf("%s: the connection with %s: %q, %v", what, server, who, err)
	}
}

// Real servers die one after the other and return.
func (n *traffic) failures(t *testing.T) {
	recorded := func(want string) {
		t.Helper()
		rig.Until(t, "quorum scripts "+want, checked, func() bool {
			return strings.Join(strings.Fields(n.director.ReadFile("recorded")), " ") == want
		})
	}
	n.director.File("recorded", "") // without what the start has told
	session := n.sessionWith(t, "drained", "r1")
	n.alive[0].Stop()
	n.becomes(t, "drained", "r2")
	lives(t, session, "drained", "r1")
	n.becomes(t, "sorry", "r2")
	n.becomes(t, "quorum", "r2")
	recorded("") // 2 is above quorum minus hysteresis
	n.alive[1].Stop()
	n.becomes(t, "sorry", "sorry")
	n.becomes(t, "sorry inhibited", "sorry")
	recorded("down")
	apology := n.sessionWith(t, "sorry inhibited", "sorry")
	n.alive[1].Start()
	n.becomes(t, "sorry", "r2")
	n.becomes(t, "sorry inhibited", "r2")
	lives(t, apology, "sorry inhibited", "sorry")
	recorded("down") // 2 is below quorum plus hysteresis
	n.alive[0].Start()
	for _, name := range []string{"sorry", "sorry inhibited", "quorum", "drained"} {
		n.becomes(t, name, "r1", "r2")
	}
	lives(t, session, "drained", "r1")
	recorded("down up")
}

// A real server that a reload takes out gets no new connection; when a reload
// puts it back its connections go on.
func (n *traffic) reload(t *testing.T) {
	conf := n.director.ReadFile("keepalived.conf")
	block := "virtual_server " + n.vips["reloaded"].String() + " 80 {"
	head, tail, found := strings.Cut(conf, block)
	if !found {
		t.Fatal("no such service")
	}
	session := n.sessionWith(t, "reloaded", "r1")
	n.director.File("keepalived.conf", head+block+without(t, tail, "real_server "+lanNet+"11 80 {"))
	n.daemon.Signal(syscall.SIGHUP)
	n.becomes(t, "reloaded", "r2")
	n.director.File("keepalived.conf", conf)
	n.daemon.Signal(syscall.SIGHUP)
	n.becomes(t, "reloaded", "r1", "r2")
	lives(t, session, "reloaded", "r1")
}

// upgrade lets the program of the director go on anew.
func (n *traffic) upgrade(t *testing.T) {
	t.Helper()
	files := n.daemon.PIDFiles()
	at := slices.IndexFunc(files, func(path string) bool { return strings.HasSuffix(path, "/keepalived.pid") })
	if said := n.director.Run(rig.Binary(), "upgrade", "-p", files[at]); !strings.Contains(said, "Upgrade complete") {
		t.Errorf("upgrade: %s", said)
	}
}

// A real server that a reload takes out goes on with its connections alone, and
// when they have ended it is gone; so is a virtual server, and an address of a group.
func (n *traffic) drain(t *testing.T) {
	conf := n.director.ReadFile("keepalived.conf")
	at := strings.Index(conf, "virtual_server "+n.vips["draining"].String()+" 80 {")
	next := conf[:at] + without(t, conf[at:], "real_server "+lanNet+"11 80 {")
	next = without(t, next, "virtual_server "+n.vips["draining as a whole"].String()+" 80 {")
	next = strings.Replace(next, "\n"+n.vips["address that leaves"].String()+" 80\n}", "\n}", 1)
	one, whole, address := n.sessionWith(t, "draining", "r1"), n.sessionWith(t, "draining as a whole", "r2"), n.sessionWith(t, "address that leaves", "r1")
	has := func(words string) bool { return strings.Contains(n.director.Run("ipvsadm", "-Sn"), words) }
	first, second := "-a -t "+n.at("draining").String()+" -r "+lanNet+"11:80 ", "-A -t "+n.at("draining as a whole").String()+" "
	third := "-a -t " + n.at("address that leaves").String() + " -r " + lanNet + "11:80 "
	for range 2 { // an upgrade follows, and the second reload changes something else
		n.director.File("keepalived.conf", next)
		n.daemon.Signal(syscall.SIGHUP)
		n.becomes(t, "draining", "r2")
		rig.Until(t, "no new connection with a service that has left", checked, func() bool {
			who, err := n.client.Get(n.at("draining as a whole"))
			other, err2 := n.client.Get(n.at("address that leaves"))
			return who+other == "" && err != nil && err2 != nil
		})
		lives(t, one, "draining", "r1")
		lives(t, whole, "draining as a whole", "r2")
		lives(t, address, "address that leaves", "r1")
		n.becomes(t, "address that stays", "r1", "r2")
		if !has(first+"-g -w 0\n") || !has(second) || !has(third+"-g -w 0\n") {
			t.Errorf("the table:\n%s", n.director.Run("ipvsadm", "-Sn"))
		}
		n.upgrade(t)
		next = strings.Replace(next, "delay_loop 2", "delay_loop 3", 1)
	}
	lives(t, one, "draining", "r1")
	lives(t, whole, "draining as a whole", "r2")
	lives(t, address, "address that leaves", "r1")
	one.Close()
	whole.Close()
	address.Close()
	rig.Until(t, "all gone", checked, func() bool { return !has(first) && !has(second) && !has(third) })
	n.director.File("keepalived.conf", conf)
	n.daemon.Signal(syscall.SIGHUP)
	n.becomes(t, "draining", "r1", "r2")
	n.becomes(t, "draining as a whole", "r1", "r2")
	n.becomes(t, "address that leaves", "r1", "r2")
}

// A crash, a new start, a stop with --dont-release-ipvs and another start cost
// no request and no connection; nothing is written into the table.
func (n *traffic) adoption(t *testing.T) {
	table := func() string { return n.director.Run("ipvsadm", "-Sn") }
	before := table()
	netlink := n.director.WatchNetlink()
	names := []string{"DR", "NAT, IPv6", "gue", "mark, IPv4", "group", "sorry"}
	streams := map[string]*rig.Stream{}
	for _, name := range names {
		streams[name] = n.client.Stream(n.at(name))
	}
	session := n.sessionWith(t, "drained", "r1")
	n.daemon.Kill()
	time.Sleep(time.Second)
	for _, args := range [][]string{{"--dont-release-ipvs"}, nil} {
		began := time.Now()
		n.daemon = n.daemon.Again(args...)
		n.daemon.Wait(0, "Startup complete", patience)
		time.Sleep(checked)
		if after := table(); after != before {
			t.Errorf("adopted by lvsd %v: before\n%s\nafter\n%s", args, before, after)
		}
		for _, write := range netlink.Writes(began) {
			if write != "ipvs: set timeouts" {
				t.Errorf("adopted by lvsd %v: %s", args, write)
			}
		}
		if args != nil {
			n.daemon.Stop(patience)
			if after := table(); after != before {
				t.Errorf("left by lvsd %v: before\n%s\nafter\n%s", args, before, after)
			}
			time.Sleep(time.Second)
		}
	}
	lives(t, session, "drained", "r1")
	for _, name := range names {
		tally := streams[name].Stop()
		t.Logf("%s: %s", name, tally)
		if len(tally.Lost) > 0 || len(tally.Answers) != 2 {
			t.Errorf("%s: %s", name, tally)
		}
	}
	n.daemon.Stop(patience)
	if left := table(); left != "" {
		t.Errorf("left after a stop:\n%s", left)
	}
}
