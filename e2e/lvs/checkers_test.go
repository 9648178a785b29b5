package lvs

import (
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// checkerSteps are what both daemons say in testdata/checkers.conf, while
// the servers run, when they have died, and when they are back.
var checkerSteps = [3][]string{
	{
		"Remote SMTP server [10.80.0.11]:tcp:25 succeed on service.",
		"SMTP_CHECK Could not connect to server [10.80.0.12]:25",
		"Remote SMTP server [10.80.0.13]:tcp:25 succeed on service.",
		"DNS_CHECK ([10.80.0.12]:udp:53) read error occurred. (rcode = 5)",
		"UDP connection to [10.80.0.11]:udp:7 success.",
		"UDP_CHECK on service [10.80.0.12]:udp:7 failed.",
		"UDP_CHECK on service [10.80.0.13]:udp:7 failed.",
		"ICMP connection to [10.80.0.11]:tcp:80 success.",
		"ICMP CHECK on service [10.80.0.14]:tcp:25 failed.",
		"TCP connection to [10.80.0.13]:tcp:25 success.",
	},
	{
		"SMTP_CHECK Could not connect to server [10.80.0.11]:25",
		"DNS_CHECK ([10.80.0.11]:udp:53) failed to read socket; errno 111 (Connection refused) after 1 retries",
		"UDP_CHECK on service [10.80.0.11]:udp:7 failed after 1 retries.",
		"ICMP CHECK on service [10.80.0.11]:tcp:80 of [10.80.1.4]:tcp:80 failed after 1 retries.",
		"TCP_CHECK on service [10.80.0.13]:tcp:25 failed after 1 retries.",
	},
	{
		"Remote SMTP server [10.80.0.11]:tcp:25 succeed on service.",
		"Adding service [10.80.0.11]:udp:53 to VS [10.80.1.2]:udp:53",
		"UDP connection to [10.80.0.11]:udp:7 success.",
		"ICMP connection to [10.80.0.11]:tcp:80 success.",
		"TCP connection to [10.80.0.13]:tcp:25 success.",
	},
}

// Checks of real servers that are not HTTP's: the same sentences and the same
// table as keepalived, while they run, when they die, and when they return.
func TestCheckers(t *testing.T) {
	found, err := rig.ReadFolder("testdata")
	if err != nil {
		t.Fatal(err)
	}
	lab := rig.New(t)
	lan := lab.Switch("lan")
	d, s := lab.Host("director"), lab.Host("servers")
	d.Plug(lan, "eth0", "10.80.0.1/24")
	s.Plug(lan, "eth0", "10.80.0.11/24", "10.80.0.12/24", "10.80.0.13/24")
	s.Sysctl("net.ipv4.icmp_ratelimit", "0") // every closed port is told
	d.File("keepalived.conf", found["checkers.conf"])

	want := checkersOf(t, d, s, rig.Keepalived)
	got := checkersOf(t, d, s, rig.Binary())
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("step %d: ipvsadm -Sn after %s:\n%s\nafter keepalived:\n%s", i, rig.Binary(), got[i], want[i])
		}
	}
}

// checkersOf runs a daemon through the steps and gives the tables.
func checkersOf(t *testing.T, d, s *rig.Host, binary string) (tables [3]string) {
	t.Helper()
	stop := networkServers(t, s)
	daemon := d.Start(binary)
	mark := 0
	for i, sentences := range checkerSteps {
		switch i {
		case 1:
			mark = daemon.Mark()
			stop()
		case 2:
			mark = daemon.Mark()
			stop = networkServers(t, s)
		}
		for _, sentence := range sentences {
			daemon.Wait(mark, sentence, patience)
		}
		time.Sleep(delayLoop) // for what is not told
		lines := strings.SplitAfter(d.Run("ipvsadm", "-Sn"), "\n")
		slices.Sort(lines)
		tables[i] = strings.Join(lines, "")
	}
	daemon.Stop(patience)
	stop()
	return tables
}

// echo answers datagrams on port 7.
const echo = `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.80.0.11", 7))
while True:
    s.sendto(*s.recvfrom(9000))
`

// networkServers starts a mail server, a name server, one for echoes, and
// answers to ping.
func networkServers(t *testing.T, h *rig.Host) (stop func()) {
	t.Helper()
	all := []*exec.Cmd{
		h.Command("aiosmtpd", "-n", "-l", "10.80.0.11:25"),
		h.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file", "--user=root", "--no-resolv", "--no-hosts",
			"--bind-interfaces", "--listen-address=10.80.0.11", "--address=/www.example.org/192.0.2.1"),
		h.Command("python3", "-c", echo),
	}
	h.Sysctl("net.ipv4.icmp_echo_ignore_all", "0")
	for _, c := range all {
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
	rig.Until(t, "the servers to listen", patience, func() bool {
		sockets := h.Run("ss", "-lntuH")
		return strings.Contains(sockets, "10.80.0.11:25 ") && strings.Contains(sockets, "10.80.0.11:53 ") && strings.Contains(sockets, "10.80.0.11:7 ")
	})
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		h.Sysctl("net.ipv4.icmp_echo_ignore_all", "1")
		for _, c := range all {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	t.Cleanup(stop)
	return stop
}
