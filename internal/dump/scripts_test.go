package dump_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/parser"
)

// A script that cannot be run is said to be so wherever it is shown, and a
// check by it that it counts as up; a check that is suspended is not enabled; a
// weight is shown with what checks say about it.
func TestScriptsThatCannotRun(t *testing.T) {
	const text = `
vrrp_script chk { script /bin/gone
}
vrrp_instance V {
	interface eth0
	virtual_router_id 1
	virtual_ipaddress { 10.0.0.1/24
	}
	track_script { chk
	}
	notify "/bin/gone x"
}
virtual_server 10.0.0.1 80 {
	lb_algo rr
	lb_kind DR
	protocol TCP
	real_server 10.0.0.2 80 {
		weight 5
		notify_down /bin/gone
		notify_up /bin/true
		MISC_CHECK { misc_path /bin/gone
		}
	}
}
`
	c, _, err := parser.Load(parser.Options{File: "main", Files: parser.Memory{"main": text}})
	if err != nil {
		t.Fatal(err)
	}
	server := c.Servers(&c.Services[0])[0]
	facts := &dump.Facts{
		Unfit: func(cmd *config.Command) string {
			if cmd.Program() == "/bin/gone" {
				return "it has gone"
			}
			return ""
		},
		Services: map[config.ServiceKey]dump.Service{c.Services[0].Key(): {Servers: map[netip.AddrPort]dump.Server{server.Addr: {
			Alive: true, Weight: 9, Checks: map[config.CheckID]dump.Check{server.Checks[0].ID(): {Up: true, Ran: true, Idle: true, Unsure: "cannot run script"}},
		}}}},
	}
	var out strings.Builder
	if err := dump.All(&out, c, facts); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for _, want := range []string{
		"   Generic state transition script = '/bin/gone' 'x', uid:gid 0:0, cannot be run: it has gone",
		"     RS down notify script = '/bin/gone', uid:gid 0:0, cannot be run: it has gone",
		"     RS up notify script = '/bin/true', uid:gid 0:0",
		"   Command = '/bin/gone'",
		"   script = '/bin/gone'",
		"   Enabled = no",
		"   Counts as up = cannot run script",
		"   RIP = 10.0.0.2, RPORT = 80, WEIGHT = 5 EFF WEIGHT = 9",
	} {
		at := slices.Index(lines, want)
		if at < 0 {
			t.Errorf("no line %q", want)
		}
		if shown := strings.HasPrefix(want, "   Command") || strings.HasPrefix(want, "   script"); shown && at >= 0 && lines[at+1] != "   Cannot be run: it has gone" {
			t.Errorf("behind %q is %q", want, lines[at+1])
		}
	}
}
