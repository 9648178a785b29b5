package parser

import (
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/internal/golden"
)

const confDir = "../testdata/conf"

// bench is the machine that the test configurations are for.
type bench struct{}

// benchLinks are its interfaces.
var benchLinks = []string{"eth0", "eth1", "bond0", "bond1", "em1"}

func (bench) HasInterface(name string) bool { return slices.Contains(benchLinks, name) }
func (bench) HasUser(u config.User) bool {
	return u.Name == "root" && (u.Group == "" || u.Group == "root")
}

// Subnets: eth1 alone has an address.
func (bench) Subnets() []config.Subnet {
	return []config.Subnet{{Link: "eth1", Prefix: netip.MustParsePrefix("172.31.0.250/24")}}
}

// OnLink: the machine has a route to one more network.
func (bench) OnLink(a netip.Addr) bool { return netip.MustParsePrefix("172.31.9.0/24").Contains(a) }

func (bench) Executable(name string) error {
	if slices.Contains([]string{"true", "false", "sh", "bash", "unsafe"}, strings.TrimPrefix(name, "/bin/")) {
		return nil
	}
	if name == "/etc/passwd" || name == "/etc" {
		return config.ErrNotExecutable
	}
	return errors.New("no such file")
}

func (bench) HasDirectory(path string) bool {
	return slices.Contains([]string{"/etc", "/proc", "/run", "/tmp"}, path)
}
func (bench) HasNamespace(name string) bool { return false }
func (bench) Unsafe(name string, u config.User) error {
	if name == "/bin/unsafe" && (u.Name == "" || u.Name == "root") {
		return errors.New("/bin/unsafe may be written by others than root")
	}
	return nil
}
func (bench) PrivateMacvlan(name string) bool { return name == "em1" }
func (bench) Beneath(name string) string      { return name }
func (bench) Links() []config.PresentLink     { return nil }

// TestConf loads every file of testdata/conf: its problems as lvsd -t prints
// them and the configuration as lvsd -d does.
func TestConf(t *testing.T) {
	for _, file := range confFiles(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".conf")
		t.Run(name, func(t *testing.T) {
			golden.Equal(t, filepath.Join(confDir, name+".golden"), load(t, file))
		})
	}
}

func confFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(confDir + "/*.conf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations in %s: %v", confDir, err)
	}
	return files
}

// load is all that one file comes to. File names are cut to their base.
func load(t *testing.T, file string) string {
	t.Helper()
	c, problems, err := Load(Options{File: file, ConfigID: "here", Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Print(&out, problems, Full); err != nil {
		t.Fatal(err)
	}
	out.WriteString("\n")
	out.WriteString(shown(t, c))
	abs := Disk{}.Abs(filepath.Dir(file)) // in what ${_PWD} gave
	return strings.NewReplacer(abs+"/", "", filepath.Dir(file)+"/", "").Replace(out.String())
}

// shown is the configuration as lvsd -d prints it, without the lines about
// global_defs that are those of an empty file, and without accounts and
// interfaces of this machine.
func shown(t *testing.T, c *config.Config) string {
	t.Helper()
	text := func(c *config.Config) string {
		var out strings.Builder
		if err := dump.All(&out, c, facts(c)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	empty := config.Config{Global: config.DefaultGlobal, Daemon: config.DefaultDaemon}
	empty.Resolve(nil)
	usual := map[string]bool{}
	for line := range strings.Lines(text(&empty)) {
		usual[line] = true
	}
	var out strings.Builder
	global := false
	for line := range strings.Lines(text(c)) {
		if strings.HasPrefix(line, "------<") {
			global = line == "------< Global definitions >------\n"
		}
		if !global || !usual[line] {
			out.WriteString(line)
		}
	}
	return out.String()
}

// facts are the interfaces that the configuration says something about.
func facts(c *config.Config) *dump.Facts {
	var f dump.Facts
	add := func(name string) {
		if !slices.ContainsFunc(f.Links, func(l dump.Link) bool { return l.Name == name }) {
			f.Links = append(f.Links, dump.Link{Name: name})
		}
	}
	for _, l := range c.Links.Linkbeat {
		add(l.Name)
	}
	for _, l := range c.Links.Delays {
		add(l.Name)
	}
	return &f
}

func (bench) KeyFile(string) ([]byte, bool, error) { return nil, false, fs.ErrNotExist }

func (bench) MTU(string) int { return 1500 }
