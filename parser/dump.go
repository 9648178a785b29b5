package parser

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Dump writes a resolved configuration in the layout of keepalived's -d: what
// lvsd acts on, without the state of a running daemon.
func Dump(w io.Writer, c *config.Config) error {
	d := dumper{bufio.NewWriter(w)}
	d.global(&c.Global)
	d.daemon(&c.Daemon)
	d.static(&c.Static)
	if len(c.Instances) > 0 {
		d.line("------< VRRP Topology >------")
	}
	for i := range c.Instances {
		d.instance(&c.Instances[i], groupOf(c, c.Instances[i].Name))
	}
	if len(c.Groups) > 0 {
		d.line("------< VRRP Sync groups >------")
	}
	for i := range c.Groups {
		d.group(&c.Groups[i])
	}
	if len(c.Scripts) > 0 {
		d.line("------< VRRP Scripts >------")
	}
	for i := range c.Scripts {
		d.script(&c.Scripts[i])
	}
	d.trackers(&c.Trackers)
	d.links(&c.Links)
	d.lvs(c)
	return d.out.Flush()
}

func groupOf(c *config.Config, instance string) string {
	for _, g := range c.Groups {
		for _, name := range g.Members {
			if name == instance {
				return g.Name
			}
		}
	}
	return ""
}

type dumper struct{ out *bufio.Writer }

