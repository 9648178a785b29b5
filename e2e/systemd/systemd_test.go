package systemd

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

var vip = netip.MustParseAddr("10.9.0.100")

const interval = 200 * time.Millisecond

// configuration is of a virtual router that scripts watch and are told of.
func configuration(priority int) []byte {
	return fmt.Appendf(nil, `global_defs {
	enable_script_security
	script_user nobody
}
vrrp_script watch {
	script "/etc/keepalived/watch.sh"
	interval 1
	timeout 1
	weight 10
}
vrrp_instance VI_1 {
	version 3
	interface eth0
	virtual_router_id 51
	priority %d
	advert_int 0.2
	virtual_ipaddress {
		%s/24
	}
	virtual_routes {
		192.0.2.0/24 via 10.9.0.9
	}
	track_script {
		watch
	}
	notify /etc/keepalived/notify.sh root
}
`, priority, vip)
}

// install brings lvsd, its configuration and a unit into the machine.
func (m *machine) install(program, unit string) {
	m.t.Helper()
	binary, err := os.ReadFile(rig.Binary())
	if err != nil {
		m.t.Fatal(err)
	}
	m.unit = unit
	m.write("/usr/sbin/"+program, 0o755, binary)
	m.write("/usr/sbin/lvsd", 0o755, binary)
	m.write("/etc/keepalived/keepalived.conf", 0o600, configuration(100))
	m.write("/etc/keepalived/watch.sh", 0o755, []byte("#!/bin/sh\n[ $(id -un) = nobody ]\n"))
	m.write("/etc/keepalived/notify.sh", 0o755, []byte("#!/bin/sh\necho $2 $3 >>/run/notified\n"))
	m.do("systemctl", "daemon-reload")
}

// useFile brings a unit of the project's.
func (m *machine) useFile(path string) {
	m.t.Helper()
	content, err := os.ReadFile("../../dist/" + path)
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("/etc/systemd/system/"+path, 0o644, content)
}

// tests have a unit each: two of the project's, and Debian's for keepalived.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, program, unit string
		answers             bool // systemctl reload says how it went
	}{
		{"lvsd.service", "lvsd", "lvsd.service", true},
		{"keepalived.service", "keepalived", "keepalived.service", false},
		{"keepalived.service of Debian", "keepalived", "keepalived.service", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := rig.New(t)
			host := h.Host("r1")
			host.Plug(h.Switch("lan"), "eth0", "10.9.0.1/24")
			wire := host.Capture("eth0")
			m := boot(t, host)
			if !strings.HasSuffix(test.name, "Debian") {
				m.useFile(test.unit)
			}
			if test.answers {
				m.write("/etc/systemd/system/lvsd.service.d/watchdog.conf", 0o644, []byte("[Service]\nWatchdogSec=1\nRestartSec=10ms\n"))
			}
			m.install(test.program, test.unit)
			m.starts(test.program)
			if test.answers {
				host.Serve(80)
				m.checks()
			}
			m.reloads(test.answers)
			m.upgrades(wire)
			if test.answers {
				m.hangs()
			}
			m.stops(wire)
			m.stopsMeanwhile()
		})
	}
}

// starts: the unit is active once everything runs, says in one line how it is,
// and its lines are in the journal with fields.
func (m *machine) starts(program string) {
	m.t.Helper()
	m.do("systemctl", "start", m.unit)
	if state := m.property("ActiveState"); state != "active" {
		m.t.Errorf("after start it is %s", state)
	}
	rig.Until(m.t, "the address", patience, func() bool { return m.Has(vip) })
	// The verdict of the script, 10 more, has come in.
	m.is("StatusText", "1 virtual router: 1 MASTER")
	if text := m.do("systemctl", "status", "--no-pager", m.unit); !strings.Contains(text, `Status: "1 virtual router: 1 MASTER"`) {
		m.t.Errorf("systemctl status:\n%s", text)
	}
	if pid, file := m.property("MainPID"), strings.TrimSpace(m.read("/run/keepalived.pid")); pid != file {
		m.t.Errorf("MAINPID is %s, the pid file says %s", pid, file)
	}
	if name := strings.TrimSpace(m.do("cat", "/proc/"+m.property("MainPID")+"/comm")); name != program {
		m.t.Errorf("the process is called %s", name)
	}
	rig.Until(m.t, "the notify script", patience, func() bool { return strings.HasSuffix(m.read("/run/notified"), "VI_1 MASTER\n") })
	if routes := m.do("ip", "route", "show", "192.0.2.0/24"); !strings.Contains(routes, "10.9.0.9") {
		m.t.Errorf("the route: %q", routes)
	}
	rig.Until(m.t, "lines of the journal", patience, func() bool { return m.journalled("VRRP_INSTANCE=VI_1", "VRRP_STATE=MASTER") })
	if text := m.do("journalctl", "-u", m.unit, "--no-pager", "-o", "cat"); strings.Count(text, "(VI_1) Entering MASTER STATE") != 1 || !strings.Contains(text, "VRRP_Script(watch) succeeded") {
		m.t.Errorf("the journal:\n%s", text)
	}
}

