package vrrp

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
)

// A fault is something around the daemon that does not work.
type fault struct {
	name    string
	setup   string                       // of the shell that starts the daemon; @dir@ is a folder of its own
	prepare func(r *router, dir string)  // before that
	globals string                       // lines of global_defs
	more    string                       // lines of the instance
	args    []string                     // of the daemon
	act     func(r *router, i *instance) // while the fault lasts
	want    []string                     // what the log says, each line once
	stops   string                       // what it says at the end besides
}

// tmpfs mounts a file system of a page for the test.
func tmpfs(r *router, dir, options string) {
	r.t.Helper()
	if err := syscall.Mount("none", dir, "tmpfs", 0, options); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// silent listens at a socket and never reads.
func silent(r *router, network, path string) {
	r.t.Helper()
	var socket interface{ Close() error }
	var err error
	if network == "unixgram" {
		socket, err = net.ListenUnixgram(network, &net.UnixAddr{Name: path, Net: network})
	} else {
		socket, err = net.Listen(network, path)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = socket.Close() })
}

// otherDevices puts a /dev in place that has nothing but null and, if the folder
// has it, a log.
const otherDevices = `mkdir @dir@/dev && mount -t tmpfs none @dir@/dev && touch @dir@/dev/null && mount --bind /dev/null @dir@/dev/null &&
ln -s @dir@/log @dir@/dev/log && mount --rbind @dir@/dev /dev`

// faults are those of which a daemon has to say one clear thing, and that
// nothing else may come of.
var faults = []fault{
	{
		name: "no syslog", setup: otherDevices,
		want: []string{"log: the syslog does not work: dial unix /dev/log: connect: no such file or directory"},
	},
	{
		name: "a syslog that does not read", setup: otherDevices,
		prepare: func(r *router, dir string) { silent(r, "unixgram", filepath.Join(dir, "log")) },
		act:     func(r *router, i *instance) { reloads(r, i, 10) },
		want:    []string{"log: the syslog does not work: write unixgram @->@dir@/log: i/o timeout"},
	},
	{
		name: "a disk that is full, for a log file", setup: "true",
		prepare: func(r *router, dir string) { tmpfs(r, dir, "size=4k") },
		args:    []string{"-G", "-g@dir@/keepalived.log"},
		act:     func(r *router, i *instance) { reloads(r, i, 40) },
		want:    []string{"log: the log file does not work: write @dir@/keepalived"},
	},
	{
		name: "a folder for dumps that is read-only", setup: "export TMPDIR=@dir@",
		prepare: func(r *router, dir string) { tmpfs(r, dir, "ro") },
		args:    []string{"-G"},
		act: func(r *router, _ *instance) {
			mark := r.Mark()
			r.Signal(syscall.SIGUSR2)
			r.Wait(mark, "read-only file system", patience)
			r.Signal(syscall.Signal(36))
		},
		want: []string{
			`write @dir@/keepalived.stats error="open @dir@/.lvsd-`,
			`write @dir@/keepalived.json error="open @dir@/.lvsd-`,
		},
	},
	{
		name: "a folder for pid files that becomes read-only", setup: "true", prepare: pidFolder, args: pidFiles,
		act: breaks(`mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"`, 0),
		want: []string{
			"renew the pid files: chtimes @dir@/pids/keepalived.pid: read-only file system",
			"what lvsd puts into the kernel cannot be noted",
		},
		stops: "remove pid file: remove @dir@/pids/keepalived.pid: read-only file system",
	},
	{
		name: "a folder for pid files that becomes full", setup: "true", prepare: pidFolder, args: pidFiles,
		act:  breaks(`! dd if=/dev/zero of="$0/fill" bs=4096 count=100`, 0),
		want: []string{"what lvsd puts into the kernel cannot be noted"},
	},
	{
		name: "a folder for pid files that is removed", setup: "true", prepare: pidFolder, args: pidFiles,
		act:  breaks(`umount -l "$0"; rm -rf "$0"`, 1),
		want: []string{"renew the pid files: open @dir@/pids/.keepalived.pid"},
	},
	{
		name: "no message bus", setup: "export DBUS_SYSTEM_BUS_ADDRESS=unix:path=@dir@/bus",
		globals: "enable_dbus", args: []string{"-G"},
		act:  func(*router, *instance) { time.Sleep(3 * time.Second) },
		want: []string{`Failed to initialise DBus error="connect to the bus: dial unix @dir@/bus: connect: no such file or directory"`},
	},
	{
		name: "a message bus that does not answer", setup: "export DBUS_SYSTEM_BUS_ADDRESS=unix:path=@dir@/bus",
		prepare: func(r *router, dir string) { silent(r, "unix", filepath.Join(dir, "bus")) },
		globals: "enable_dbus", args: []string{"-G"},
		act:  func(r *router, i *instance) { reloads(r, i, 3) },
		want: []string{`Failed to initialise DBus error="connect to the bus: no answer for 10s"`},
	},
	{
		name: "a mail server that does not speak", setup: "true",
		prepare: func(r *router, _ string) {
			l := r.Listen("127.0.0.1:2525")
			r.t.Cleanup(func() { _ = l.Close() })
		},
		globals: "smtp_server 127.0.0.1 2525\n\tsmtp_connect_timeout 3600\n\tnotification_email {\n\t\ta@example.com\n\t}\n\tsmtp_alert_vrrp",
		args:    []string{"-G"},
		act:     func(r *router, i *instance) { reloads(r, i, 3) },
		stops:   "stopping, and mails have not been sent",
	},
}

