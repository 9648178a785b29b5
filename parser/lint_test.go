package parser

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// Pieces of the configurations of TestLint.

// router is an instance on an interface, with more lines.
func router(name, link string, vrid int, vip string, lines ...string) string {
	return fmt.Sprintf("vrrp_instance %s {\n    interface %s\n    virtual_router_id %d\n    virtual_ipaddress {\n        %s\n    }\n    %s\n}\n",
		name, link, vrid, vip, strings.Join(lines, "\n    "))
}

// balanced is a virtual server with a real server, and more lines.
func balanced(addr, algo, kind, server string, lines ...string) string {
	return fmt.Sprintf("virtual_server %s {\n    lb_algo %s\n    lb_kind %s\n    protocol TCP\n    %s\n    real_server %s {\n    }\n}\n",
		addr, algo, kind, strings.Join(lines, "\n    "), server)
}

func trackedScript(name string, weight int) string {
	return fmt.Sprintf("vrrp_script %s {\n    script /bin/true\n    weight %d\n}\n", name, weight)
}

func syncGroup(members string, lines ...string) string {
	return "vrrp_sync_group G {\n    group {\n        " + members + "\n    }\n    " + strings.Join(lines, "\n    ") + "\n}\n"
}

const (
	tracksA = "track_script {\n        a\n    }"
	tracksB = "track_script {\n        b\n    }"
	git     = "<<<<<<< HEAD\nrouter_id a\n=======\nrouter_id b\n>>>>>>> master\n"
)

