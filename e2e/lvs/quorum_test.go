package lvs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// scenario is a service whose real servers die and return: those of ports 8001
// to 8003 live at first, that of 8004 is dead. 8009 serves the sorry server.
// The address is 10.99.0.N.
type scenario struct {
	name    string
	service string // lines of the virtual_server
	servers string // PORT [lines of the real_server], separated by a semicolon
	reload  string // servers after a reload; "gone" for none
	differs string // after the reload, and why
}

var scenarios = []scenario{
	{name: "plain", servers: "8001;8002;8003;8004", reload: "8001;8003 weight 5;8005"},
	{name: "quorum", service: "quorum 2", servers: "8001;8002;8003", reload: "8003", differs: "keepalived counts the servers that are left against the quorum of the old configuration"},
	{name: "hysteresis", service: "quorum 3\nhysteresis 1", servers: "8001 weight 2;8002;8003;8004"},
	{name: "sorry", service: "sorry_server 10.72.0.2 8009", servers: "8001;8002", reload: "8001", differs: "keepalived tells twice that the quorum is lost"},
	{name: "sorry and quorum", service: "quorum 2\nsorry_server 10.72.0.2 8009", servers: "8001;8002;8003"},
	{name: "sorry inhibited", service: "sorry_server 10.72.0.2 8009\nsorry_server_inhibit\nquorum 2", servers: "8001;8002;8003"},
	{name: "sorry method", service: "sorry_server 10.72.0.2 80\nsorry_server_lvs_method DR\nquorum 3", servers: "8001;8002;8003"},
	{name: "inhibited", service: "inhibit_on_failure", servers: "8001;8002 weight 3;8004", reload: "8004"},
	{name: "inhibited and sorry", service: "inhibit_on_failure\nquorum 2\nsorry_server 10.72.0.2 8009", servers: "8001;8002;8003;8004", reload: "8001;8002;8003"},
	{name: "alpha", service: "alpha", servers: "8001;8004"},
	{name: "alpha and sorry", service: "alpha\nquorum 2\nsorry_server 10.72.0.2 8009", servers: "8001;8002;8004"},
	{name: "alpha and inhibited", service: "alpha\ninhibit_on_failure", servers: "8001;8002;8004"},
	{name: "omega", service: "omega\nquorum 2", servers: "8001;8002;8004", reload: "gone"},
	{name: "omega and sorry", service: "omega\nquorum 5\nsorry_server 10.72.0.2 8009", servers: "8001;8002;8004"},
	{name: "omega and inhibited", service: "omega\ninhibit_on_failure\nquorum 2", servers: "8001;8002;8004", reload: "8001;8002", differs: "keepalived tells twice that the quorum is lost"},
	{name: "weight 0", servers: "8001 weight 0;8002", reload: "gone"},
	{name: "all of weight 0", service: "sorry_server 10.72.0.2 8009", servers: "8001 weight 0;8002 weight 0"},
	{name: "sorry is real", service: "sorry_server 10.72.0.2 8001\nquorum 2", servers: "8001 weight 5;8002;8003"},
	{name: "sorry is real, inhibited", service: "sorry_server 10.72.0.2 8001\ninhibit_on_failure\nquorum 2", servers: "8001;8002;8003"},
	{name: "no check", service: "quorum 2\nsorry_server 10.72.0.2 8009", servers: "8001;8002;8099 unchecked"},
}

func (s *scenario) block(n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "virtual_server 10.99.0.%d 80 {\nprotocol TCP\nlb_algo wrr\nlb_kind NAT\ndelay_loop 2\nwarmup 0\n%s\n", n, s.service)
	name := fmt.Sprintf("10.99.0.%d", n)
	fmt.Fprintf(&b, "quorum_up \"/etc/keepalived/record.sh %s quorum up\"\nquorum_down \"/etc/keepalived/record.sh %s quorum down\"\n", name, name)
	for server := range strings.SplitSeq(s.servers, ";") {
		port, lines, _ := strings.Cut(server, " ")
		fmt.Fprintf(&b, "real_server 10.72.0.2 %s {\nnotify_up \"/etc/keepalived/record.sh %s %s up\"\nnotify_down \"/etc/keepalived/record.sh %s %s down\"\n", port, name, port, name, port)
		if lines == "unchecked" {
			b.WriteString("}\n")
			continue
		}
		fmt.Fprintf(&b, "%s\nTCP_CHECK {\nconnect_timeout 1\nretry 0\n}\n}\n", lines)
	}
	return b.String() + "}\n"
}

// life is what comes of the services: after each step the kernel's table and
// what was told since the last one, by service.
type life struct {
	steps []string
	seen  []map[string][]string
	log   string
}

