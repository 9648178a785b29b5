package daemon

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// orphanAge is how long a zombie is left to whoever started it. Those of lvsd
// are waited for at once.
const orphanAge = 2 * time.Second

// WaitForOrphans runs until ctx ends. The first process of a container is the
// parent of every process that lost its own, such as what a script leaves in
// the background; nobody else waits for them when they end. Anywhere else it
// has nothing to do.
func WaitForOrphans(ctx context.Context) error {
	if os.Getpid() == 1 {
		reap(ctx)
	}
	<-ctx.Done()
	return nil
}

func reap(ctx context.Context) {
	ticker := time.NewTicker(orphanAge)
	defer ticker.Stop()
	var before map[int]bool
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			before = reapOld(before)
		}
	}
}

// reapOld waits for the zombies that were there before, and returns the rest.
func reapOld(before map[int]bool) (now map[int]bool) {
	if !anyZombie() {
		return nil
	}
	now = make(map[int]bool)
	for _, pid := range zombies() {
		if !before[pid] {
			now[pid] = true
			continue
		}
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // gone already is fine
	}
	return now
}

// anyZombie spares the walk through /proc.
func anyZombie() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}

// zombies are the children of this process that have ended and that nobody
// has waited for.
func zombies() (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is right
	parent := strconv.Itoa(os.Getpid())
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // ended meanwhile
		}
		stat := string(b)
		fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		if len(fields) < 2 || fields[0] != "Z" || fields[1] != parent {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
