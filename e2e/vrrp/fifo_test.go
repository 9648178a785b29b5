package vrrp

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// fifoScript writes down what it reads.
const fifoScript = "#!/bin/sh\nexec cat \"$1\" >>/etc/keepalived/fifo.log\n"

const fifoGlobals = `global_defs {
	vrrp_notify_fifo /etc/keepalived/changes
	vrrp_notify_fifo_script /etc/keepalived/fifo.sh
	vrrp_notify_priority_changes
}
track_file number {
	file /etc/keepalived/number
}
track_file flag {
	file /etc/keepalived/flag
	weight 2 reverse
}
` + "vrrp_script check {\n\tscript \"/usr/bin/test -e /etc/keepalived/up\"\n\tinterval 1\n\tfall 2\n\trise 2\n\tweight 3\n}\n"

// trackedLife is what happens to what a router tracks, step by step.
func trackedLife(r *router) []func() {
	number := func(name string, n int) func() { return func() { r.File(name, fmt.Sprintln(n)) } }
	return []func(){
		number("number", 10), number("number", 300), number("flag", 20), number("flag", -1), number("number", -254), number("number", 2),
		func() { r.RemoveFile("number") },
		func() { r.Link("eth1", false) }, func() { r.Link("eth1", true) },
		func() { r.RemoveFile("up") }, func() { r.File("up", "") },
		number("flag", 127), number("flag", 0),
	}
}

// TestFIFO: the lines of a FIFO are keepalived's, byte for byte for each
// instance and sync group, through a life in which everything tracked changes.
func TestFIFO(t *testing.T) {
	t.Parallel()
	weights := "track_interface {\n\teth1 weight -20\n}\ntrack_script {\n\tcheck weight 5\n}\ntrack_file {\n\tnumber\n\tflag weight 3\n}"
	shared := strings.ReplaceAll(weights, "\teth1 weight -20\n", "\teth1 weight 4\n")
	member := "track_interface {\n\teth1\n}\ntrack_file {\n\tnumber weight 0\n}"
	other := "track_script {\n\tcheck weight -9\n}\ntrack_file {\n\tnumber weight 3\n\tflag weight -2\n}"
	reverse := "track_interface {\n\teth1 weight 8 reverse\n}\ntrack_script {\n\tcheck weight 6 reverse\n}\ntrack_file {\n\tnumber weight 2 reverse\n\tflag weight 0 reverse\n}"
	group := func(more, first, second string) []any {
		return []any{
			fifoGlobals, "vrrp_sync_group G {\n\tgroup {\n\t\tVI_1\n\t\tVI_2\n\t}\n" + more + "\n}\n",
			instance{vrid: 51, priority: 100, more: first}, instance{name: "VI_2", vrid: 52, priority: 90, vips: []string{"10.9.0.102/24"}, more: second},
		}
	}
	configurations := map[string][]any{
		"weights":                    {fifoGlobals, instance{vrid: 51, priority: 100, more: weights}},
		"reverse":                    {fifoGlobals, instance{vrid: 51, priority: 100, more: strings.NewReplacer("-20", "20 reverse", "weight 5", "weight 5 reverse", "number", "number weight -2 reverse", "weight 3", "weight 3 noreverse").Replace(weights)}},
		"faults":                     {fifoGlobals, instance{vrid: 51, priority: 100, more: "track_interface {\n\teth1\n}\ntrack_script {\n\tcheck weight 0\n}\ntrack_file {\n\tnumber weight 0\n\tflag weight 0 reverse\n}"}},
		"sync group":                 group(shared, "", ""),
		"members":                    group("", member, ""),
		"weightless against weights": group(shared, "track_interface {\n\teth1\n}\ntrack_script {\n\tcheck weight 0\n}", "track_file {\n\tnumber weight 0\n}"),
		"weights against weights":    group("sync_group_tracking_weight\ntrack_script {\n\tcheck weight 5\n}\ntrack_file {\n\tflag weight 3\n}", "track_interface {\n\teth1 weight -7\n}\n"+other, reverse),
		"weights without effect":     group(shared, other, ""),
	}
	for name, configuration := range configurations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var daemons [2]*router
			for n, binary := range []string{rig.Binary(), rig.Keepalived} {
				s := newSegment(t)
				r := s.router(1)
				r.plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
				r.File("fifo.sh", fifoScript)
				r.File("up", "")
				r.File("number", "0\n")
				r.File("flag", "1\n")
				r.run(binary, configuration...)
				daemons[n] = r
			}
			for _, r := range daemons {
				r.becomes(0, "VI_1", "MASTER", patience)
			}
			const rest = 6 * time.Second // to the state that they rest in
			first, second := trackedLife(daemons[0]), trackedLife(daemons[1])
			for n := range first {
				first[n]()
				second[n]()
				time.Sleep(rest)
			}
			var logs [2]map[string][]string
			for n, r := range daemons {
				logs[n] = byObject(r.ReadFile("fifo.log"))
				r.Stop(patience)
			}
			if diff := cmp.Diff(logs[1], logs[0]); diff != "" {
				t.Errorf("lines of keepalived (-) and of lvsd (+):\n%s", diff)
			}
			lines := 0
			for _, of := range logs[1] {
				lines += len(of)
			}
			if lines < 8 {
				t.Errorf("keepalived wrote too few lines to compare: %q", logs[1])
			}
			t.Logf("%d lines are equal", lines)
		})
	}
}

// TestTrackProcess: a router gives up when a process ends, and takes over when
// it runs again. The host has a network namespace of its own, where the kernel
// tells nobody about processes: lvsd finds them in /proc.
func TestTrackProcess(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	r, peer := s.router(1), s.router(2)
	var running *exec.Cmd
	seconds := fmt.Sprint(100_000 + os.Getpid()) // nobody else's
	begin := func() {
		running = exec.Command("/usr/bin/sleep", seconds)
		if err := running.Start(); err != nil {
			t.Fatal(err)
		}
	}
	end := func() {
		if err := running.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = running.Wait() // it was killed
	}
	begin()
	high, low := instance{priority: 150, more: "track_process {\n\tsleep\n}"}, instance{priority: 100}
	r.run(rig.Binary(), "vrrp_track_process sleep {\n\tprocess /usr/bin/sleep "+seconds+"\n}\n", high)
	peer.run(rig.Keepalived, low)
	r.becomes(0, "VI_1", "MASTER", high.down()+patience)
	mark := r.Mark()
	end()
	r.becomes(mark, "VI_1", "FAULT", patience)
	peer.owns(true, patience)
	r.owns(false, patience)
	begin()
	defer end()
	r.becomes(mark, "VI_1", "MASTER", high.down()+patience)
	r.owns(true, patience)
	peer.owns(false, patience)
}
