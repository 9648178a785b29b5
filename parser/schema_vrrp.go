package parser

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func instanceBlock() *block[config.Instance] {
	type inst = config.Instance
	duration, number := func(f func(*inst) *config.Opt[time.Duration]) row[inst] { return opt(wholeSeconds(0, 4294), f) }, opt[inst, int]
	return &block[inst]{path: "vrrp_instance", rows: merged(instanceMoreRows(), instanceKernelRows(), instanceTracks(), rows[inst]{
		"version":   instanceVersion(),
		"state":     {apply: instanceState},
		"interface": {apply: instanceInterface, says: "Interface name '%V' too long - ignoring"},
		"virtual_router_id": set(num[uint8](1, 255), func(i *inst) *uint8 { return &i.VirtualRouterID }).
			or("(%N): VRID '%V' not valid - must be between 1 & 255"),
		"priority": instancePriority(),
		"advert_int": set(seconds(10*time.Millisecond, 255*time.Second), func(i *inst) *time.Duration { return &i.AdvertInt }).
			or("(%N) Advert interval (%V) not valid! Must be > 0 - ignoring"),
		"nopreempt": on(func(i *inst) { i.NoPreempt = true }),
		"preempt":   on(func(i *inst) { i.NoPreempt = false }),
		"preempt_delay": set(seconds(0, 1000*time.Second), func(i *inst) *time.Duration { return &i.PreemptDelay }).
			or("(%N) Preempt_delay not valid! must be between 0-1000"),
		"mcast_src_ip":   sourceAddress(func(i *inst) *netip.Addr { return &i.McastSrcIP }),
		"unicast_src_ip": sourceAddress(func(i *inst) *netip.Addr { return &i.UnicastSrcIP }),
		"mcast_dst_ip":   set(multicast, func(i *inst) *netip.Addr { return &i.McastDstIP }).or("(%N) mcast_dst_ip %V not multicast. Skipping..."),
		"unicast_peer":   {block: true, apply: unicastPeers},
		"unicast_ttl": opt(num[uint8](0, 255), func(i *inst) *config.Opt[uint8] { return &i.UnicastTTL }).
			or("(%N): TTL '%V' not valid - must be between 0 & 255"),
		"check_unicast_src":   on(func(i *inst) { i.CheckUnicastSrc = config.Some(true) }),
		"skip_check_adv_addr": optBool(func(i *inst) *config.Opt[bool] { return &i.SkipCheckAdvAddr }).or("(%N) invalid skip_check_adv_addr %V specified"),
		"strict_mode": optBool(func(i *inst) *config.Opt[bool] { return &i.StrictMode }).or("(%N) invalid strict_mode %V specified").
			at(func(i *inst) *config.Origin { return &i.StrictOrigin }),
		"dont_track_primary": on(func(i *inst) { i.DontTrackPrimary = true }),
		"auth_hmac":          {block: true, apply: authHMAC},
		"authentication":     nest(authenticationBlock(), func(i *inst) *config.Authentication { return &i.Authentication }),

		"virtual_ipaddress":          addresses(func(i *inst) *[]config.Address { return &i.VirtualIPAddress }, virtualAddress),
		"virtual_ipaddress_excluded": addresses(func(i *inst) *[]config.Address { return &i.VirtualIPAddressExcluded }, excludedAddress),
		"track_interface":            trackInterface(func(i *inst) *[]config.Track { return &i.TrackInterface }),
		"track_script":               trackScript(func(i *inst) *[]config.Track { return &i.TrackScript }),

		"garp_master_delay":          duration(func(i *inst) *config.Opt[time.Duration] { return &i.GarpMasterDelay }).or("(%N): garp_master_delay '%V' invalid - ignoring"),
		"garp_master_refresh":        duration(func(i *inst) *config.Opt[time.Duration] { return &i.GarpMasterRefresh }).or("(%N): Invalid garp_master_refresh '%V' - ignoring"),
		"garp_master_repeat":         optRepeat(func(i *inst) *config.Opt[int] { return &i.GarpMasterRepeat }),
		"garp_master_refresh_repeat": optRepeat(func(i *inst) *config.Opt[int] { return &i.GarpMasterRefreshRepeat }),
		"garp_lower_prio_delay":      duration(func(i *inst) *config.Opt[time.Duration] { return &i.GarpLowerPrioDelay }).or("(%N): garp_lower_prio_delay '%V' invalid - ignoring"),
		"garp_lower_prio_repeat":     number(count(0, maxInt), func(i *inst) *config.Opt[int] { return &i.GarpLowerPrioRepeat }).or("(%N): Invalid garp_lower_prio_repeat '%V'"),
		"kernel_rx_buf_size": set(num[uint32](0, 1<<32-1), func(i *inst) *uint32 { return &i.KernelRxBufSize }).
			or("(%N) invalid kernel_rx_buf_size specified").orMissing("(%N) invalid kernel_rx_buf_size specified").alone("(%N) invalid kernel_rx_buf_size specified"),
		"down_timer_adverts":      number(count(1, 100), func(i *inst) *config.Opt[int] { return &i.DownTimerAdverts }).or("(%N): Invalid down_timer_adverts [1:100] '%V'"),
		"lower_prio_no_advert":    optBool(func(i *inst) *config.Opt[bool] { return &i.LowerPrioNoAdvert }).or("(%N) invalid lower_prio_no_advert %V specified"),
		"higher_prio_send_advert": optBool(func(i *inst) *config.Opt[bool] { return &i.HigherPrioSendAdvert }).or("(%N) invalid higher_prio_send_advert %V specified"),

		"notify":                     script(func(i *inst) *config.Command { return made(&i.Notify) }),
		"notify_master":              script(func(i *inst) *config.Command { return made(&i.NotifyMaster) }),
		"notify_backup":              script(func(i *inst) *config.Command { return made(&i.NotifyBackup) }),
		"notify_fault":               script(func(i *inst) *config.Command { return made(&i.NotifyFault) }),
		"notify_stop":                script(func(i *inst) *config.Command { return made(&i.NotifyStop) }),
		"notify_deleted":             {apply: notifyDeleted},
		"notify_master_rx_lower_pri": script(func(i *inst) *config.Command { return made(&i.NotifyMasterRxLowerPri) }),
		"linkbeat_use_polling":       {apply: instancePolling},
		"notify_priority_changes": optBool(func(i *inst) *config.Opt[bool] { return &i.NotifyPriorityChanges }).
			or("(%N) Invalid value '%V' for notify_priority_changes specified"),
	})}
}

