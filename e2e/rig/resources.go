package rig

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Resources are what a process must not gather.
type Resources struct{ Descriptors, Threads, Children, Kilobytes int }

// Resources of all processes that run in h, but for what tests listen with.
func (h *Host) Resources() Resources {
	h.lab.t.Helper()
	var sum Resources
	for _, process := range h.Processes() {
		pid, name, _ := strings.Cut(process, " ")
		if name == "ip" {
			continue // the test's own
		}
		descriptors, _ := os.ReadDir(filepath.Join("/proc", pid, "fd"))
		threads, _ := os.ReadDir(filepath.Join("/proc", pid, "task"))
		sum.Descriptors += len(descriptors)
		sum.Threads += len(threads)
		sum.Kilobytes += residentKilobytes(pid)
		sum.Children++
	}
	return sum
}

// Gathered reports whether something is left behind with each reload. The
// runtime keeps a few threads and some memory for later.
func (r Resources) Gathered(before Resources) bool {
	return r.Descriptors > before.Descriptors || r.Children > before.Children || r.Threads > before.Threads+4 || r.Kilobytes > before.Kilobytes+8<<10
}

// residentKilobytes is a process's resident memory, see proc(5); 0 when the
// process is gone.
func residentKilobytes(pid string) int {
	status, _ := os.ReadFile(filepath.Join("/proc", pid, "status"))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
