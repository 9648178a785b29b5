package vrrp

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// newProgram is a shell script that speaks as lvsd when it is asked, and then
// fails in its own way.
const newProgram = `#!/bin/bash
case "$*" in *--accepts | *--config-test*) exec @lvsd@ "$@" ;; esac
`

// program writes a new program that fails.
func (r *router) program(script string) (path string) {
	r.t.Helper()
	path = filepath.Join(r.t.TempDir(), "lvsd")
	script = strings.ReplaceAll(script, "@lvsd@", rig.Binary())
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// runs tells whether a process of that name runs on the router.
func (r *router) runs(name string) bool {
	return strings.Contains(strings.Join(r.Processes(), "\n"), name)
}

// pid is the process that the pid file names.
func (r *router) pid() int {
	r.t.Helper()
	content, err := os.ReadFile(r.pidFile())
	if err != nil {
		r.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		r.t.Fatal(err)
	}
	return pid
}

// upgradeFailures are new programs with which an upgrade fails.
var upgradeFailures = []struct {
	name   string
	script string // of the new program; empty: file
	file   string
	status int // of lvsd upgrade
	says   string
}{
	{"ends at once", "#!/bin/sh\nexit 1", "", 1, "not an lvsd that can go on"},
	{"hangs at once", "#!/bin/sh\nsleep 1000 & echo $! >$0.pid; sleep 1000", "", 1, "there is no answer within 5s"},
	{"a text file", "hello\n", "", 1, "exec format error"},
	{"is not there", "", "/nowhere/lvsd", 1, "no such file"},
	{"keepalived", "", rig.Keepalived, 1, "not an lvsd that can go on"},
	{"refuses the configuration", "#!/bin/sh\ncase $* in *--accepts) exec @lvsd@ \"$@\" ;; esac\necho what is this\nexit 5", "", 5, "what is this"},
	{"ends after execve", newProgram + "exit 1", "", 7, "ended before everything ran"},
	{"dies of the handover", newProgram + `cat /proc/self/fd/${LVSD_HANDOVER%%:*} >/dev/null; kill -ABRT $$`, "", 7, "ended before everything ran"},
	{"closes what it was given", newProgram + `for fd in /proc/$$/fd/*; do fd=${fd##*/}; ((fd < 3 || fd == 255)) || eval "exec $fd>&-"; done; exec sleep 1000`, "", 7, "does not say how it goes"},
	{"hangs after execve", newProgram + "exec sleep 1000", "", 7, "did not start within 30s"},
}

// TestUpgradeFails: whatever is wrong with a new program, the former one goes
// on: no advert is missing, no address goes, nobody is notified, and lvsd
// upgrade says what it was. After that everything works as before, another
// upgrade included.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	for _, test := range upgradeFailures {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			i := notifying(instance{priority: 150, version: 3, advert: "0.2"})
			r, addresses := newSegment(t).master(i)
			r.t.Cleanup(r.killAll)
			before, file, c := r.pid(), test.file, r.calm(addresses)
			if file == "" {
				file = r.program(test.script)
			}
			said, status := r.upgradeTo(file)
			if status != test.status || !strings.Contains(said, test.says) {
				t.Fatalf("status %d, want %d: %s", status, test.status, said)
			}
			time.Sleep(4 * i.interval())
			c.check(t, i.interval())
			longest, from := gaps(r.sent(c.began))
			if most := i.interval() + i.interval()/2 + i.skew(); longest > most {
				t.Errorf("two adverts are %s apart from %s on, want at most %s", longest, from, most)
			}
			if after := r.pid(); (after != before) != (status == 7) {
				t.Errorf("the process is %d, and was %d", after, before)
			}
			if said, status := r.upgrade(); status != 0 {
				t.Errorf("an upgrade after that: status %d, %s", status, said)
			}
			c.check(t, i.interval())
			last := r.pid()
			if err := syscall.Kill(last, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			r.owns(false, patience)
			r.nextAdvert(c.began, 0, patience)
			rig.Until(t, "nothing of lvsd's to run", patience, func() bool { return !r.runs("lvsd") })
		})
	}
}

// TestUpgradeGivesUp: when the former program cannot go on either, the peer
// takes over at once, and no address is left.
func TestUpgradeGivesUp(t *testing.T) {
	t.Parallel()
	i := notifying(instance{priority: 150})
	s := newSegment(t)
	r, _ := s.master(i)
	r.t.Cleanup(r.killAll)
	backup := s.router(2)
	i.priority = 50
	backup.File("notify.sh", notifyScript)
	backup.run(rig.Keepalived, i)
	backup.becomes(0, i.named(), "BACKUP", patience)
	peer, began := backup.Mark(), time.Now()
	said, status := r.upgradeTo(r.program(newProgram + "rm -f /etc/keepalived/keepalived.conf; exit 1"))
	if want := "; the former program: it has ended"; status != 8 || !strings.Contains(said, want) {
		t.Errorf("status %d, want 8: %s", status, said)
	}
	farewell := r.nextAdvert(began, 0, patience).At
	took := backup.becomes(peer, i.named(), "MASTER", patience)
	within(t, "from priority 0 to the peer", took.Sub(farewell), 0, i.skew()+busy)
	r.owns(false, patience)
	rig.Until(t, "nothing of lvsd's to run", patience, func() bool { return !r.runs("lvsd") })
}
