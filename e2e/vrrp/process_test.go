package vrrp

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

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
