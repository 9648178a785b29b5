package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
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

// TestBlockedLog: nobody reads the terminal that the log goes to. Adverts go
// on, and so does everything else.
func TestBlockedLog(t *testing.T) { // not in parallel: it measures time
	i := instance{priority: 100, version: 3, advert: "0.1"}
	r := newSegment(t).router(1)
	pipe := filepath.Join(r.Folder, "terminal")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(pipe, os.O_RDWR, 0) // and never read
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { held.Close() })
	r.File("lvsd.sh", "#!/bin/sh\nexec "+rig.Binary()+" \"$@\" >/etc/keepalived/terminal 2>&1\n")
	r.run("/etc/keepalived/lvsd.sh", i)
	r.owns(true, i.down()+patience)
	began := r.nextAdvert(time.Time{}, i.priority, patience).At
	for n := range 400 { // each of them tells more than a pipe holds together
		if n%20 == 0 {
			r.configure(instance{priority: 100 + n/20%2, version: 3, advert: "0.1"})
		}
		r.Signal(syscall.SIGHUP)
		time.Sleep(10 * time.Millisecond)
	}
	r.punctual(began, i.interval())
	r.Signal(syscall.SIGTERM)
	r.owns(false, busy)
	r.exits(patience)
	r.leftNothing()
}

// TestFullDisk: where the daemon writes its files there is no room. Adverts go
// on, reloads and state changes too.
func TestFullDisk(t *testing.T) { // not in parallel: it measures time
	i := instance{priority: 100, version: 3, advert: "0.1"}
	r := newSegment(t).router(1)
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=128k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	pids := []string{"-P", "-p", disk + "/keepalived.pid", "-r", disk + "/vrrp.pid"}
	globals := "global_defs {\n\tstats_dump_file " + disk + "/stats\n\tdata_dump_file " + disk + "/data\n}"
	r.configure(globals, i)
	r.Daemon = r.Start(rig.Binary(), pids...)
	r.owns(true, i.down()+patience)
	full, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, size := range []int{4096, 1} { // to the last byte
		for err = nil; err == nil; {
			_, err = full.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	began := r.nextAdvert(time.Now(), i.priority, patience).At
	for _, more := range []string{"10.9.0.101/24", "10.9.0.102/24", "10.9.0.103/24"} {
		mark := r.Mark()
		i.vips = []string{vip.String() + "/24", more}
		r.configure(globals, i)
		r.Signal(syscall.SIGHUP)
		r.Wait(mark, "Reload complete", patience)
		r.Signal(syscall.SIGUSR1)
		r.Signal(syscall.SIGUSR2)
	}
	rig.Until(t, "the last address", patience, func() bool { return r.Has(netip.MustParseAddr("10.9.0.103")) })
	time.Sleep(3 * i.interval())
	r.punctual(began, i.interval())
	r.Signal(syscall.SIGTERM)
	r.owns(false, busy)
	r.exits(patience)
}

// punctual fails the test when an advert since a moment was late by half an
// interval. It is for tests beside which nothing runs.
func (r *router) punctual(began time.Time, interval time.Duration) {
	r.t.Helper()
	sent := r.sent(began)
	if least := int(time.Since(began)/interval) - 1; len(sent) < max(least, 2) {
		r.t.Fatalf("%s: %d adverts since %s, want %d", r, len(sent), began, least)
	}
	longest, from := gaps(sent)
	r.t.Logf("%d adverts, at most %s apart, from %s on", len(sent), longest, from.Format("15:04:05.000"))
	if longest > interval*3/2 {
		r.t.Errorf("%s: %s between two adverts, want %s", r, longest, interval)
	}
}