// pidFiles are the arguments for pid files that have a file system of their own.
var pidFiles = []string{"-G", "-p@dir@/pids/keepalived.pid", "-r@dir@/pids/vrrp.pid"}

func pidFolder(r *router, dir string) {
	r.t.Helper()
	dir = filepath.Join(dir, "pids")
	if err := os.Mkdir(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	tmpfs(r, dir, "size=40k")
}

// breaks lets something happen to the folder, $0, where the daemon sees it, then
// reloads, and lets the daemon go on in its own place with this status, where it
// answers as before.
func breaks(script string, status int) func(r *router, i *instance) {
	return func(r *router, i *instance) {
		r.t.Helper()
		pid := strconv.Itoa(r.PIDs()[0])
		c := exec.Command("nsenter", "-t", pid, "-m", "sh", "-c", script, filepath.Join(r.folder, "pids"))
		if said, err := c.CombinedOutput(); err != nil {
			r.t.Fatalf("%v: %s", err, said)
		}
		reloads(r, i, 3)
		if said, is := r.finishes(rig.Binary(), "upgrade", "-p", r.folder+"/pids/keepalived.pid"); is != status {
			r.t.Errorf("upgrade: status %d, want %d: %s", is, status, said)
		}
		if status != 0 {
			return
		}
		if said, is := r.finishes(rig.Binary(), "plan", "-p", r.folder+"/pids/keepalived.pid"); is != 0 {
			r.t.Errorf("a question after that: status %d: %s", is, said)
		}
	}
}

// reloads changes the configuration that often.
func reloads(r *router, i *instance, n int) {
	r.t.Helper()
	for n := range n {
		mark := r.Mark()
		i.priority = 100 + n%2
		r.configure(r.globals, *i)
		r.Signal(syscall.SIGHUP)
		r.Wait(mark, "Reload complete", patience)
	}
}

// TestFaults: what does not work around the daemon is said once, and neither
// adverts nor reloads nor the end wait for it.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		t.Run(strings.ReplaceAll(f.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			f.play(t)
		})
	}
}

func (f *fault) play(t *testing.T) {
	i := instance{priority: 100, more: f.more}
	r := newSegment(t).router(1)
	dir := t.TempDir()
	if f.prepare != nil {
		f.prepare(r, dir)
	}
	here := func(text string) string { return strings.ReplaceAll(text, "@dir@", dir) }
	r.folder, r.globals = dir, "global_defs {\n\t"+here(f.globals)+"\n}"
	r.configure(r.globals, i)
	r.File("lvsd.sh", "#!/bin/sh\n"+here(f.setup)+"\nexec "+rig.Binary()+" \"$@\"\n")
	var args []string
	for _, a := range f.args {
		args = append(args, here(a))
	}
	r.Daemon = r.Start("/etc/keepalived/lvsd.sh", append(args, "-P")...)
	r.owns(true, i.down()+patience)
	began := r.nextAdvert(time.Time{}, i.priority, patience).At
	for _, line := range f.want {
		if f.act == nil {
			r.Wait(0, here(line), patience)
		}
	}
	if f.act != nil {
		f.act(r, &i)
	}
	for _, line := range f.want {
		r.Wait(0, here(line), patience)
	}
	time.Sleep(2 * i.interval())
	(&calm{r: r, began: began}).cadence(t, i.interval())
	r.Signal(syscall.SIGTERM)
	r.owns(false, busy)
	r.exits(patience)
	if f.stops != "" && !strings.Contains(r.Log(), here(f.stops)) {
		t.Errorf("the end says nothing of %q", here(f.stops))
	}
	for _, line := range f.want {
		if n := strings.Count(r.Log(), here(line)); n != 1 {
			t.Errorf("%q is said %d times", here(line), n)
		}
	}
	if states := r.states(0); len(states) != 2 {
		t.Errorf("changes of state: %q", states)
	}
}

// TestNoPlaceForPIDFiles: a daemon that cannot write its pid file says so and
// does not start.
func TestNoPlaceForPIDFiles(t *testing.T) {
	t.Parallel()
	r := newSegment(t).router(1)
	r.configure(instance{priority: 100})
	dir := t.TempDir()
	tmpfs(r, dir, "ro")
	for _, foreground := range []string{"-n", "-G"} {
		output, status := r.finishes(rig.Binary(), foreground, "-P", "-f", "/etc/keepalived/keepalived.conf", "-p", dir+"/keepalived.pid", "-r", dir+"/vrrp.pid")
		if want := "read-only file system\n"; status != 1 || strings.Count(output, "\n") != 1 || !strings.HasSuffix(output, want) || !strings.HasPrefix(output, "write pid file: open "+dir) {
			t.Errorf("%s: status %d: %q", foreground, status, output)
		}
	}
	r.leftNothing()
	if _, err := os.Stat(dir + "/keepalived.pid"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
