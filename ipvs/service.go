package ipvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Service is a virtual service as it is, or should be, in the kernel.
type Service struct {
	Key config.ServiceKey
	Attrs
	Dests []Dest // in the order in which they are added
}

// Attrs are what can be edited about a service, ipvsadm(8).
type Attrs struct {
	Scheduler   string
	SchedFlags  config.SchedFlags
	Persistence time.Duration // whole seconds; 0: not persistent
	Mask        int           // prefix length that persistence groups clients by
	OPS         bool          // one packet scheduling
}

// Dest is a real server in the kernel.
type Dest struct {
	Addr       netip.AddrPort
	Method     config.Method
	Weight     int // 0 to 65535; 0 takes no new connections
	UThreshold uint32
	LThreshold uint32
}

// IPv6 reports the address family of a service.
func IPv6(k config.ServiceKey) bool { return k.IPv6 || k.Addr.Addr().Is6() }

// attrs are those of a configured service.
func attrs(s *config.Service) Attrs {
	whole := 32
	if IPv6(s.Key) {
		whole = 128
	}
	return Attrs{
		Scheduler: s.Scheduler, SchedFlags: s.SchedFlags, OPS: s.OPS,
		Persistence: s.PersistenceTimeout.Truncate(time.Second), Mask: cmp.Or(s.PersistenceMask, whole),
	}
}

// dest is a configured real server with a weight that the kernel takes.
func dest(s *config.Server, weight int) Dest {
	return Dest{
		Addr: s.Addr, Method: s.Method, Weight: clamped(weight),
		UThreshold: s.UThreshold, LThreshold: s.LThreshold,
	}
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
		if d.UThreshold != 0 || d.LThreshold != 0 {
			fmt.Fprintf(&b, " -x %d -y %d", d.UThreshold, d.LThreshold)
		}
	case DeleteDest:
		fmt.Fprintf(&b, " -r %s", o.Dest.Addr)
	}
	return b.String()
}

func (a Attrs) write(b *strings.Builder, ipv6 bool) {
	fmt.Fprintf(b, " -s %s", a.Scheduler)
	if a.Persistence != 0 {
		fmt.Fprintf(b, " -p %d", a.Persistence/time.Second)
	}
	if whole := map[bool]int{false: 32, true: 128}[ipv6]; a.Mask != whole {
		fmt.Fprintf(b, " -M /%d", a.Mask)
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