func instanceTracks() rows[config.Instance] {
	type inst = config.Instance
	return trackRows(
		func(i *inst) *[]config.Track { return &i.TrackFile },
		func(i *inst) *[]config.Track { return &i.TrackProcess },
		func(i *inst) *[]config.Track { return &i.TrackBFD })
}

func authenticationBlock() *block[config.Authentication] {
	type auth = config.Authentication
	return &block[auth]{path: "vrrp_instance/authentication", rows: rows[auth]{
		"auth_type": set(oneOf(map[string]config.AuthType{"PASS": config.AuthPass, "AH": config.AuthAH, "IPSEC": config.AuthAH}),
			func(a *auth) *config.AuthType { return &a.Type }).or("(%N) unknown authentication type '%V'"),
		"auth_pass": {apply: authPass},
	}}
}

func authPass(c *cursor, a *config.Authentication) {
	word, ok := c.need()
	if !ok {
		return
	}
	if len(word) > 8 { // Authentication Data, RFC 2338 section 5.3.10
		c.errorf(config.ClassGeneral, "auth-pass-truncated", "Truncating auth_pass to 8 characters")
		word = word[:8]
	}
	a.Pass = config.Secret(strings.Clone(word))
}

// instanceState: once MASTER was said, BACKUP is too late.
func instanceState(c *cursor, i *config.Instance) {
	word, ok := c.need()
	switch {
	case !ok:
	case word == "MASTER":
		i.State = config.Some(config.Master)
	case word != "BACKUP":
		c.hinted(config.ClassGeneral, "invalid-value", oneOfThese(word, []string{"MASTER", "BACKUP"}), "(%s) unknown state '%s', defaulting to BACKUP", c.d.name, word)
		fallthrough
	case !i.State.Set:
		i.State = config.Some(config.Backup)
	}
}

