package parser

import (
	"fmt"
	"strings"
)

// Two relatives of keepalived have keywords of their own: the keepalived of
// DPVS, a balancer on DPDK, and that of Alibaba's LVS. Files move between them.
const (
	dialectBoth    = "dpvs and Alibaba's LVS"
	dialectDPVS    = "dpvs"
	dialectAlibaba = "Alibaba's LVS"
)

// dialect is a keyword of a relative, and what it is there.
type dialect struct{ of, what string }

func dialectKeyword(keyword string) (dialect, bool) {
	switch keyword {
	case "local_address_group", "laddr_group_name":
		return dialect{dialectBoth, "the addresses that FULLNAT connects from"}, true
	case "syn_proxy":
		return dialect{dialectBoth, "SYN cookies in front of a service; net.ipv4.tcp_syncookies of the real servers comes nearest"}, true
	case "vip_bind_dev":
		return dialect{dialectBoth, "the interface of a virtual address; virtual_ipaddress with dev has that here"}, true
	case "establish_timeout", "est_timeout", "conn_timeout":
		return dialect{dialectBoth, "a timeout of one service; lvs_timeouts in global_defs is for all services"}, true
	case "abs_priority", "snat_rule", "snat_ip", "new_gw":
		return dialect{dialectAlibaba, "a part of its SNAT gateway"}, true
	case "deny_address_group", "daddr_group_name", "allow_address_group", "waddr_group_name":
		return dialect{dialectDPVS, "clients that are refused or let through; a packet filter has that here"}, true
	case "dpdk_interface":
		return dialect{dialectDPVS, "the interface of DPDK beside the kernel's"}, true
	case "bps", "limit_proportion":
		return dialect{dialectDPVS, "a limit of bandwidth; tc(8) has that here"}, true
	case "hash_target", "expire_quiescent_conn", "quic", "proxy_protocol", "src-range", "dst-range", "oif", "iif":
		return dialect{dialectDPVS, "an option of its services"}, true
	}
	return dialect{}, false
}

// dialectHint is the hint for an unknown keyword that a relative knows; empty
// when none does.
func dialectHint(keyword string) string {
	if d, ok := dialectKeyword(keyword); ok {
		return fmt.Sprintf("a keyword of %s, not of keepalived: %s", d.of, d.what)
	}
	return ""
}

// dialectOfMethod is the hint for a method of the relatives.
func dialectOfMethod(word string) string {
	switch strings.ToUpper(word) {
	case "FNAT", "FULLNAT":
		return "the full NAT of " + dialectBoth + "; the kernel's IPVS has none: with NAT the director is the gateway of the real servers"
	case "SNAT":
		return "the SNAT of " + dialectBoth + "; here it is the packet filter's work"
	}
	return ""
}

// dialectOfScheduler is the hint for a scheduler of the relatives.
func dialectOfScheduler(word string) string {
	if strings.ToLower(word) == "conhash" {
		return "the consistent hash of dpvs; mh is the kernel's"
	}
	return ""
}

// formerHint is the hint for a keyword that keepalived had once.
func formerHint(keyword string) string {
	switch keyword {
	case "nat_mask":
		return "an old keyword of keepalived that is gone: leave it out"
	case "lvs_id":
		return "router_id is its name today"
	}
	return ""
}
