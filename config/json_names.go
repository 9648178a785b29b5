package config

import (
	"fmt"
	"reflect"
	"strings"
)

// A key of the JSON form is the name of its field in snake case, and so a
// keyword of keepalived.conf. What does not follow from that is listed here.

// jsonWords are keywords whose parts Go spells in capitals.
var jsonWords = strings.NewReplacer(
	"IPAddress", "Ipaddress", "IPv6", "Ipv6", "FWMark", "Fwmark", "FWMask", "Fwmask", "NFTables", "Nftables", "IPTables", "Iptables", "IPSets", "Ipsets",
	"IPSet", "Ipsets", "IPVLAN", "Ipvlan", "NoPreempt", "Nopreempt", "VirtualHost", "Virtualhost", "MaxLen", "Maxlen", "DBus", "Dbus", "SNMPVRRP", "SNMPVrrp", "SNMPVSS", "SNMPVsS", "SNMPRSS", "SNMPRsS", "BindTo", "Bindto", "SNMPRFC", "SNMPRfc",
	"IPRoute", "Iproute", "OnLink", "Onlink", "UThreshold", "Uthreshold", "LThreshold", "Lthreshold", "RFCv2", "Rfcv2", "RFCv3", "Rfcv3",
	"VRIDs", "Vrids", "TunnelID", "TunnelId", "TTLPropag", "TTLPropagate", "TCPFin", "Tcpfin", "UIDRange", "Uidrange", "IPProto", "Ipproto",
	"SPort", "Sport", "DPort", "Dport", "AdvMSS", "Advmss", "RTTVar", "Rttvar", "SSThresh", "Ssthresh", "InitCwnd", "Initcwnd", "InitRwnd", "Initrwnd",
	"QuickAck", "Quickack", "CongCtl", "Congctl", "HopLimit", "Hoplimit",
)

// jsonNames are the keys of fields by themselves: "-" is left out, "+" stands
// in the object around it, with the prefix that follows.
var jsonNames = map[string]string{
	"Config.Global": "global_defs", "Config.Scripts": "vrrp_script", "Config.Groups": "vrrp_sync_group", "Config.Instances": "vrrp_instance",
	"Config.Daemon": "+", "Config.Static": "+", "Config.Links": "+", "Config.Trackers": "+", "Config.Services": "virtual_server",
	"Config.ServiceGroups": "virtual_server_group", "Config.SSL": "SSL",

	"Static.IPAddress": "static_ipaddress", "Static.Routes": "static_routes", "Static.Rules": "static_rules", "Static.TrackGroups": "track_group",
	"Links.GarpGroups": "garp_group", "Links.Linkbeat": "linkbeat_interfaces", "Links.Delays": "interface_up_down_delays", "Linkbeat.Link": "+", "UpDownDelay.Link": "+",
	"Trackers.Files": "track_file", "Trackers.Processes": "vrrp_track_process", "Trackers.BFD": "bfd_instance", "Trackers.Disabled": "-",
	"TrackGroup.Members": "group", "SyncGroup.Members": "group", "SyncGroup.MemberOrigins": "-",

	"Global.SMTPTLS": "smtp_tls", "Global.Process": "+", "Global.Firewall": "+", "Global.FIFO": "+", "Global.Receive": "+", "Global.Interface": "+", "Global.Reload": "+",
	"GlobalProcess.VRRP": "+vrrp_", "GlobalProcess.Checker": "+checker_", "GlobalProcess.BFD": "+bfd_",
	"Process.RTPriority": "rt_priority",
	"FIFOs.Notify":       "notify_fifo", "FIFOs.VRRPNotify": "vrrp_notify_fifo", "FIFOs.LVSNotify": "lvs_notify_fifo",
	"ReceiveBuffers.VRRPNetlinkCmd": "vrrp_netlink_cmd_rcv_bufs", "ReceiveBuffers.VRRPNetlinkMonitor": "vrrp_netlink_monitor_rcv_bufs",
	"ReceiveBuffers.LVSNetlinkCmd": "lvs_netlink_cmd_rcv_bufs", "ReceiveBuffers.LVSNetlinkMonitor": "lvs_netlink_monitor_rcv_bufs",
	"ReceiveBuffers.ProcessMonitor": "process_monitor_rcv_bufs",

	"Instance.InterfaceOrigin": "-", "Instance.Links": "-", "Instance.Requires": "-", "Instance.MaxAdvertInterval": "-", "Instance.Unable": "-", "Command.Secure": "-", "Command.AllGroups": "-", "Instance.UnicastPeers": "unicast_peer", "Instance.VMAC": "use_vmac", "Instance.IPVLAN": "use_ipvlan",
	"Authentication.Type": "auth_type", "Authentication.Pass": "auth_pass", "AuthHMAC.Keys": "key", "HMACKey.Held": "-",
	"Address.Prefix": "address", "Peer.Addr": "address", "Metric.Set": "-",
	"Route.NextHops": "nexthop", "RouteMetrics.FeatureECN": "features_ecn", "Rule.SuppressPrefixLength": "suppress_prefixlength", "Rule.SuppressInterfaceGroup": "suppress_ifgroup",
	"Rule.IPv6": "inet6", "Rule.L3MDev": "l3mdev", "Encap.ID": "id",

	"VirtualServer.Addr": "+", "SorryServer.Addr": "+", "RealServer.Addr": "+", "VirtualServer.RealServers": "real_server", "VirtualServer.Timing": "+",
	"SorryServer.Method": "lvs_method", "RealServer.Names": "+", "RealServer.Timing": "+", "RealServer.Checks": "checks",
	"Check.Kind": "kind", "Check.Bind": "+", "Check.Timing": "+", "Check.Params": "+",
	"HTTPParams.URLs": "url", "HTTPParams.Inherited": "-", "URL.StatusCodes": "status_code",
}