const globals = "global_defs {\nlvs_notify_fifo /etc/keepalived/changes\nlvs_notify_fifo_script /etc/keepalived/fifo.sh\n}\n"

func live(t *testing.T, binary string) life {
	lab := rig.New(t)
	lan := lab.Switch("lan")
	director, real := lab.Host("director"), lab.Host("real")
	director.Plug(lan, "eth0", "10.72.0.1/24")
	real.Plug(lan, "eth0", "10.72.0.2/24")
	servers := map[int]*rig.Web{}
	for port := 8001; port <= 8004; port++ {
		servers[port] = real.Serve(uint16(port))
	}
	servers[8004].Stop()
	var conf strings.Builder
	conf.WriteString(globals)
	for n := range scenarios {
		conf.WriteString(scenarios[n].block(n + 1))
	}
	director.File("fifo.sh", "#!/bin/sh\nexec cat \"$1\" >>/etc/keepalived/lines\n")
	director.File("lines", "")
	director.File("notified", "")
	director.File("record.sh", "#!/bin/sh\necho \"$@\" >>/etc/keepalived/notified\n")
	director.Run("chmod", "755", "/etc/keepalived/fifo.sh", "/etc/keepalived/record.sh")
	director.File("keepalived.conf", conf.String())
	l := life{}
	var told, ran int
	look := func(step string) {
		seen := map[string][]string{}
		for line := range strings.Lines(director.Run("ipvsadm", "-Sn")) {
			vip := strings.TrimSuffix(strings.Fields(line)[2], ":80")
			seen[vip] = append(seen[vip], strings.TrimSpace(line))
		}
		lines := strings.ReplaceAll(director.ReadFile("lines"), "\x00", "")
		if step == "stop" { // keepalived has ended the script that reads them
			told = len(lines)
		}
		for line := range strings.Lines(lines[told:]) {
			_, vip, _ := strings.Cut(line, "[10.99.")
			vip, _, _ = strings.Cut("10.99."+vip, "]")
			seen[vip] = append(seen[vip], strings.TrimSpace(line))
		}
		told = len(lines)
		notified := director.ReadFile("notified")
		for line := range strings.Lines(notified[ran:]) {
			vip, what, _ := strings.Cut(line, " ")
			seen[vip] = append(seen[vip], "ran: "+strings.TrimSpace(what))
		}
		ran = len(notified)
		for _, lines := range seen {
			// What several servers tell, and what runs at the same time, has no order.
			slices.SortStableFunc(lines, func(a, b string) int {
				if step == "start" || !strings.HasPrefix(a, "RS") && !strings.HasPrefix(a, "VS") || !strings.HasPrefix(b, "RS") && !strings.HasPrefix(b, "VS") {
					return cmp.Compare(a, b)
				}
				return 0
			})
		}
		l.steps, l.seen = append(l.steps, step), append(l.seen, seen)
	}
	d := director.Start(binary)
	d.Wait(0, "Startup complete", patience)
	const rest = 8 * time.Second
	time.Sleep(rest)
	look("start")
	for _, step := range []string{"down 8001", "down 8002", "down 8003", "up 8001", "up 8002", "up 8003", "up 8004", "down 8001"} {
		what, port := "", 0
		if _, err := fmt.Sscan(step, &what, &port); err != nil {
			t.Fatal(err)
		}
		if what == "up" {
			servers[port].Start()
		} else {
			servers[port].Stop()
		}
		time.Sleep(rest)
		look(step)
	}
	conf.Reset()
	conf.WriteString(globals)
	for n := range scenarios {
		s := scenarios[n]
		if s.reload == "gone" {
			continue
		}
		s.servers = cmp.Or(s.reload, s.servers)
		conf.WriteString(s.block(n + 1))
	}
	director.File("keepalived.conf", conf.String())
	d.Signal(syscall.SIGHUP)
	time.Sleep(rest)
	look("reload")
	d.Stop(patience)
	look("stop")
	l.log = d.Log()
	return l
}

// TestQuorum: the kernel's table, the FIFO's lines and the scripts that run are
// keepalived's, through a life in which servers die and return.
func TestQuorum(t *testing.T) {
	want, got := live(t, rig.Keepalived), live(t, rig.Binary())
	for i, step := range want.steps {
		for n := range scenarios {
			s := &scenarios[n]
			vip := fmt.Sprintf("10.99.0.%d", n+1)
			switch d := gocmp.Diff(want.seen[i][vip], got.seen[i][vip]); {
			case d != "" && step == "reload" && s.differs != "":
				t.Logf("%s, after %q: %s", s.name, step, s.differs)
			case d != "":
				t.Errorf("%s, after %q: keepalived's - and lvsd's +\n%s", s.name, step, d)
			}
		}
	}
	if t.Failed() {
		t.Logf("keepalived:\n%s", want.log)
	}
}
