package vrrp_test

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

var update = flag.Bool("update", false, "write the scripts in testdata/vrrp anew")

// TestPlays runs the scripts in testdata/vrrp. A script is made of blocks
// with an empty line between them: commands, ----, and what comes of them.
//
//	instance NAME KEY=VALUE...   a vrrp_instance, on eth0 unless it says other
//	group NAME MEMBER...         a vrrp_sync_group; script= and link= are its trackers
//	remove NAME                  takes an instance or a group out of the configuration
//	start                        the first configuration
//	reload                       the configuration as it is written now
//	link NAME up|down|gone ADDR  a link's state; eth0 is up with 10.0.0.1 and fe80::1 from the start
//	script NAME up|down          a verdict
//	advert NAME KEY=VALUE...     an advert arrives for an instance
//	stop                         SIGTERM
//	stats NAME                   the counters that are not zero
//
// A command may begin with @TIME: what is due until then happens before.
func TestPlays(t *testing.T) {
	files, err := filepath.Glob("testdata/vrrp/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(in))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := gocmp.Diff(string(in), got); diff != "" {
				t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
			}
		})
	}
}

// play runs a script and returns it with what really came of it.
func play(t *testing.T, text string) string {
	p := newPlayer(t)
	var blocks []string
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		commands, _, _ := strings.Cut(block+"\n", "----\n")
		if !slices.ContainsFunc(strings.Split(strings.TrimSpace(commands), "\n"), isCommand) {
			blocks = append(blocks, block)
			continue
		}
		p.out.Reset()
		for _, line := range strings.Split(strings.TrimSpace(commands), "\n") {
			p.command(line)
		}
		blocks = append(blocks, strings.TrimSpace(commands)+"\n----\n"+cmp.Or(strings.TrimSpace(p.out.String()), "nothing"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

func isCommand(line string) bool { return line != "" && !strings.HasPrefix(line, "#") }

// player is the shell of a script: it knows what a shell knows.
type player struct {
	t       *testing.T
	now     time.Time
	cfg     config.Config // as written, not resolved
	groups  []*vrrp.Group
	links   map[string]vrrp.LinkChanged
	scripts map[string]bool
	out     bytes.Buffer
}

// epoch is second 0 of scripts and simulations.
var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// everyone is the multicast group, RFC 9568 section 5.1.1.2.
var everyone = netip.MustParseAddr("224.0.0.18")

func newPlayer(t *testing.T) *player {
	eth0 := vrrp.LinkChanged{
		Link: "eth0", Exists: true, Up: true,
		IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, IPv6: []netip.Addr{netip.MustParseAddr("fe80::1")},
	}
	return &player{
		t: t, now: epoch, cfg: config.Config{Global: config.DefaultGlobal},
		links: map[string]vrrp.LinkChanged{"eth0": eth0}, scripts: map[string]bool{},
	}
}

func (p *player) command(line string) {
	if !isCommand(line) {
		return
	}
	words := strings.Fields(line)
	if at, ok := strings.CutPrefix(words[0], "@"); ok {
		p.runUntil(epoch.Add(p.duration(at)))
		words = words[1:]
	}
	if len(words) == 0 {
		return
	}
	name, args := "", []string{}
	if len(words) > 1 {
		name, args = words[1], words[2:]
	}
	switch words[0] {
	case "instance":
		p.instance(name, args)
	case "group":
		p.group(name, args)
	case "remove":
		p.cfg.Instances = slices.DeleteFunc(p.cfg.Instances, func(i config.Instance) bool { return i.Name == name })
		p.cfg.Groups = slices.DeleteFunc(p.cfg.Groups, func(g config.SyncGroup) bool { return g.Name == name })
	case "start", "reload":
		p.apply()
	case "link":
		p.link(name, args)
	case "script":
		p.scripts[name] = args[0] == "up"
		p.all(vrrp.Tracked{Script: name, Up: args[0] == "up"})
	case "advert":
		p.advert(name, args)
	case "stop":
		p.all(vrrp.Shutdown{})
	case "stats":
		p.stats(name)
	default:
		p.t.Fatalf("unknown command %q", line)
	}
}

// runUntil lets timers fire, each at its very deadline.
func (p *player) runUntil(end time.Time) {
	for {
		var first *vrrp.Group
		for _, g := range p.groups {
			if d := g.Deadline(); !d.IsZero() && !d.After(end) && (first == nil || d.Before(first.Deadline())) {
				first = g
			}
		}
		if first == nil {
			p.now = end
			return
		}
		if first.Deadline().Before(p.now) {
			p.t.Fatalf("deadline %s behind %s", p.ago(first.Deadline()), p.ago(p.now))
		}
		p.now = first.Deadline()
		p.print(first.Step(p.now, vrrp.TimerFired{}))
	}
}

func (p *player) all(ev vrrp.Event) {
	for _, g := range p.groups {
		p.print(g.Step(p.now, ev))
	}
}

func (p *player) apply() {
	next := p.cfg
	next.Instances = slices.Clone(p.cfg.Instances)
	next.Groups = slices.Clone(p.cfg.Groups)
	next.Resolve()
	r := vrrp.Regroup(p.now, p.groups, &next)
	p.groups = r.Groups
	p.print(r.Ended)
	p.print(r.Effects)
	for _, g := range p.groups {
		for _, name := range slices.Sorted(maps.Keys(p.links)) {
			p.print(g.Step(p.now, p.links[name]))
		}
		for _, name := range slices.Sorted(maps.Keys(p.scripts)) {
			p.print(g.Step(p.now, vrrp.Tracked{Script: name, Up: p.scripts[name]}))
		}
		p.print(g.Step(p.now, vrrp.Start{}))
	}
}

func (p *player) link(name string, args []string) {
	l := vrrp.LinkChanged{Link: name, Exists: args[0] != "gone", Up: args[0] == "up"}
	for _, a := range args[1:] {
		if addr := netip.MustParseAddr(a); addr.Is4() {
			l.IPv4 = append(l.IPv4, addr)
		} else {
			l.IPv6 = append(l.IPv6, addr)
		}
	}
	p.links[name] = l
	p.all(l)
}

func (p *player) machine(name string) (*vrrp.Group, *vrrp.Machine) {
	for _, g := range p.groups {
		for _, m := range g.Members() {
			if m.Name() == name {
				return g, m
			}
		}
	}
	p.t.Fatalf("no instance %s", name)
	return nil, nil
}

// instance takes over what was written of that name, or begins a new one.
func (p *player) instance(name string, args []string) {
	at := slices.IndexFunc(p.cfg.Instances, func(i config.Instance) bool { return i.Name == name })
	if at < 0 {
		i := config.DefaultInstance
		i.Name, i.Interface, i.VirtualRouterID = name, "eth0", uint8(51+len(p.cfg.Instances))
		at = len(p.cfg.Instances)
		p.cfg.Instances = append(p.cfg.Instances, i)
	}
	i := &p.cfg.Instances[at]
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		p.set(i, key, value)
	}
}

func (p *player) set(i *config.Instance, key, value string) {
	switch key {
	case "name":
		i.Name = value
	case "vrid":
		i.VirtualRouterID = uint8(p.number(value))
	case "priority":
		i.Priority = config.Some(uint8(p.number(value)))
	case "advert":
		i.AdvertInt = p.duration(value)
	case "version":
		i.Version = config.Some(uint8(p.number(value)))
	case "state":
		i.State = config.Some(map[string]config.State{"MASTER": config.Master, "BACKUP": config.Backup}[value])
	case "dev":
		i.Interface = value
	case "vip":
		i.VirtualIPAddress = p.addresses(value)
	case "excluded":
		i.VirtualIPAddressExcluded = p.addresses(value)
	case "pass":
		i.Authentication = config.Authentication{Type: config.AuthPass, Pass: config.Secret(value)}
	case "unable":
		i.Unable = value
	case "nopreempt":
		i.NoPreempt = value != "no"
	case "preempt_delay":
		i.PreemptDelay = p.duration(value)
	case "down_timer_adverts":
		i.DownTimerAdverts = config.Some(p.number(value))
	case "garp_master_delay":
		i.GarpMasterDelay = config.Some(p.duration(value))
	case "garp_master_refresh":
		i.GarpMasterRefresh = config.Some(p.duration(value))
	case "lower_prio_no_advert":
		i.LowerPrioNoAdvert = config.Some(true)
	case "higher_prio_send_advert":
		i.HigherPrioSendAdvert = config.Some(true)
	case "skip_check_adv_addr":
		i.SkipCheckAdvAddr = config.Some(true)
	case "dont_track_primary":
		i.DontTrackPrimary = true
	case "notify_deleted":
		i.NotifyDeleted = config.Some(&config.Command{Line: "/bin/true"})
	case "unicast":
		i.UnicastPeers = nil
		for _, s := range strings.Split(value, ",") {
			i.UnicastPeers = append(i.UnicastPeers, config.Peer{Addr: netip.MustParseAddr(s)})
		}
	case "check_unicast_src":
		i.CheckUnicastSrc = config.Some(true)
	case "script":
		i.TrackScript = append(i.TrackScript, p.tracker(value))
	case "link":
		i.TrackInterface = append(i.TrackInterface, p.tracker(value))
	default:
		p.t.Fatalf("unknown key %s", key)
	}
}

// tracker is NAME, NAME:WEIGHT or NAME:WEIGHT:reverse.
func (p *player) tracker(value string) config.Track {
	words := strings.Split(value, ":")
	t := config.Track{Name: words[0], Weight: config.Some(0), Reverse: len(words) > 2}
	if len(words) > 1 {
		t.Weight = config.Some(p.number(words[1]))
	}
	return t
}

func (p *player) addresses(value string) (all []config.Address) {
	for _, s := range strings.Split(value, ",") {
		all = append(all, config.Address{Prefix: netip.MustParsePrefix(s)})
	}
	return all
}

func (p *player) group(name string, args []string) {
	p.cfg.Groups = slices.DeleteFunc(p.cfg.Groups, func(g config.SyncGroup) bool { return g.Name == name })
	g := config.SyncGroup{Name: name}
	for _, arg := range args {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "script":
			g.TrackScript = append(g.TrackScript, p.tracker(value))
		case "link":
			g.TrackInterface = append(g.TrackInterface, p.tracker(value))
		default:
			g.Members = append(g.Members, arg)
		}
	}
	p.cfg.Groups = append(p.cfg.Groups, g)
}

// advert makes what a peer with the same configuration would send, and then
// what the arguments change of it.
func (p *player) advert(name string, args []string) {
	g, m := p.machine(name)
	d := wire.Datagram{Src: netip.MustParseAddr("10.0.0.2"), Dst: m.Config().McastDstIP, TTL: 255}
	own := netip.MustParseAddr("10.0.0.1")
	if m.Config().IPv6() {
		d.Src, own = netip.MustParseAddr("fe80::2"), netip.MustParseAddr("fe80::1")
	}
	if m.Config().Unicast() {
		d.Dst, d.TTL = own, 64
	}
	a := wire.Advert{Version: m.Config().Version.Value, VRID: m.Config().VirtualRouterID, Priority: 100, Interval: m.Config().AdvertInt}
	if pass := m.Config().Authentication.Pass; pass != "" {
		a.AuthType = wire.AuthPass
		copy(a.Auth[:], pass)
	}
	for _, vip := range m.Config().VirtualIPAddress {
		a.Addrs = append(a.Addrs, vip.Prefix.Addr())
	}
	damage := func([]byte) []byte { return d.Payload }
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		switch key {
		case "from":
			d.Src = netip.MustParseAddr(value)
		case "to":
			d.Dst = netip.MustParseAddr(value)
		case "ttl":
			d.TTL = p.number(value)
		case "priority":
			a.Priority = uint8(p.number(value))
		case "version":
			a.Version = uint8(p.number(value))
		case "vrid":
			a.VRID = uint8(p.number(value))
		case "interval":
			a.Interval = p.duration(value)
		case "auth":
			a.AuthType = uint8(p.number(value))
		case "pass":
			a.AuthType, a.Auth = wire.AuthPass, [8]byte{}
			copy(a.Auth[:], value)
		case "vips":
			a.Addrs = nil
			for _, s := range strings.Split(value, ",") {
				if s != "" {
					a.Addrs = append(a.Addrs, netip.MustParseAddr(s))
				}
			}
		case "rfc9568_checksum":
			a.MessageChecksum = true
		case "flip": // a byte
			damage = func(b []byte) []byte { b[p.number(value)] ^= 0x55; return b }
		case "cut": // to a length
			damage = func(b []byte) []byte { return b[:p.number(value)] }
		default:
			p.t.Fatalf("unknown key %s", key)
		}
	}
	var err error
	if d.Payload, err = a.AppendTo(nil, d.Pseudo()); err != nil {
		p.t.Fatal(err)
	}
	d.Payload = damage(d.Payload)
	p.print(g.Step(p.now, vrrp.Received{Instance: name, Datagram: d}))
}