// instancePriority: a wrong one is the default even of a MASTER, which without
// any would own its addresses.
func instancePriority() row[config.Instance] {
	r := opt(num[uint8](1, config.Owner), func(i *config.Instance) *config.Opt[uint8] { return &i.Priority }).
		or("(%N) Priority not valid! must be between 1 & 255. Using default 100").at(func(i *config.Instance) *config.Origin { return &i.PriorityOrigin })
	read := r.apply
	r.apply = func(c *cursor, i *config.Instance) {
		i.Priority = config.Some[uint8](config.DefaultPriority)
		read(c, i)
	}
	return r
}

func instanceInterface(c *cursor, i *config.Instance) {
	if before := *c; c.rest != "" {
		if name, _ := c.next(); name == "lo" {
			c.errorf(config.ClassGeneral, "loopback", "(%s) cannot use a loopback interface (%s) for vrrp - ignoring", c.d.name, name)
			return
		}
		*c = before
	}
	set(ifname, func(i *config.Instance) *string { return &i.Interface }).apply(c, i)
	i.InterfaceOrigin = c.d.src.origin(c.pos())
}

// instanceVersion is the version of the protocol. The first one that is said counts.
func instanceVersion() row[config.Instance] {
	r := opt(num[uint8](2, 3), func(i *config.Instance) *config.Opt[uint8] { return &i.Version })
	read := r.apply
	r.apply = func(c *cursor, i *config.Instance) {
		before := i.Version
		read(c, i)
		if before.Set && i.Version != before {
			c.errorf(config.ClassGeneral, "duplicate", "(%s) vrrp_version %d conflicts with configured or deduced version %d; ignoring.", c.d.name, i.Version.Value, before.Value)
			i.Version = before
		}
	}
	return r.or("(%N): Version must be either 2 or 3")
}

// sourceAddress is the address that adverts come from, of the family of what was
// there before.
func sourceAddress(field func(*config.Instance) *netip.Addr) row[config.Instance] {
	r := set(address, field)
	read := r.apply
	r.apply = func(c *cursor, i *config.Instance) {
		is6, known := familyOf(i)
		before := *field(i)
		read(c, i)
		if a := *field(i); known && a.IsValid() && a.Is6() != is6 {
			c.errorf(config.ClassGeneral, "address-family", "Configuration error: VRRP instance[%s] and src address[%s] MUST be of the same family !!! Skipping...", c.d.name, a)
			*field(i) = before
		}
	}
	return r.or("Configuration error: VRRP instance[%N] malformed src address[%V]. Skipping...")
}

// nativeIPv6 comes before the addresses, or they have decided already.
func nativeIPv6(c *cursor, i *config.Instance) {
	if is6, known := familyOf(i); known && !is6 {
		c.errorf(config.ClassGeneral, "address-family", "(%s) Cannot specify native_ipv6 with IPv4 addresses", c.d.name)
		return
	}
	i.NativeIPv6 = true
}

func multicast(word string) (netip.Addr, *fault) {
	a, f := address(word)
	if f == nil && !a.IsMulticast() {
		f = badValue("'%s' is not a multicast address", word)
	}
	return a, f
}

// optRepeat is repeat of which global_defs may say otherwise.
func optRepeat(field func(*config.Instance) *config.Opt[int]) row[config.Instance] {
	return row[config.Instance]{apply: func(c *cursor, i *config.Instance) {
		n := -1
		repeat(func(n *int) *int { return n }).apply(c, &n)
		if n >= 0 {
			*field(i) = config.Some(n)
		}
	}, write: opt(count(0, maxInt), field).write}
}

