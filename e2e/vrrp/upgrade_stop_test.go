package vrrp

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestUpgradeStopped: SIGTERM for the process that is lvsd means a stop, even
// where it meets a new program that does not listen yet.
func TestUpgradeStopped(t *testing.T) {
	t.Parallel()
	i := instance{priority: 150, version: 3, advert: "0.2"}
	for _, signal := range []string{"TERM", "INT"} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			r := newSegment(t).router(1)
			r.run(rig.Binary(), i)
			r.owns(true, i.down()+patience)
			r.t.Cleanup(r.killAll)
			began := time.Now()
			said, status := r.upgradeTo(r.program(newProgram + "kill -" + signal + " $$; exec sleep 1000"))
			if !tellsEnds(t) { // it is a program that fails, and the former one is to be told once more
				if status != 7 {
					t.Fatalf("status %d, want 7: %s", status, said)
				}
				if err := syscall.Kill(r.pid(), syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			} else if status != 8 || !strings.Contains(said, "it was told to stop") {
				t.Errorf("status %d, want 8: %s", status, said)
			}
			r.nextAdvert(began, 0, patience)
			r.owns(false, patience)
			rig.Until(t, "nothing of lvsd's to run", patience, func() bool { return !r.runs("lvsd") })
		})
	}
}

// tellsEnds reports whether this kernel tells others than the parent what has
// ended a process: Linux 6.15.
func tellsEnds(t *testing.T) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 6 || major == 6 && minor >= 15
}

// TestUpgradeFailsLate: a new program that dies when the adverts are its own
// already, and before it is alone, is one that fails like any other: the former
// one goes on, and no advert is missing.
func TestUpgradeFailsLate(t *testing.T) {
	t.Parallel()
	i := notifying(instance{priority: 150, version: 3, advert: "1"}) // the hunter stops it for a tenth of a second, on a busy machine for three
	var (
		r      *router
		c      *calm
		before int
		said   string
	)
	for range 5 {
		var addresses *addressLog
		r, addresses = newSegment(t).master(i)
		r.t.Cleanup(r.killAll)
		c = r.calm(addresses)
		before, said = r.killLate(i)
		// Between the guard's answer and its own to who has asked, it is alone, which
		// no socket shows. Nobody is told of a success then.
		if !strings.HasPrefix(said, "1 ") || !strings.HasSuffix(strings.TrimSpace(said), "EOF") {
			break
		}
		t.Logf("it was alone when it was killed: %s", said)
	}
	if !strings.HasPrefix(said, "7 ") || !strings.Contains(said, "ended before everything ran") {
		t.Fatalf("want status 7: %s", said)
	}
	if after := r.pid(); after == before {
		t.Errorf("the process is still %d", after)
	}
	time.Sleep(4 * i.interval())
	c.check(t, i.interval())
	longest, from := gaps(r.sent(c.began))
	if most := i.interval() + i.interval()/2 + i.skew(); longest > most {
		t.Errorf("two adverts are %s apart from %s on, want at most %s", longest, from, most)
	}
	last := r.pid()
	if err := syscall.Kill(last, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.owns(false, patience)
	rig.Until(t, "nothing of lvsd's to run", patience, func() bool { return !r.runs("lvsd") })
}

// killLate upgrades until a hunter has killed the new program, which was the
// process before, and answers with what lvsd upgrade said then, its status first.
func (r *router) killLate(i instance) (before int, said string) {
	r.t.Helper()
	for range 200 {
		answer := make(chan string, 1)
		hunter := newHunter(r)
		go func() {
			text, status := r.upgradeTo(rig.Binary())
			answer <- fmt.Sprint(status, " ", text)
		}()
		if killed := hunter.hunt(func() bool { return len(answer) > 0 }); killed {
			return hunter.pid, <-answer
		}
		if said = <-answer; !strings.HasPrefix(said, "0 ") {
			r.t.Fatalf("an upgrade that nobody disturbs: %s", said)
		}
		time.Sleep(i.interval()) // it was faster
	}
	r.t.Fatal("200 upgrades were faster than the hunter")
	return 0, ""
}

// A hunter kills a process in the moment between the end of its bridge's
// adverts and that of its guard: of the two connections to the bridge, which
// go through execve(2), the first one has been closed, and nothing has come through
// the second one.
type hunter struct {
	*router
	pid    int
	before []string // sockets before the upgrade
}

func newHunter(r *router) *hunter {
	h := &hunter{router: r, pid: r.pid()}
	h.before = h.sockets()
	return h
}

// sockets are the process's.
func (h *hunter) sockets() (names []string) {
	folder := fmt.Sprintf("/proc/%d/fd", h.pid)
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil // it has ended
	}
	for _, f := range files {
		if name, err := os.Readlink(filepath.Join(folder, f.Name())); err == nil && strings.HasPrefix(name, "socket:") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// hunt waits for the moment until it is over.
func (h *hunter) hunt(over func() bool) (killed bool) {
	var inherited []string // by the program that was executed: the two, and who has asked
	for !over() {
		now := h.sockets()
		if inherited == nil {
			// Beside the socket for questions; execve(2) closes all else.
			if old := without(now, h.before); len(now) == 4 && len(old) == 3 {
				inherited = old
			}
			continue
		}
		if len(without(inherited, now)) == 0 {
			continue
		}
		_ = syscall.Kill(h.pid, syscall.SIGSTOP)
		// The signal stops nothing before one of the threads is scheduled.
		rig.Until(h.t, "all threads to stop", patience, func() bool { return threads(strconv.Itoa(h.pid), "T") })
		if len(without(inherited, h.sockets())) == 1 && h.silent(inherited) {
			_ = syscall.Kill(h.pid, syscall.SIGKILL)
			return true
		}
		_ = syscall.Kill(h.pid, syscall.SIGCONT)
		return false
	}
	return false
}

// without are the names that are not among the others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// silent reports whether nothing waits at these sockets of the process, which
// is stopped, neither for it nor for whom it has asked.
func (h *hunter) silent(sockets []string) bool {
	rig.Until(h.t, "the bridge to have nothing to do", patience, func() bool {
		return !slices.ContainsFunc(h.children(), func(pid string) bool { return !threads(pid, "S") })
	})
	for line := range strings.Lines(h.Run("ss", "-xnH", "state", "connected")) {
		fields := strings.Fields(line) // type, state, received, sent, address, inode, ...
		if len(fields) > 5 && (fields[2] != "0" || fields[3] != "0") && slices.Contains(sockets, "socket:["+fields[5]+"]") {
			return false
		}
	}
	return true
}

// children are the processes that the process has started.
func (h *hunter) children() (pids []string) {
	for _, process := range h.Processes() {
		pid, _, _ := strings.Cut(process, " ")
		if stat := status(filepath.Join("/proc", pid, "stat")); len(stat) > 1 && stat[1] == strconv.Itoa(h.pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// threads reports whether all threads of a process are in a state of proc(5).
func threads(pid, state string) bool {
	files, _ := filepath.Glob(filepath.Join("/proc", pid, "task", "*", "stat"))
	for _, file := range files {
		if stat := status(file); len(stat) > 0 && stat[0] != state {
			return false
		}
	}
	return len(files) > 0
}

// status are the fields of proc(5)'s stat behind the name, from the state on;
// none when there is no such process any more.
func status(file string) []string {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	return strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
}
