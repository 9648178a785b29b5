//go:build linux

package dump_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/parser"
)

// oracle is Debian's keepalived, asked for its dumps.
type oracle struct {
	keepalived string
	alone      string // the library that keeps it alone, testdata/alone.c
	hostname   string
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	if testing.Short() {
		t.Skip("left out by -short: it runs keepalived in network namespaces; `make test` runs it")
	}
	o := &oracle{alone: filepath.Join(t.TempDir(), "alone.so")}
	var err error
	if o.keepalived, err = exec.LookPath("keepalived"); err != nil || os.Getuid() != 0 {
		t.Fatal("this test needs root and Debian's keepalived 2.2.7; `go run ./e2e/needs` installs it")
	}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Fatal("this test needs a C compiler for testdata/alone.c; `go run ./e2e/needs` installs it")
	}
	run(t, "cc", "-shared", "-fPIC", "-o", o.alone, "testdata/alone.c")
	if o.hostname, err = os.Hostname(); err != nil {
		t.Fatal(err)
	}
	return o
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// machine is the one that keepalived is asked on: it has the interfaces that
// the configuration names.
type machine map[string]bool

func (m machine) HasInterface(name string) bool { return m[name] }

func (m machine) MTU(name string) int {
	if m[name] {
		return 1500
	}
	return 0
}

func (m machine) HasDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (m machine) KeyFile(string) ([]byte, bool, error) { return nil, false, os.ErrNotExist }
func (m machine) HasNamespace(string) bool             { return false }
func (m machine) Unsafe(string, config.User) error     { return nil }
func (m machine) PrivateMacvlan(string) bool           { return false } // bridges all of them
func (m machine) Links() []config.PresentLink          { return nil }
func (m machine) Beneath(name string) string           { return name }
func (m machine) Subnets() []config.Subnet             { return nil }
func (m machine) OnLink(config.Addr) bool              { return true }

func (m machine) HasUser(u config.User) bool { _, _, ok := account(u); return ok }

func (m machine) Executable(name string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 == 0) {
		err = os.ErrPermission
	}
	return err
}

func account(u config.User) (uid, gid uint32, ok bool) {
	number := func(s string) uint32 { n, _ := strconv.ParseUint(s, 10, 32); return uint32(n) }
	known, err := user.Lookup(u.Name)
	if err != nil {
		known, err = user.LookupId(u.Name)
	}
	if err != nil {
		return 0, 0, false
	}
	uid, gid = number(known.Uid), number(known.Gid)
	if name := strings.TrimPrefix(u.Group, ":"); name != "" {
		group, err := user.LookupGroup(name)
		if err != nil {
			if group, err = user.LookupGroupId(name); err != nil {
				return 0, 0, false
			}
		}
		gid = number(group.Gid)
	}
	return uid, gid, true
}

// dumps are documents by name.
type dumps map[string]string

// ask runs keepalived on a file, in a namespace that has some interfaces, and
// takes what it writes at SIGUSR1, some documents. One that does not start writes
// nothing, and says why. A process of it that still reads its configuration when
// the signal comes may end: it is asked again then.
func (o *oracle) ask(t *testing.T, file string, links machine, documents int) (written dumps, said string) {
	t.Helper()
	ns := namespace(t, links)
	const often = 10
	for range often {
		written, said = o.askIn(t, ns, file)
		if len(written) >= documents || !strings.Contains(said, "Startup complete") {
			break
		}
	}
	return written, said
}