func notifyDeleted(c *cursor, i *config.Instance) {
	var cmd config.Command
	if trim(c.rest) != "" {
		cmd, _ = c.command()
	}
	i.NotifyDeleted.Set = true
	if !cmd.IsZero() || !i.NotifyDeleted.Value.IsZero() {
		c.assign(made(&i.NotifyDeleted.Value), cmd)
	}
}

// familyOf is the address family that an instance is bound to by what it has
// so far: its first address decides.
func familyOf(i *config.Instance) (is6, known bool) {
	if len(i.VirtualIPAddress) == 0 && len(i.UnicastPeers) > 0 && !i.NativeIPv6 {
		return i.UnicastPeers[0].Addr.Is6(), true
	}
	return i.IPv6(), i.NativeIPv6 || len(i.VirtualIPAddress) > 0 || i.UnicastSrcIP.IsValid() || i.McastSrcIP.IsValid()
}

// unicastPeers leaves an empty list, not none: the block is there and names
// nobody.
func unicastPeers(c *cursor, i *config.Instance) {
	if i.UnicastPeers == nil {
		i.UnicastPeers = []config.Peer{}
	}
	list(unicastPeer).apply(c, i)
}

func unicastPeer(c *cursor, i *config.Instance) {
	p, ok := c.peer()
	if !ok {
		return
	}
	is6, known := familyOf(i)
	switch {
	case known && p.Addr.Is6() != is6:
		c.errorf(config.ClassGeneral, "address-family", "Configuration error: VRRP instance[%s] and unicast peer address[%s] MUST be of the same family !!! Skipping...", c.d.name, p.Addr)
	case c.d.twice(mention{list: c.keyword, name: p.Addr.String()}):
		c.errorf(config.ClassGeneral, "duplicate", "(%s) %s - duplicate unicast_peer", c.d.name, p.Addr)
	default:
		i.UnicastPeers = append(i.UnicastPeers, p)
	}
}

// addresses is a list with room for an address on each line.
func addresses(field func(*config.Instance) *[]config.Address, each func(*cursor, *config.Instance)) row[config.Instance] {
	r := list(each)
	read := r.apply
	r.apply = func(c *cursor, i *config.Instance) {
		all := field(i)
		*all = slices.Grow(*all, len(c.st.Body.tokens))
		read(c, i)
	}
	return r
}

func virtualAddress(c *cursor, i *config.Instance) {
	a, ok := c.address()
	if !ok {
		return
	}
	is6, known := familyOf(i)
	switch {
	case known && a.Prefix.Addr().Is6() != is6:
		c.at = 0
		c.errorf(config.ClassGeneral, "address-family", "(%s): address family must match VRRP instance [%s] - ignoring", c.d.name, a.Prefix.Addr())
	case c.twiceAddress(&a):
		c.at = 0
		c.errorf(config.ClassGeneral, "duplicate", "(%s): VIP duplicates a VIP %s - ignoring", c.d.name, a.Prefix.Addr())
	default:
		i.VirtualIPAddress = append(i.VirtualIPAddress, a)
	}
}

func excludedAddress(c *cursor, i *config.Instance) {
	a, ok := c.address()
	switch {
	case !ok:
	case c.twiceAddress(&a):
		c.at = 0
		c.errorf(config.ClassGeneral, "duplicate", "(%s): eVIP duplicates an eVIP %s - ignoring", c.d.name, a.Prefix.Addr())
	default:
		i.VirtualIPAddressExcluded = append(i.VirtualIPAddressExcluded, a)
	}
}

func (c *cursor) twiceAddress(a *config.Address) bool {
	return c.d.twice(mention{list: c.keyword, prefix: a.Prefix, name: a.Dev})
}
