package vrrp_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// TestPlays runs the scripts in testdata/vrrp. A script is made of blocks
// with an empty line between them: commands, ----, and what comes of them.
//
//	instance NAME KEY=VALUE...   a vrrp_instance, on eth0 unless it says other
//	group NAME MEMBER...         a vrrp_sync_group; script=, link=, file=, process= and bfd= are its trackers
//	remove NAME                  takes an instance or a group out of the configuration
//	start                        the first configuration
//	reload                       the configuration as it is written now
//	link NAME up|down|gone ADDR  a link's state; eth0 is up with 10.0.0.1 and fe80::1 from the start
//	script NAME up|down          a verdict; so do process and bfd
//	file NAME NUMBER             what is in a file
//	advert NAME KEY=VALUE...     an advert arrives for an instance
//	global KEY=VALUE...          global_defs
//	sleep TIME                   the process does nothing until then
//	stop                         SIGTERM
//	stats NAME                   the counters that are not zero
//
// A command may begin with @TIME: what is due until then happens before.
func TestPlays(t *testing.T) {
	golden.Play(t, "testdata/vrrp/*.txt", play)
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
	t        *testing.T
	now      time.Time
	cfg      config.Config // as written, not resolved
	groups   []*vrrp.Group
	links    map[string]vrrp.LinkChanged
	verdicts []vrrp.Tracked // the last one of each object
	quiet    time.Time      // end of vrrp_startup_delay
	out      bytes.Buffer
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
		links: map[string]vrrp.LinkChanged{"eth0": eth0},
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
	case "global":
		p.global(words[1:])
	case "start":
		if d := p.cfg.Global.VRRPStartupDelay; d > 0 {
			p.quiet = p.now.Add(d)
		}
		p.apply()
	case "reload":
		p.apply()
	case "sleep": // the process, until then: timers that were due are served late
		p.now = epoch.Add(p.duration(name))
		p.all(vrrp.TimerFired{})
	case "link":
		p.link(name, args)
	case "socket":
		p.all(vrrp.SocketChanged{Instance: name, Open: args[0] == "open"})
	case "script":
		p.verdict(vrrp.Tracked{Kind: vrrp.Script, Name: name, Up: args[0] == "up"})
	case "process":
		p.verdict(vrrp.Tracked{Kind: vrrp.Process, Name: name, Up: args[0] == "up"})
	case "bfd":
		p.verdict(vrrp.Tracked{Kind: vrrp.BFD, Name: name, Up: args[0] == "up"})
	case "file":
		p.verdict(vrrp.Tracked{Kind: vrrp.File, Name: name, Value: p.number(args[0])})
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
	next.Resolve(nil)
	r := vrrp.Regroup(p.now, p.groups, &next)
	p.groups = r.Groups
	p.print(r.Ended)
	p.print(r.Effects)
	for _, g := range p.groups {
		for _, name := range slices.Sorted(maps.Keys(p.links)) {
			p.print(g.Step(p.now, p.links[name]))
		}
		for _, ev := range p.verdicts {
			p.print(g.Step(p.now, ev))
		}
		p.print(g.Step(p.now, vrrp.Start{Quiet: p.quiet}))
	}
}

func (p *player) verdict(ev vrrp.Tracked) {
	p.verdicts = slices.DeleteFunc(p.verdicts, func(was vrrp.Tracked) bool { return was.Object() == ev.Object() })
	p.verdicts = append(p.verdicts, ev)
	slices.SortFunc(p.verdicts, func(a, b vrrp.Tracked) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	p.all(ev)
}

func (p *player) link(name string, args []string) {
	l := vrrp.LinkChanged{Link: name, Exists: args[0] != "gone", Up: args[0] == "up"}
	for _, a := range args[1:] {
		switch addr := netip.MustParseAddr(a); {
		case addr.Is4():
			l.IPv4 = append(l.IPv4, addr)
		case addr.IsLinkLocalUnicast():
			l.IPv6 = append(l.IPv6, addr)
		default:
			l.Global = append(l.Global, addr)
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
		switch {
		case e.Advert.MessageChecksum:
			s += " RFC 9568 checksum"
		case e.Advert.OldChecksum:
			s += " old checksum"
		}
		if e.Advert.AuthType == wire.AuthAH {
			s += fmt.Sprintf(" AH %d", e.Sequence)
		} else if e.Sequence > 0 {
			s += fmt.Sprintf(" HMAC %d.%05d.%d", e.Sequence>>32-uint64(epoch.Unix()), e.Sequence>>16&0xffff, e.Sequence&0xffff)
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
	case vrrp.Reprioritised:
		return fmt.Sprintf("notify INSTANCE %s %s_PRIORITY %d", e.Instance, map[bool]string{true: "MASTER", false: "BACKUP"}[e.Master], e.Priority)
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
