package parser

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// corpus is a collection of configurations from the field and what keepalived
// 2.4.3 said to them. It carries licences of its own and is no part of lvsd:
// LVSD_CORPUS names it, or it lies next to the checkout.
func corpus(t *testing.T) string {
	dir := os.Getenv("LVSD_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus"
	}
	if _, err := os.Stat(filepath.Join(dir, "expected.tsv")); err != nil {
		t.Skipf("NO CORPUS, nothing is compared: set LVSD_CORPUS to its folder (%v)", err)
	}
	return dir
}

// leastEqual is the share of files whose exit status was keepalived's, in per
// mille, when this was last improved. It only ever rises.
const leastEqual = 880

// TestCorpus compares exit statuses, and sees that no file makes the parser
// panic or hang.
func TestCorpus(t *testing.T) {
	dir := corpus(t)
	index, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	equal, all := 0, 0
	var differ []string
	for row := range strings.Lines(string(index)) {
		name, status, _ := strings.Cut(strings.TrimSpace(row), "\t")
		want, err := strconv.Atoi(status)
		if err != nil || want > 100 { // the title, or keepalived hung or crashed
			want = -1
		}
		said, err := os.ReadFile(filepath.Join(dir, "expected", strings.ReplaceAll(name, "/", "__")+".txt"))
		if err != nil {
			continue
		}
		_, problems, err := Load(Options{
			File: filepath.Join(dir, "configs", name), Files: readable{}, Environment: asked{string(said)},
		})
		got := config.TestStatus(problems)
		if err != nil {
			got = config.ExitNoConfig
		}
		if want < 0 || want == 0 && comesToNothing(filepath.Join(dir, "configs", name)) {
			continue
		}
		if withoutFeatures(string(said)) {
			want = config.ExitOK
		}
		all++
		if got == want {
			equal++
		} else {
			differ = append(differ, fmt.Sprintf("%-60s lvsd %d, keepalived %d", name, got, want))
		}
	}
	t.Logf("%d of %d exit statuses are keepalived's: %.1f %%", equal, all, 100*float64(equal)/float64(all))
	if testing.Verbose() {
		slices.Sort(differ)
		t.Log("others:\n" + strings.Join(differ, "\n"))
	}
	if equal*1000 < leastEqual*all {
		t.Errorf("that was %.1f %% before", leastEqual/10.0)
	}
}

// comesToNothing reports a file that moves keepalived into a network namespace
// that was not there when it was asked: it stopped at that line, with status 0.
func comesToNothing(file string) bool {
	text, _ := os.ReadFile(file)
	return regexp.MustCompile(`(?m)^\s*(@\S+\s+)?net_namespace\s`).Match(text)
}

// withoutFeatures reports that all keepalived said was that it had been built
// without D-Bus, SNMP and iptables.
func withoutFeatures(said string) bool {
	lacking := regexp.MustCompile(`Unknown keyword '(enable_dbus|dbus_\w+|enable_snmp_\w+|snmp_\w+|enable_traps|vrrp_ipsets)'|iptables not supported`)
	for line := range strings.Lines(said) {
		if !lacking.MatchString(line) {
			return false
		}
	}
	return said != ""
}

// readable is [Disk] without its look at the executable bit: the collection
// has been through archives that set it.
type readable struct{ Disk }

// asked is the machine on which keepalived was asked, as far as its answer
// tells.
type asked struct{ said string }

func (m asked) HasInterface(name string) bool {
	missing := regexp.MustCompile(`interface ` + regexp.QuoteMeta(name) + ` (for .* |specified )?doesn't exist`)
	return !missing.MatchString(m.said)
}

func (m asked) HasUser(u config.User) bool {
	return slices.Contains(strings.Fields("root nobody keepalived_script ziggy quentin haproxy nginx script_user"), u.Name)
}

func (m asked) Executable(path string) error {
	absent := []string{"killall", "curl", "ping", "host", "pidof", "pkill", "sudo", "ps"} // a small container
	if slices.Contains(absent, filepath.Base(path)) {
		return os.ErrNotExist
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = os.ErrPermission
	}
	return err
}
