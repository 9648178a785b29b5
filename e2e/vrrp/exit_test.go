package vrrp

import (
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/e2e/rig"
)

// TestConfigTestStatus: lvsd -t and keepalived -t end with the same status.
func TestConfigTestStatus(t *testing.T) {
	t.Parallel()
	good := instance{priority: 100}.String()
	change := func(old, new string) string {
		t.Helper()
		if !strings.Contains(good, old) {
			t.Fatalf("no %q in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	files := []struct{ name, text string }{
		{"good", good},
		{"empty", ""},
		{"unknown keyword", change("priority", "prority")},
		{"unknown block", good + "nonsense {\n\tmore nonsense\n}\n"},
		{"missing brace", strings.TrimSuffix(strings.TrimSpace(good), "}")},
		{"surplus brace", good + "}\n"},
		{"missing parameter", change("priority 100", "priority")},
		{"number out of range", change("priority 100", "priority 1000")},
		{"not a number", change("virtual_router_id 51", "virtual_router_id fiftyone")},
		{"no virtual_router_id", change("virtual_router_id 51", "")},
		{"no such interface", change("eth0", "eth9")},
		{"no addresses", change("virtual_ipaddress {\n\t\t10.9.0.100/24\n\t}", "")},
		{"not an address", change("10.9.0.100/24", "10.9.0.300/24")},
		{"the same VRID twice", good + strings.Replace(good, "VI_1", "VI_2", 1)},
		{"the same name twice", good + strings.Replace(good, "51", "52", 1)},
		{"nopreempt with state MASTER", change("priority 100", "priority 100\n\tstate MASTER\n\tnopreempt")},
		{"authentication in version 3", change("priority 100", "priority 100\n\tversion 3\n\tauthentication {\n\t\tauth_type PASS\n\t\tauth_pass x\n\t}")},
		{"password too long", change("priority 100", "priority 100\n\tauthentication {\n\t\tauth_type PASS\n\t\tauth_pass 123456789\n\t}")},
		{"group with an unknown member", good + "vrrp_sync_group G {\n\tgroup {\n\t\tVI_1\n\t\tVI_7\n\t}\n}\n"},
		{"group of one", good + "vrrp_sync_group G {\n\tgroup {\n\t\tVI_1\n\t}\n}\n"},
		{"script without script security", change("priority 100", "priority 100\n\tnotify /bin/true")},
		{"script that is not there", change("priority 100", "priority 100\n\tnotify /nowhere/true")},
		{"include of nothing", good + "include /etc/keepalived/none.conf\n"},
		{"advert_int rounded", change("priority 100", "priority 100\n\tadvert_int 1.5")},
		{"unclosed quote", change("priority 100", "priority 100\n\tnotify \"/bin/true")},
	}
	r := newSegment(t).router(1)
	const path = "/etc/keepalived/keepalived.conf"
	for _, file := range files {
		r.configure(file.text)
		wantOutput, want := r.finishes(rig.Keepalived, "-t", "-f", path)
		gotOutput, got := r.finishes(rig.Binary(), "-t", "-f", path)
		if got != want {
			t.Errorf("%s: status %d, keepalived's %d\n%skeepalived:\n%s", file.name, got, want, gotOutput, wantOutput)
		}
	}
	// keepalived answers 0: docs/compatibility.md.
	if _, got := r.finishes(rig.Binary(), "-t", "-f", "/etc/keepalived/none.conf"); got != config.ExitNoConfig {
		t.Errorf("missing file: status %d, want %d", got, config.ExitNoConfig)
	}
}

// TestRefusedStart: what keepalived does not start with, lvsd does not either,
// and with the same status.
func TestRefusedStart(t *testing.T) {
	t.Parallel()
	const check = "global_defs {\n\treload_check_config\n}\n"
	with := func(line string) string { return instance{priority: 100, more: line}.String() }
	good := with("")
	service := func(line string) string {
		return "virtual_server 10.9.0.9 80 {\n\tlb_kind NAT\n\tprotocol TCP\n\tlb_algo rr\n\t" + line + "\n\treal_server 10.9.1.1 80 {\n\t}\n}\n"
	}
	files := []struct { // with -P: nobody reads services
		name, text string
		refused    bool
	}{
		{"good", check + good, false},
		{"an unknown keyword", with("nonsense"), false},
		{"no value", with("preempt_delay"), true},
		{"no virtual_router_id", strings.Replace(good, "virtual_router_id 51", "", 1), true},
		{"no such interface", strings.ReplaceAll(good, "eth0", "eth9"), true},
		{"checked, an unknown keyword", check + with("nonsense"), true},
		{"checked, one outside of blocks", check + good + "nonsense\n", true},
		{"checked, a warning", check + with("advert_int 1.5"), true},
		{"checked, no script security", check + with("notify /bin/true"), true},
		{"checked, a script that is not there", "global_defs {\n\treload_check_config\n\tenable_script_security\n\tscript_user root\n}\n" + with("notify /nowhere/true"), false},
		{"checked, an unknown keyword beside a service", check + with("nonsense") + service(""), true},
		{"checked, an unknown keyword in a service", check + good + service("nonsense"), false},
		{"no value in a service", good + service("quorum"), false},
		{"checked, an unknown keyword in a BFD session", check + good + "bfd_instance B {\n\tneighbor_ip 10.9.0.7\n\tnonsense\n}\n", true},
	}
	const path = "/etc/keepalived/keepalived.conf"
	r := newSegment(t).router(1)
	for _, file := range files {
		for _, binary := range []string{rig.Keepalived, rig.Binary()} {
			r.configure(file.text)
			if !file.refused {
				r.run(binary, file.text)
				r.Wait(0, "STATE", patience)
				r.Kill()
				continue
			}
			if output, status := r.finishes("timeout", "20", binary, "-n", "-l", "-P", "-f", path); status != config.ExitConfig {
				t.Errorf("%s: status of %s %d, want %d\n%s", file.name, short(binary), status, config.ExitConfig, output)
			}
		}
	}
}
