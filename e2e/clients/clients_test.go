package clients

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// atOnce is how many scripts run at the same time unless -parallel says so:
// they sleep most of the time.
const atOnce = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", atOnce); err != nil {
			panic(err) // the testing package has renamed its flag
		}
	}
	os.Exit(rig.Main(m))
}

// patience bounds a script: some of its steps take five seconds.
const patience = 2 * time.Minute

// configuration has a master, a router whose cable is out, and what clients
// read besides.
const configuration = `global_defs {
	router_id clients
	enable_script_security
	script_user root
	umask 022
}
vrrp_script good {
	script "/usr/bin/sh -c 'exit 0'"
	interval 1
}
vrrp_instance VI_1 {
	interface eth0
	state BACKUP
	virtual_router_id 51
	priority 200
	advert_int 1
	virtual_ipaddress {
		10.9.0.100/24
		10.9.0.101/24 label eth0:1
	}
	virtual_ipaddress_excluded {
		10.9.1.1/24
	}
	track_script {
		good
	}
	authentication {
		auth_type PASS
		auth_pass secret
	}
}
`

const faulty = `vrrp_instance VI_2 {
	interface eth1
	virtual_router_id 52
	priority 100
	virtual_ipaddress {
		10.9.2.100/24
	}
}
`

// ask runs a script where a daemon is at /usr/sbin/keepalived, with /tmp, /run
// and processes of its own.
func ask(t *testing.T, daemon, script string) string {
	t.Helper()
	lab := rig.New(t)
	h := lab.Host("h")
	lan := lab.Switch("lan")
	h.Plug(lan, "eth0", "10.9.0.1/24")
	h.Plug(lan, "eth1", "10.9.2.1/24")
	h.Link("eth1", false)
	h.File("keepalived.conf", configuration)
	h.File("faulty.conf", configuration+faulty)
	scripts, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	c := h.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
		"env", "DAEMON="+daemon, "SCRIPTS="+scripts, "bash", "-c", ". $SCRIPTS/common.sh; . $SCRIPTS/"+script)
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	c.WaitDelay = time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.Process.Kill() })()
	err = c.Wait()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Errorf("%s: %v %v", script, err, ctx.Err())
	}
	t.Logf("%s, %s: %v\n%s%s", filepath.Base(daemon), script, err, out.String(), log.String())
	return out.String()
}

// TestClients asks both daemons the same. On a busy machine a client may read a
// file that keepalived has only half written: where the two differ keepalived is
// asked twice more, and lvsd never.
func TestClients(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range scripts {
		script := filepath.Base(path)
		if script == "common.sh" {
			continue
		}
		t.Run(strings.TrimSuffix(script, ".sh"), func(t *testing.T) {
			t.Parallel()
			want, got := ask(t, rig.Keepalived, script), ask(t, rig.Binary(), script)
			if want != got { // what it says both other times is its answer
				want = ask(t, rig.Keepalived, script)
				if again := ask(t, rig.Keepalived, script); want != again {
					t.Errorf("keepalived says one thing, then another:\n%s", cmp.Diff(want, again))
				}
			}
			if !strings.HasSuffix(want, "done\n") {
				t.Errorf("keepalived's answers do not come to an end:\n%s", want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-keepalived +lvsd\n%s", diff)
			}
		})
	}
}

// TestOwn: what keepalived has no answer to, with what lvsd says instead.
func TestOwn(t *testing.T) {
	scripts, err := filepath.Glob("testdata/own/*.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, path := range scripts {
		name := strings.TrimSuffix(filepath.Base(path), ".sh")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(filepath.Join("testdata/own", name+".golden"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), ask(t, rig.Binary(), "own/"+name+".sh")); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