func (d dumper) line(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// field is ` Label = value` of a block.
func (d dumper) field(label string, value any) { d.line("   %s = %v", label, value) }

func enabled(v bool) string {
	if v {
		return "enabled"
	}
	return "disabled"
}

func orNone(v any) any {
	if s := fmt.Sprint(v); s == "" || s == "invalid IP" {
		return "(none)"
	}
	return v
}

func wholes(d time.Duration) int64 { return int64(d / time.Second) }

func (d dumper) global(g *config.Global) {
	d.line("------< Global definitions >------")
	set := func(label string, value any) { d.line(" %s = %v", label, value) }
	set("Router ID", orNone(g.RouterID))
	if g.SMTPServer != "" {
		set("Smtp server", g.SMTPServer)
		set("Smtp server connection timeout", wholes(g.SMTPConnectTimeout))
		set("Email notification from", orNone(g.NotificationEmailFrom))
	}
	if len(g.NotificationEmail) > 0 {
		d.line(" Email notification to:")
		for _, to := range g.NotificationEmail {
			d.line("   %s", to)
		}
	}
	set("Checkers log all failures", g.CheckerLogAllFailures)
	set("Dynamic interfaces", g.DynamicInterfaces)
	set("Default interface", g.DefaultInterface)
	set("LVS flush", g.LVSFlush)
	set("LVS flush on stop", enabled(g.LVSFlushOnStop))
	set("VRRP IPv4 mcast group", g.VRRPMcastGroup4)
	set("Gratuitous ARP delay", wholes(g.VRRPGarpMasterDelay))
	set("Gratuitous ARP repeat", g.VRRPGarpMasterRepeat)
	set("Gratuitous ARP refresh timer", wholes(g.VRRPGarpMasterRefresh))
	set("Gratuitous ARP refresh repeat", g.VRRPGarpMasterRefreshRepeat)
	set("Gratuitous ARP lower priority delay", wholes(g.VRRPGarpLowerPrioDelay.Value))
	set("Gratuitous ARP lower priority repeat", g.VRRPGarpLowerPrioRepeat.Value)
	set("Num adverts before down", g.VRRPDownTimerAdverts)
	set("Send advert after receive lower priority advert", !g.VRRPLowerPrioNoAdvert)
	set("Send advert after receive higher priority advert", g.VRRPHigherPrioSendAdvert)
	d.line(" Gratuitous ARP interval = %f", g.VRRPGarpInterval.Seconds())
	set("VRRP default protocol version", g.VRRPVersion)
	set("VRRP check unicast_src", g.VRRPCheckUnicastSrc)
	set("VRRP skip check advert addresses", g.VRRPSkipCheckAdvAddr)
	set("VRRP strict mode", g.VRRPStrict)
	d.line(" Script security %s", enabled(g.EnableScriptSecurity))
	if g.ScriptUser != (config.User{}) {
		d.line(" Default script user %s", account(g.ScriptUser))
	}
	set("rs_init_notifies", g.RSInitNotifies)
	d.globalMore(g)
}

func account(u config.User) string { return strings.TrimSuffix(u.Name+":"+u.Group, ":") }

func (d dumper) instance(i *config.Instance, group string) {
	d.line(" VRRP Instance = %s", i.Name)
	d.field("VRRP Version", i.Version.Value)
	if group != "" {
		d.field("Sync group", group)
	}
	d.field("Wantstate", i.State.Value)
	d.instanceLink(i)
	d.field("Interface", i.Interface)
	switch {
	case i.Unicast():
		d.field("Using src_ip", orNone(i.UnicastSrcIP))
	default:
		d.field("Using src_ip", orNone(i.McastSrcIP))
		d.line("   Multicast address %v", orNone(i.McastDstIP))
	}
	d.field("Gratuitous ARP delay", wholes(i.GarpMasterDelay.Value))
	d.field("Gratuitous ARP repeat", i.GarpMasterRepeat.Value)
	d.field("Gratuitous ARP refresh", wholes(i.GarpMasterRefresh.Value))
	d.field("Gratuitous ARP refresh repeat", i.GarpMasterRefreshRepeat.Value)
	d.field("Gratuitous ARP lower priority delay", wholes(i.GarpLowerPrioDelay.Value))
	d.field("Gratuitous ARP lower priority repeat", i.GarpLowerPrioRepeat.Value)
	d.field("Down timer adverts", i.DownTimerAdverts.Value)
	d.field("Send advert after receive lower priority advert", !i.LowerPrioNoAdvert.Value)
	d.field("Send advert after receive higher priority advert", i.HigherPrioSendAdvert.Value)
	d.field("Virtual Router ID", i.VirtualRouterID)
	d.field("Priority", i.Priority.Value)
	if i.Version.Value == 3 {
		d.line("   Advert interval = %d milli-sec", i.AdvertInt.Milliseconds())
	} else {
		d.line("   Advert interval = %d sec", wholes(i.AdvertInt))
	}
	d.field("Preempt", enabled(!i.NoPreempt))
	if i.PreemptDelay > 0 {
		d.line("   Preempt delay = %g secs", i.PreemptDelay.Seconds())
	}
	switch i.Authentication.Type {
	case config.AuthPass:
		d.field("Authentication type", "SIMPLE_PASSWORD")
		d.field("Password", i.Authentication.Pass)
	case config.AuthAH:
		d.field("Authentication type", "IPSEC_AH")
		d.field("Password", i.Authentication.Pass)
	}
	d.instanceMore(i)
	d.addresses("Virtual IP (%d):", i.VirtualIPAddress)
	d.addresses("Virtual IP Excluded :", i.VirtualIPAddressExcluded)
	if i.Unicast() {
		d.unicast(i)
	}
	d.instanceRoutes(i)
	d.tracks("Tracked interfaces", i.TrackInterface)
	d.tracks("Tracked scripts", i.TrackScript)
	d.tracks("Tracked files", i.TrackFile)
	d.tracks("Tracked processes", i.TrackProcess)
	d.tracks("Tracked BFDs", i.TrackBFD)
	d.alerts(i.SMTPAlert, i.NotifyPriorityChanges)
	d.instanceScripts(i)
}

func (d dumper) addresses(title string, list []config.Address) {
	if len(list) == 0 {
		return
	}
	if strings.Contains(title, "%d") {
		title = fmt.Sprintf(title, len(list))
	}
	d.line("   %s", title)
	for i := range list {
		d.line("     %s", addressText(&list[i]))
	}
}

// addressText is an address as `ip address` takes it.
func addressText(a *config.Address) string {
	var b strings.Builder
	fmt.Fprint(&b, a.Prefix)
	if a.Prefix.IsSingleIP() {
		b.Reset()
		fmt.Fprint(&b, a.Prefix.Addr())
	}
	if a.Broadcast.IsValid() {
		fmt.Fprintf(&b, " brd %s", a.Broadcast)
	}
	scope := map[config.Scope]string{
		config.ScopeGlobal: "global", config.ScopeSite: "site", config.ScopeLink: "link", config.ScopeHost: "host", config.ScopeNowhere: "nowhere",
	}[a.Scope]
	if scope == "" {
		scope = fmt.Sprint(uint8(a.Scope))
	}
	fmt.Fprintf(&b, " dev %s scope %s", a.Dev, scope)
	if a.Label != "" {
		fmt.Fprintf(&b, " label %s", a.Label)
	}
	if a.Peer.IsValid() {
		fmt.Fprintf(&b, " peer %s", a.Peer)
	}
	for i, name := range [...]string{"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin"} {
		if a.Flags&(1<<i) != 0 {
			b.WriteString(" " + name)
		}
	}
	if a.NoTrack {
		b.WriteString(" no_track")
	}
	if a.UseVMAC {
		b.WriteString(" use_vmac")
	}
	switch {
	case a.PreferredLft.Set && a.PreferredLft.Value == config.Forever:
		b.WriteString(" preferred_lft forever")
	case a.PreferredLft.Set:
		fmt.Fprintf(&b, " preferred_lft %d", a.PreferredLft.Value)
	}
	if a.TrackGroup != "" {
		b.WriteString(" track_group " + a.TrackGroup)
	}
	return b.String()
}

func (d dumper) unicast(i *config.Instance) {
	d.field("Unicast TTL", i.UnicastTTL.Value)
	check := "no"
	if i.CheckUnicastSrc.Value {
		check = "yes"
	}
	d.line("   Check unicast src : %s", check)
	d.line("   Unicast Peer :")
	for _, p := range i.UnicastPeers {
		ttl := ""
		if p.MinTTL.Set {
			ttl += fmt.Sprintf(" min_ttl %d", p.MinTTL.Value)
		}
		if p.MaxTTL.Set {
			ttl += fmt.Sprintf(" max_ttl %d", p.MaxTTL.Value)
		}
		d.line("     %s%s", p.Addr, ttl)
	}
}

func (d dumper) tracks(title string, list []config.Track) {
	if len(list) == 0 {
		return
	}
	d.line("   %s :", title)
	for _, t := range list {
		reverse := ""
		if t.Reverse.Value {
			reverse = " reverse"
		}
		d.line("     %s weight %d%s", t.Name, t.Weight.Value, reverse)
	}
}

func (d dumper) instanceScripts(i *config.Instance) {
	deleted := "Fault"
	if i.NotifyDeleted.Set {
		deleted = "Deleted"
	}
	d.field("Notify deleted", deleted)
	d.notify("Backup", i.NotifyBackup)
	d.notify("Master", i.NotifyMaster)
	d.notify("Fault", i.NotifyFault)
	d.notify("Stop", i.NotifyStop)
	d.notify("Deleted", i.NotifyDeleted.Value)
	d.notify("Generic", i.Notify)
	d.notify("Master rx lower pri", i.NotifyMasterRxLowerPri)
}

func (d dumper) notify(state string, c *config.Command) {
	if !c.IsZero() {
		d.line("   %s state transition script = %s", state, commandText(c))
	}
}

// commandText is a command as it is executed, and its user.
func commandText(c *config.Command) string {
	args := c.Args
	if c.Shell {
		args = []string{"/bin/sh", "-c", c.Line}
	}
	text := "'" + strings.Join(args, "' '") + "'"
	if c.User != (config.User{}) {
		text += ", user " + account(c.User)
	}
	return text
}

func (d dumper) group(g *config.SyncGroup) {
	d.line(" VRRP Sync Group = %s", g.Name)
	d.line("   VRRP member instances :")
	for _, name := range g.Members {
		d.line("     %s", name)
	}
	if g.SyncGroupTrackingWeight {
		d.line("   sync group tracking weight set")
	}
	d.tracks("Tracked interfaces", g.TrackInterface)
	d.tracks("Tracked scripts", g.TrackScript)
	d.tracks("Tracked files", g.TrackFile)
	d.tracks("Tracked processes", g.TrackProcess)
	d.tracks("Tracked BFDs", g.TrackBFD)
	d.alerts(g.SMTPAlert, g.NotifyPriorityChanges)
	d.notify("Backup", &g.NotifyBackup)
	d.notify("Master", &g.NotifyMaster)
	d.notify("Fault", &g.NotifyFault)
	d.notify("Stop", &g.NotifyStop)
	d.notify("Generic", &g.Notify)
}

func (d dumper) script(s *config.TrackScript) {
	reverse := ""
	if s.Reverse {
		reverse = " reverse"
	}
	d.line(" VRRP Script = %s", s.Name)
	d.field("Command", commandText(&s.Script))
	d.line("   Interval = %g sec", s.Interval.Seconds())
	d.line("   Timeout = %g sec", s.Timeout.Value.Seconds())
	d.line("   Weight = %d%s", s.Weight, reverse)
	d.field("Rise", s.Rise)
	d.field("Fall", s.Fall)
	if s.InitFail {
		d.field("Init state", "FAILED")
	}
}
