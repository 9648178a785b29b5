package vrrp

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestRealTime: the thread of VRRP, and that of BFD when there are sessions, has
// the real-time priority, by default and as configured, and none of it is
// inherited by scripts.
func TestRealTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, globals, blocks string
		realtime              map[int]string // processors of real-time threads, by their priority; empty: any
		nice                  int            // of the others
		locked                bool
	}{
		{"by default", "", "", map[int]string{50: ""}, -10, false},
		{"vrrp_no_realtime", "vrrp_no_realtime", "", map[int]string{}, 0, false},
		{"as configured", "vrrp_rt_priority 20\n\tvrrp_cpu_affinity 0\n\tvrrp_no_swap\n\tchecker_priority -5", "", map[int]string{20: "0"}, -5, true},
		{"nice", "vrrp_no_realtime\n\tvrrp_priority -7", "", map[int]string{}, 0, false},
		{"BFD", "vrrp_rt_priority 20\n\tvrrp_cpu_affinity 0", bfdWith("10.9.0.9"), map[int]string{20: "0", 50: ""}, -10, false},
		{"BFD as configured", "vrrp_no_realtime\n\tbfd_rt_priority 30\n\tbfd_cpu_affinity 1", bfdWith("10.9.0.9"), map[int]string{30: "1"}, 0, false},
		{"BFD nice", "vrrp_no_realtime\n\tbfd_priority -7", bfdWith("10.9.0.9"), map[int]string{}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := instance{priority: 100, more: "notify_master /etc/keepalived/master.sh"}
			r := newSegment(t).router(1)
			r.File("master.sh", "#!/bin/sh\nread -r line </proc/self/stat\necho \"$line\" >/etc/keepalived/stat\n"+
				"while read -r key value; do case $key in Cpus_allowed_list:|VmLck:) echo \"$key $value\"; esac; done </proc/self/status >/etc/keepalived/status\n")
			r.run(rig.Binary(), "global_defs {\n\t"+c.globals+"\n}", c.blocks, i)
			r.becomes(0, "VI_1", "MASTER", i.down()+patience)
			rig.Until(t, "the script", patience, func() bool { return strings.Contains(r.ReadFile("status"), "Cpus") })
			if _, nice, priority := scheduling(t, r.ReadFile("stat")); nice != 0 || priority != 0 {
				t.Errorf("the script has nice value %d and real-time priority %d", nice, priority)
			}
			status := r.ReadFile("status")
			all := strings.Fields(r.Run("sh", "-c", "grep Cpus_allowed_list /proc/self/status"))[1]
			if !strings.Contains(status, "Cpus_allowed_list: "+all+"\n") || !strings.Contains(status, "VmLck: 0 kB") {
				t.Errorf("the script has %q, want processors %s", status, all)
			}
			realtime := map[int]string{}
			for _, task := range r.Tasks() {
				_, nice, priority := scheduling(t, task.Stat)
				switch {
				case priority > 0:
					realtime[priority] = ""
					if c.realtime[priority] != "" {
						_, list, _ := strings.Cut(task.Status, "Cpus_allowed_list:\t")
						realtime[priority], _, _ = strings.Cut(list, "\n")
					}
				case nice != c.nice && nice != 0 && !strings.HasSuffix(c.name, "nice"): // 0: it has just begun
					t.Errorf("a thread has nice value %d, want %d", nice, c.nice)
				}
				if locked := !strings.Contains(task.Status, "VmLck:\t       0 kB"); locked != c.locked {
					t.Errorf("memory is locked: %t", locked)
				}
			}
			if !maps.Equal(realtime, c.realtime) {
				t.Errorf("real-time priorities and processors %v, want %v", realtime, c.realtime)
			}
			if strings.HasSuffix(c.name, "nice") && !slices.ContainsFunc(r.Tasks(), func(task rig.Task) bool { _, nice, _ := scheduling(t, task.Stat); return nice == -7 }) {
				t.Error("no thread has the nice value")
			}
		})
	}
}

// scheduling reads a line of proc_pid_stat(5).
func scheduling(t *testing.T, stat string) (name string, nice, realtime int) {
	t.Helper()
	const niceAt, priorityAt = 16, 37 // behind the name
	name, rest, _ := strings.Cut(stat, ") ")
	fields := strings.Fields(rest)
	if len(fields) <= priorityAt {
		t.Fatalf("no line of stat: %q", stat)
	}
	nice, err := strconv.Atoi(fields[niceAt])
	if err != nil {
		t.Fatal(err)
	}
	if realtime, err = strconv.Atoi(fields[priorityAt]); err != nil {
		t.Fatal(err)
	}
	return name, nice, realtime
}
