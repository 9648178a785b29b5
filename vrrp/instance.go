package vrrp

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// Machine is the state of one virtual router, RFC 9568 section 6.4. It belongs
// to one [Group], which steps it; a reload may move it to another.
type Machine struct {
	cfg     config.Instance
	place   int // in the configuration
	stats   Stats
	started bool // has been told to Start
	told    bool // has told a state
	state   config.State
	own     wire.Advert // what is sent, made again when something in it changes
	advert  advert      // the effect that sends it
	inTurn  advert      // the one that sends it with a number; nil: none yet

	deadline time.Time    // Adver_Timer of a MASTER, Active_Down_Timer of a BACKUP, end of the startup delay of an owner in INIT
	expired  bool         // the BACKUP's timer has run out, its sync group is not ready
	announce announcer    // gratuitous ARP that is still to come
	spoken   [2]time.Time // when a MASTER said something, an advert or what it does instead of one: the last times
	quiet    time.Time    // end of vrrp_startup_delay: until then nobody is heard
	rival    rivalry

	priority       uint8         // effective
	learned        time.Duration // Active_Adver_Interval, RFC 9568 section 6.1
	master         netip.Addr    // who sent the last accepted advert
	masterPriority uint8         // the priority in it
	cause          MasterReason  // why it would be MASTER, if the timer of a BACKUP ran out now
	changed        time.Time     // of the state; zero: never
	preemptAt      time.Time     // end of preempt_delay; zero: none runs

	link       LinkChanged // that of the interface, as told last
	device     LinkChanged // that of use_vmac or use_ipvlan, likewise
	source     netip.Addr  // the last one, when sourceless
	sourceless bool
	deaf       bool  // adverts have no socket
	homes      homes // of the source that track_src_ip is about
	trackers   []tracker

	ah       *wire.AH    // auth_type AH; nil: not configured
	sequence uint32      // the highest in an authentication header sent or accepted
	numbers  senders     // of authentication headers, by sender
	hmac     *trailers   // auth_hmac; nil: not configured
	heard    wire.Advert // of the datagram being looked at
	reported reports
}

// NewMachine is a virtual router in INIT. The configuration is resolved.
func NewMachine(cfg config.Instance) *Machine {
	m := &Machine{cfg: cfg, cause: ReasonSilence}
	m.learned = m.interval()
	m.track(nil)
	m.priority = m.effective()
	m.authenticate(config.Authentication{})
	m.refreshSource()
	return m
}

// Name is the name of the vrrp_instance.
func (m *Machine) Name() string { return m.cfg.Name }

// Config is the configuration in effect; it is only read.
func (m *Machine) Config() *config.Instance { return &m.cfg }

// State is Init, Backup, Master, Fault or, after a [Shutdown], Stop.
func (m *Machine) State() config.State { return m.state }

// Priority is the effective priority.
func (m *Machine) Priority() uint8 { return m.priority }

// Source is the address that adverts are sent from; unset when there is none.
func (m *Machine) Source() netip.Addr {
	if m.sourceless {
		return netip.Addr{}
	}
	return m.source
}

// Master is the router whose advert was accepted last; unset before the first.
func (m *Machine) Master() netip.Addr { return m.master }

// Stats are the counters.
func (m *Machine) Stats() Stats { return m.stats }

// refreshSource chooses the source of adverts: as configured, or the first
// address of the link that is no virtual one. A predecessor that was killed
// may have left virtual addresses behind. A source that is gone is still that
// of the farewell.
func (m *Machine) refreshSource() {
	source := m.chooseSource()
	m.sourceless = !source.IsValid()
	if !m.sourceless {
		m.source = source
	}
	m.compose()
}

func (m *Machine) chooseSource() netip.Addr {
	if m.cfg.Unicast() && m.cfg.UnicastSrcIP.IsValid() {
		return m.cfg.UnicastSrcIP
	}
	if m.cfg.McastSrcIP.IsValid() {
		return m.cfg.McastSrcIP
	}
	if own := m.cfg.IPVLAN; own != nil && own.Prefix.IsValid() {
		return own.Prefix.Addr()
	}
	own := m.link.IPv4
	if m.cfg.IPv6() {
		own = m.link.IPv6
	}
	for _, addr := range own {
		if !holds(m.cfg.VirtualIPAddress, addr) && !holds(m.cfg.VirtualIPAddressExcluded, addr) {
			return addr
		}
	}
	return netip.Addr{}
}

func holds(list []config.Address, addr netip.Addr) bool {
	return slices.ContainsFunc(list, func(a config.Address) bool { return a.Prefix.Addr() == addr })
}

// say adds a line about the instance to the log.
func (m *Machine) say(out *effects, format string, args ...any) {
	out.add(m.line(false, fmt.Sprintf("(%s) ", m.cfg.Name)+fmt.Sprintf(format, args...)))
}

