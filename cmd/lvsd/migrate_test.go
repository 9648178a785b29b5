package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/migrate"
)

func TestMigrate(t *testing.T) {
	at := func(line int32, code, says string) config.Problem {
		return config.Problem{Origin: config.Origin{File: "k.conf", Line: line}, Severity: config.Note, Code: code, Message: says}
	}
	for _, test := range []struct {
		name     string
		found    migrate.Report
		problems []config.Problem
		err      error
		want     string
		status   int
	}{
		{name: "nothing there", err: errors.New("not there"), status: config.ExitFatal, want: `
keepalived is not started by systemd or an init script, and does not run
/etc/keepalived/keepalived.conf
    cannot be read: not there
1 would be different, beside what docs/compatibility.md lists
`},
		{name: "content", found: migrate.Report{
			Starts:  []migrate.Start{{Where: "/u", Args: strings.Fields("/usr/sbin/keepalived -nD -f /dev/null")}},
			Readers: []migrate.Reader{{Name: "keepalived_exporter", Pid: 7, Uses: "the JSON dump"}},
		}, problems: []config.Problem{at(3, "other", "something else")}, want: `
/u: /usr/sbin/keepalived -nD -f /dev/null
/dev/null: keepalived -t answers 0
keepalived_exporter (process 7) uses the JSON dump
nothing would be different but what docs/compatibility.md lists
`},
		{name: "SNMP", found: migrate.Report{
			Starts:  []migrate.Start{{Where: "/u", Args: strings.Fields("keepalived -x -f /dev/null")}, {Where: "process 9", Args: strings.Fields("keepalived --zz")}},
			Readers: []migrate.Reader{{Name: "snmpd", Pid: 8, Uses: "SNMP, when keepalived registers with it"}},
		}, status: config.ExitFatal, want: `
/u: keepalived -x -f /dev/null
/dev/null: keepalived -t answers 0
process 9: keepalived --zz
    Unknown option --zz
snmpd (process 8) uses SNMP, when keepalived registers with it
1 would be different, beside what docs/compatibility.md lists
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			m := migration{out: &out, load: func(string, string, bool) ([]config.Problem, error) { return test.problems, test.err }}
			m.run(test.found)
			if d := cmp.Diff(strings.TrimPrefix(test.want, "\n"), out.String()); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if m.status() != test.status {
				t.Errorf("status %d, not %d", m.status(), test.status)
			}
		})
	}
}