// jsonTexts are numbers that are written as text, as keepalived.conf has them.
var jsonTexts = map[string]func(reflect.Value) string{
	"GlobalProcess.Umask": func(v reflect.Value) string { return fmt.Sprintf("%04o", v.Uint()) },
	"Encap.Locator": func(v reflect.Value) string {
		n := v.Uint()
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%x:%x:%x:%x", n>>48, n>>32&0xffff, n>>16&0xffff, n&0xffff)
	},
}

// jsonParams are the types of [Params].
var jsonParams = []reflect.Type{
	reflect.TypeFor[UDPParams](), reflect.TypeFor[DNSParams](), reflect.TypeFor[SMTPParams](), reflect.TypeFor[HTTPParams](),
	reflect.TypeFor[MiscParams](), reflect.TypeFor[FileParams](), reflect.TypeFor[BFDParams](),
}

// jsonEnum is how the values of a type are spelt.
type jsonEnum struct {
	words   map[uint64]string
	bits    bool // a value is a list of words, one for each bit
	numbers bool // what has no word is a number
	texts   []string
}

// jsonEnums are the types whose values are keywords.
var jsonEnums = map[reflect.Type]jsonEnum{
	reflect.TypeFor[State]():           {words: map[uint64]string{1: "BACKUP", 2: "MASTER"}},
	reflect.TypeFor[AuthType]():        {words: map[uint64]string{1: "PASS", 2: "AH"}},
	reflect.TypeFor[Protocol]():        {words: map[uint64]string{6: "TCP", 17: "UDP", 132: "SCTP"}},
	reflect.TypeFor[Method]():          {words: map[uint64]string{1: "NAT", 2: "DR", 3: "TUN"}},
	reflect.TypeFor[TunnelType]():      {words: map[uint64]string{0: "ipip", 1: "gue", 2: "gre"}},
	reflect.TypeFor[TunnelChecksum]():  {words: map[uint64]string{0: "nocsum", 1: "csum", 2: "remcsum"}},
	reflect.TypeFor[Family]():          {words: map[uint64]string{2: "inet", 10: "inet6"}},
	reflect.TypeFor[HTTPProtocol]():    {words: map[uint64]string{0: "1.0", 1: "1.0C", 2: "1.1", 3: "2"}},
	reflect.TypeFor[TLSVersion]():      {words: map[uint64]string{0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}},
	reflect.TypeFor[MailTLS]():         {words: map[uint64]string{1: "starttls", 2: "implicit"}},
	reflect.TypeFor[RxPolicy]():        {words: map[uint64]string{1: "MTU", 2: "ADVERT", 3: "size"}},
	reflect.TypeFor[UnicastChecksum](): {words: map[uint64]string{1: "always", 2: "never"}},
	reflect.TypeFor[RouteAdd]():        {words: map[uint64]string{0: "prepend", 1: "append", 2: "add"}},
	reflect.TypeFor[Scope]():           {words: map[uint64]string{0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}, numbers: true},
	reflect.TypeFor[RouteType](): {words: map[uint64]string{
		1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw", 10: "nat", 11: "xresolve",
	}, numbers: true},
	reflect.TypeFor[AddressFlags](): {bits: true, words: map[uint64]string{1: "home", 2: "-nodad", 4: "mngtmpaddr", 8: "noprefixroute", 16: "autojoin"}},
	reflect.TypeFor[SchedFlags]():   {bits: true, words: map[uint64]string{1: "flag-1", 2: "flag-2", 4: "flag-3"}},
	reflect.TypeFor[IncludeCheck](): {bits: true, words: map[uint64]string{1: "read", 2: "match", 4: "wildcard_match", 8: "brace_match"}},

	reflect.TypeFor[CheckKind](): {texts: []string{
		"TCP_CHECK", "UDP_CHECK", "PING_CHECK", "DNS_CHECK", "SMTP_CHECK", "HTTP_GET", "SSL_GET", "MISC_CHECK", "FILE_CHECK", "BFD_CHECK",
	}},
	reflect.TypeFor[LinkbeatProbe](): {texts: []string{"MII", "ETHTOOL", "IOCTL"}},
	reflect.TypeFor[AntiReplay]():    {texts: []string{"time", "monotonic"}},
	reflect.TypeFor[HMACMode]():      {texts: []string{"enforce", "permissive", "receive-only"}},
	reflect.TypeFor[ParamMatch]():    {texts: []string{"exact", "initial", "partial"}},
	reflect.TypeFor[RoutePref]():     {texts: []string{"low", "medium", "high"}},
	reflect.TypeFor[RuleAction]():    {texts: []string{"lookup", "goto", "nop", "blackhole", "unreachable", "prohibit"}},
}

// jsonName is the key of a field of a type; see [jsonNames].
func jsonName(of reflect.Type, field string) string {
	if name, ok := jsonNames[of.Name()+"."+field]; ok {
		return name
	}
	return snake(jsonWords.Replace(field))
}

// snake is CamelCase as camel_case: VRRPVersion is vrrp_version.
func snake(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if upper(c) && i > 0 && (!upper(name[i-1]) || i+1 < len(name) && lower(name[i+1])) {
			b.WriteByte('_')
		}
		b.WriteByte(c)
	}
	return strings.ToLower(b.String())
}

func upper(c byte) bool { return c >= 'A' && c <= 'Z' }

func lower(c byte) bool { return c >= 'a' && c <= 'z' }
