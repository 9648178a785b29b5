package lvs

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// Two groups that can be moved by touching a file, with a script that mails
// every change and keeps a file with the last one.
func TestDual(t *testing.T) {
	configuration := files(t, "dual.conf")
	used := configuration
	if isKeepalived(rig.Binary()) {
		t.Log("keepalived 2 misreads the script line that was written for keepalived 1: requoted for it")
		used = requoted(configuration)
	}
	c := rig.NewCluster(t, used)
	sameTable(t, c, used)
	forget(t, c)

	mail := [2]*mailbox{newMailbox(t, c.Directors[0]), newMailbox(t, c.Directors[1])}
	master, _ := elect(t, c)
	evenly(t, c)
	a, b := groups(t, configuration["keepalived.conf"])

	moveGroup(t, c)
	time.Sleep(masterDown) // for the last scripts
	for director, want := range []map[string]string{
		{a: "BACKUP MASTER FAULT BACKUP", b: "BACKUP MASTER"},
		{a: "BACKUP MASTER", b: "BACKUP"},
	} {
		checkNotified(t, c.Directors[director], mail[director], want)
	}

	dieAndReturn(t, c, c.Plan.Services[0].VIP, c.Plan.Services[0].Real[0])

	// The file on the second director moves the group back: the first holds
	// everything again when it dies.
	touch(t, c, 1)
	holds(t, c, 0, c.Plan.VIPs...)
	c.Directors[1].RemoveFile(maintenance)
	time.Sleep(2 * masterDown)
	killMaster(t, c, master)
	time.Sleep(masterDown)
	checkNotified(t, c.Directors[1], mail[1], map[string]string{
		a: "BACKUP MASTER FAULT BACKUP MASTER", b: "BACKUP MASTER",
	})
}

// maintenance is the file that moves the first instance's group.
const maintenance = "pri-a"

// touch makes the maintenance file.
func touch(t *testing.T, c *rig.Cluster, director int) {
	t.Helper()
	c.Directors[director].Run("touch", "/etc/keepalived/"+maintenance)
}

// moveGroup moves the first group to the second director, where it stays when
// the file is gone again. The second group's clients must not notice.
func moveGroup(t *testing.T, c *rig.Cluster) {
	t.Helper()
	// The files list the instances of the two groups in turn.
	moving := []rig.PlannedVIP{c.Plan.VIPs[0], c.Plan.VIPs[2]}
	staying := []rig.PlannedVIP{c.Plan.VIPs[1], c.Plan.VIPs[3]}
	var streams []*rig.Stream
	for _, i := range []int{1, 3} {
		streams = append(streams, c.Client.Stream(c.Plan.Services[i].VIP))
	}
	touch(t, c, 0)
	holds(t, c, 1, moving...)
	time.Sleep(masterDown)
	c.Directors[0].RemoveFile(maintenance)
	time.Sleep(4 * masterDown)
	for i, s := range streams {
		tally := s.Stop()
		t.Logf("%s while the other group moved: %s", staying[i].Prefix.Addr(), tally)
		if len(tally.Lost) > 0 || len(tally.Answers) != 2 {
			t.Errorf("%s while the other group moved: %s", staying[i].Prefix.Addr(), tally)
		}
	}
	for _, v := range moving {
		if c.Directors[0].Has(v.Prefix.Addr()) || !c.Directors[1].Has(v.Prefix.Addr()) {
			t.Errorf("%s is back on director1 (%t) or not on director2, despite nopreempt", v.Prefix.Addr(), c.Directors[0].Has(v.Prefix.Addr()))
		}
	}
	for _, v := range staying {
		if !c.Directors[0].Has(v.Prefix.Addr()) || c.Directors[1].Has(v.Prefix.Addr()) {
			t.Errorf("%s moved although its group did not", v.Prefix.Addr())
		}
	}
	evenly(t, c)
}

// groups are the names of the two sync groups.
func groups(t *testing.T, configuration string) (a, b string) {
	t.Helper()
	found := regexp.MustCompile(`vrrp_sync_group (\S+)`).FindAllStringSubmatch(configuration, -1)
	if len(found) != 2 {
		t.Fatalf("%d sync groups, want 2", len(found))
	}
	return found[0][1], found[1][1]
}

// forget removes the state files of an earlier run.
func forget(t *testing.T, c *rig.Cluster) {
	t.Helper()
	a, b := groups(t, c.Directors[0].ReadFile("keepalived.conf"))
	c.Directors[0].Run("rm", "-f", "/etc/keepalived/"+a, "/etc/keepalived/"+b)
}

// checkNotified compares the mails with the changes of each group, one mail
// for each, and the state files with the last ones.
func checkNotified(t *testing.T, d *rig.Host, box *mailbox, want map[string]string) {
	t.Helper()
	var total int
	for group, states := range want {
		t.Logf("%s: mails about %s: %s", d.Name, group, box.changes(group))
		if got := box.changes(group); got != states {
			t.Errorf("%s: mails about %s: %s, want exactly %s", d.Name, group, got, states)
		}
		list := strings.Fields(states)
		total += len(list)
		if got := strings.TrimSpace(d.ReadFile(group)); got != list[len(list)-1] {
			t.Errorf("%s: the state file of %s says %q, want %s", d.Name, group, got, list[len(list)-1])
		}
	}
	if got := box.count(); got != total {
		t.Errorf("%s: %d mails, want %d", d.Name, got, total)
	}
}