func (o *oracle) askIn(t *testing.T, ns, file string) (written dumps, said string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "lvsd-dump-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	args := []string{"netns", "exec", ns, "env", "LD_PRELOAD=" + o.alone, "TMPDIR=" + dir, o.keepalived, "-n", "-l", "-R", "-i", "here", "-f", file}
	for _, p := range []string{"p", "r", "c", "b"} {
		args = append(args, "-"+p, filepath.Join(dir, p+".pid"))
	}
	cmd := exec.CommandContext(ctx, "ip", args...)
	cmd.Dir = filepath.Dir(file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		text.WriteString(lines.Text() + "\n")
		if strings.HasSuffix(lines.Text(), "Startup complete") || strings.HasSuffix(lines.Text(), "has no configuration to run") {
			// Every process takes the signals from a descriptor, the lower number
			// first: it writes, and then it ends.
			_ = cmd.Process.Signal(syscall.SIGUSR1)
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	if err := cmd.Wait(); err != nil && ctx.Err() != nil {
		return nil, "it did not end\n" + text.String()
	}
	return readDumps(t, dir), text.String()
}

func readDumps(t *testing.T, dir string) dumps {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.data"))
	if err != nil {
		t.Fatal(err)
	}
	all := dumps{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(file), ".") // the instance may stand between
		all[name] = string(text)
	}
	return all
}

// namespace makes a network namespace with interfaces that have an address of
// each family.
func namespace(t *testing.T, links machine) string {
	t.Helper()
	ns := fmt.Sprintf("lvsd-dump-%d", os.Getpid())
	run(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { run(t, "ip", "netns", "del", ns) })
	var batch bytes.Buffer
	fmt.Fprintln(&batch, "link set lo up")
	n := 0
	for _, link := range slices.Sorted(maps.Keys(links)) {
		n++
		fmt.Fprintf(&batch, "link add %[1]s type bridge\nlink set %[1]s up\naddr add 10.199.%[2]d.5/24 dev %[1]s\naddr add fe80::199:%[2]x/64 dev %[1]s nodad\n", link, n)
	}
	cmd := exec.Command("ip", "-n", ns, "-batch", "-")
	cmd.Stdin = &batch
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip -batch: %v: %s", err, out)
	}
	return ns
}

// ours is what lvsd makes of a file on the same machine.
func (o *oracle) ours(t *testing.T, file string) (dumps, machine) {
	t.Helper()
	options := parser.Options{File: file, ConfigID: "here"}
	c, _, err := parser.Load(options)
	if errors.Is(err, parser.ErrNoConfig) {
		return nil, nil
	} else if err != nil {
		t.Fatal(err)
	}
	links := named(c)
	options.Environment = links
	if c, _, err = parser.Load(options); err != nil {
		t.Fatal(err)
	}
	all := dumps{}
	for _, d := range dump.Documents(c) {
		var text strings.Builder
		if err := d.Write(&text, c, &dump.Facts{Hostname: o.hostname, Account: account}); err != nil {
			t.Fatal(err)
		}
		all[d.Name] = text.String()
	}
	return all, links
}

// named are the interfaces that a configuration names, and those of the
// machine that testdata/conf is for.
func named(c *config.Config) machine {
	links := machine{"eth0": true, "eth1": true, "bond0": true, "bond1": true, "em1": true}
	add := func(names ...string) {
		for _, name := range names {
			if name != "" && name != "lo" && len(name) < 16 && !strings.ContainsAny(name, "/ \t") {
				links[name] = true
			}
		}
	}
	tracks := func(list []config.Track) {
		for _, t := range list {
			add(t.Name)
		}
	}
	addresses := func(list []config.Address) {
		for _, a := range list {
			add(a.Dev)
		}
	}
	add(c.Global.DefaultInterface)
	if s := c.Global.LVSSyncDaemon; s != nil {
		add(s.Interface)
	}
	for i := range c.Instances {
		v := &c.Instances[i]
		add(v.Interface, v.LVSSyncDaemonInterface)
		addresses(v.Addresses())
		tracks(v.TrackInterface)
		routes(add, v.VirtualRoutes, v.VirtualRules)
	}
	for i := range c.Groups {
		tracks(c.Groups[i].TrackInterface)
	}
	addresses(c.Static.IPAddress)
	routes(add, c.Static.Routes, c.Static.Rules)
	for _, l := range c.Links.Linkbeat {
		add(l.Name)
	}
	for _, l := range c.Links.Delays {
		add(l.Name)
	}
	for _, g := range c.Links.GarpGroups {
		for _, l := range g.Interfaces {
			add(l.Name)
		}
	}
	return links
}

func routes(add func(...string), list []config.Route, rules []config.Rule) {
	for i := range list {
		add(list[i].Dev)
		for _, n := range list[i].NextHops {
			add(n.Dev)
		}
	}
	for i := range rules {
		add(rules[i].IIF, rules[i].OIF)
	}
}

// confFiles are those of testdata/conf.
func confFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/conf/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for i := range files {
		if files[i], err = filepath.Abs(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(files)
	return files
}
