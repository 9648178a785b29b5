package dump_test

import (
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

// TestState: what a running daemon fills in.
func TestState(t *testing.T) {
	dir := t.TempDir()
	file := dir + "/keepalived.conf"
	err := os.WriteFile(file, []byte(`
vrrp_script chk { script "/bin/true a" }
vrrp_script late { script /bin/true }
vrrp_sync_group G { group { V W } }
vrrp_instance V {
	interface eth0
	virtual_router_id 1
	virtual_ipaddress { 10.0.0.1/24 }
	track_script {
		chk
		late
	}
}
vrrp_instance W {
	interface eth1
	version 3
	virtual_router_id 2
	virtual_ipaddress { 10.0.0.2/24 }
	auth_hmac {
		key 1 0123456789abcdef0123456789abcdef
		active_key 1
	}
}
virtual_server 10.0.0.1 80 {
	lb_algo rr
	protocol TCP
	quorum 2
	real_server 10.0.0.11 80 { TCP_CHECK { } }
	real_server 10.0.0.12 80 { TCP_CHECK { } }
}
bfd_instance up {
	neighbor_ip 10.0.0.9
}
bfd_instance alone {
	neighbor_ip 10.0.0.8
}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := parser.Load(parser.Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := dump.All(&out, c, running(c)); err != nil {
		t.Fatal(err)
	}
	_, topology, _ := strings.Cut(out.String(), "------< VRRP Topology")
	out.Reset()
	if err := dump.Statistics(&out, c, running(c)); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "testdata/state.golden", "------< VRRP Topology"+topology+out.String())
}

// running is a daemon in the middle of things: V is MASTER, W in FAULT, and a
// real server is down.
func running(c *config.Config) *dump.Facts {
	began := time.Date(2026, 11, 27, 3, 32, 26, 413604000, time.UTC)
	server := func(addr string, up bool) (netip.AddrPort, dump.Server) {
		for _, s := range c.Servers(&c.Services[0]) {
			if s.Addr == netip.MustParseAddrPort(addr) {
				return s.Addr, dump.Server{Alive: up, Weight: s.Weight, Checks: map[config.CheckID]dump.Check{s.Checks[0].ID(): {Up: up, Ran: true}}}
			}
		}
		panic(addr)
	}
	servers := dump.Service{Quorum: false, Servers: map[netip.AddrPort]dump.Server{}}
	for addr, up := range map[string]bool{"10.0.0.11:80": true, "10.0.0.12:80": false} {
		at, s := server(addr, up)
		servers.Servers[at] = s
	}
	return &dump.Facts{
		Links: []dump.Link{{
			Name: "eth0", Index: 2, MTU: 1500, MAC: "12:3a:7b:b3:4d:cb", Broadcast: "ff:ff:ff:ff:ff:ff", Type: "ETHERNET",
			IPv4:  []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.1")},
			Flags: dump.LinkFlags{Up: true, Broadcast: true, Multicast: true},
		}},
		Instances: map[string]dump.Instance{
			"V": {
				State: config.Master, Priority: 120, Source: netip.MustParseAddr("10.0.0.5"), Changed: began, Due: began.Add(time.Second),
				Down: 3609375 * time.Microsecond, Stats: dump.Stats{Received: 1, Sent: 2, BecameMaster: 3, ReleasedMaster: 4, PriorityZeroSent: 5},
			},
			"W": {
				State: config.Fault, Priority: 100, Faulty: true, Changed: began, MasterInterval: 250 * time.Millisecond, Down: time.Second,
				Stats: dump.Stats{ExtMissing: 1, ExtMalformed: 2, ExtUnknownKey: 3, ExtInvalidHMAC: 4, ExtStale: 5, ExtReplay: 6},
			},
		},
		Groups:   map[string]dump.Group{"G": {State: config.Fault, Fault: 1}},
		Scripts:  map[string]dump.Script{"chk": {Known: true, Up: true}},
		Services: map[config.ServiceKey]dump.Service{c.Services[0].Key(): servers},
		Sessions: map[string]dump.Session{
			"up": {
				Up: true, State: "Up", RemoteState: "Up", Diag: "No Diagnostic", RemoteDiag: "Path Down", My: 0x738ab09a, Remote: 0x2c2c28db,
				RemoteMinTx: 130 * time.Millisecond, RemoteMinRx: 120 * time.Millisecond, RemoteDemand: true, Polling: true, RemoteMultiplier: 3,
				Interval: 150 * time.Millisecond, RemoteInterval: 130 * time.Millisecond, Detection: 390 * time.Millisecond, RemoteDetection: 600 * time.Millisecond,
				Seen: began,
			},
			"alone": {State: "Down", RemoteState: "Down", Diag: "No Diagnostic", RemoteDiag: "No Diagnostic", My: 1, Interval: time.Second},
		},
	}
}
