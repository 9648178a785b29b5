package vrrp

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// secretive is a configuration with a password of each kind, all of which
// begin with the same letters.
const secretive = `SSL {
	password CANARYSSL
	ca /etc/keepalived/none.pem
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	advert_int 1
	priority 100
	authentication {
		auth_type PASS
		auth_pass CANARY51
	}
	virtual_ipaddress {
		10.9.0.100/24
	}
}
vrrp_instance VI_2 {
	interface eth0
	virtual_router_id 52
	authentication {
		auth_type AH
		auth_pass CANARY52
	}
	virtual_ipaddress {
		10.9.0.101/24
	}
}
vrrp_instance VI_3 {
	interface eth0
	virtual_router_id 53
	version 3
	auth_hmac {
		key 1 CANARY53CANARY53CANARY53CANARY53
		key 2 file:/etc/keepalived/hmac.key
		active_key 2
	}
	virtual_ipaddress {
		10.9.0.102/24
	}
}
`

// TestSecrets: no password is in anything that lvsd says or writes: log, dumps,
// JSON, plans, answers, what the service manager hears; neither when passwords
// change nor when something is wrong with them.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const canary = "CANARY"
	r := newSegment(t).router(1)
	for _, name := range []string{"dumps", "saved"} {
		if err := os.Mkdir(filepath.Join(r.Folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(r.Folder, "hmac.key")
	if err := os.WriteFile(key, []byte(strings.Repeat(canary+"00", 4)), 0o600); err != nil {
		t.Fatal(err)
	}
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(r.Folder, "manager"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	said := map[string]string{}
	hear := func() { said["the service manager"] += heard(t, manager) }
	r.File("lvsd.sh", "#!/bin/sh\nNOTIFY_SOCKET=/etc/keepalived/manager TMPDIR=/etc/keepalived/dumps exec "+rig.Binary()+" \"$@\"\n")
	r.File("keepalived.conf", secretive)
	r.Daemon = r.Start("/etc/keepalived/lvsd.sh", "-d", "-D")
	r.becomes(0, "VI_3", "MASTER", patience)
	ask := func(name string, args ...string) {
		text, _ := r.finishes(rig.Binary(), args...)
		said[name] += text
	}
	dump := func() {
		for _, sig := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, 36} {
			r.Signal(sig)
		}
		rig.Until(t, "the dumps", patience, func() bool {
			files, _ := filepath.Glob(filepath.Join(r.Folder, "dumps", "keepalived*"))
			return slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(f, ".json") }) && len(files) >= 4
		})
	}
	dump()
	conf := filepath.Join(r.Folder, "keepalived.conf")
	for _, spoil := range []*strings.Replacer{
		strings.NewReplacer("CANARY51", "CANARY61", "CANARY53", "CANARY63"), // other ones
		strings.NewReplacer("CANARY51", "CANARY71CANARY71", "CANARY52", "CANARY72 CANARY72"),
		strings.NewReplacer("CANARY53CANARY53", "CANARY83"),
		strings.NewReplacer("CANARY52", "\"CANARY92"),
		strings.NewReplacer("auth_pass", "auth_passs", "password", "pasword"),
	} {
		r.File("keepalived.conf", spoil.Replace(secretive))
		ask("lvsd plan", "plan", "-p", r.pidFile())
		ask("lvsd reload", "reload", "-p", r.pidFile())
		ask("lvsd -t", "-t", "-f", conf)
		ask("lvsd -t --format json", "-t", "--format", "json", "-f", conf)
		ask("lvsd -t --format sarif", "-t", "--format", "sarif", "-f", conf)
		ask("lvsd config", "config", "-f", conf)
		ask("lvsd config --json", "config", "--json", "-f", conf)
		ask("lvsd config --conf", "config", "--conf", "-f", conf)
		dump()
		hear()
	}
	r.Stop(patience)
	said["the log"] = r.Log()
	hear()
	files, err := filepath.Glob(filepath.Join(r.Folder, "dumps", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		said[filepath.Base(file)] = readFile(t, file)
	}
	for _, name := range []string{"the log", "the service manager", "keepalived.data", "keepalived.json", "keepalived.stats", "keepalived_parent.data", "lvsd plan", "lvsd reload"} {
		if said[name] == "" {
			t.Errorf("%s says nothing", name)
		}
	}
	for name, text := range said {
		for line := range strings.Lines(text) {
			if strings.Contains(line, canary) {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}

// heard is all that has come to a socket.
func heard(t *testing.T, socket *net.UnixConn) string {
	t.Helper()
	if err := socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for buffer := make([]byte, 64<<10); ; {
		n, err := socket.Read(buffer)
		if err != nil {
			return b.String()
		}
		b.Write(append(buffer[:n], '\n'))
	}
}
