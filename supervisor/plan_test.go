//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/parser"
)

const planned = `global_defs {
    router_id a
}
vrrp_instance A {
    interface eth0
    virtual_router_id 1
    priority 100
    virtual_ipaddress {
        192.0.2.1/24
    }
}
vrrp_instance B {
    interface eth0
    virtual_router_id 2
    virtual_ipaddress {
        192.0.2.2/24
    }
}
virtual_server 192.0.2.1 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 192.0.2.11 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
    real_server 192.0.2.12 80 {
        weight 1
        TCP_CHECK {
            connect_timeout 3
        }
    }
}
virtual_server 192.0.2.2 80 {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    drain_timeout 60
    real_server 192.0.2.21 80 {
    }
    real_server 192.0.2.22 80 {
        drain_timeout 0
    }
}
`

func TestChanges(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string // pairs
		want  string
	}{
		{"nothing", nil, "nothing changes\n"},
		{"order and comments", []string{"    priority 100\n", "", "    virtual_router_id 1\n", "    priority 100 # all\n    virtual_router_id 1\n"}, "nothing changes\n"},
		{"what people see", []string{"router_id a", "router_id b", "priority 100", "priority 100\n    notify /bin/true"}, `global_defs (FILE:1) changes:
  - router_id a
  + router_id b
vrrp_instance A (FILE:4) changes:
  + notify /bin/true
2 changes; none touches traffic (!)
`},
		{"addresses", []string{"priority 100", "priority 101", "192.0.2.1/24\n", "192.0.2.1/24\n        192.0.2.3/24\n"}, `vrrp_instance A (FILE:4) changes:
! - priority 100
! + priority 101
    virtual_ipaddress {
! +     192.0.2.3/24
1 change; 1 of them touch traffic (!)
`},
		{"a check", []string{"connect_timeout 3", "connect_timeout 4"}, `virtual_server 192.0.2.1 80 (FILE:19) changes:
    real_server 192.0.2.11 80 {
        TCP_CHECK {
  -         connect_timeout 3
  +         connect_timeout 4
1 change; none touches traffic (!)
`},
		{"a real server", []string{"192.0.2.12 80 {\n        weight 1", "192.0.2.13 80 {\n        weight 5"}, `virtual_server 192.0.2.1 80 (FILE:19) changes:
! - real_server 192.0.2.12 80
! + real_server 192.0.2.13 80
    real_server 192.0.2.13 80 {
! +     weight 5
  +     TCP_CHECK
    real_server 192.0.2.13 80 {
        TCP_CHECK {
  +         connect_timeout 3
1 change; 1 of them touch traffic (!)
`},
		{"servers that drain", []string{"192.0.2.21 80", "192.0.2.31 80", "192.0.2.22 80", "192.0.2.32 80", "drain_timeout 0", "drain_timeout 5"}, `virtual_server 192.0.2.2 80 (FILE:36) changes:
! - real_server 192.0.2.21 80 (drains, for 1m0s at most)
! - real_server 192.0.2.22 80
! + real_server 192.0.2.31 80
! + real_server 192.0.2.32 80
    real_server 192.0.2.32 80 {
  +     drain_timeout 5
1 change; 1 of them touch traffic (!)
`},
		{"a service that drains", []string{"virtual_server 192.0.2.2 80", "virtual_server 192.0.2.2 81"}, `virtual_server 192.0.2.2 80 (FILE:36) goes:
! - virtual_server 192.0.2.2 80 (drains, for 1m0s at most)
virtual_server 192.0.2.2 81 (FILE:36) is new:
! + virtual_server 192.0.2.2 81
2 changes; 2 of them touch traffic (!)
`},
		{"an instance", []string{"vrrp_instance B", "vrrp_instance C", "virtual_router_id 2", "virtual_router_id 3"}, `vrrp_instance B (FILE:12) goes:
! - vrrp_instance B
vrrp_instance C (FILE:12) is new:
! + vrrp_instance C
2 changes; 2 of them touch traffic (!)
`},
	} {
		file := filepath.Join(t.TempDir(), "keepalived.conf")
		load := func(text string) *config.Config {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cfg, _, err := parser.Load(parser.Options{File: file})
			if err != nil {
				t.Fatal(err)
			}
			return cfg
		}
		text := planned
		for i := 0; i < len(c.edits); i += 2 {
			if !strings.Contains(text, c.edits[i]) {
				t.Fatalf("%s: no %q", c.name, c.edits[i])
			}
			text = strings.Replace(text, c.edits[i], c.edits[i+1], 1)
		}
		got, err := Changes(load(planned), load(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, strings.ReplaceAll(got, file, "FILE")); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
	}
}
