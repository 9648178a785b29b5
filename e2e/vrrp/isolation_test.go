package vrrp

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestIsolation: scripts that hang, flood their output, fork, a reader of a FIFO that does not read, and a file that changes all
// the time do not delay an advert. Nothing of them outlives the end.
func TestIsolation(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{
		"hang":   "trap '' TERM\nwhile :; do sleep 1; done",
		"flood":  "exec yes",
		"fork":   "for i in 1 2 3 4 5 6 7 8 9 10; do (trap '' TERM; sleep 86397) & done\nwait",
		"stop":   "kill -STOP $$",
		"reader": "exec 3<\"$1\"\ntrap '' TERM\nwhile :; do sleep 1; done",
	}
	var blocks, tracks strings.Builder
	r := newSegment(t).router(1)
	for name, body := range scripts {
		r.File(name+".sh", "#!/bin/sh\n"+body+"\n")
		if name != "reader" {
			fmt.Fprintf(&blocks, "vrrp_script %s {\n\tscript /etc/keepalived/%s.sh\n\tinterval 1\n\ttimeout 1\n\tweight -1\n}\n", name, name)
			fmt.Fprintf(&tracks, "\t%s\n", name)
		}
	}
	const globals = `global_defs {
	vrrp_notify_fifo /etc/keepalived/changes
	vrrp_notify_fifo_script /etc/keepalived/reader.sh
	vrrp_notify_priority_changes
}
track_file number {
	file /etc/keepalived/number
}
`
	i := instance{priority: 100, more: "track_script {\n" + tracks.String() + "}\ntrack_file {\n\tnumber\n}"}
	r.File("number", "0\n")
	r.run(rig.Binary(), globals, blocks.String(), i)
	r.becomes(0, "VI_1", "MASTER", i.down()+patience)
	r.owns(true, patience)
	r.Wait(0, "VRRP_Script(hang) timed_out", patience)
	began := r.nextAdvert(time.Time{}, i.priority-4, patience).At
	// How many changes of a file are seen depends on the machine; enough of them
	// fill the pipe that nobody reads.
	const full, most = "nobody reads fast enough, lines are lost", 200000
	for n := 0; n < most && !(n%500 == 0 && strings.Contains(r.Log(), full)); n++ {
		r.File("number", fmt.Sprintln(n%40-20))
	}
	r.Wait(0, full, patience)
	time.Sleep(3 * i.interval())
	(&calm{r: r, began: began}).cadence(t, i.interval())
	r.Signal(syscall.SIGTERM)
	r.owns(false, busy)
	r.exits(patience)
	r.leftNothing()
	for _, process := range r.Processes() {
		if strings.Contains(process, "86397") {
			t.Errorf("left behind: %s", process)
		}
	}
}
