package config

import (
	"net/netip"
	"time"
)

// Timing are the parameters that every check has, given in the check, its real
// server or its virtual server.
type Timing struct {
	DelayLoop        Opt[time.Duration] // between two checks
	Warmup           Opt[time.Duration] // the first check starts after 1 s plus a random part of this
	Retry            Opt[int]           // further attempts while up, before the check fails
	DelayBeforeRetry Opt[time.Duration]
	ConnectTimeout   Opt[time.Duration] // of MISC_CHECK, once it is resolved: misc_timeout
	Alpha            Opt[bool]          // down until the first success
	LogAllFailures   Opt[bool]
}

// Over fills what t leaves open from its parent.
func (t Timing) Over(parent *Timing) Timing {
	if parent == nil {
		return t
	}
	pick(&t.DelayLoop, parent.DelayLoop)
	pick(&t.Warmup, parent.Warmup)
	pick(&t.Retry, parent.Retry)
	pick(&t.DelayBeforeRetry, parent.DelayBeforeRetry)
	pick(&t.ConnectTimeout, parent.ConnectTimeout)
	pick(&t.Alpha, parent.Alpha)
	pick(&t.LogAllFailures, parent.LogAllFailures)
	return t
}

func pick[T any](o *Opt[T], parent Opt[T]) {
	if !o.Set {
		*o = parent
	}
}

// CheckKind is the keyword of a checker block.
type CheckKind string

// The checkers of keepalived.
const (
	TCPCheck  CheckKind = "TCP_CHECK"
	UDPCheck  CheckKind = "UDP_CHECK"
	PingCheck CheckKind = "PING_CHECK"
	DNSCheck  CheckKind = "DNS_CHECK"
	SMTPCheck CheckKind = "SMTP_CHECK"
	HTTPGet   CheckKind = "HTTP_GET"
	SSLGet    CheckKind = "SSL_GET"
	MiscCheck CheckKind = "MISC_CHECK"
	FileCheck CheckKind = "FILE_CHECK"
	BFDCheck  CheckKind = "BFD_CHECK"
)

// Told reports whether checks of this kind do not probe: a file or a BFD session
// tells them.
func (k CheckKind) Told() bool { return k == FileCheck || k == BFDCheck }

// Connects reports whether checks of this kind have a target.
func (k CheckKind) Connects() bool { return k != MiscCheck && k != FileCheck && k != BFDCheck }

// DefaultTiming is that of a check when neither it nor its servers say
// anything. warmup and, of DNS_CHECK, delay_before_retry are the delay_loop
// then.
func DefaultTiming(k CheckKind) Timing {
	t := Timing{
		DelayLoop:        Opt[time.Duration]{Value: 60 * time.Second},
		Retry:            Opt[int]{Value: 1},
		DelayBeforeRetry: Opt[time.Duration]{Value: time.Second},
		ConnectTimeout:   Opt[time.Duration]{Value: 5 * time.Second},
	}
	switch k {
	case DNSCheck:
		t.Retry.Value, t.DelayBeforeRetry.Value = 3, 0
	case MiscCheck:
		t.Retry.Value = 0
	case HTTPGet, SSLGet:
		t.DelayBeforeRetry.Value = 3 * time.Second
	}
	return t
}

// Check is a checker block. After [Config.KernelServices] its timing is
// resolved and its target filled in. There are many: what they have in common
// or seldom is behind a pointer.
type Check struct {
	Origin Origin
	Kind   CheckKind

	ConnectIP   Addr    // the real server's address when not given
	ConnectPort uint16  // the real server's port when not given
	Bind        *Bind   // nil: nothing said
	Timing      *Timing // nil: nothing said; checks that say the same share it
	Params      Params  // of Kind; nil for TCP_CHECK and PING_CHECK
}

// WeightChange is what a check does to the weight of its real server while it
// is up. The zero value does nothing.
type WeightChange struct {
	To Opt[int] // the weight in place of the configured one: misc_dynamic
	By int      // added to the weight: FILE_CHECK
}

// Difference is by how much the weight is to differ from the configured one.
func (w WeightChange) Difference(configured int) int {
	if w.To.Set {
		return w.To.Value - configured + w.By
	}
	return w.By
}

// Bind says how a check leaves this host.
type Bind struct {
	BindTo   Addr
	BindPort uint16
	BindIf   string
	FWMark   uint32
}

// Source is how the check leaves this host; the zero value is up to the
// kernel.
func (c *Check) Source() Bind {
	if c.Bind == nil {
		return Bind{}
	}
	return *c.Bind
}

// Params are the parameters that only one kind of check has: [UDPParams],
// [DNSParams], [SMTPParams], [HTTPParams], [MiscParams], [FileParams] or
// [BFDParams], by pointer.
type Params interface {
	// identity is equal for checks that test the same.
	identity() string
}

// Target is the address that the check connects to.
func (c *Check) Target() netip.AddrPort { return netip.AddrPortFrom(c.ConnectIP, c.ConnectPort) }

// CheckID is what makes a check of a real server the same one across a reload:
// all that it tests. How often it does so is not part of it, a check whose
// timing changes goes on with what it knows.
type CheckID struct {
	Kind   CheckKind
	Target netip.AddrPort
	Bind   netip.AddrPort
	BindIf string
	FWMark uint32
	Params string
}

// ID is the identity of the check among those of its real server.
func (c *Check) ID() CheckID {
	if c.Params == nil {
		return c.IDWith("")
	}
	return c.IDWith(c.Params.identity())
}

// Is reports whether the check has an identity. What is dear to find, that of its
// Params, is looked at last.
func (c *Check) Is(id CheckID) bool {
	switch {
	case c.Kind != id.Kind || c.IDWith(id.Params) != id:
		return false
	case c.Params == nil:
		return id.Params == ""
	}
	return c.Params.identity() == id.Params
}

// IDWith is ID for those who have kept its Params.
func (c *Check) IDWith(params string) CheckID {
	from := c.Source()
	return CheckID{
		Kind: c.Kind, Target: c.Target(), Bind: netip.AddrPortFrom(from.BindTo, from.BindPort),
		BindIf: from.BindIf, FWMark: from.FWMark, Params: params,
	}
}
