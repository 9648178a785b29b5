package vrrp_test

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

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
	case "ah":
		i.Authentication = config.Authentication{Type: config.AuthAH, Pass: config.Secret(value)}
	case "hmac": // ID:SECRET,ID:SECRET, the first one is active
		i.AuthHMAC = &config.AuthHMAC{Mode: config.HMACEnforce, AntiReplay: config.ReplayTime}
		for _, key := range strings.Split(value, ",") {
			id, secret, _ := strings.Cut(key, ":")
			i.AuthHMAC.Keys = append(i.AuthHMAC.Keys, config.HMACKey{ID: uint8(p.number(id)), Secret: config.Secret(secret)})
		}
		i.AuthHMAC.ActiveKey = i.AuthHMAC.Keys[0].ID
	case "hmac_mode":
		a := *i.AuthHMAC
		a.Mode = config.HMACMode(value)
		i.AuthHMAC = &a
	case "anti_replay":
		i.AuthHMAC.AntiReplay = config.AntiReplay(value)
	case "owner_ignore_adverts":
		i.OwnerIgnoreAdverts = config.Some(value != "no")
	case "timer_expired_backup":
		i.TimerExpiredBackup = p.number(value)
	case "v3_checksum_as_v2":
		i.V3ChecksumAsV2 = config.Some(true)
	case "old_unicast_checksum":
		i.OldUnicastChecksum = map[string]config.UnicastChecksum{"": config.ChecksumOld, "never": config.ChecksumNever}[value]
	case "garp_extra_if": // all, every so often
		i.GarpExtraIf = config.Some(config.ExtraGarp{All: true, Interval: p.duration(value)})
	case "strict":
		i.StrictMode = config.Some(true)
	case "elsewhere": // more addresses, on eth1
		for _, a := range p.addresses(value) {
			a.Dev = "eth1"
			i.VirtualIPAddress = append(i.VirtualIPAddress, a)
		}
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
	case "garp_lower_prio_delay":
		i.GarpLowerPrioDelay = config.Some(p.duration(value))
	case "garp_lower_prio_repeat":
		i.GarpLowerPrioRepeat = config.Some(p.number(value))
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
	case "mcast_src_ip":
		i.McastSrcIP = netip.MustParseAddr(value)
	case "unicast_src_ip":
		i.UnicastSrcIP = netip.MustParseAddr(value)
	case "track_src_ip":
		i.TrackSrcIP = value != "no"
	case "unicast":
		i.UnicastPeers = nil
		for _, s := range strings.Split(value, ",") {
			words := strings.Split(s, "/") // min_ttl, max_ttl
			peer := config.Peer{Addr: netip.MustParseAddr(words[0])}
			if len(words) > 2 {
				peer.MinTTL, peer.MaxTTL = config.Some(uint8(p.number(words[1]))), config.Some(uint8(p.number(words[2])))
			}
			i.UnicastPeers = append(i.UnicastPeers, peer)
		}
	case "check_unicast_src":
		i.CheckUnicastSrc = config.Some(true)
	case "script":
		i.TrackScript = append(i.TrackScript, p.tracker(value))
	case "link":
		i.TrackInterface = append(i.TrackInterface, p.tracker(value))
	case "file":
		i.TrackFile = append(i.TrackFile, p.tracker(value))
	case "process":
		i.TrackProcess = append(i.TrackProcess, p.tracker(value))
	case "bfd":
		i.TrackBFD = append(i.TrackBFD, p.tracker(value))
	case "notify_priority_changes":
		i.NotifyPriorityChanges = config.Some(true)
	default:
		p.t.Fatalf("unknown key %s", key)
	}
}

// tracker is NAME, NAME:WEIGHT or NAME:WEIGHT:reverse.
func (p *player) tracker(value string) config.Track {
	words := strings.Split(value, ":")
	t := config.Track{Name: words[0], Weight: config.Some(0), Reverse: config.Some(len(words) > 2)}
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
		case "file":
			g.TrackFile = append(g.TrackFile, p.tracker(value))
		case "process":
			g.TrackProcess = append(g.TrackProcess, p.tracker(value))
		case "bfd":
			g.TrackBFD = append(g.TrackBFD, p.tracker(value))
		default:
			g.Members = append(g.Members, arg)
		}
	}
	p.cfg.Groups = append(p.cfg.Groups, g)
}

// global sets what holds for all instances.
func (p *player) global(args []string) {
	g := &p.cfg.Global
	for _, arg := range args {
		switch key, value, _ := strings.Cut(arg, "="); key {
		case "vrrp_startup_delay":
			g.VRRPStartupDelay = p.duration(value)
		case "vrrp_max_advert_interval":
			g.VRRPMaxAdvertInterval = p.duration(value)
		default:
			p.t.Fatalf("unknown key %s", key)
		}
	}
}
