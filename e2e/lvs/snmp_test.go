package lvs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// checkerMIB is the part of KEEPALIVED-MIB about services.
const checkerMIB = "1.3.6.1.4.1.9586.100.5.3"

// shown has services of every kind, with everything said that the MIB has a
// column for. HEALTH is a file that a check looks for.
const shown = `global_defs {
	router_id director
	enable_script_security
	script_user root
	enable_traps
	lvs_timeouts tcp 800 tcpfin 60 udp 200
	lvs_sync_daemon eth0 id 7 maxlen 1400 port 8849 ttl 3 group 224.0.0.82
}
virtual_server_group mixed {
	10.99.0.1 80
	10.99.0.2-4 81
	fwmark 77
}
virtual_server_group six {
	2001:db8:99::1 80
}
virtual_server 10.99.1.1 80 {
	protocol TCP
	lb_algo wrr
	lb_kind NAT
	snmp_name web
	persistence_timeout 50
	persistence_granularity 255.255.0.0
	delay_loop 2
	retry 4
	delay_before_retry 3
	warmup 0.5
	connect_timeout 1.5
	weight 6
	quorum 9
	hysteresis 1
	alpha
	omega
	smtp_alert
	inhibit_on_failure
	virtualhost www.example.com
	quorum_up "/usr/bin/true up"
	quorum_down "/usr/bin/true down"
	sorry_server 10.1.0.9 8080
	real_server 10.1.0.2 8080 {
		snmp_name first
		weight 5
		uthreshold 100
		lthreshold 50
		inhibit_on_failure
		notify_up "/usr/bin/true up"
		notify_down "/usr/bin/true down"
		virtualhost one.example.com
		alpha
		retry 7
		delay_before_retry 6
		warmup 5
		delay_loop 4
		connect_timeout 3
		smtp_alert
		MISC_CHECK {
			misc_path "/usr/bin/test -e HEALTH"
			misc_timeout 30
			delay_loop 1
			warmup 0
			retry 0
		}
	}
	real_server 10.1.0.3 8081 {
		lvs_method TUN type gue port 6080 csum
	}
}
virtual_server 10.99.1.2 53 {
	protocol UDP
	lb_algo sh
	lb_kind DR
	sh-port
	sh-fallback
	ops
	ha_suspend
	real_server 10.1.0.2 53 {
	}
}
virtual_server fwmark 5 {
	lb_algo mh
	mh-port
	flag-3
	lb_kind TUN
	real_server 10.1.0.4 {
	}
	real_server 10.1.0.5 {
		weight 0
	}
}
virtual_server group mixed {
	protocol TCP
	lb_algo rr
	lb_kind DR
	real_server 10.1.0.2 {
	}
}
virtual_server 2001:db8:99::2 443 {
	protocol SCTP
	lb_algo lc
	lb_kind NAT
	persistence_timeout 20
	persistence_granularity 64
	real_server 2001:db8:1::2 443 {
		weight 3
	}
}
`

