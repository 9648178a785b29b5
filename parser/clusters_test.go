package parser

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// TestClusters loads three configurations of shapes that run in the field: the
// project's own, and those they are twins of, which are no part of lvsd:
// LVSD_CLUSTERS names their folder, or it lies next to the checkout.
func TestClusters(t *testing.T) {
	t.Run("twins", func(t *testing.T) { clusters(t, "../e2e/testdata/clusters", strings.NewReplacer()) })
	field := cmp.Or(os.Getenv("LVSD_CLUSTERS"), "../../shared/clusters")
	if _, err := os.Stat(filepath.Join(field, "dr.conf")); err != nil {
		t.Logf("NO CLUSTERS of the field, their twins alone are tested: set LVSD_CLUSTERS to their folder (%v)", err)
		return
	}
	t.Run("field", func(t *testing.T) {
		clusters(t, field, strings.NewReplacer("10.51.4.80", "10.65.32.28", "10.51.4.32", "10.65.32.14", "110.51.4.42", "110.65.32.23", "10.51.4.0", "10.65.32.0",
			"10.51.8.80", "10.10.36.11", "PAIR", "GOP", "GROUP_", "VI_GROUP_", "VI_IN_", "VI_PRI_", "VI_OUT_", "VI_PUB_"))
	})
}

// clusters loads those of a folder. Its names are those of the twins, but for
// what is replaced.
func clusters(t *testing.T, dir string, names *strings.Replacer) {
	const shell = "'&&' in a script: lvsd runs this line under /bin/sh -c; keepalived passes '&&' to the command as a word [shell-operators]"
	for name, want := range map[string]struct {
		problems []string
		status   int
		counts   [4]int // groups, instances, blocks of services, services
	}{
		"dr.conf": {[]string{
			"dr.conf:65:13: warning: WARNING - virtual server [10.51.4.80]:tcp:443 and real server [10.51.4.32]:tcp:80 ports don't match - resetting [port-mismatch]",
			"dr.conf:107:13: warning: real server 110.51.4.42 is on no network of this machine, but DR reaches servers on the wire only: interface bond0 of the virtual address is on 10.51.4.0/23 [off-link]",
			"dr.conf:133:13: warning: real server 110.51.4.42 is on no network of this machine, but DR reaches servers on the wire only: interface bond0 of the virtual address is on 10.51.4.0/23 [off-link]",
		}, config.ExitTestFailed, [4]int{1, 2, 4, 4}},
		"mixed.conf": {[]string{
			"mixed.conf:1:1: warning: Sync group PAIR has only 1 virtual router(s) - this probably isn't what you want [lonely-member]",
			"mixed.conf:39:1: warning: virtual server [10.51.8.80]:tcp:80 forwards with TUN here and with DR in the block of line 23: one block with lvs_method for each real server says the same [mixed-forwarding]",
		}, config.ExitTestFailed, [4]int{1, 1, 2, 1}},
		"dual.conf": {[]string{
			"dual.conf:1:1: warning: (GROUP_A) VI_IN_A tracks script maint-pri-a and VI_OUT_A does not, but members change state together: track it on the group [unequal-tracking]",
			"dual.conf:6:8: warning: script /etc/keepalived/notify.sh is not there or not executable [script-not-found]",
			"dual.conf:9:1: warning: (GROUP_B) VI_IN_B tracks script maint-pri-b and VI_OUT_B does not, but members change state together: track it on the group [unequal-tracking]",
			"dual.conf:14:8: warning: script /etc/keepalived/notify.sh is not there or not executable [script-not-found]",
			"dual.conf:18:8: warning: " + shell, "dual.conf:25:8: warning: " + shell,
			"dual.conf:32:8: warning: " + shell, "dual.conf:39:8: warning: " + shell,
			"warning: SECURITY VIOLATION - scripts are being executed but script_security not enabled. [script-security]",
		}, config.ExitTestSecurity, [4]int{2, 4, 4, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			c, problems, err := Load(Options{File: filepath.Join(dir, name), Environment: bench{}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				if p.Origin.File != "" {
					p.Origin.File = filepath.Base(p.Origin.File)
				}
				got = append(got, p.String())
			}
			for i := range want.problems {
				want.problems[i] = names.Replace(want.problems[i])
			}
			if diff := gocmp.Diff(want.problems, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if status := config.TestStatus(problems); status != want.status {
				t.Errorf("status %d, want %d", status, want.status)
			}
			if counts := [4]int{len(c.Groups), len(c.Instances), len(c.Services), len(c.KernelServices())}; counts != want.counts {
				t.Errorf("groups, instances, blocks, services: %v, want %v", counts, want.counts)
			}
		})
	}
}
