package config

import (
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Links is what the configuration says about interfaces as such.
type Links struct {
	GarpGroups []GarpGroup
	Linkbeat   []Linkbeat
	Delays     []UpDownDelay
}

// GarpGroup is a garp_group block: interfaces that share one rate of
// gratuitous ARP and unsolicited neighbour advertisements.
type GarpGroup struct {
	Origin       Origin
	GarpInterval Opt[time.Duration]
	GnaInterval  Opt[time.Duration]
	Interfaces   []Link
}

// Link is an interface where it is named.
type Link struct {
	Origin Origin
	Name   string
}

// Linkbeat is a line of linkbeat_interfaces.
type Linkbeat struct {
	Link
	Probe LinkbeatProbe
}

// LinkbeatProbe is how the state of a link is asked for.
type LinkbeatProbe string

// The probes of linkbeat_interfaces.
const (
	ProbeAuto    LinkbeatProbe = ""
	ProbeMII     LinkbeatProbe = "MII"
	ProbeEthtool LinkbeatProbe = "ETHTOOL"
	ProbeIoctl   LinkbeatProbe = "IOCTL"
)

// UpDownDelay is a line of interface_up_down_delays: how long a link must be
// down or up before it counts.
type UpDownDelay struct {
	Link
	Down, Up time.Duration
}

// Linkbeats are the links whose drivers are asked: those of
// linkbeat_interfaces, and with linkbeat_use_polling those of instances.
func (c *Config) Linkbeats() []Linkbeat {
	all := slices.Clone(c.Links.Linkbeat)
	for i := range c.Instances {
		v := &c.Instances[i]
		if v.Interface != "" && (v.LinkbeatUsePolling || c.Daemon.LinkbeatUsePolling) {
			all = append(all, Linkbeat{Link: Link{Origin: v.InterfaceOrigin, Name: v.Interface}})
		}
	}
	return all
}

// LinkDelays are the delays of links as they hold: on an interface where an
// instance runs, its backups must not become MASTER before it has noticed.
// Valid after [Config.Resolve].
func (c *Config) LinkDelays() []UpDownDelay {
	delays := slices.Clone(c.Links.Delays)
	for k := range delays {
		for i := range c.Instances {
			if v := &c.Instances[i]; v.Interface == delays[k].Name {
				most := v.longestDelay(v.DownTimerAdverts.Value)
				delays[k].Down, delays[k].Up = min(delays[k].Down, most), min(delays[k].Up, most)
			}
		}
	}
	return delays
}

// longestDelay is what the interface of an instance may be down unnoticed.
func (i *Instance) longestDelay(downTimerAdverts int) time.Duration {
	return max(time.Duration(downTimerAdverts-1)*i.AdvertInt-i.AdvertInt/256, 0)
}

// VMAC is use_vmac: adverts and addresses on a macvlan with the virtual
// router's address, RFC 9568 section 7.3.
type VMAC struct {
	Origin           Origin
	Name             string // vrrp.VRID when empty
	MAC              MAC
	Group            string // interface group, a name or a number
	NetlinkNotifyMsg bool
}

// MAC is a hardware address of six octets, or of the first five: the last one
// is the virtual router's number then.
type MAC struct {
	Octets [6]byte
	Len    uint8 // 0: none
}

// IPVLAN is use_ipvlan.
type IPVLAN struct {
	Name   string
	Mode   string       // bridge, private or vepa; bridge when empty
	Prefix netip.Prefix // the source address of adverts
	Group  string
}

// AuthHMAC is the auth_hmac block: adverts with a trailer that authenticates
// them, an extension of keepalived 2.4.
type AuthHMAC struct {
	Origin     Origin
	Keys       []HMACKey
	ActiveKey  uint8
	TimeWindow Opt[time.Duration] // three intervals, 5 to 300 s, when not given
	AntiReplay AntiReplay
	Mode       HMACMode
}

// HMACKey is a key of auth_hmac: its bytes, or the file that holds them.
type HMACKey struct {
	Origin Origin
	ID     uint8
	Secret Secret // as written: the bytes themselves, or hex: and their digits
	File   string
	Held   Secret // what the file holds, after Validate
}

// Bytes are the key's; none when its file could not be read.
func (k *HMACKey) Bytes() []byte {
	if k.File != "" {
		return []byte(k.Held)
	}
	if digits, ok := strings.CutPrefix(string(k.Secret), "hex:"); ok {
		b, _ := hex.DecodeString(digits) // the parser has seen to it
		return b
	}
	return []byte(k.Secret)
}

// AntiReplay is anti_replay of auth_hmac.
type AntiReplay string

// The values of anti_replay.
const (
	ReplayTime      AntiReplay = "time"
	ReplayMonotonic AntiReplay = "monotonic"
)

// HMACMode is mode of auth_hmac.
type HMACMode string

// The values of mode.
const (
	HMACEnforce     HMACMode = "enforce"
	HMACPermissive  HMACMode = "permissive"
	HMACReceiveOnly HMACMode = "receive-only"
)

// DefaultAuthHMAC is what holds in an auth_hmac block that says nothing.
var DefaultAuthHMAC = AuthHMAC{AntiReplay: ReplayTime, Mode: HMACEnforce}