// journalled tells whether the journal has a line of the unit with these fields.
func (m *machine) journalled(fields ...string) bool {
	m.t.Helper()
	lines, _ := m.try(slices.Concat([]string{"journalctl", "-o", "json", "--no-pager", "_SYSTEMD_UNIT=" + m.unit}, fields)...)
	for line := range strings.Lines(lines) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["SYSLOG_IDENTIFIER"] == "Keepalived_vrrp" && entry["PRIORITY"] == "6" && entry["MESSAGE"] == "(VI_1) Entering MASTER STATE" {
			return true
		}
	}
	return false
}

// checked has a check of each kind that takes something of its own from the
// system: sockets, raw packets, another user.
const checked = `global_defs {
	enable_script_security
}
virtual_server 10.9.0.200 80 {
	protocol TCP
	real_server 10.9.0.1 80 {
		HTTP_GET {
			url {
				path /
				status_code 200
			}
		}
		TCP_CHECK {
		}
		PING_CHECK {
		}
		MISC_CHECK {
			misc_path /etc/keepalived/watch.sh
			user nobody
		}
	}
}
`

// checks: what the unit of lvsd forbids is of no need to checks.
func (m *machine) checks() {
	m.t.Helper()
	unit, err := os.ReadFile("../../dist/lvsd.service")
	if err != nil {
		m.t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(unit)) {
		switch key, _, _ := strings.Cut(line, "="); key {
		case "Type":
			line = "Type=oneshot\n"
		case "ExecStart":
			line = "ExecStart=/usr/sbin/lvsd check /etc/keepalived/checked.conf 10.9.0.200:80 10.9.0.1:80\n"
		case "Restart", "WatchdogSec", "ExecReload":
			continue
		}
		b.WriteString(line)
	}
	m.write("/etc/keepalived/checked.conf", 0o600, []byte(checked))
	m.write("/etc/systemd/system/check.service", 0o644, []byte(b.String()))
	m.do("systemctl", "daemon-reload")
	if said, status := m.try("systemctl", "start", "check.service"); status != 0 {
		log, _ := m.try("journalctl", "-u", "check.service", "--no-pager", "-o", "cat")
		m.t.Errorf("checks: %s\n%s", said, log)
	}
}

// reloads: a good file is taken, a broken one is not and the status says so;
// the unit is active all the time.
func (m *machine) reloads(answers bool) {
	m.t.Helper()
	pid := m.property("MainPID")
	m.write("/etc/keepalived/keepalived.conf", 0o600, configuration(120))
	if said, status := m.systemctl("reload"); status != 0 {
		m.t.Errorf("reload: status %d: %s", status, said)
	}
	m.logs("Reload complete")
	m.write("/etc/keepalived/keepalived.conf", 0o600, []byte("vrrp_instance VI_1 {\n\tstate MASTER\n\tinterface eth0\n\tvirtual_router_id 999\n}\n"))
	if said, status := m.systemctl("reload"); (status != 0) != answers {
		m.t.Errorf("reload of a broken file: status %d: %s", status, said)
	}
	m.is("ActiveState", "active")
	rig.Until(m.t, "the status to tell of the reload", patience, func() bool { return strings.Contains(m.property("StatusText"), "the last reload failed: ") })
	m.write("/etc/keepalived/keepalived.conf", 0o600, configuration(120))
	if said, status := m.systemctl("reload"); status != 0 {
		m.t.Errorf("reload: status %d: %s", status, said)
	}
	m.is("StatusText", "1 virtual router: 1 MASTER")
	if now := m.property("MainPID"); now != pid || m.property("ActiveState") != "active" {
		m.t.Errorf("the process is %s, and was %s", now, pid)
	}
}

// logs waits for a line of the unit.
func (m *machine) logs(text string) {
	m.t.Helper()
	rig.Until(m.t, text+" in the journal", patience, func() bool {
		log, _ := m.try("journalctl", "-u", m.unit, "--no-pager", "-o", "cat")
		return strings.Contains(log, text)
	})
}

// failing is a new program that says that it takes over, and ends.
const failing = `#!/bin/sh
case "$*" in *--accepts | *--config-test*) exec /usr/sbin/lvsd "$@" ;; esac
exit 1
`

