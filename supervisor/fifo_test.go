//go:build linux

package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

const tracked = `
global_defs {
    vrrp_notify_fifo %[1]s/fifo
    vrrp_notify_fifo_script %[1]s/read.sh
    vrrp_notify_priority_changes
    %[2]s
}
track_file number {
    file %[1]s/number
    init_file 5
}
vrrp_instance VI_1 {
    interface veth0
    virtual_router_id 7
    priority 100
    advert_int 1
    virtual_ipaddress {
        10.9.0.100/24
    }
    track_file {
        number weight %[3]s
    }
}
`

// A file that is made at start, the lines of a FIFO, and its script from start
// to stop.
func TestFIFO(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	dir := filepath.Dir(b.file)
	script := "#!/bin/sh\nexec cat \"$1\" >>" + dir + "/lines\n"
	if err := os.WriteFile(filepath.Join(dir, "read.sh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	lines := func(want ...string) {
		t.Helper()
		b.wait(fmt.Sprintf("%q", want), func() bool {
			text, _ := os.ReadFile(filepath.Join(dir, "lines"))
			return string(text) == strings.Join(want, "")
		})
	}
	b.put(fmt.Sprintf(tracked, dir, "", "2"))
	b.start()
	all := []string{"INSTANCE \"VI_1\" BACKUP_PRIORITY 110\n", "INSTANCE \"VI_1\" BACKUP 110\n", "INSTANCE \"VI_1\" MASTER 110\n"}
	lines(all...)
	if err := os.WriteFile(filepath.Join(dir, "number"), []byte("-7"), 0o600); err != nil {
		t.Fatal(err)
	}
	all = append(all, "INSTANCE \"VI_1\" MASTER_PRIORITY 86\n")
	lines(all...)
	b.reload() // nothing new to tell, and the number is not written again
	b.put(fmt.Sprintf(tracked, dir, "fifo_write_vrrp_states_on_reload", "3"))
	b.reload()
	all = append(all, "INSTANCE \"VI_1\" MASTER_PRIORITY 79\n", "INSTANCE \"VI_1\" MASTER 79\n")
	lines(all...)
	b.stop()
	lines(append(all, "INSTANCE \"VI_1\" STOP 79\n")...)
	if _, err := os.Stat(filepath.Join(dir, "fifo")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the FIFO is left: %v", err)
	}
}

// A FIFO that nobody writes to is not made, as with keepalived.
func TestUsedFIFOs(t *testing.T) {
	routes := config.Config{Instances: make([]config.Instance, 1)}
	serves := config.Config{Services: make([]config.VirtualServer, 1)}
	both := config.Config{Instances: routes.Instances, Services: serves.Services}
	for _, test := range []struct {
		name string
		opts Options
		c    config.Config
		want string
	}{
		{"nothing", Options{}, config.Config{}, ""},
		{"VRRP", Options{}, routes, "all vrrp "},
		{"LVS", Options{}, serves, "all lvs "},
		{"both", Options{}, both, "all vrrp lvs "},
		{"both, with -C", Options{NoVRRP: true}, both, "all lvs "},
		{"both, with -P", Options{NoCheck: true}, both, "all vrrp "},
		{"LVS, with -P", Options{NoCheck: true}, serves, ""},
	} {
		test.c.Global.FIFO = config.FIFOs{Notify: config.FIFO{Path: "all "}, VRRPNotify: config.FIFO{Path: "vrrp "}, LVSNotify: config.FIFO{Path: "lvs "}}
		s := &Supervisor{opts: test.opts}
		used := s.usedFIFOs(&test.c)
		if got := used.Notify.Path + used.VRRPNotify.Path + used.LVSNotify.Path; got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