func (p *player) stats(name string) {
	_, m := p.machine(name)
	for _, word := range strings.Fields(strings.Trim(fmt.Sprintf("%+v", m.Stats()), "{}")) {
		if !strings.HasSuffix(word, ":0") {
			fmt.Fprintf(&p.out, "%s\n", word)
		}
	}
}

func (p *player) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *player) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *player) ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Sub(epoch).String()
}

func (p *player) print(effects []vrrp.Effect) {
	for _, e := range effects {
		fmt.Fprintf(&p.out, "%-9s %s\n", p.ago(p.now), describe(e))
	}
}

// describe is one line for an effect.
func describe(e vrrp.Effect) string {
	switch e := e.(type) {
	case vrrp.SendAdvert:
		s := fmt.Sprintf("%s: send v%d priority %d every %s", e.Instance, e.Advert.Version, e.Advert.Priority, e.Advert.Interval)
		if e.Advert.AuthType == wire.AuthPass {
			s += fmt.Sprintf(" PASS %q", bytes.TrimRight(e.Advert.Auth[:], "\x00"))
		}
		return s
	case vrrp.Claim:
		if len(e.Addresses) == 0 {
			return e.Instance + ": own nothing"
		}
		return fmt.Sprintf("%s: own %s", e.Instance, list(e.Addresses))
	case vrrp.Announce:
		return fmt.Sprintf("%s: announce x%d %s", e.Instance, e.Rounds, list(e.Addresses))
	case vrrp.Became:
		s := fmt.Sprintf("notify INSTANCE %s %s %d", e.Name, e.State, e.Priority)
		if e.Group {
			s = fmt.Sprintf("notify GROUP %s %s", e.Name, e.State)
		}
		if e.Silent {
			s = "(silent) " + s
		}
		return s
	case vrrp.ReceivedLowerPriority:
		return fmt.Sprintf("notify INSTANCE %s MASTER_RX_LOWER_PRI", e.Instance)
	case vrrp.Log:
		if e.Detail {
			return "detail: " + e.Text
		}
		return "log: " + e.Text
	}
	return fmt.Sprintf("%#v", e)
}

func list(addrs []config.Address) string {
	var all []string
	for _, a := range addrs {
		all = append(all, a.Prefix.String())
	}
	return strings.Join(all, " ")
}
