package ipvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Service is a virtual service as it is, or should be, in the kernel. That of a
// group is what all of the group's kernel services have in common; see
// [Service.As].
type Service struct {
	Key config.ServiceKey
	Attrs
	Dests []Dest // in the order in which they are added
}

// As is the service as the kernel has it under one of its keys. Only NAT can
// translate ports, with 0 for none: other destinations have that of the service.
func (s *Service) As(key config.ServiceKey) *Service {
	if s.Key == key {
		return s
	}
	as := &Service{Key: key, Attrs: s.Attrs, Dests: slices.Clone(s.Dests)}
	if IPv6(key) {
		as.Netmask = netip.Addr{}
	}
	if as.Mask == 0 && !as.Netmask.IsValid() {
		as.Mask = wholeAddress(key)
	}
	for i := range as.Dests {
		d := &as.Dests[i]
		d.Addr = addressAs(d.Addr, d.Method, key)
	}
	return as
}

// addressAs is the address of one of its destinations under another key.
func addressAs(addr netip.AddrPort, method config.Method, key config.ServiceKey) netip.AddrPort {
	if method == config.NAT {
		return addr
	}
	return netip.AddrPortFrom(addr.Addr(), key.Addr.Port())
}

func (s *Service) clone() *Service {
	if s == nil {
		return nil
	}
	c := *s
	c.Dests = slices.Clone(s.Dests)
	return &c
}

func (s *Service) equal(other *Service) bool {
	return s != nil && other != nil && s.Attrs == other.Attrs && slices.Equal(s.Dests, other.Dests)
}

func (s *Service) has(a netip.AddrPort) bool {
	return slices.ContainsFunc(s.Dests, func(d Dest) bool { return d.Addr == a })
}

// within reports that another state of the service has everything that this one
// has. nil is the service's absence, which only absence has.
func (s *Service) within(other *Service) bool {
	switch {
	case s == nil || other == nil:
		return s == other
	case s.Attrs != other.Attrs:
		return false
	case len(s.Dests) <= few:
		return !slices.ContainsFunc(s.Dests, func(d Dest) bool { return !slices.Contains(other.Dests, d) })
	}
	there := make(map[Dest]bool, len(other.Dests))
	for _, d := range other.Dests {
		there[d] = true
	}
	return !slices.ContainsFunc(s.Dests, func(d Dest) bool { return !there[d] })
}

// Attrs are what can be edited about a service, ipvsadm(8).
type Attrs struct {
	Scheduler   string
	SchedFlags  config.SchedFlags
	Engine      string        // persistence engine; empty: none
	Persistence time.Duration // whole seconds; 0: not persistent
	Mask        int           // prefix length that persistence groups clients by
	Netmask     netip.Addr    // instead, of IPv4, when it is not contiguous
	OPS         bool          // one packet scheduling
}

// Dest is a real server in the kernel.
type Dest struct {
	Addr       netip.AddrPort
	Method     config.Method
	Tunnel     config.Tunnel // of TUN
	Weight     int           // 0 to 65535; 0 takes no new connections
	UThreshold uint32
	LThreshold uint32
}

// IPv6 reports the address family of a service.
func IPv6(k config.ServiceKey) bool { return k.IPv6 || k.Addr.Addr().Is6() }

// wholeAddress is the prefix length of the addresses of a service.
func wholeAddress(k config.ServiceKey) int {
	if IPv6(k) {
		return 128
	}
	return 32
}

// attrs are those of a configured service. Those of a group have no mask when
// none is configured: it may have addresses of both families.
func attrs(s *config.Service) Attrs {
	a := Attrs{
		Scheduler: s.Scheduler, SchedFlags: s.SchedFlags, OPS: s.OPS,
		Persistence: s.PersistenceTimeout.Truncate(time.Second), Mask: s.PersistenceMask, Netmask: s.PersistenceNetmask,
	}
	if a.Persistence > 0 {
		a.Engine = s.PersistenceEngine
	}
	if a.Mask == 0 && !a.Netmask.IsValid() && s.Key.Group == "" {
		a.Mask = wholeAddress(s.Key)
	}
	return a
}

