package lvs

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/e2e/rig"
)

// keepsAsking is a client with one connection, which it uses until it is ended;
// it prints the status line of each answer.
const keepsAsking = `exec 3<>/dev/tcp/$0/$1 || exit
while printf 'GET / HTTP/1.1\r\nHost: vip\r\n\r\n' >&3; do
	IFS= read -r -t 5 -u 3 status || exit
	echo "$status"
	while IFS= read -r -t 5 -u 3 line && [ "$line" != $'\r' ]; do
		case $line in Content-Length:*) length=${line#*: } ;; esac
	done
	read -r -t 5 -u 3 -N "${length%$'\r'}" body || exit
	sleep 0.05
done`

// lvsd upgrade on the director that serves: no request is lost, a connection
// that is there goes on, the kernel's services are not touched, checks come when
// they are due, and neither the peer nor anybody else is told.
func TestUpgrade(t *testing.T) {
	onlyLVSD(t, "it has no such thing")
	const times = 3
	c, _ := lifecycleCluster(t)
	master, backup := elect(t, c)
	d, vip := c.Directors[0], c.Plan.Services[0].VIP
	device := c.Plan.VIPs[0].Device
	notified := d.ReadFile("notified") + c.Directors[1].ReadFile("notified")

	var answers strings.Builder
	client := c.Client.Command("bash", "-c", keepsAsking, vip.Addr().String(), "80")
	client.Stdout = &answers
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	stream := c.Client.Stream(vip)
	time.Sleep(2 * time.Second)
	before := connections(d)
	if before == 0 {
		t.Error("the kernel counts no connections: nothing to test")
	}
	packets, netlink := d.Capture(device), d.WatchNetlink()
	began, masterMark, backupMark := time.Now(), master.Mark(), backup.Mark()
	time.Sleep(delayLoop + advertEvery)
	pid := slices.IndexFunc(master.PIDFiles(), func(path string) bool { return strings.HasSuffix(path, "/keepalived.pid") })
	for range times {
		if said := d.Run(rig.Binary(), "upgrade", "-p", master.PIDFiles()[pid]); !strings.Contains(said, "Upgrade complete") {
			t.Errorf("upgrade: %s", said)
		}
		time.Sleep(advertEvery)
	}
	time.Sleep(delayLoop + 2*advertEvery)

	if tally := stream.Stop(); len(tally.Lost) > 0 {
		t.Errorf("requests: %s", tally)
	}
	answered := time.Since(began)
	_ = client.Process.Kill()
	_ = client.Wait() // it has been killed
	lines := strings.Split(strings.TrimSpace(answers.String()), "\n")
	if bad := slices.IndexFunc(lines, func(line string) bool { return !strings.HasPrefix(line, "HTTP/1.1 200") }); bad >= 0 {
		t.Errorf("the connection that was there: %q", lines[bad])
	}
	if least := int(answered / time.Second); len(lines) < 5*least {
		t.Errorf("the connection that was there had %d answers in %s", len(lines), answered)
	}
	own := slices.DeleteFunc(slices.Clone(packets.Frames()), func(f rig.Frame) bool { return carries(f, vip.Addr()) })
	undisturbed(t, own, packets.Adverts(began), began)
	if writes := slices.DeleteFunc(netlink.Writes(began), func(write string) bool { return !strings.HasPrefix(write, "ipvs") }); len(writes) > 0 {
		t.Errorf("IPVS was written to: %q", writes)
	}
	if after := connections(d); after < before {
		t.Errorf("the kernel counts %d connections, and counted %d before", after, before)
	}
	for _, line := range append(master.Lines(masterMark), backup.Lines(backupMark)...) {
		for _, change := range []string{"Entering", "quorum", "Removing service", "Adding service", "success.", "failed"} {
			if strings.Contains(line.Text, change) {
				t.Errorf("a state changed: %s", line.Text)
			}
		}
	}
	if now := d.ReadFile("notified") + c.Directors[1].ReadFile("notified"); now != notified {
		t.Errorf("notified: before\n%s\nafter\n%s", notified, now)
	}
	evenly(t, c)
	master.Stop(patience)
	leftNothing(t, c, master)
}

// carries reports that a frame is a client's, on its way to a virtual address.
func carries(f rig.Frame, vip netip.Addr) bool {
	const destination = 14 + 16
	return f.Protocol == unix.ETH_P_IP && len(f.Data) >= destination+4 && netip.AddrFrom4([4]byte(f.Data[destination:])) == vip
}

// connections is how many the kernel has counted for all services of a host.
func connections(h *rig.Host) (sum int) {
	for line := range strings.Lines(h.Run("ipvsadm", "-Ln", "--stats", "--exact")) {
		if words := strings.Fields(line); len(words) > 2 && words[0] == "TCP" {
			n, _ := strconv.Atoi(words[2]) // the heading is no number
			sum += n
		}
	}
	return sum
}