// lints are, for each trap of the field, configurations that fall into it and
// others that are like them and do not.
var lints = map[string]struct{ falls, stands []string }{
	"port-mismatch": {
		[]string{balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 8080"), balanced("10.0.0.1 80", "rr", "TUN", "10.0.0.5 8080")},
		[]string{balanced("10.0.0.1 80", "rr", "NAT", "10.0.0.5 8080"), balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80"), balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5")},
	},
	"off-link": {
		[]string{
			router("A", "eth1", 1, "172.31.0.1/24") + balanced("172.31.0.1 80", "rr", "DR", "172.13.0.5 80"),
			router("A", "eth1", 1, "172.31.0.1") + balanced("172.31.0.1 80", "rr", "DR", "10.9.9.9 80"),
			router("A", "eth0", 1, "10.65.32.29/23") + balanced("10.65.32.29 80", "rr", "DR", "110.65.32.23 80"),
			balanced("172.31.0.1 80", "rr", "DR", "10.9.9.9 80"),
			"virtual_server_group g {\n    172.31.0.1 80\n}\n" + balanced("group g", "rr", "DR", "10.9.9.9 80"),
		},
		[]string{
			router("A", "eth1", 1, "172.31.0.1/24") + balanced("172.31.0.1 80", "rr", "DR", "172.31.0.5 80"),
			router("A", "eth1", 1, "172.31.0.1/24") + balanced("172.31.0.1 80", "rr", "DR", "172.31.9.5 80"),
			router("A", "eth1", 1, "172.31.0.1/24") + balanced("172.31.0.1 80", "rr", "TUN", "10.9.9.9 80"),
			router("A", "eth1", 1, "172.31.0.1/24") + balanced("172.31.0.1 80", "rr", "NAT", "10.9.9.9 80"),
			router("A", "eth1", 1, "172.31.0.1/24") + balanced("172.31.0.1 80", "rr", "DR", "127.0.0.1 80"),
			router("A", "eth1", 1, "172.31.0.1/24") + router("B", "eth0", 2, "10.9.9.1/24") + balanced("172.31.0.1 80", "rr", "DR", "10.9.9.9 80"),
			router("A", "eth1", 1, "172.31.0.1/24") + "static_routes {\n    10.9.9.0/24 dev eth0\n}\n" + balanced("172.31.0.1 80", "rr", "DR", "10.9.9.9 80"),
			router("A", "eth0", 1, "10.0.0.1") + balanced("10.0.0.1 80", "rr", "DR", "10.9.9.9 80"),
			balanced("192.0.2.1 80", "rr", "DR", "10.9.9.9 80"),
			balanced("fwmark 3", "rr", "DR", "10.9.9.9"),
		},
	},
	"mixed-checksums": {
		[]string{
			balanced("10.0.0.1 80", "rr", "TUN type gre", "10.0.0.5 80") + balanced("10.0.0.2 80", "rr", "TUN type gre csum", "10.0.0.5 80"),
			balanced("10.0.0.1 80", "rr", "TUN type gre csum", "10.0.0.5 80", "sorry_server 10.0.0.5 80", "sorry_server_lvs_method TUN type gre"),
			balanced("10.0.0.1 80", "rr", "NAT", "10.0.0.6 80", "real_server 2001:db8::5 80 {\n        lvs_method TUN type gre nocsum\n    }") +
				balanced("10.0.0.2 80", "rr", "TUN type gre csum", "2001:db8::5 80"),
		},
		[]string{
			balanced("10.0.0.1 80", "rr", "TUN type gre csum", "10.0.0.5 80") + balanced("10.0.0.2 80", "rr", "TUN type gre csum", "10.0.0.5 80"),
			balanced("10.0.0.1 80", "rr", "TUN type gre", "10.0.0.5 80") + balanced("10.0.0.2 80", "rr", "TUN type gre csum", "10.0.0.6 80"),
			balanced("10.0.0.1 80", "rr", "TUN type gre", "10.0.0.5 80") + balanced("10.0.0.2 80", "rr", "TUN type gue port 6080 csum", "10.0.0.5 80"),
			balanced("10.0.0.1 80", "rr", "TUN type gre csum", "10.0.0.5 80") + balanced("10.0.0.2 80", "rr", "TUN", "10.0.0.5 80") + balanced("10.0.0.3 80", "rr", "NAT", "10.0.0.5 80"),
		},
	},
	"mixed-forwarding": {
		[]string{balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80") + balanced("10.0.0.1 80", "rr", "TUN", "10.0.0.6 80")},
		[]string{
			balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80") + balanced("10.0.0.1 80", "rr", "DR", "10.0.0.6 80"),
			balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80") + balanced("10.0.0.1 443", "rr", "TUN", "10.0.0.6 443"),
			balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80", "real_server 10.0.0.6 80 {\n        lvs_method TUN\n    }"),
		},
	},
	"duplicate-service": {
		[]string{balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80") + balanced("10.0.0.1 80", "rr", "DR", "10.0.0.6 80")},
		[]string{balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80") + balanced("10.0.0.1 80", "rr", "TUN", "10.0.0.6 80")},
	},
	"duplicate-vrid": {
		[]string{
			router("A", "eth0", 1, "10.0.0.1") + router("B", "eth0", 1, "10.0.0.2"),
			router("A", "eth0", 1, "10.0.0.1", "unicast_peer {\n10.0.0.8\n}") + router("B", "eth0", 1, "10.0.0.2", "unicast_peer {\n10.0.0.9\n10.0.0.8\n}"),
		},
		[]string{
			router("A", "eth0", 1, "10.0.0.1") + router("B", "eth0", 2, "10.0.0.2"),
			router("A", "eth0", 1, "10.0.0.1") + router("B", "eth0", 1, "fe80::1"),
			router("A", "eth0", 1, "10.0.0.1") + router("B", "eth1", 1, "10.0.1.1"),
			router("A", "eth0", 1, "10.0.0.1", "unicast_peer {\n10.0.0.8\n}") + router("B", "eth0", 1, "10.0.0.2", "unicast_peer {\n10.0.0.9\n}"),
		},
	},
	"vrid-on-segment": {
		[]string{
			router("A", "eth0", 1, "10.0.0.1/24") + router("B", "eth1", 1, "10.0.0.2/24"),
			router("A", "eth0", 1, "172.31.0.1/24") + router("B", "eth1", 1, "10.0.0.2"),
		},
		[]string{
			router("A", "eth0", 1, "10.0.0.1/24") + router("B", "eth1", 1, "10.0.1.2/24"),
			router("A", "eth0", 1, "10.0.0.1/24") + router("B", "eth1", 2, "10.0.0.2/24"),
			router("A", "eth0", 1, "10.0.0.1") + router("B", "eth1", 1, "10.0.0.2"),
			router("A", "eth0", 1, "10.0.0.1/24") + router("B", "eth1", 1, "10.0.0.2/24", "mcast_dst_ip 224.0.0.19"),
			router("A", "eth0", 1, "10.0.0.1/24") + router("B", "eth0", 1, "10.0.0.2/24", "mcast_dst_ip 224.0.0.19"),
			router("A", "eth0", 1, "10.0.0.1/24", "unicast_peer {\n10.0.0.8\n}") + router("B", "eth1", 1, "10.0.0.2/24", "unicast_peer {\n10.0.0.9\n}"),
		},
	},
	"nopreempt": {
		[]string{router("A", "eth0", 1, "10.0.0.1", "state MASTER", "nopreempt", "priority 100"), router("A", "eth0", 1, "10.0.0.1", "nopreempt", "priority 255")},
		[]string{router("A", "eth0", 1, "10.0.0.1", "state BACKUP", "nopreempt"), router("A", "eth0", 1, "10.0.0.1", "state MASTER", "priority 100")},
	},
	"weight-of-owner": {
		[]string{
			trackedScript("a", -10) + router("A", "eth0", 1, "10.0.0.1", "priority 255", tracksA),
			trackedScript("a", -10) + router("A", "eth0", 1, "10.0.0.1", "state MASTER", tracksA),
			router("A", "eth0", 1, "10.0.0.1", "priority 255", "track_interface {\neth1 weight 5\n}"),
			"track_file f {\nfile /tmp/f\n}\n" + router("A", "eth0", 1, "10.0.0.1", "priority 255", "track_file {\nf\n}"),
			trackedScript("a", 5) + syncGroup("A B", tracksA) + router("A", "eth0", 1, "10.0.0.1", "priority 255") + router("B", "eth1", 2, "10.0.1.1", "priority 255"),
		},
		[]string{
			trackedScript("a", -10) + router("A", "eth0", 1, "10.0.0.1", "priority 254", tracksA),
			trackedScript("a", 0) + router("A", "eth0", 1, "10.0.0.1", "state MASTER", tracksA),
			trackedScript("a", -10) + router("A", "eth0", 1, "10.0.0.1", "state MASTER", "priority 101", tracksA),
			trackedScript("a", 5) + syncGroup("A B", tracksA) + router("A", "eth0", 1, "10.0.0.1", "priority 100") + router("B", "eth1", 2, "10.0.1.1", "priority 100"),
		},
	},
	"useless-weight": {
		[]string{
			trackedScript("a", 10) + router("A", "eth0", 1, "10.0.0.1", "priority 254", tracksA),
			trackedScript("a", -10) + router("A", "eth0", 1, "10.0.0.1", "priority 1", tracksA),
			"vrrp_track_process a {\nprocess a\nweight 5\n}\n" + router("A", "eth0", 1, "10.0.0.1", "priority 255", "track_process {\na\n}"),
			trackedScript("a", 10) + syncGroup("A B", tracksA) + router("A", "eth0", 1, "10.0.0.1", "priority 254") + router("B", "eth1", 2, "10.0.1.1", "priority 254"),
		},
		[]string{
			trackedScript("a", -10) + router("A", "eth0", 1, "10.0.0.1", "priority 254", tracksA),
			trackedScript("a", 10) + router("A", "eth0", 1, "10.0.0.1", "priority 253", tracksA),
			trackedScript("a", 10) + router("A", "eth0", 1, "10.0.0.1", tracksA),
			trackedScript("a", 0) + router("A", "eth0", 1, "10.0.0.1", "priority 254", tracksA),
			"track_file f {\nfile /tmp/f\n}\n" + router("A", "eth0", 1, "10.0.0.1", "priority 254", "track_file {\nf\n}"),
			trackedScript("a", 10) + trackedScript("b", -20) + router("A", "eth0", 1, "10.0.0.1", "priority 254", "track_script {\na\nb\n}"),
		},
	},
	"untracked-script": {
		[]string{trackedScript("a", 10) + trackedScript("b", 10) + router("A", "eth0", 1, "10.0.0.1", tracksA)},
		[]string{
			trackedScript("a", 10) + router("A", "eth0", 1, "10.0.0.1", tracksA),
			trackedScript("a", 10) + syncGroup("A B", tracksA) + router("A", "eth0", 1, "10.0.0.1") + router("B", "eth1", 2, "10.0.1.1"),
			trackedScript("a", 10) + router("A", "eth0", 0, "10.0.0.1", tracksA),
		},
	},
	"silent-addresses": {
		[]string{
			"global_defs {\nvrrp_strict\n}\n" + router("A", "eth0", 1, "10.0.0.1"),
			router("A", "eth0", 1, "10.0.0.1", "strict_mode on"),
			"global_defs {\nvrrp_strict\nvrrp_version 3\n}\n" + router("A", "eth0", 1, "10.0.0.1"),
			"global_defs {\nvrrp_strict\n}\n" + router("A", "eth0", 1, "10.0.0.1", "accept"),
		},
		[]string{
			router("A", "eth0", 1, "10.0.0.1"),
			"global_defs {\nvrrp_strict\n}\n" + router("A", "eth0", 1, "10.0.0.1", "priority 255"),
			"global_defs {\nvrrp_strict\n}\n" + router("A", "eth0", 1, "10.0.0.1", "strict_mode off"),
			"global_defs {\nvrrp_strict\nvrrp_version 3\n}\n" + router("A", "eth0", 1, "10.0.0.1", "accept"),
			"global_defs {\nvrrp_strict\n}\n",
		},
	},
	"auth-pass-truncated": {
		[]string{router("A", "eth0", 1, "10.0.0.1", "authentication {\nauth_type PASS\nauth_pass 123456789\n}")},
		[]string{router("A", "eth0", 1, "10.0.0.1", "authentication {\nauth_type PASS\nauth_pass 12345678\n}")},
	},
	"vip-prefix": {
		[]string{router("A", "eth1", 1, "172.31.0.1/16"), router("A", "eth0", 1, "10.0.0.1", "virtual_ipaddress_excluded {\n172.31.0.2/25 dev eth1\n}"), router("A", "eth1", 1, "172.31.1.1/16")},
		[]string{
			router("A", "eth1", 1, "172.31.0.1/24"), router("A", "eth1", 1, "172.31.0.1"), router("A", "eth1", 1, "172.31.0.1/32"),
			router("A", "eth1", 1, "10.0.0.1/16"), router("A", "eth0", 1, "172.31.0.1/16"), router("A", "eth1", 1, "172.31.9.1/25"),
		},
	},
	"shell-operators": {
		[]string{"vrrp_script a {\n    script \"/bin/true || exit 1\"\n}\n"},
		[]string{"vrrp_script a {\n    script \"/bin/true '||' exit 1\"\n}\n", trackedScript("a", 1)},
	},
	"script-not-found": {
		[]string{
			"vrrp_script a {\n    script /no/such/script\n}\n", router("A", "eth0", 1, "10.0.0.1", "notify /no/such/script"),
			router("A", "eth0", 1, "10.0.0.1", `notify "/no/such/script && /bin/true"`),
		},
		[]string{trackedScript("a", 1), router("A", "eth0", 1, "10.0.0.1", "notify /bin/true"), router("A", "eth0", 1, "10.0.0.1", `notify "/bin/true && /bin/true"`),
			router("A", "eth0", 1, "10.0.0.1", `notify "$HOME/x && /bin/true"`)},
	},
	"unknown-method": {
		[]string{balanced("10.0.0.1 80", "rr", "dr", "10.0.0.5 80"), balanced("10.0.0.1 80", "rr", "'DR'", "10.0.0.5 80"), balanced("10.0.0.1 80", "rr", "FNAT", "10.0.0.5 80")},
		[]string{balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80"), balanced("10.0.0.1 80", "rr", `"DR"`, "10.0.0.5 80")},
	},
	"unknown-scheduler": {
		[]string{balanced("10.0.0.1 80", "RR", "DR", "10.0.0.5 80"), balanced("10.0.0.1 80", "wlcc", "DR", "10.0.0.5 80")},
		[]string{balanced("10.0.0.1 80", "wlc", "DR", "10.0.0.5 80")},
	},
	"unequal-tracking": {
		[]string{
			trackedScript("a", 0) + syncGroup("A B") + router("A", "eth0", 1, "10.0.0.1", tracksA) + router("B", "eth1", 2, "10.0.1.1"),
			trackedScript("a", 0) + trackedScript("b", 0) + syncGroup("A B") + router("A", "eth0", 1, "10.0.0.1", tracksA) + router("B", "eth1", 2, "10.0.1.1", tracksB),
			syncGroup("A B") + router("A", "eth0", 1, "10.0.0.1", "track_interface {\nbond0\n}") + router("B", "eth1", 2, "10.0.1.1"),
		},
		[]string{
			trackedScript("a", 0) + syncGroup("A B") + router("A", "eth0", 1, "10.0.0.1", tracksA) + router("B", "eth1", 2, "10.0.1.1", tracksA),
			trackedScript("a", 0) + syncGroup("A B", tracksA) + router("A", "eth0", 1, "10.0.0.1") + router("B", "eth1", 2, "10.0.1.1"),
			trackedScript("a", 0) + router("A", "eth0", 1, "10.0.0.1", tracksA) + router("B", "eth1", 2, "10.0.1.1"),
			syncGroup("A B") + router("A", "eth0", 1, "10.0.0.1", "track_interface {\neth1\n}") + router("B", "eth1", 2, "10.0.1.1", "track_interface {\neth0\n}"),
			syncGroup("A B") + router("A", "eth0", 1, "10.0.0.1") + router("B", "eth1", 2, "10.0.1.1", "track_interface {\neth0\n}"),
		},
	},
	"useless-persistence": {
		[]string{
			balanced("10.0.0.1 80", "sh", "DR", "10.0.0.5 80", "persistence_timeout 300"), balanced("10.0.0.1 80", "mh", "DR", "10.0.0.5 80", "persistence_timeout"),
			balanced("10.0.0.1 80", "dh", "DR", "10.0.0.5 80", "persistence_timeout 60"),
		},
		[]string{
			balanced("10.0.0.1 80", "wrr", "DR", "10.0.0.5 80", "persistence_timeout 300"), balanced("10.0.0.1 80", "sh", "DR", "10.0.0.5 80"),
			balanced("10.0.0.1", "sh", "DR", "10.0.0.5", "persistence_timeout 300"), balanced("10.0.0.1", "sh", "DR", "10.0.0.5"),
			balanced("10.0.0.1 80", "sh", "DR", "10.0.0.5 80", "persistence_timeout 300", "sh-port"),
			balanced("10.0.0.1 80", "sh", "DR", "10.0.0.5 80", "persistence_timeout 300", "persistence_granularity 255.255.255.0"),
			balanced("fwmark 3", "dh", "DR", "10.0.0.5", "persistence_timeout 300"),
		},
	},
	"conflict-marker": {
		[]string{
			"global_defs {\n" + git + "}\n", "global_defs {\nnotification_email {\n" + git + "}\n}\n", "nonsense {\n" + git + "}\n",
			"global_defs {\n<<<<<<< a\nrouter_id a\n||||||| b\n=======\r\nrouter_id b\n>>>>>>>\n}\n",
		},
		[]string{"# <<<<<<< HEAD\n", "=======\n", "<<<<<<<< HEAD\n", "global_defs {\n    router_id a=======\n}\n", ">>>>>>> a\n"},
	},
	"dialect": {
		[]string{"local_address_group g {\n10.0.0.9\n}\n", balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80", "laddr_group_name g"),
			balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80", "syn_proxy"), router("A", "eth0", 1, "10.0.0.1", "dpdk_interface dpdk0")},
		[]string{balanced("10.0.0.1 80", "rr", "DR", "10.0.0.5 80", "alpha", "omega", "quorum 1"), "local_address_grp g {\n}\n"},
	},
}

// codesIn are the codes of the problems of a configuration.
func codesIn(t *testing.T, text string, env config.Environment) []string {
	t.Helper()
	_, problems, err := Load(Options{File: "main", Files: Memory{"main": text}, Environment: env})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, p := range problems {
		codes = append(codes, p.Code)
	}
	return codes
}

func TestLint(t *testing.T) {
	for code, cases := range lints {
		for _, text := range cases.falls {
			if got := codesIn(t, text, bench{}); !slices.Contains(got, code) {
				t.Errorf("%s is not found, but %v, in\n%s", code, got, text)
			}
		}
		for _, text := range cases.stands {
			if got := codesIn(t, text, bench{}); slices.Contains(got, code) {
				t.Errorf("%s is found in\n%s", code, text)
			}
		}
		if len(cases.falls) == 0 || len(cases.stands) == 0 {
			t.Errorf("%s has no example, or no counterexample", code)
		}
	}
}

// TestLintOffline: what only the machine tells is not said about a file for
// another one.
func TestLintOffline(t *testing.T) {
	for _, code := range []string{"off-link", "vip-prefix", "script-not-found"} {
		for _, text := range lints[code].falls {
			if got := codesIn(t, text, nil); slices.Contains(got, code) {
				t.Errorf("%s is said without a look at the machine of\n%s", code, text)
			}
		}
	}
}

// TestLintVerdict: what keepalived says nothing about never changes the
// verdict, is not printed in its form, and fails a strict test.
func TestLintVerdict(t *testing.T) {
	for _, code := range []string{
		"off-link", "mixed-checksums", "mixed-forwarding", "vrid-on-segment", "useless-weight", "untracked-script", "silent-addresses", "vip-prefix", "unequal-tracking", "useless-persistence",
	} {
		for _, text := range lints[code].falls {
			_, problems, err := Load(Options{File: "main", Files: Memory{"main": text}, Environment: bench{}})
			if err != nil {
				t.Fatal(err)
			}
			var own []config.Problem
			for _, p := range problems {
				if p.Code == code {
					own = append(own, p)
				}
			}
			if config.TestStatus(own) != config.ExitOK || config.StrictStatus(own) != config.ExitTestFailed || len(spoken(own)) != 0 {
				t.Errorf("%s: status %d, strict %d, spoken %v", code, config.TestStatus(own), config.StrictStatus(own), spoken(own))
			}
		}
	}
}

// TestLintPeers: a file that is for several routers shows whether a weight can
// ever change which of them is MASTER.
func TestLintPeers(t *testing.T) {
	file := func(weight int, lines ...string) string {
		return trackedScript("a", weight) + router("A", "eth0", 1, "10.0.0.1/24", append(lines, tracksA)...)
	}
	const weights = "(A) the weight of a never changes who is MASTER: the priority is "
	for name, tc := range map[string]struct{ text, id, want string }{
		"too small":             {file(-10, "@one priority 150", "@two priority 100"), "one", weights + "140 to 150 here, and 90 to 100 for @two"},
		"too small, from below": {file(10, "@one priority 150", "@two priority 100"), "two", weights + "100 to 110 here, and 150 to 160 for @one"},
		"large enough":          {file(-60, "@one priority 150", "@two priority 100"), "one", ""},
		"as much":               {file(-50, "@one priority 150", "@two priority 100"), "one", ""},
		"small, but enough":     {file(2, "@one priority 101", "@two priority 100"), "one", ""},
		"one of two peers": {
			file(-10, "@one priority 150", "@two priority 100", "@three priority 145"), "one", "",
		},
		"negated":              {file(-10, "@one priority 150", "@^one priority 100"), "one", ""},
		"another id":           {file(-10, "@one priority 150", "@two priority 100"), "here", ""},
		"FAULT":                {file(0, "@one priority 150", "@two priority 100"), "one", ""},
		"other virtual router": {trackedScript("a", -10) + strings.Replace(router("A", "eth0", 1, "10.0.0.1/24", "@one priority 150", "@two priority 100", tracksA), "10.0.0.1/24", "@one 10.0.0.1/24\n@two 10.0.0.2/24", 1), "one", ""},
	} {
		for _, ask := range []bool{true, false} {
			_, problems, err := Load(Options{File: "main", Files: Memory{"main": tc.text}, Environment: bench{}, ConfigID: tc.id, Peers: ask})
			if err != nil {
				t.Fatal(err)
			}
			got, want := "", tc.want
			for _, p := range problems {
				if p.Code == "useless-weight" {
					got = p.Message
				}
			}
			if !ask {
				want = ""
			}
			if got != want {
				t.Errorf("%s, peers %v: %q, want %q", name, ask, got, want)
			}
		}
	}
}

// TestOffline: names of routing tables are those of the other machine; what is
// no name is none there either.
func TestOffline(t *testing.T) {
	for line, want := range map[string]int{"192.0.2.0/24 dev eth0 table vpn": 0, "192.0.2.0/24 dev eth0 table 7x": 1} {
		for offline, more := range map[bool]int{true: 0, false: 1 - want} {
			text := "static_routes {\n" + line + "\n}\n"
			_, problems, err := Load(Options{File: "main", Files: Memory{"main": text}, Offline: offline})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, p := range problems {
				if p.Severity == config.Error {
					n++
				}
			}
			if n != want+more {
				t.Errorf("%s, offline %v: %d errors, want %d: %v", line, offline, n, want+more, problems)
			}
		}
	}
}
