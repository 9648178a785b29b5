package parser

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// sameLists: a list of which nothing is left is none, but where the block or
// the keyword alone means something.
var sameLists = cmp.FilterPath(func(p cmp.Path) bool {
	field, ok := p.Index(-1).(cmp.StructField)
	return ok && !slices.Contains([]string{"UnicastPeers", "VRRPIPTables", "VRRPIPSets"}, field.Name())
}, cmpopts.EquateEmpty())

// sameNothing: a script that was taken back is none, and so are names that are
// empty.
var sameNothing = cmp.Options{
	cmp.FilterValues(func(a, b *config.Command) bool { return a.IsZero() && b.IsZero() }, cmp.Ignore()),
	cmp.FilterValues(func(a, b *config.ServerNames) bool {
		empty := func(n *config.ServerNames) bool { return n == nil || *n == (config.ServerNames{}) }
		return empty(a) && empty(b)
	}, cmp.Ignore()),
}

// rewritten sees that a configuration is what its written form loads as.
func rewritten(t *testing.T, o Options) string {
	t.Helper()
	want, _, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want.Services {
		v := &want.Services[i]
		v.RealServers = withoutTwins(v.RealServers)
	}
	before := want.JSON(config.JSONOptions{Secrets: true})
	var text bytes.Buffer
	if err := Write(&text, want); err != nil {
		t.Errorf("%v\n%s", err, text.String())
	}
	if diff := cmp.Diff(string(before), string(want.JSON(config.JSONOptions{Secrets: true}))); diff != "" {
		t.Errorf("to write a configuration changed it:\n%s", diff)
	}
	o.File, o.Files = "main", Memory{"main": text.String()}
	got, problems, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, sameConfig, sameLists, sameNothing, cmpopts.IgnoreFields(config.Trackers{}, "Disabled")); diff != "" {
		t.Errorf("not what was written (-loaded +written and loaded):\n%s\n%v\n%s", diff, problems, text.String())
	}
	return text.String()
}

func TestWriteConf(t *testing.T) {
	for _, file := range confFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			rewritten(t, Options{File: file, ConfigID: "here", Environment: bench{}})
		})
	}
}

func TestWriteCorpus(t *testing.T) {
	eachOfCorpus(t, func(t *testing.T, file string) {
		o := Options{File: file, Environment: bench{}}
		if _, _, err := Load(o); err != nil {
			t.Skip(err) // three of the collection, which are no configurations
		}
		rewritten(t, o)
	})
}

// TestWrite shows the form, with every keyword that it has.
func TestWrite(t *testing.T) {
	text := rewritten(t, Options{File: "../testdata/model/everything.conf", Environment: bench{}})
	golden.Equal(t, "../testdata/model/everything.golden", text)
}

// withoutTwins are the servers without those that run as one with another: the
// written form has the first.
func withoutTwins(all []config.RealServer) []config.RealServer {
	seen := map[netip.AddrPort]bool{}
	return slices.DeleteFunc(all, func(r config.RealServer) bool {
		was := seen[r.Addr]
		seen[r.Addr] = true
		return was
	})
}

// TestWriteKeywords: the written form of a configuration that has everything
// has every keyword, but those that have a newer name.
func TestWriteKeywords(t *testing.T) {
	c, _, err := Load(Options{File: "../testdata/model/everything.conf", Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Write(&text, c); err != nil {
		t.Fatal(err)
	}
	var path []string
	has := map[string]bool{}
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSpace(line)
		if line == "}" {
			path = path[:len(path)-1]
			continue
		}
		has[strings.Join(append(path, firstWord(line)), "/")] = true
		if strings.HasSuffix(line, " {") {
			path = append(path, firstWord(line))
		}
	}
	has["vrrp_instance/linkbeat_use_polling"] = true // keepalived calls it an error
	has["global_defs/vrrp_min_garp"] = true          // only where nothing else says it
	keywords := map[string]bool{}
	for _, k := range Keywords() {
		name := join(strings.TrimPrefix(k.Block, "/"), k.Name)
		keywords[name] = true
		older := olderNames[strings.TrimPrefix(k.Block, "/")+"/"+k.Name]
		switch other := strings.Contains(k.Block, "_CHECK/") || strings.HasPrefix(k.Block, "vrrp_track_file"); {
		case older && has[name]:
			t.Errorf("%s has a newer name, and is written", name)
		case !older && !has[name] && !other && !inTCPCheck(k):
			t.Errorf("%s is not written", name)
		}
	}
	for name := range olderNames {
		if !keywords[strings.TrimPrefix(name, "/")] {
			t.Errorf("olderNames has %s, which is no keyword", name)
		}
	}
}

// inTCPCheck reports what every check has: it is the same row for all of them,
// and TCP_CHECK shows it.
func inTCPCheck(k Keyword) bool {
	parent := "virtual_server/real_server/"
	return strings.HasPrefix(k.Block, parent) && k.Block != parent+"TCP_CHECK" && slices.ContainsFunc(Keywords(), func(o Keyword) bool {
		return o.Block == parent+"TCP_CHECK" && o.Name == k.Name
	})
}

func TestWriteDeprecated(t *testing.T) {
	text := rewritten(t, Options{File: "main", Environment: bench{}, Files: Memory{"main": `vrrp_instance V {
    interface eth0
    virtual_router_id 1
    linkbeat_use_polling
    lvs_sync_daemon_interface eth0
    virtual_ipaddress { 10.0.0.1 }
}`}})
	if !strings.Contains(text, "linkbeat_use_polling\n") || !strings.Contains(text, "global_defs {\n    lvs_sync_daemon eth0 inst V id 0\n}\n") {
		t.Error(text)
	}
}

func FuzzWrite(f *testing.F) {
	seed(f)
	text, err := os.ReadFile("../testdata/model/everything.conf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{File: "main", Files: Memory{"main": text}, ConfigID: "here", Environment: bench{}, bound: 1 << 10}
		if _, _, err := Load(o); err == nil {
			rewritten(t, o)
		}
	})
}

// TestWriteConcealed: what is for people's eyes has no password in it, and all
// else.
func TestWriteConcealed(t *testing.T) {
	const text = `SSL {
    password CANARY0
}
vrrp_instance V1 {
    interface eth0
    virtual_router_id 51
    authentication {
        auth_type PASS
        auth_pass CANARY1
    }
    virtual_ipaddress {
        10.0.0.1/24
    }
}
vrrp_instance V2 {
    interface eth0
    virtual_router_id 52
    version 3
    auth_hmac {
        key 1 CANARY2CANARY2CANARY2CANARY2CANARY2
        key 2 file:/etc/key
        active_key 1
    }
    virtual_ipaddress {
        10.0.0.2/24
    }
}
`
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := Load(Options{File: file})
	if err != nil {
		t.Fatal(err)
	}
	var open, concealed strings.Builder
	if err := errors.Join(Write(&open, c), WriteConcealed(&concealed, c)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(concealed.String(), "CANARY") {
		t.Errorf("there are passwords in\n%s", concealed.String())
	}
	if want := regexp.MustCompile(`(CANARY\d)+`).ReplaceAllString(open.String(), "********"); concealed.String() != want || strings.Count(want, "********") != 3 || !strings.Contains(want, "file:/etc/key") {
		t.Errorf("-open +concealed\n%s", cmp.Diff(want, concealed.String()))
	}
}
