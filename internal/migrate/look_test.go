package migrate

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestLook(t *testing.T) {
	for _, test := range []struct {
		name    string
		machine fstest.MapFS
		want    Report
	}{
		{"nothing", fstest.MapFS{}, Report{}},
		{"Debian", fstest.MapFS{
			"lib/systemd/system/keepalived.service": file("[Service]\nType=notify\nEnvironmentFile=-/etc/default/keepalived\nExecStart=/usr/sbin/keepalived --dont-fork $DAEMON_ARGS\n"),
			"etc/default/keepalived":                file("# Options\nDAEMON_ARGS=\"-D -x\"\n"),
			"etc/init.d/keepalived":                 file("#!/bin/sh\n"),
		}, Report{Starts: []Start{{Where: "/lib/systemd/system/keepalived.service", Args: []string{"/usr/sbin/keepalived", "--dont-fork", "-D", "-x"}}}}},
		{"a drop-in", fstest.MapFS{
			"usr/lib/systemd/system/keepalived.service":                 file("[Service]\nEnvironmentFile=-/etc/sysconfig/keepalived\nExecStart=/usr/sbin/keepalived $KEEPALIVED_OPTIONS\n"),
			"etc/systemd/system/keepalived.service.d/override.conf":     file("[Service]\nExecStart=\nExecStart=-/usr/local/sbin/keepalived -n ${KEEPALIVED_OPTIONS} -f /srv/k.conf\n"),
			"usr/lib/systemd/system/keepalived.service.d/override.conf": file("[Service]\nExecStart=/bin/false\n"),
			"etc/sysconfig/keepalived":                                  file("KEEPALIVED_OPTIONS=-D\n"),
		}, Report{Starts: []Start{{Where: "/usr/lib/systemd/system/keepalived.service", Args: []string{"/usr/local/sbin/keepalived", "-n", "-D", "-f", "/srv/k.conf"}}}}},
		{"SysV", fstest.MapFS{
			"etc/init.d/keepalived":  file("#!/bin/sh\n"),
			"etc/default/keepalived": file("DAEMON_ARGS=''\n"),
		}, Report{Starts: []Start{{Where: "/etc/init.d/keepalived", Args: []string{"/usr/sbin/keepalived"}}}}},
		{"processes", fstest.MapFS{
			"proc/10/cmdline": file("/usr/sbin/keepalived\x00-P\x00-f\x00/etc/k.conf\x00"),
			"proc/10/status":  file("Name:\tkeepalived\nPPid:\t1\n"),
			"proc/11/cmdline": file("/usr/sbin/keepalived\x00-P\x00-f\x00/etc/k.conf\x00"),
			"proc/11/status":  file("Name:\tkeepalived\nPPid:\t10\n"),
			"proc/12/cmdline": file("/usr/bin/keepalived_exporter\x00"),
			"proc/13/cmdline": file("/usr/bin/python3\x00/usr/bin/neutron-l3-agent\x00"),
			"proc/14/cmdline": file(""),
		}, Report{
			Starts: []Start{{Where: "process 10", Args: []string{"/usr/sbin/keepalived", "-P", "-f", "/etc/k.conf"}, Pid: 10}},
			Readers: []Reader{
				{Name: "keepalived_exporter", Pid: 12, Uses: "the JSON dump, signal 36"},
				{Name: "neutron-l3-agent", Pid: 13, Uses: "options, pid files, SIGHUP"},
			},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if d := cmp.Diff(test.want, Look(test.machine)); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
		})
	}
}
