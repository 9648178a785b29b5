package dump

import (
	"fmt"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// vrrp writes what the VRRP process has beside the global definitions.
func (p *printer) vrrp(c *config.Config) {
	p.garpGroups(c)
	p.static(&c.Static)
	if len(c.Instances) > 0 {
		p.title("VRRP Topology")
	}
	for i := range c.Instances {
		p.instance(c, &c.Instances[i])
	}
	if len(c.Groups) > 0 {
		p.title("VRRP Sync groups")
	}
	for i := range c.Groups {
		p.group(&c.Groups[i])
	}
	p.scripts(c)
	p.trackers(c)
	p.links(c)
}

func groupOf(c *config.Config, instance string) *config.SyncGroup {
	for i := range c.Groups {
		for _, name := range c.Groups[i].Members {
			if name == instance {
				return &c.Groups[i]
			}
		}
	}
	return nil
}

// state is that of an instance; INIT, with its configured priority, when it
// has just been read.
func (p *printer) state(i *config.Instance) Instance {
	s, ok := p.facts.Instances[i.Name]
	if !ok {
		s = Instance{Priority: i.Priority.Value, Down: down(i)}
		s.Source = i.McastSrcIP
		if i.IPVLAN != nil && i.IPVLAN.Prefix.IsValid() {
			s.Source = i.IPVLAN.Prefix.Addr()
		}
		if i.Unicast() {
			s.Source = i.UnicastSrcIP
		}
	}
	return s
}

// down is Active_Down_Interval of RFC 9568 section 6.1 before an advert has
// been heard.
func down(i *config.Instance) time.Duration {
	skew := i.AdvertInt
	if i.Version.Value == 2 {
		skew = time.Second
	}
	return time.Duration(i.DownTimerAdverts.Value)*i.AdvertInt + time.Duration(256-int(i.Priority.Value))*skew/256
}

func (p *printer) instance(c *config.Config, i *config.Instance) {
	s := p.state(i)
	p.line(" VRRP Instance = %s", i.Name)
	p.field("VRRP Version", i.Version.Value)
	if g := groupOf(c, i.Name); g != nil {
		p.field("Sync group", g.Name)
	}
	if i.IPv6() {
		p.line("   Using Native IPv6")
	}
	p.instanceState(i, &s)
	p.instanceLink(i)
	p.source(c, i, &s)
	p.garp(i)
	p.field("Virtual Router ID", i.VirtualRouterID)
	p.field("Priority", i.Priority.Value)
	p.field("Effective priority", s.Priority)
	p.field("Total priority", s.Priority)
	p.interval(i, &s)
	p.field("Accept", enabled(i.Accepts()))
	p.field("Preempt", enabled(!i.NoPreempt))
	if i.PreemptDelay > 0 {
		p.line("   Preempt delay = %.6g secs", i.PreemptDelay.Seconds())
	}
	p.field("Promote_secondaries", enabled(i.PromoteSecondaries))
	if i.KernelRxBufSize > 0 {
		p.field("Kernel rx buffer size", i.KernelRxBufSize)
	}
	if i.Debug > 0 {
		p.field("Debug level", i.Debug)
	}
	p.authentication(i)
	p.addresses(c, i, &s)
	if i.Unicast() {
		p.unicast(i)
	}
	p.instanceRoutes(i)
	p.tracked("processes", &tracks{i.TrackInterface, i.TrackScript, i.TrackFile, i.TrackProcess, i.TrackBFD})
	p.field("Using smtp notification", yesNo(i.SMTPAlert.Value))
	p.instanceScripts(i)
	p.field("Notify priority changes", tellsPriority(c, i))
}

// instanceState writes what changes while it runs.
func (p *printer) instanceState(i *config.Instance, s *Instance) {
	p.field("State", s.State)
	if s.State == config.Backup {
		master := s.Master
		if !master.IsValid() {
			master = i.McastDstIP // whom nobody has answered yet
		}
		p.field("Master router", master)
		p.field("Master priority", s.MasterPriority)
		if i.Version.Value == 3 {
			p.line("   Master advert int = %.2f sec", learned(i, s).Seconds())
		}
	}
	p.flags(i)
	want := s.State
	if want == config.Init {
		want = i.State.Value
	}
	p.field("Wantstate", want)
	p.field("Number of config faults", number(i.Unable != ""))
	p.field("Number of tracker faults", number(s.Faulty))
	p.field("Number of track scripts init", number(s.Undecided))
	if s.Changed.IsZero() {
		p.field("Last transition", moment(time.Unix(0, 0).UTC()))
	} else {
		p.field("Last transition", moment(s.Changed))
	}
	if s.Due.IsZero() {
		p.field("Read timeout", "DISABLED")
	} else {
		p.field("Read timeout", moment(s.Due))
	}
	p.line("   Master down timer = %d usecs", s.Down.Microseconds())
}

// learned is the interval of the master's adverts, our own before the first.
func learned(i *config.Instance, s *Instance) time.Duration {
	if s.MasterInterval > 0 {
		return s.MasterInterval
	}
	return i.AdvertInt
}

func (p *printer) flags(i *config.Instance) {
	var flags []string
	for _, f := range []struct {
		on   bool
		text string
	}{
		{i.Unicast(), "Using unicast"},
		{i.Unable != "", "Cannot run: " + i.Unable},
		{i.UnicastFaultNoPeer, "If unicast go to fault state if no peers"},
	} {
		if f.on {
			flags = append(flags, f.text)
		}
	}
	if len(flags) == 0 {
		p.line("   Flags: none")
		return
	}
	p.line("   Flags:")
	for _, text := range flags {
		p.line("     %s", text)
	}
}

func (p *printer) source(c *config.Config, i *config.Instance, s *Instance) {
	if i.StrictMode.Value {
		p.line("   Enforcing strict VRRP compliance")
	}
	if i.DontTrackPrimary {
		p.line("   VRRP interface tracking disabled")
	}
	if i.SkipCheckAdvAddr.Value {
		p.line("   Skip checking advert IP addresses")
	}
	if i.OwnerIgnoreAdverts.Value {
		p.line("   Owner ignores adverts")
	}
	given := i.McastSrcIP.IsValid() || i.IPVLAN != nil && i.IPVLAN.Prefix.IsValid() || i.Unicast() && i.UnicastSrcIP.IsValid()
	p.line("   Using src_ip = %v%s", orNone(s.Source), choose(given, " (from configuration)", ""))
	if !i.Unicast() {
		p.line("   Multicast address %v%s", i.McastDstIP, p.zone(i))
	}
}

func (p *printer) garp(i *config.Instance) {
	p.field("Gratuitous ARP delay", wholes(i.GarpMasterDelay.Value))
	p.field("Gratuitous ARP repeat", i.GarpMasterRepeat.Value)
	p.field("Gratuitous ARP refresh", wholes(i.GarpMasterRefresh.Value))
	p.field("Gratuitous ARP refresh repeat", i.GarpMasterRefreshRepeat.Value)
	p.field("Gratuitous ARP lower priority delay", wholes(i.GarpLowerPrioDelay.Value))
	p.field("Gratuitous ARP lower priority repeat", i.GarpLowerPrioRepeat.Value)
	p.field("Down timer adverts", i.DownTimerAdverts.Value)
	p.field("Send advert after receive lower priority advert", !i.LowerPrioNoAdvert.Value)
	p.field("Send advert after receive higher priority advert", i.HigherPrioSendAdvert.Value)
}

func (p *printer) interval(i *config.Instance, s *Instance) {
	if i.Version.Value == 3 {
		p.line("   Advert interval = %d milli-sec", i.AdvertInt.Milliseconds())
		p.line("   Master advert interval = %d milli-sec", learned(i, s).Milliseconds())
	} else {
		p.line("   Advert interval = %d sec", wholes(i.AdvertInt))
	}
}

func (p *printer) authentication(i *config.Instance) {
	if i.Version.Value == 2 {
		a := &i.Authentication
		p.field("Authentication type", [...]string{"none", "SIMPLE_PASSWORD", "IPSEC_AH"}[a.Type])
		if a.Type != config.AuthNone {
			p.field("Password", a.Pass)
		}
	}
	if a := i.AuthHMAC; a != nil {
		p.line("   HMAC authentication, mode %s, anti-replay %s, active key %d", a.Mode, a.AntiReplay, a.ActiveKey)
		for _, k := range a.Keys {
			p.line("     key %d = %v", k.ID, orNone(k.File+k.Secret.String()))
		}
	}
}

// tellsPriority: what an instance leaves open its group says, or global_defs.
func tellsPriority(c *config.Config, i *config.Instance) bool {
	if i.NotifyPriorityChanges.Set {
		return i.NotifyPriorityChanges.Value
	}
	if g := groupOf(c, i.Name); g != nil && g.NotifyPriorityChanges.Set {
		return g.NotifyPriorityChanges.Value
	}
	return c.Global.FIFO.VRRPNotifyPriorityChanges
}

func (p *printer) unicast(i *config.Instance) {
	if i.UnicastTTL.Set || !i.IPv6() {
		p.field("Unicast TTL", i.UnicastTTL.Value)
	}
	p.line("   Check unicast src : %s", yesNo(i.CheckUnicastSrc.Value))
	p.line("   Unicast Peer :")
	for _, peer := range i.UnicastPeers {
		low, high := uint8(0), uint8(255)
		if peer.MinTTL.Set {
			low = peer.MinTTL.Value
		}
		if peer.MaxTTL.Set {
			high = peer.MaxTTL.Value
		}
		p.line("     %s min_ttl %d max_ttl %d", peer.Addr, low, high)
	}
	p.field("Unicast checksum compatibility", [...]string{"no", "config", "never"}[i.OldUnicastChecksum])
}

func (p *printer) instanceScripts(i *config.Instance) {
	p.field("Notify deleted", choose(i.NotifyDeleted.Set, "Deleted", "Fault"))
	p.notify("Backup", i.NotifyBackup)
	p.notify("Master", i.NotifyMaster)
	p.notify("Fault", i.NotifyFault)
	p.notify("Stop", i.NotifyStop)
	p.notify("Deleted", i.NotifyDeleted.Value)
	p.notify("Generic", i.Notify)
	p.notify("Master rx lower pri", i.NotifyMasterRxLowerPri)
}

func (p *printer) notify(state string, c *config.Command) {
	if !c.IsZero() {
		p.line("   %s state transition script = %s", state, p.commandText(c))
	}
}

func (p *printer) group(g *config.SyncGroup) {
	s := p.facts.Groups[g.Name]
	p.line(" VRRP Sync Group = %s, %s", g.Name, s.State)
	p.line("   Num member fault %d, num member init %d", s.Fault, s.Undecided)
	p.line("   VRRP member instances :")
	for _, name := range g.Members {
		p.line("     %s", name)
	}
	if g.SyncGroupTrackingWeight {
		p.line("   sync group tracking weight set")
	}
	p.field("Using smtp notification", yesNo(g.SMTPAlert.Value))
	if g.NotifyPriorityChanges.Set {
		p.field("Notify priority changes", yesNo(g.NotifyPriorityChanges.Value))
	}
	p.tracked("process", &tracks{g.TrackInterface, g.TrackScript, g.TrackFile, g.TrackProcess, g.TrackBFD})
	p.notify("Backup", &g.NotifyBackup)
	p.notify("Master", &g.NotifyMaster)
	p.notify("Fault", &g.NotifyFault)
	p.notify("Stop", &g.NotifyStop)
	p.notify("Generic", &g.Notify)
}

// scopes are the names of /etc/iproute2/rt_scopes.
func scopeText(s config.Scope) string {
	switch s {
	case config.ScopeGlobal:
		return "global"
	case config.ScopeSite:
		return "site"
	case config.ScopeLink:
		return "link"
	case config.ScopeHost:
		return "host"
	case config.ScopeNowhere:
		return "nowhere"
	}
	return fmt.Sprint(uint8(s))
}

// addresses writes what the instance holds while it is MASTER.
func (p *printer) addresses(c *config.Config, i *config.Instance, s *Instance) {
	set := s.State == config.Master
	if len(i.VirtualIPAddress) > 0 {
		p.line("   Virtual IP (%d):", len(i.VirtualIPAddress))
	}
	for k := range i.VirtualIPAddress {
		p.line("     %s", addressText(i, &i.VirtualIPAddress[k], set))
	}
	if len(i.VirtualIPAddressExcluded) > 0 {
		p.line("   Virtual IP Excluded :")
	}
	for k := range i.VirtualIPAddressExcluded {
		p.line("     %s", addressText(i, &i.VirtualIPAddressExcluded[k], set))
	}
}

// addressText is an address as `ip address` takes it; of an instance, unless
// that is nil.
func addressText(i *config.Instance, a *config.Address, set bool) string {
	var b strings.Builder
	b.WriteString(prefixText(a.Prefix))
	if a.Broadcast.IsValid() {
		fmt.Fprintf(&b, " brd %s", a.Broadcast)
	}
	fmt.Fprintf(&b, " dev %s scope %s", deviceText(i, a), scopeText(a.Scope))
	if a.Label != "" {
		fmt.Fprintf(&b, " label %s", a.Label)
	}
	if a.Peer.IsValid() {
		fmt.Fprintf(&b, " peer %s", a.Peer)
	}
	for k, name := range [...]string{"home", "-nodad", "mngtmpaddr", "noprefixroute", "autojoin"} {
		if a.Flags&(1<<k) != 0 {
			b.WriteString(" " + name)
		}
	}
	if a.NoTrack {
		b.WriteString(" no_track")
	}
	b.WriteString(lifeText(a))
	if a.TrackGroup != "" {
		b.WriteString(" track_group " + a.TrackGroup)
	}
	if set {
		b.WriteString(" set")
	}
	return b.String()
}

// lifeText is the preferred life time of an IPv6 address. IPv4 has none that
// keepalived shows.
func lifeText(a *config.Address) string {
	if a.Prefix.Addr().Is4() {
		return ""
	}
	switch life := a.PreferredLft; {
	case life.Set && life.Value == config.Forever, !life.Set && !a.Prefix.IsSingleIP():
		return " preferred_lft forever"
	case !life.Set, life.Value == 0:
		return " deprecated"
	default:
		return fmt.Sprintf(" preferred_lft %d", life.Value)
	}
}