// upgrades: the unit stays active, with the process that it has; after a program
// that fails with another one, which is the unit's as the first was.
func (m *machine) upgrades(wire *rig.Capture) {
	m.t.Helper()
	pid, began := m.property("MainPID"), time.Now()
	for range 2 {
		m.do("/usr/sbin/lvsd", "upgrade")
		m.is("StatusText", "1 virtual router: 1 MASTER")
		if now := m.property("MainPID"); now != pid || m.property("ActiveState") != "active" {
			m.t.Errorf("after an upgrade the process is %s, and was %s; the unit is %s", now, pid, m.property("ActiveState"))
		}
	}
	m.write("/usr/sbin/failing", 0o755, []byte(failing))
	said, status := m.try("/usr/sbin/lvsd", "upgrade", "--binary", "/usr/sbin/failing")
	if status != 7 || !strings.Contains(said, "it has ended before everything ran; lvsd v") {
		m.t.Errorf("upgrade to a program that fails: status %d: %s", status, said)
	}
	other := strings.TrimSpace(m.read("/run/keepalived.pid"))
	m.is("MainPID", other)
	m.is("StatusText", "1 virtual router: 1 MASTER")
	if state := m.property("ActiveState"); other == pid || state != "active" {
		m.t.Errorf("the process is %s, and was %s; the unit is %s", other, pid, state)
	}
	m.do("/usr/sbin/lvsd", "upgrade")
	m.is("MainPID", other)
	if said, status := m.systemctl("reload"); status != 0 {
		m.t.Errorf("a reload after that: status %d: %s", status, said)
	}
	m.is("StatusText", "1 virtual router: 1 MASTER")
	if n := m.property("NRestarts"); n != "0" {
		m.t.Errorf("%s restarts", n)
	}
	m.steady(wire, began)
	rig.Until(m.t, "the bridge to end", patience, func() bool {
		_, status := m.try("pgrep", "-x", "exe")
		return status == 1
	})
	stopped := time.Now()
	m.do("systemctl", "restart", m.unit)
	rig.Until(m.t, "the address", patience, func() bool { return m.Has(vip) })
	log := m.do("journalctl", "-u", m.unit, "--no-pager", "-o", "cat")
	for _, complaint := range []string{"reception only permitted", "not our child", "SIGKILL"} {
		if strings.Contains(log, complaint) {
			m.t.Errorf("%s in the journal:\n%s", complaint, log)
		}
	}
	if last := wire.Adverts(stopped); !slices.ContainsFunc(last, func(a rig.Advert) bool { return a.Priority == 0 }) {
		m.t.Error("no farewell of the process that went on")
	}
}

// steady: no advert is missing or of priority 0 since a moment.
func (m *machine) steady(wire *rig.Capture, since time.Time) {
	m.t.Helper()
	adverts := wire.Adverts(since)
	if len(adverts) == 0 {
		m.t.Error("no adverts")
	}
	for i, a := range adverts {
		if a.Priority != 130 {
			m.t.Errorf("an advert of priority %d", a.Priority)
		}
		if i > 0 && a.At.Sub(adverts[i-1].At) > 2*interval {
			m.t.Errorf("two adverts are %s apart", a.At.Sub(adverts[i-1].At))
		}
	}
}

// hangs: the watchdog lets a unit alone that works, and starts one anew that
// does not.
func (m *machine) hangs() {
	m.t.Helper()
	pid := m.property("MainPID")
	time.Sleep(2500 * time.Millisecond) // the watchdog waits for a second
	if now := m.property("MainPID"); now != pid {
		m.t.Errorf("the watchdog has ended what worked: %s", m.property("Result"))
	}
	m.do("kill", "-STOP", pid)
	rig.Until(m.t, "another process", patience, func() bool { now := m.property("MainPID"); return now != pid && now != "0" })
	m.is("NRestarts", "1")
	m.is("ActiveState", "active")
	rig.Until(m.t, "the address", patience, func() bool { return m.Has(vip) })
}

// stops: it says farewell, leaves nothing and is inactive, not failed.
func (m *machine) stops(wire *rig.Capture) {
	m.t.Helper()
	began := time.Now()
	m.do("systemctl", "stop", m.unit)
	if state, result := m.property("ActiveState"), m.property("Result"); state != "inactive" || result != "success" {
		m.t.Errorf("after stop it is %s, %s", state, result)
	}
	if m.Has(vip) {
		m.t.Error("the address is left")
	}
	if last := wire.Adverts(began); len(last) == 0 || last[len(last)-1].Priority != 0 {
		m.t.Errorf("the last adverts: %v", last)
	}
	if left := m.do("ip", "route", "show", "192.0.2.0/24"); left != "" {
		m.t.Errorf("the route is left: %s", left)
	}
}

// hanging is a new program that says that it takes over, and hangs.
const hanging = `#!/bin/sh
case "$*" in *--accepts | *--config-test*) exec /usr/sbin/lvsd "$@" ;; esac
exec sleep 1000
`

