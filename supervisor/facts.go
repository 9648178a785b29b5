package supervisor

import (
	"net"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/bfd"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/internal/filewatch"
	"github.com/lvsd/lvsd/notify"
	"github.com/lvsd/lvsd/vrrp"
)

// machineFacts are what dumps show of this machine.
func machineFacts() *dump.Facts {
	return &dump.Facts{Hostname: hostname(), Account: accountNumbers, Links: linkFacts(), Unfit: unfit()}
}

// hostname is what router_id, smtp_helo_name and the sender of mails are by
// default.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}

// mailOptions say whose mails lvsd sends.
func mailOptions(log *zap.Logger) notify.MailOptions {
	o := notify.MailOptions{Log: log, Host: hostname(), User: "root"}
	if u, err := user.Current(); err == nil {
		o.User = u.Username
	}
	return o
}

// unfit says of scripts why they cannot be run. Thousands of real servers have
// the same few, which are looked at once.
func unfit() func(*config.Command) string {
	type script struct {
		program       string
		user          config.User
		shell, secure bool
	}
	known := make(map[script]string)
	return func(c *config.Command) string {
		s := script{c.Program(), c.User, c.Shell, c.Secure}
		why, ok := known[s]
		if !ok {
			if err := notify.Runnable(*c); err != nil {
				why = err.Error()
			}
			known[s] = why
		}
		return why
	}
}

// facts are those of the machine and the state of every part. What has ended
// meanwhile has none.
func (s *Supervisor) facts() *dump.Facts {
	f := machineFacts()
	f.Scheduled, f.Refused = s.schedule.at, s.refused
	s.vrrpFacts(f)
	s.trackerFacts(f)
	f.Marks = s.marking.of(s.serving)
	f.Services = map[config.ServiceKey]dump.Service{}
	for _, v := range s.services.Snapshot() {
		service := dump.Service{Quorum: v.Quorum, Servers: map[netip.AddrPort]dump.Server{}}
		for _, server := range v.Servers {
			service.Servers[server.Addr] = dump.Server{Alive: server.Alive, Weight: server.Weight, Checks: map[config.CheckID]dump.Check{}}
		}
		f.Services[v.Key] = service
		for _, d := range v.Drains {
			f.Draining = append(f.Draining, dump.Draining{Service: v.Key, Server: d.Addr, Until: d.Until})
		}
	}
	for _, c := range append(s.checks.Snapshot(), s.told.Snapshot()...) {
		if server, ok := f.Services[c.Service].Servers[c.Server]; ok {
			server.Checks[c.Check] = dump.Check{Up: c.Up, Ran: c.Ran, Idle: c.Idle, Unsure: c.Unsure}
		}
	}
	return f
}

func (s *Supervisor) vrrpFacts(f *dump.Facts) {
	if s.router == nil {
		return
	}
	now, err := s.router.Snapshot()
	if err != nil {
		return
	}
	f.Instances = map[string]dump.Instance{}
	faulty, undecided := map[string]bool{}, map[string]bool{}
	for i := range now.Instances {
		v := &now.Instances[i]
		faulty[v.Name], undecided[v.Name] = v.Faulty, v.Undecided
		f.Instances[v.Name] = dump.Instance{
			State: v.State, Priority: v.Priority, Source: v.Source, Master: v.Master, MasterPriority: v.MasterPriority,
			MasterInterval: v.MasterInterval, Faulty: v.Faulty, Undecided: v.Undecided, Changed: v.Changed, Due: v.Due, Down: v.Down,
			Reason: int(v.Stats.Reason), Stats: counters(&v.Stats),
		}
	}
	f.Groups = map[string]dump.Group{}
	for _, g := range now.Groups {
		group := dump.Group{State: g.State}
		for i := range s.config.Groups {
			if s.config.Groups[i].Name != g.Name {
				continue
			}
			for _, member := range s.config.Groups[i].Members {
				group.Fault += count(faulty[member])
				group.Undecided += count(undecided[member])
			}
		}
		f.Groups[g.Name] = group
	}
	f.Scripts = map[string]dump.Script{}
	for name, up := range now.Scripts {
		f.Scripts[name] = dump.Script{Known: true, Up: up}
	}
}

