//go:build linux

package dump_test

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/parser"
)

// corpus is a collection of configurations from the field, which is no part of
// lvsd: LVSD_CORPUS names it, or it lies next to the checkout.
func corpus(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = cmp.Or(os.Getenv("LVSD_CORPUS"), "../../../shared/corpus")
	index, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Skipf("NO CORPUS, nothing is compared: set LVSD_CORPUS to its folder (%v)", err)
	}
	for row := range strings.Lines(string(index)) {
		name, status, _ := strings.Cut(strings.TrimSpace(row), "\t")
		if _, err := strconv.Atoi(status); err == nil {
			files = append(files, name)
		}
	}
	return dir, files
}

// elsewhere are keywords that would take keepalived out of its namespace, or
// ask other daemons, and have nothing to do with what is compared; and iptables,
// which Debian's keepalived is built without.
var elsewhere = regexp.MustCompile(`(?m)^(\s*(?:@\S+\s+)?)(?:net_namespace\w*|namespace_with_ipsets|dbus_\w+|enable_dbus|enable_snmp\w*|enable_traps|snmp_socket|instance|use_pid_dir|startup_script|shutdown_script|tmp_config_directory|config_save_dir|reload_\w+|\w+_rlimit_rttime|\w+_rt_priority|vrrp_startup_delay|vrrp_iptables|vrrp_ipsets|\w*notify_fifo\w*)\b.*$`)

// tamed copies a folder of configurations without those.
func tamed(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.Chmod(path, 0o644); err != nil {
			return err
		}
		return os.WriteFile(path, elsewhere.ReplaceAll(content, []byte("$1")), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// leastEqual is the share of documents that were keepalived's, in per mille,
// when this was last improved.
const leastEqual = 900

// every is the part of the corpus that is compared, unless LVSD_CORPUS_EVERY
// says otherwise: keepalived takes its time to start.
const every = 16

// TestCorpus compares documents of files that keepalived has no complaint
// about: where there is one, it may have read something else than what was
// meant.
func TestCorpus(t *testing.T) {
	o := newOracle(t)
	dir, files := corpus(t)
	step := every
	if n, err := strconv.Atoi(os.Getenv("LVSD_CORPUS_EVERY")); err == nil && n > 0 {
		step = n
	}
	folder := tamed(t, filepath.Join(dir, "configs"))
	equal, all, asked := 0, 0, 0
	labels := map[string]int{}
	for i := 0; i < len(files); i += step {
		t.Run(files[i], func(t *testing.T) {
			file := filepath.Join(folder, files[i])
			if _, problems, err := parser.Load(parser.Options{File: file, ConfigID: "here"}); err != nil || complained(problems) {
				return
			}
			ours, links := o.ours(t, file)
			theirs, _ := o.ask(t, file, links, len(ours))
			asked++
			for name, want := range theirs {
				all++
				differ := compare(want, ours[name])
				if len(differ) == 0 {
					equal++
				}
				for _, d := range differ {
					t.Logf("%s: %s", name, d)
					labels[label(d)]++
				}
			}
		})
	}
	t.Logf("%d files asked about, %d of %d documents are keepalived's: %.1f %%", asked, equal, all, 100*float64(equal)/float64(max(all, 1)))
	for _, l := range slices.SortedFunc(maps.Keys(labels), func(a, b string) int { return labels[b] - labels[a] }) {
		t.Logf("%6d %s", labels[l], l)
	}
	if all == 0 || equal*1000 < leastEqual*all {
		t.Errorf("that was %.1f %% before", float64(leastEqual)/10)
	}
}

// complained says that something is wrong, or left out.
func complained(problems []config.Problem) bool {
	return slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Severity == config.Error })
}

// label is what a difference is about, without its values.
func label(differ string) string {
	_, line, _ := strings.Cut(differ, ": ")
	text, _, _ := strings.Cut(line[min(2, len(line)):], "=")
	return regexp.MustCompile(`\d+`).ReplaceAllString(line[:min(1, len(line))]+strings.TrimSpace(text), "N")
}
