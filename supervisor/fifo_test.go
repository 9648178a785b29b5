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