// dest is a configured real server with a weight that the kernel takes.
func dest(s *config.Server, weight int) Dest {
	d := Dest{
		Addr: s.Addr, Method: s.Method, Weight: clamped(weight),
		UThreshold: s.UThreshold, LThreshold: s.LThreshold,
	}
	if s.Method == config.TUN {
		d.Tunnel = s.Tunnel
	}
	return d
}

// clamped is a weight that the kernel takes, IPVS_WEIGHT_MAX of keepalived.
func clamped(weight int) int { return min(max(weight, 0), 65535) }

// Verb is what an [Op] does, spelled like ipvsadm's option.
type Verb string

// The verbs.
const (
	AddService    Verb = "-A"
	EditService   Verb = "-E"
	DeleteService Verb = "-D" // its destinations go with it
	AddDest       Verb = "-a"
	EditDest      Verb = "-e"
	DeleteDest    Verb = "-d"
)

// Op is one change of the kernel's table.
type Op struct {
	Verb  Verb
	Key   config.ServiceKey
	Attrs Attrs // of AddService and EditService
	Dest  Dest  // of the Dest verbs; DeleteDest needs its address only
}

// String is the operation as the arguments of ipvsadm.
func (o Op) String() string {
	var b strings.Builder
	b.WriteString(string(o.Verb))
	switch k := o.Key; {
	case k.FWMark != 0:
		fmt.Fprintf(&b, " -f %d", k.FWMark)
		if k.IPv6 {
			b.WriteString(" -6")
		}
	default:
		flag := map[config.Protocol]string{config.TCP: "-t", config.UDP: "-u", config.SCTP: "--sctp-service"}
		fmt.Fprintf(&b, " %s %s", flag[k.Protocol], k.Addr)
	}
	switch o.Verb {
	case AddService, EditService:
		o.Attrs.write(&b, IPv6(o.Key))
	case AddDest, EditDest:
		d := o.Dest
		flag := map[config.Method]string{config.NAT: "-m", config.DR: "-g", config.TUN: "-i"}
		fmt.Fprintf(&b, " -r %s %s -w %d", d.Addr, flag[d.Method], d.Weight)
		writeTunnel(&b, d.Tunnel)
		if d.UThreshold != 0 || d.LThreshold != 0 {
			fmt.Fprintf(&b, " -x %d -y %d", d.UThreshold, d.LThreshold)
		}
	case DeleteDest:
		fmt.Fprintf(&b, " -r %s", o.Dest.Addr)
	}
	return b.String()
}

func writeTunnel(b *strings.Builder, t config.Tunnel) {
	if t.Type == config.IPIP {
		return
	}
	fmt.Fprintf(b, " --tun-type %s", strings.ToLower(t.Type.String()))
	if t.Type == config.GUE {
		fmt.Fprintf(b, " --tun-port %d", t.Port)
	}
	switch t.Checksum {
	case config.Checksum:
		b.WriteString(" --tun-csum")
	case config.RemoteChecksum:
		b.WriteString(" --tun-remcsum")
	}
}

func (a Attrs) write(b *strings.Builder, ipv6 bool) {
	fmt.Fprintf(b, " -s %s", a.Scheduler)
	if a.Persistence != 0 {
		fmt.Fprintf(b, " -p %d", a.Persistence/time.Second)
	}
	switch whole := map[bool]int{false: 32, true: 128}[ipv6]; {
	case a.Netmask.IsValid():
		fmt.Fprintf(b, " -M %s", a.Netmask)
	case a.Mask != whole:
		fmt.Fprintf(b, " -M /%d", a.Mask)
	}
	if a.Engine != "" {
		fmt.Fprintf(b, " --pe %s", a.Engine)
	}
	var flags []string
	for i, flag := range []config.SchedFlags{config.SchedFlag1, config.SchedFlag2, config.SchedFlag3} {
		if a.SchedFlags&flag != 0 {
			flags = append(flags, fmt.Sprintf("flag-%d", i+1))
		}
	}
	if flags != nil {
		fmt.Fprintf(b, " -b %s", strings.Join(flags, ","))
	}
	if a.OPS {
		b.WriteString(" -o")
	}
}
