package parser

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
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
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "expected.tsv")); err != nil {
		t.Skipf("NO CORPUS, nothing is compared: set LVSD_CORPUS to its folder (%v)", err)
	}
	return dir
}

// eachOfCorpus tests every file of the collection, those that others include
// too; with -short one in twenty.
func eachOfCorpus(t *testing.T, test func(t *testing.T, file string)) {
	t.Helper()
	every, n := 1, 0
	if testing.Short() {
		every = 20
	}
	err := filepath.WalkDir(filepath.Join(corpus(t), "configs"), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if n++; n%every == 0 {
			t.Run(entry.Name(), func(t *testing.T) { test(t, file) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, one in %d tested", n, every)
}

// The shares of files whose exit status was keepalived's, and whose lines with
// a complaint were, in per mille, when this was last improved. They only ever
// rise.
const (
	leastEqual      = 996
	leastEqualLines = 970
)

// TestCorpus compares exit statuses and the lines that are complained about,
// and sees that no file makes the parser panic or hang. -v lists the files
// that differ.
func TestCorpus(t *testing.T) {
	dir := corpus(t)
	index, err := os.ReadFile(filepath.Join(dir, "expected.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	status, lines := measure{name: "exit statuses"}, measure{name: "lines with a complaint"}
	for row := range strings.Lines(string(index)) {
		name, wanted, _ := strings.Cut(strings.TrimSpace(row), "\t")
		said, err := os.ReadFile(filepath.Join(dir, "expected", strings.ReplaceAll(name, "/", "__")+".txt"))
		if err != nil { // the title
			continue
		}
		file := filepath.Join(dir, "configs", name)
		_, problems, err := Load(Options{File: file, ConfigID: "reference", Files: readable{}, Environment: asked{dir, string(said)}})
		got := config.TestStatus(problems)
		if err != nil {
			got = config.ExitNoConfig
		}
		want, err := strconv.Atoi(wanted)
		if err != nil || want > 100 { // it hung, crashed, or was not asked
			continue
		}
		if withoutFeatures(string(said)) {
			want = config.ExitOK
		}
		status.add(got == want, "%-60s lvsd %d, keepalived %d", name, got, want)
		ours, theirs := complaints(problems, file), expected(string(said), name)
		why := compare(ours, theirs)
		lines.add(why == "", "%-60s %s", name, why)
	}
	status.report(t, leastEqual)
	lines.report(t, leastEqualLines)
}

// measure is a share of files.
type measure struct {
	name       string
	equal, all int
	differ     []string
}

func (m *measure) add(equal bool, format string, args ...any) {
	m.all++
	if equal {
		m.equal++
	} else {
		m.differ = append(m.differ, fmt.Sprintf(format, args...))
	}
}

func (m *measure) report(t *testing.T, least int) {
	t.Logf("%d of %d %s are keepalived's: %.1f %%", m.equal, m.all, m.name, 100*float64(m.equal)/float64(m.all))
	if testing.Verbose() {
		slices.Sort(m.differ)
		t.Log("others:\n" + strings.Join(m.differ, "\n"))
	}
	if m.equal*1000 < least*m.all {
		t.Errorf("that was %.1f %% before", float64(least)/10)
	}
}

// complained are the lines that are complained about, with the last of what is said.
type complained map[string]string

// complaints are those of lvsd that it prints with a line when it is called as
// keepalived.
func complaints(problems []config.Problem, file string) complained {
	all := complained{}
	for _, p := range spoken(problems) {
		if p.Origin.Line == 0 || p.Late {
			continue
		}
		name, err := filepath.Rel(filepath.Dir(file), p.Origin.File)
		if err != nil || p.Origin.File == file {
			name = "FILE"
		}
		all[fmt.Sprintf("%s:%d", name, p.Origin.Line)] = p.Code + ": " + p.Message
	}
	return all
}

// lacking is what keepalived said because it had been built without D-Bus,
// SNMP.
var lacking = regexp.MustCompile(`Unknown keyword '(enable_dbus|dbus_\w+|enable_snmp_\w+|snmp_\w+|enable_traps)'`)

// expected are the complaints of keepalived.
func expected(said, name string) complained {
	prefix := regexp.MustCompile(`^\((?:(\S+): )?Line (\d+)\) `)
	all := complained{}
	for line := range strings.Lines(said) {
		m := prefix.FindStringSubmatch(line)
		if m == nil || lacking.MatchString(line) {
			continue
		}
		file := m[1]
		if file == "" || file == "FILE" {
			file = "FILE"
		} else if rel, err := filepath.Rel(filepath.Dir(name), file); err == nil {
			file = rel
		}
		all[file+":"+m[2]] = strings.TrimSpace(line[len(m[0]):])
	}
	return all
}

// compare says why the lines of lvsd are not keepalived's, or a part of them
// that holds the first: one mistake makes keepalived stumble.
func compare(ours, theirs complained) string {
	first := ""
	for at := range theirs {
		if first == "" || before(at, first) {
			first = at
		}
	}
	if _, ok := ours[first]; first != "" && !ok {
		return fmt.Sprintf("lvsd misses %s: %s", first, theirs[first])
	}
	extra := ""
	for at := range ours {
		if _, ok := theirs[at]; !ok && (extra == "" || before(at, extra)) {
			extra = at
		}
	}
	if extra != "" {
		return fmt.Sprintf("lvsd alone complains at %s: %s", extra, ours[extra])
	}
	return ""
}

// before orders places: the main file first, by line.
func before(a, b string) bool {
	fileA, lineA, _ := strings.Cut(a, ":")
	fileB, lineB, _ := strings.Cut(b, ":")
	if fileA != fileB {
		return fileA == "FILE" || fileB != "FILE" && fileA < fileB
	}
	return len(lineA) < len(lineB) || len(lineA) == len(lineB) && lineA < lineB
}

// withoutFeatures reports that all keepalived said was that it had been built
// without D-Bus and SNMP.
func withoutFeatures(said string) bool {
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
type asked struct{ dir, said string }

func (m asked) HasInterface(name string) bool {
	if name == config.DefaultGlobal.DefaultInterface && strings.Contains(m.said, "requires either an interface or default interface") {
		return false
	}
	missing := regexp.MustCompile(`interface ` + regexp.QuoteMeta(name) + ` (for .* |specified )?doesn't exist`)
	return !missing.MatchString(m.said)
}

func (m asked) Unsafe(string, config.User) error { return nil }
func (m asked) PrivateMacvlan(name string) bool {
	return !strings.Contains(m.said, "interface "+name+" already exists and is not a private macvlan")
}

func (m asked) Links() []config.PresentLink { return nil }

func (m asked) Beneath(name string) string { return name }

func (m asked) HasNamespace(string) bool { return false }

// HasDirectory: only the directories that come with every system, and those of
// the collection, were there, whatever there is on this one.
func (m asked) HasDirectory(path string) bool {
	if slices.Contains([]string{"/tmp", "/run", "/var/run", "/etc", "/etc/keepalived", "/dev/shm"}, path) {
		return true
	}
	dir, err := filepath.Abs(m.dir)
	return err == nil && strings.HasPrefix(path, dir) && isDirectory(path)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (m asked) OnLink(netip.Addr) bool { return true }

func (m asked) Subnets() []config.Subnet { return nil }

func (m asked) HasUser(u config.User) bool {
	return slices.Contains(strings.Fields("root nobody keepalived_script ziggy quentin haproxy nginx script_user"), u.Name)
}

func (m asked) Executable(name string) error {
	absent := []string{"killall", "netstat", "curl", "ping", "host", "pidof", "pkill", "sudo", "ps", "sleep"} // a small container
	if slices.Contains(absent, filepath.Base(name)) && !strings.Contains(m.said, "scripts are being executed") {
		return os.ErrNotExist
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = config.ErrNotExecutable
	}
	return err
}

func (asked) KeyFile(string) ([]byte, bool, error) { return nil, false, fs.ErrNotExist }

func (asked) MTU(string) int { return 1500 }
