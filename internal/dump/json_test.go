package dump_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/internal/golden"
	"github.com/lvsd/lvsd/parser"
)

const forJSON = `
vrrp_script chk { script "/bin/true a" }
vrrp_track_process web {
	process nginx
	quorum 2
	weight 3
}
vrrp_instance V {
	interface eth0
	virtual_router_id 1
	advert_int 2
	use_vmac vrrp.1
	virtual_ipaddress { 10.0.0.1/24 }
	virtual_ipaddress_excluded { 2001:db8::1/64 }
	virtual_routes { 10.7.0.0/16 via 10.0.0.9 }
	virtual_rules { from 10.7.0.0/16 table 7 priority 100 }
	track_script { chk }
	track_interface { eth1 }
	track_process { web }
	authentication {
		auth_type PASS
		auth_pass secret
	}
	notify "/bin/notify \"a b\""
	notify_deleted
}
vrrp_instance W {
	interface eth1
	version 3
	advert_int 0.25
	virtual_router_id 2
	priority 255
	virtual_ipaddress { 10.0.0.2/24 }
}
virtual_server 10.0.0.1 80 {
	lb_algo rr
	protocol TCP
	real_server 10.0.0.11 80 { TCP_CHECK { } }
	real_server 10.0.0.12 80 { TCP_CHECK { } }
}
`

// TestJSON: keepalived.json as its readers know it, and its second version.
func TestJSON(t *testing.T) {
	for name, head := range map[string]string{"testdata/json1.golden": "", "testdata/json2.golden": "global_defs {\n json_version 2\n}\n"} {
		file := t.TempDir() + "/keepalived.conf"
		if err := os.WriteFile(file, []byte(head+forJSON), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := parser.Load(parser.Options{File: file})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := dump.JSON(&out, c, running(c)); err != nil {
			t.Fatal(err)
		}
		if !json.Valid([]byte(out.String())) {
			t.Errorf("%s: no JSON: %s", name, &out)
		}
		golden.Equal(t, name, strings.ReplaceAll(out.String(), `,"`, ",\n\"")+"\n")
	}
	var out strings.Builder
	if err := dump.JSON(&out, new(config.Config), nil); err != nil || out.String() != "[]" {
		t.Errorf("nothing: %s %v", &out, err)
	}
}

// What drains is in the second version, when there is any.
func TestJSONDraining(t *testing.T) {
	c := new(config.Config)
	c.Global.Interface.JSONVersion = 2
	var out strings.Builder
	facts := &dump.Facts{Draining: []dump.Draining{{
		Service: config.ServiceKey{FWMark: 7}, Server: netip.MustParseAddrPort("10.0.0.11:80"), Until: time.Unix(1795750346, 5000),
	}}}
	if err := dump.JSON(&out, c, facts); err != nil {
		t.Fatal(err)
	}
	want := `{"vrrp":[],"track_process":[],"draining":[{"virtual_server":"FWM 7","real_server":"[10.0.0.11]:none:80","until":1795750346.000005}]}`
	if out.String() != want {
		t.Errorf("%s, want %s", &out, want)
	}
}