// line is one about the instance and its present state.
func (m *Machine) line(detail bool, text string) Log {
	return Log{Detail: detail, Text: text, Instance: m.cfg.Name, State: m.state}
}

// detail is say for what keepalived says only with -D.
func (m *Machine) detail(out *effects, format string, args ...any) {
	out.add(m.line(true, fmt.Sprintf("(%s) ", m.cfg.Name)+fmt.Sprintf(format, args...)))
}

// enter changes the state. Timers of the old one end.
func (m *Machine) enter(now time.Time, s config.State) {
	if m.state == config.Master {
		m.stats.ReleaseMaster++
	}
	m.state, m.changed = s, now
	m.deadline, m.expired, m.preemptAt = time.Time{}, false, time.Time{}
	m.announce, m.spoken = announcer{}, [2]time.Time{}
	m.cause = ReasonSilence
	m.reported.forgive(now)
}

// toMaster: the advert leaves first, then the addresses are taken.
func (m *Machine) toMaster(now time.Time, out *effects) {
	m.stats.Reason = m.cause
	m.enter(now, config.Master)
	m.stats.BecomeMaster++
	m.master = netip.Addr{}
	m.reinstate(now, out)
	m.send(now, out)
	m.spoke(now)
	m.deadline = now.Add(m.interval())
	m.say(out, "Entering MASTER STATE")
	own := m.interval()
	if theirs := m.masterInterval(); theirs != own {
		m.detail(out, "changing advert interval from %dms to locally configured %dms", theirs.Milliseconds(), own.Milliseconds())
	}
	m.learned = own
	want := claim(&m.cfg)
	if want.claims().Empty() {
		return
	}
	m.handle(out, "setting", false)
	out.add(want)
	if len(want.Addresses) > 0 {
		m.gratuitous(out, want.Addresses, m.cfg.GarpMasterRepeat.Value)
		m.announce.schedule(now, &m.cfg)
	}
}

// handle says what is done with what the instance has in the kernel.
func (m *Machine) handle(out *effects, what string, backwards bool) {
	says := []string{" firewall drop rule", " VIPs.", " E-VIPs.", " Virtual Routes", " Virtual Rules"}
	counts := []int{len(m.cfg.Claims().Closed), len(m.cfg.VirtualIPAddress), len(m.cfg.VirtualIPAddressExcluded), len(m.cfg.VirtualRoutes), len(m.cfg.VirtualRules)}
	order := []int{0, 1, 2, 3, 4}
	if backwards {
		order = []int{4, 3, 1, 2, 0}
	}
	for _, i := range order {
		if counts[i] > 0 {
			m.detail(out, "%s%s", what, says[i])
		}
	}
}

// open is the first moment from now on at which the instance hears anything.
func (m *Machine) open(now time.Time) time.Time {
	if now.Before(m.quiet) {
		return m.quiet
	}
	return now
}

// waiting says that the instance takes no part in the election.
func (m *Machine) waiting() bool { return m.state == config.Init || m.state == config.Fault }

// begin is toBackup for an instance that need not be kept in INIT.
func (m *Machine) begin(now time.Time, down time.Duration, out *effects) {
	m.enter(now, config.Backup)
	m.deadline = m.open(now).Add(down)
	m.say(out, "Entering BACKUP STATE (init)")
}

// await is for an owner of the addresses during the startup delay, at the end
// of which it is MASTER: it stays in INIT, and nobody is told.
func (m *Machine) await() { m.deadline = m.quiet }

// toBackup waits for adverts, for down at the longest.
func (m *Machine) toBackup(now time.Time, down time.Duration, out *effects) {
	was := m.state
	m.enter(now, config.Backup)
	m.deadline = m.open(now).Add(down)
	m.say(out, "Entering BACKUP STATE")
	if was == config.Master {
		m.release(out)
	}
}

// toFault is for a failure of the instance itself, own, or of its sync group.
// A MASTER resigns before it gives its addresses up.
func (m *Machine) toFault(now time.Time, own bool, out *effects) {
	was := m.state
	if was == config.Master {
		m.resign(now, out)
		if own {
			m.resign(now, out) // keepalived sends two of them
		}
	}
	if own {
		out.add(m.line(false, m.failure()))
	}
	m.enter(now, config.Fault)
	m.say(out, "Entering FAULT STATE")
	if was == config.Master {
		if own {
			m.detail(out, "sent 0 priority")
		}
		m.release(out)
	}
	m.learned = m.interval()
	m.master = netip.Addr{}
}

// end is the farewell of an instance that stops or is no longer configured.
func (m *Machine) end(now time.Time, s config.State, out *effects) {
	was := m.state
	if was == config.Master {
		m.resign(now, out)
		m.detail(out, "sent 0 priority")
		m.release(out)
	}
	m.enter(now, s)
}

func (m *Machine) release(out *effects) {
	if !m.cfg.Claims().Empty() {
		m.handle(out, "removing", true)
		out.add(Claim{Instance: m.cfg.Name})
	}
}
