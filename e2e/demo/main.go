// Demo shows lvsd working: a cluster of direct routing with two directors,
// from balanced requests to a failover, ending in one line that says whether
// all held. `make demo` runs it.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

//go:embed testdata/dr.conf
var configuration string

//go:embed testdata/record.sh
var record string

func main() { os.Exit(rig.MainIPVS(demo{})) }

// demo is the program that the rig runs where there is IPVS.
type demo struct{}

// Run answers with the exit status.
func (demo) Run() int {
	s := &stage{}
	done := make(chan struct{})
	go func() { // on a goroutine of its own, which Fatalf ends
		defer close(done)
		show(s)
	}()
	<-done
	return s.end()
}

// What dr.conf says: the priority is 100.
const (
	masterDown = 3*time.Second + (256-100)*time.Second/256
	removal    = 6*time.Second + 3*3*time.Second
	recovery   = 6 * time.Second
	slack      = 2 * time.Second // of what is not the protocol's
	patience   = 60 * time.Second
)

func show(s *stage) {
	c := rig.NewCluster(s, map[string]string{"keepalived.conf": configuration, "record.sh": record})
	master := elect(s, c)
	balance(s, c)
	loseServer(s, c)
	killMaster(s, c, master)
}

// elect starts both directors.
func elect(s *stage, c *rig.Cluster) *rig.Daemon {
	s.step("two directors start, the first one first")
	began := time.Now()
	master := c.Directors[0].Start(rig.Binary())
	awaitMaster(s, c, 0)
	s.check(true, "director1 is master of %s after %s", addresses(c), since(began))
	backup := c.Directors[1].Start(rig.Binary())
	for range c.Plan.VIPs {
		backup.Wait(0, "Entering BACKUP STATE", patience)
	}
	time.Sleep(masterDown + recovery)
	s.check(!c.Directors[1].Has(c.Plan.VIPs[0].Prefix.Addr()), "director2 is its backup")
	return master
}

// awaitMaster waits until a director holds all virtual addresses.
func awaitMaster(s *stage, c *rig.Cluster, director int) {
	d := c.Directors[director]
	for _, v := range c.Plan.VIPs {
		rig.Until(s, d.Name+" to hold "+v.Prefix.Addr().String(), patience, func() bool { return d.Has(v.Prefix.Addr()) })
	}
}

// balance sends requests to both services.
func balance(s *stage, c *rig.Cluster) {
	s.step("requests are answered evenly")
	evenly(s, c, c.Names()...)
	s.show("director1# ipvsadm -Ln", c.Directors[0].Run("ipvsadm", "-Ln"))
}

// evenly sends requests to both services, which these real servers answer.
func evenly(s *stage, c *rig.Cluster, names ...string) {
	for _, service := range c.Plan.Services {
		tally := c.Client.Load(service.VIP, 10*len(names))
		s.check(tally.Even(names...), "requests to %s: %s", service.VIP, tally)
	}
}

// loseServer stops a real server and starts it again.
func loseServer(s *stage, c *rig.Cluster) {
	dead := c.Plan.Services[0].Real[0]
	s.step("the real server %s dies", dead)
	d := c.Directors[0]
	served := func() (n int) {
		for _, destinations := range d.IPVS() {
			for _, destination := range destinations {
				if destination.Address.Addr() == dead {
					n++
				}
			}
		}
		return n
	}
	began := time.Now()
	c.Real[dead].Stop()
	rig.Until(s, "director1 to remove it", patience, func() bool { return served() == 0 })
	s.check(time.Since(began) < removal+slack, "removed from both services after %s (delay and retries allow %s)", since(began), removal)
	s.show("director1# ipvsadm -Ln", d.Run("ipvsadm", "-Ln"))
	evenly(s, c, c.Plan.Services[0].Real[1].String())

	began = time.Now()
	c.Real[dead].Start()
	rig.Until(s, "director1 to bring it back", patience, func() bool { return served() == len(c.Plan.Services) })
	s.check(time.Since(began) < recovery+slack, "it answers again: back in both services after %s (delay allows %s)", since(began), recovery)
	evenly(s, c, c.Names()...)
}

// killMaster kills the master without a word to anybody.
func killMaster(s *stage, c *rig.Cluster, master *rig.Daemon) {
	s.step("kill -9 of the master, director1")
	device := c.Plan.VIPs[0].Device
	capture := c.Client.Capture(device)
	time.Sleep(2 * time.Second)
	killed := time.Now()
	master.Kill()
	awaitMaster(s, c, 1)
	s.check(true, "director2 holds %s %s after the kill", addresses(c), since(killed))
	time.Sleep(time.Second)
	took := silence(capture.Adverts(time.Time{}), c, device)
	s.check(took > 0 && took < masterDown+600*time.Millisecond,
		"its first advert came %s after director1's last (VRRP has it wait for %s)", took.Round(time.Millisecond), masterDown.Round(time.Millisecond))
	for _, d := range c.Directors {
		rig.Until(s, d.Name+" to be notified", patience, func() bool {
			return strings.HasSuffix(d.ReadFile("notified"), "MASTER 0\n")
		})
		s.show(d.Name+"# cat notified", d.ReadFile("notified"))
	}
	evenly(s, c, c.Names()...)
}

// silence is the longest time between the first director's last advert and
// the second's first one, over both virtual routers; 0 when one is missing.
func silence(adverts []rig.Advert, c *rig.Cluster, device string) (longest time.Duration) {
	last, next := map[uint8]time.Time{}, map[uint8]time.Time{}
	for _, a := range adverts {
		if a.Source == c.Address(0, device) {
			last[a.VRID] = a.At
		} else if next[a.VRID].IsZero() {
			next[a.VRID] = a.At
		}
	}
	if len(last) != len(c.Plan.VIPs) || len(next) != len(last) {
		return 0
	}
	for vrid := range last {
		longest = max(longest, next[vrid].Sub(last[vrid]))
	}
	return longest
}

// addresses are the virtual addresses, for a sentence.
func addresses(c *rig.Cluster) string {
	var all []string
	for _, v := range c.Plan.VIPs {
		all = append(all, v.Prefix.Addr().String())
	}
	return strings.Join(all, " and ")
}

func since(began time.Time) string {
	return fmt.Sprintf("%.1f s", time.Since(began).Seconds())
}
