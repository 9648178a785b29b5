package config

// hintOf is what would be right where a code alone tells.
func hintOf(code string) string {
	switch code {
	case "port-mismatch":
		return "DR and TUN hand the packet on as it is, so the real server listens on the port of the virtual one; NAT translates ports"
	case "nopreempt":
		return "for a router that does not take over again, use state BACKUP on all routers, and priorities below 255"
	case "duplicate-vrid":
		return "each virtual router of an interface needs a virtual_router_id of its own, 1 to 255"
	case "unicast-without-peers":
		return "name the other routers in unicast_peer, or leave the keywords for unicast out"
	case "script-security":
		return "set enable_script_security, and script_user, in global_defs"
	case "forwarding-method":
		return "say lb_kind NAT, DR or TUN"
	case "scheduler":
		return "say lb_algo rr, wlc or another"
	case "protocol":
		return "say protocol TCP, UDP or SCTP for an address, and nothing for a firewall mark"
	case "weight-in-group":
		return "track it on the group, where weights count"
	case "weight-of-owner":
		return "give the router a priority below 255, or the tracker weight 0: a failure is FAULT then"
	case "missing-vrid":
		return "say virtual_router_id, 1 to 255, the same on all routers of the virtual router"
	case "missing-interface":
		return "say interface, or unicast_src_ip and unicast_peer"
	}
	return ""
}

// nearLink is the hint for the name of an interface that there is not.
func (v *validator) nearLink(name string) string {
	if v.links == nil {
		v.links = []string{}
		for _, s := range v.env.Subnets() {
			v.links = append(v.links, s.Link)
		}
	}
	return DidYouMean(name, v.links)
}