// stopsMeanwhile: a unit whose new program hangs can be stopped, and nothing is
// left.
func (m *machine) stopsMeanwhile() {
	m.t.Helper()
	m.do("systemctl", "start", m.unit)
	rig.Until(m.t, "the address", patience, func() bool { return m.Has(vip) })
	pid := m.property("MainPID")
	m.write("/usr/sbin/hanging", 0o755, []byte(hanging))
	said := make(chan string, 1)
	go func() {
		text, status := m.try("/usr/sbin/lvsd", "upgrade", "--binary", "/usr/sbin/hanging")
		said <- fmt.Sprint(status, " ", text)
	}()
	rig.Until(m.t, "the upgrade to be watched over", patience, func() bool { return m.property("MainPID") != pid })
	m.do("systemctl", "stop", m.unit)
	if text := <-said; !strings.HasPrefix(text, "8 ") {
		m.t.Errorf("upgrade: %s", text)
	}
	m.is("ActiveState", "inactive")
	if m.Has(vip) {
		m.t.Error("the address is left")
	}
}

// TestUnprivileged: with the drop-in, lvsd has no root and no capability but
// four, and lacks nothing: sockets, addresses, sysctls, real-time priority,
// scripts, reloads and an upgrade. The figures are those that systemd-analyze
// gives for what an intruder could do, in tenths.
func TestUnprivileged(t *testing.T) {
	t.Parallel()
	h := rig.New(t)
	host := h.Host("r1")
	host.Plug(h.Switch("lan"), "eth0", "10.9.0.1/24")
	wire := host.Capture("eth0")
	m := boot(t, host)
	m.useFile("lvsd.service")
	m.install("lvsd", "lvsd.service")
	m.exposed("40")
	dropIn, err := os.ReadFile("../../dist/lvsd-unprivileged.conf")
	if err != nil {
		t.Fatal(err)
	}
	m.do("useradd", "--system", "lvsd")
	m.write("/etc/systemd/system/lvsd.service.d/unprivileged.conf", 0o644, dropIn)
	own := strings.NewReplacer("script_user nobody", "script_user lvsd", "notify.sh root", "notify.sh", "\tversion 3\n", "\tversion 3\n\tuse_vmac\n")
	m.write("/etc/keepalived/keepalived.conf", 0o640, []byte(own.Replace(string(configuration(120)))))
	m.do("chgrp", "lvsd", "/etc/keepalived/keepalived.conf")
	m.write("/etc/keepalived/watch.sh", 0o755, []byte("#!/bin/sh\n[ $(id -un) = lvsd ]\n"))
	m.write("/etc/keepalived/notify.sh", 0o755, []byte("#!/bin/sh\necho $(id -un) $2 $3 >>/run/lvsd/notified\n"))
	m.do("systemctl", "daemon-reload")
	m.exposed("25")
	m.do("systemctl", "start", m.unit)
	rig.Until(t, "the address", patience, func() bool { return m.Has(vip) })
	m.is("StatusText", "1 virtual router: 1 MASTER")
	pid := m.property("MainPID")
	const four = "0000000000803400" // CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_NICE
	if status := m.do("cat", "/proc/"+pid+"/status"); !strings.Contains(status, "CapBnd:\t"+four) || !strings.Contains(status, "CapEff:\t"+four) || strings.Contains(status, "Uid:\t0") {
		t.Errorf("the process is\n%s", status)
	}
	if policies := m.do("ps", "-L", "-o", "cls=", "-p", pid); !strings.Contains(policies, "RR") {
		t.Errorf("no thread has real-time priority: %q", policies)
	}
	rig.Until(t, "the notify script", patience, func() bool { return strings.HasSuffix(m.read("/run/lvsd/notified"), "lvsd VI_1 MASTER\n") })
	began := time.Now()
	if said, status := m.systemctl("reload"); status != 0 {
		t.Errorf("reload: status %d: %s", status, said)
	}
	m.do("/usr/sbin/lvsd", "upgrade", "--pid", "/run/lvsd/keepalived.pid")
	m.is("StatusText", "1 virtual router: 1 MASTER")
	if now := m.property("MainPID"); now != pid {
		t.Errorf("after an upgrade the process is %s, and was %s", now, pid)
	}
	m.steady(wire, began)
	m.stops(wire)
	if links := m.do("ip", "-br", "link"); strings.Contains(links, "vrrp.") {
		t.Errorf("the link is left: %s", links)
	}
}

// exposed expects the figure of systemd-analyze security to be no higher.
func (m *machine) exposed(most string) {
	m.t.Helper()
	if said, status := m.try("systemd-analyze", "security", "--no-pager", "--threshold="+most, m.unit); status != 0 {
		m.t.Errorf("it is more than %s: %s", most, said)
	}
}