// asked is what a manager has seen of a daemon: the tree of services with a few
// packets counted, what comes of setting a weight, the tree while a server is
// down, and the notifications.
func asked(t *testing.T, binary string) (all []string) {
	lab := rig.New(t)
	h := lab.Host("director")
	h.Plug(lab.Switch("lan"), "eth0", "10.1.0.1/16", "2001:db8:1::1/64")
	h.Link("lo", true)
	dir := t.TempDir()
	file := func(name, content string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	socket, traps, health := "unix:"+filepath.Join(dir, "master"), filepath.Join(dir, "traps"), file("health", "")
	background := func(name string, args ...string) {
		c := h.Command(name, args...)
		c.Env = append(os.Environ(), "MIBS=", "SNMP_PERSISTENT_DIR="+dir)
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = c.Process.Kill()
			_ = c.Wait() // it was killed
		})
	}
	background("snmptrapd", "-f", "-On", "-Lf", traps, "-C", "-c", file("trapd.conf", "disableAuthorization yes\n"), "-p", filepath.Join(dir, "trapd.pid"), "udp:127.0.0.1:162")
	background("snmpd", "-f", "-Lf", filepath.Join(dir, "log"), "-C", "-p", filepath.Join(dir, "snmpd.pid"), "-c", file("snmpd.conf",
		"master agentx\nagentXSocket "+socket+"\nagentaddress udp:127.0.0.1:161\nrocommunity public\nrwcommunity private\ntrap2sink 127.0.0.1\n"))
	heard := func(what string) int {
		text, err := os.ReadFile(traps)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return strings.Count(string(text), what)
	}
	rig.Until(t, "the SNMP daemon", patience, func() bool { return heard("1.3.6.1.6.3.1.1.5.1") > 0 }) // coldStart
	snmp := func(command string, args ...string) string {
		c := h.Command("env", append([]string{"MIBS=", "snmp" + command, "-v2c", "-On", "-Oe", "-c", "private"}, args...)...)
		out, err := c.CombinedOutput()
		if err != nil && command != "set" {
			t.Logf("snmp%s %v: %v", command, args, err)
		}
		return string(out)
	}
	const here = "127.0.0.1"
	tree := func() string { return snmp("bulkwalk", "-Cr50", here, checkerMIB) }
	status := func(server string) string { return snmp("get", here, checkerMIB+".4.1.6."+server) }

	h.File("keepalived.conf", strings.ReplaceAll(shown, "HEALTH", health))
	d := h.Start(binary, "-x", "-A", socket)
	up := func() bool { return strings.Contains(status("1.2"), "INTEGER: 1") }
	rig.Until(t, "the server to be up", patience, up)
	h.Run("ip", "route", "add", "10.99.0.0/16", "dev", "eth0")
	h.Run("bash", "-c", "exec 3>/dev/udp/10.99.1.2/53; for i in 1 2 3; do echo $i >&3; done")
	rig.Until(t, "the packets to be counted", patience, func() bool {
		counted := snmp("get", here, checkerMIB+".3.1.28.2", checkerMIB+".4.1.18.2.1")
		return strings.Count(counted, "Counter32: 3\n") == 2
	})
	weights := func() string { return snmp("walk", here, checkerMIB+".4.1.7") }
	all = append(all, tree(), snmp("set", here, checkerMIB+".4.1.7.1.2", "i", "8"), snmp("set", here, checkerMIB+".4.1.7.9.2", "i", "1"), weights())
	if err := os.Remove(health); err != nil {
		t.Fatal(err)
	}
	rig.Until(t, "the server to be down", patience, func() bool { return !up() })
	all = append(all, tree())
	file("health", "")
	rig.Until(t, "the server to be up again", patience, up)
	d.Stop(patience)
	rig.Until(t, "the last notification", patience, func() bool { return heard(checkerMIB+".3.1.23 = INTEGER: 3") == services }) // shutdown
	text, err := os.ReadFile(traps)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, strings.Join(regexp.MustCompile(`OID: \.1\.3\.6\.1\.4\.1\.9586.*`).FindAllString(string(text), -1), "\n"))
	for i := range all {
		all[i] = different.ReplaceAllString(all[i], "")
	}
	return all
}

// services is how many there are in shown.
const services = 5

// different is what is not the same: rates, and, docs/compatibility.md, the
// granularity for IPv6 of marks and groups, and the protocol of others than TCP
// and UDP in a notification.
var different = regexp.MustCompile(`(?m)^\.1\.3\.6\.1\.4\.1\.9586\.100\.5\.3\.(3\.1\.(3[2-6]|4\d|50)|4\.1\.(2[2-6]|3\d))\.2[. ].*\n|` +
	`^\.1\.3\.6\.1\.4\.1\.9586\.100\.5\.3\.3\.1\.51\.[34] .*\n|` +
	`(\.1\.3\.6\.1\.4\.1\.9586\.100\.5\.3\.3\.1\.7 = Gauge32: 443|\.1\.3\.6\.1\.4\.1\.9586\.100\.5\.3\.3\.1\.4 = Gauge32: 5)\t\.1\.3\.6\.1\.4\.1\.9586\.100\.5\.3\.3\.1\.8 = INTEGER: \d`)

// TestSNMP: a manager sees the same services, and hears the same of them, from
// both daemons.
func TestSNMP(t *testing.T) {
	onlyLVSD(t, "it is compared with itself")
	want, got := asked(t, rig.Keepalived), asked(t, rig.Binary())
	if n := strings.Count(want[0], "\n"); n < 500 {
		t.Errorf("keepalived shows %d instances", n)
	}
	for i := range want {
		t.Logf("keepalived's %d:\n%s", i, want[i])
		if d := cmp.Diff(want[i], got[i]); d != "" {
			t.Errorf("keepalived's - and lvsd's +\n%s", d)
		}
	}
}
