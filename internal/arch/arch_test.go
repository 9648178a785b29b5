// Package arch holds the rules of docs/architecture.md that a compiler does
// not know: which package may import which.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lvsd/lvsd"

// allowed says what each package may import of ours, tests left aside. A name
// ending in /... stands for all below it.
var allowed = map[string][]string{
	"config":                     {},
	"vrrp/wire":                  {},
	"parser":                     {"config", "internal/pcre"},
	"vrrp":                       {"config", "vrrp/wire", "internal/realtime"},
	"vrrp/sim":                   {"config", "vrrp", "vrrp/wire"},
	"ipvs":                       {"config"},
	"checker":                    {"config", "internal/pcre"},
	"bfd":                        {"config", "bfd/wire", "internal/realtime"},
	"bfd/wire":                   {},
	"notify":                     {"config", "internal/account", "internal/rootpath", "internal/sigmask"},
	"internal/kernel":            {"config", "vrrp/wire"},
	"internal/kernel/kerneltest": {"config"},
	"internal/account":           {},
	"internal/realtime":          {"config"},
	"internal/rootpath":          {},
	"internal/realserver":        {"config", "internal/kernel"},
	"internal/netns":             {},
	"internal/filewatch":         {},
	"internal/procwatch":         {"config"},
	"internal/linkbeat":          {"config"},
	"internal/migrate":           {},
	"internal/smtptest":          {},
	"internal/syslog":            {},
	"internal/daemon":            {"internal/sigmask"},
	"internal/sigmask":           {},
	"internal/control":           {},
	"internal/pcre":              {},
	"internal/arch":              {},
	"internal/mutate":            {},
	"internal/golden":            {},
	"internal/agentx":            {},
	"internal/dbus":              {"config"},
	"internal/dump":              {"config"},
	"internal/snmp":              {"config", "internal/agentx", "internal/dump"},
	"supervisor":                 {"config", "parser", "vrrp", "vrrp/wire", "ipvs", "checker", "notify", "bfd", "bfd/wire", "internal/..."},
	"cmd/lvsd":                   {"config", "parser", "checker", "supervisor", "internal/..."},
	"e2e/bench":                  {"config", "internal/...", "e2e/...", "ipvs", "supervisor"},
	"e2e/...":                    {"config", "internal/...", "e2e/...", "vrrp/wire"},
}

// importers says who alone may import a library.
var importers = map[string][]string{
	"github.com/alecthomas/participle/v2": {"parser"},
	"github.com/vishvananda/netlink":      {"internal/kernel", "internal/netns"},
	"github.com/cloudflare/ipvs":          {"ipvs"},
	"github.com/google/nftables":          {"internal/kernel"},
	"github.com/dlclark/regexp2/v2":       {"internal/pcre"},
	"github.com/spf13/cobra":              {"cmd/lvsd"},
	"github.com/miekg/dns":                {"checker"},
	"github.com/coreos/go-systemd/v22":    {"internal/daemon", "internal/syslog"}, // its packages daemon and journal
	"github.com/spf13/pflag":              {"cmd/lvsd"},
	"github.com/wneessen/go-mail":         {"notify"},
	"github.com/godbus/dbus":              {"internal/dbus"},
}

// pure are the packages that decide and never do: they import neither a clock
// nor the world.
var pure = []string{"config", "vrrp/wire", "vrrp/sim", "bfd/wire"}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module+"/")
		all = append(all, p)
	}
}

func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		may, known := lookup(p.ImportPath)
		if !known {
			t.Errorf("%s: not in the table of allowed imports; docs/architecture.md says where things belong", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if ours, ok := strings.CutPrefix(imp, module+"/"); ok && !slices.ContainsFunc(may, func(pattern string) bool { return matches(pattern, ours) }) {
				t.Errorf("%s imports %s", p.ImportPath, ours)
			}
			for library, who := range importers {
				if (imp == library || strings.HasPrefix(imp, library+"/")) && !slices.Contains(who, p.ImportPath) {
					t.Errorf("%s imports %s, which belongs to %v", p.ImportPath, imp, who)
				}
			}
			if slices.Contains(pure, p.ImportPath) && slices.Contains([]string{"os", "net", "context", "go.uber.org/zap"}, imp) {
				t.Errorf("%s is pure, and imports %s", p.ImportPath, imp)
			}
		}
	}
}

func lookup(path string) ([]string, bool) {
	if may, ok := allowed[path]; ok {
		return may, true
	}
	for pattern, may := range allowed {
		if matches(pattern, path) {
			return may, true
		}
	}
	return nil, false
}

func matches(pattern, path string) bool {
	if root, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(path, root)
	}
	return pattern == path
}