// trackerFacts are what files and processes say now.
func (s *Supervisor) trackerFacts(f *dump.Facts) {
	f.Files = s.told.Numbers()
	for i := range s.config.Trackers.Files {
		t := &s.config.Trackers.Files[i]
		if _, known := f.Files[t.Name]; !known {
			f.Files[t.Name], _ = filewatch.Read(t.File) // one that cannot be read counts as 0
		}
	}
	f.Sessions = map[string]dump.Session{}
	if sessions, err := s.watch.sessions.Snapshot(); err == nil { // with -B there are none
		for _, session := range sessions {
			f.Sessions[session.Name] = sessionFacts(&session)
		}
	}
	f.Processes = map[string]dump.Process{}
	for name, c := range s.watch.processes.Counts() {
		f.Processes[name] = dump.Process{Current: c.Processes, Quorum: c.Quorum}
	}
}

func sessionFacts(s *bfd.Status) dump.Session {
	return dump.Session{
		Up: s.Up(), State: s.State.String(), RemoteState: s.Remote.State.String(), Diag: s.Diag.String(), RemoteDiag: s.Remote.Diag.String(),
		My: s.My, Remote: s.Remote.My, RemoteMinTx: s.Remote.MinTx, RemoteMinRx: s.Remote.MinRx,
		RemoteDemand: s.Remote.Demand, Polling: s.Polling, Final: s.Remote.Final, RemoteMultiplier: s.Remote.Multiplier,
		Interval: s.Interval, RemoteInterval: s.RemoteInterval, Detection: s.Detection, RemoteDetection: s.RemoteDetection, Seen: s.Seen,
	}
}

func count(v bool) int {
	if v {
		return 1
	}
	return 0
}

func counters(s *vrrp.Stats) dump.Stats {
	return dump.Stats{
		Received: s.AdvertRcvd, Sent: s.AdvertSent, BecameMaster: s.BecomeMaster, ReleasedMaster: s.ReleaseMaster,
		Length: s.PacketLenErr, TTL: s.IPTTLErr, Type: s.InvalidType, Interval: s.AdvertInterval, AddressList: s.AddrListErr,
		AuthInvalid: s.InvalidAuthType, AuthMismatch: s.AuthMismatch, AuthFailure: s.AuthFailure,
		ExtMissing: s.AuthExtMissing, ExtMalformed: s.AuthExtMalformed, ExtUnknownKey: s.AuthExtUnknownKey,
		ExtInvalidHMAC: s.AuthExtInvalidHMAC, ExtStale: s.AuthExtStale, ExtReplay: s.AuthExtReplay,
		PriorityZeroReceived: s.PriZeroRcvd, PriorityZeroSent: s.PriZeroSent,
		Version: s.VersionErr, Checksum: s.ChecksumErr, VRID: s.VRIDErr,
	}
}

// linkFacts are the interfaces of this network namespace.
func linkFacts() (all []dump.Link) {
	links, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, l := range links {
		has := func(f net.Flags) bool { return l.Flags&f != 0 }
		link := dump.Link{
			Name: l.Name, Index: l.Index, MTU: l.MTU, MAC: l.HardwareAddr.String(), Type: "ETHERNET",
			Flags: dump.LinkFlags{
				Up: has(net.FlagUp), Running: has(net.FlagRunning), Broadcast: has(net.FlagBroadcast),
				Loopback: has(net.FlagLoopback), PointToPoint: has(net.FlagPointToPoint), Multicast: has(net.FlagMulticast),
			},
		}
		switch {
		case link.Flags.Loopback:
			link.Type, link.MAC = "LOOPBACK", ""
		case len(l.HardwareAddr) != 6:
			link.Type = "UNKNOWN"
		case link.Flags.Broadcast:
			link.Broadcast = "ff:ff:ff:ff:ff:ff"
		}
		addresses, err := l.Addrs()
		if err != nil { // it has gone
			continue
		}
		for _, a := range addresses {
			prefix, err := netip.ParsePrefix(a.String())
			switch addr := prefix.Addr(); {
			case err != nil:
			case addr.Is4():
				link.IPv4 = append(link.IPv4, addr)
			case addr.IsLinkLocalUnicast():
				link.IPv6 = append(link.IPv6, addr)
			}
		}
		all = append(all, link)
	}
	return all
}

// accountNumbers are those of USER [GROUP]; names may be numbers.
func accountNumbers(u config.User) (uid, gid uint32, ok bool) {
	account, err := user.Lookup(u.Name)
	if err != nil {
		if account, err = user.LookupId(u.Name); err != nil {
			return 0, 0, false
		}
	}
	group := account.Gid
	if name := strings.TrimPrefix(u.Group, ":"); name != "" {
		group = name
		if g, err := user.LookupGroup(name); err == nil {
			group = g.Gid
		}
	}
	id, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	gids, err := strconv.ParseUint(group, 10, 32)
	if err != nil {
		return 0, 0, false
	}
	return uint32(id), uint32(gids), true
}
