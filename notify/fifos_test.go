package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// piped is FIFOs under test.
type piped struct {
	*FIFOs
	t    *testing.T
	logs *observer.ObservedLogs
	end  context.CancelFunc
	done chan error
}

func newPiped(t *testing.T) *piped {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	p := &piped{FIFOs: NewFIFOs(zap.New(core)), t: t, logs: logs, done: make(chan error, 1)}
	var ctx context.Context
	ctx, p.end = context.WithCancel(context.Background())
	go func() { p.done <- p.Run(ctx) }()
	return p
}

func (p *piped) stop() {
	p.t.Helper()
	p.end()
	if err := <-p.done; err != nil {
		p.t.Error(err)
	}
	noChildren(p.t)
}

func (p *piped) log() string {
	var b strings.Builder
	for _, e := range p.logs.All() {
		fmt.Fprintln(&b, e.Message, e.ContextMap())
	}
	return b.String()
}

func vi(name string) Object { return Object{"INSTANCE", name} }

// reader reads lines of a pipe.
func reader(t *testing.T, path string) *bufio.Scanner {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return bufio.NewScanner(f)
}

func next(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	if !lines.Scan() || lines.Text() != want {
		t.Errorf("read %q %v, want %q", lines.Text(), lines.Err(), want)
	}
}

// What goes where, byte for byte.
func TestFIFOs(t *testing.T) {
	dir := t.TempDir()
	all, vrrp, lvs := filepath.Join(dir, "all"), filepath.Join(dir, "vrrp"), filepath.Join(dir, "lvs")
	if err := syscall.Mkfifo(lvs, 0o640); err != nil {
		t.Fatal(err)
	}
	p := newPiped(t)
	p.VRRP(vi("early"), "MASTER", 1, false) // to nobody
	p.Apply(config.FIFOs{Notify: config.FIFO{Path: all}, VRRPNotify: config.FIFO{Path: vrrp}, LVSNotify: config.FIFO{Path: lvs}})
	if info, err := os.Stat(vrrp); err != nil || info.Mode() != fs.ModeNamedPipe|0o600 {
		t.Errorf("made as %v %v", info, err)
	}
	p.VRRP(vi("VI 1"), "MASTER", 150, false)
	p.VRRP(Object{"GROUP", "G"}, "FAULT", 0, false)
	p.VRRP(vi("VI 1"), "MASTER_PRIORITY", 90, true)
	server := &config.Server{Addr: netip.MustParseAddrPort("10.0.0.11:80")}
	p.LVS(ServerEvent(config.ServiceKey{Protocol: config.TCP, FWMark: 7}, server, false))
	first, second, third := reader(t, all), reader(t, vrrp), reader(t, lvs)
	for _, lines := range []*bufio.Scanner{first, second} {
		next(t, lines, `INSTANCE "VI 1" MASTER 150`)
		next(t, lines, `GROUP "G" FAULT 0`)
		next(t, lines, `INSTANCE "VI 1" MASTER_PRIORITY 90`)
	}
	next(t, first, "RS [10.0.0.11]:tcp:80 FWM 7 DOWN")
	next(t, third, "RS [10.0.0.11]:tcp:80 FWM 7 DOWN")

	// The next configuration keeps one, and does without the others.
	p.Apply(config.FIFOs{VRRPNotify: config.FIFO{Path: vrrp}})
	p.VRRP(vi("VI 1"), "STOP", 150, false)
	next(t, second, `INSTANCE "VI 1" STOP 150`)
	if first.Scan() || third.Scan() {
		t.Error("a pipe that is not configured any more has no end")
	}
	p.stop()
	if second.Scan() {
		t.Errorf("read %q at the end", second.Text())
	}
	p.VRRP(vi("late"), "MASTER", 1, false)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 || left[0].Name() != "lvs" {
		t.Errorf("left behind: %v %v; only the pipe that was there stays", left, err)
	}
	if log := p.log(); log != "" {
		t.Errorf("logged %s", log)
	}
}

// What is no pipe of ours is not written to.
func TestFIFORefused(t *testing.T) {
	dir := t.TempDir()
	file, link, foreign := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "foreign")
	err := errors.Join(os.WriteFile(file, []byte("x"), 0o600), syscall.Mkfifo(foreign, 0o600), os.Symlink(foreign, link))
	if os.Geteuid() == 0 {
		err = errors.Join(err, os.Chown(foreign, 12345, 12345))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, foreign, filepath.Join(dir, "no/such/folder")} {
		if path == foreign && os.Geteuid() != 0 {
			t.Log("only root can give a pipe to somebody else: not tried")
			continue
		}
		if f, err := openFIFO(zap.NewNop(), config.FIFO{Path: path}); err == nil {
			f.close()
			t.Errorf("%s is opened", path)
		} else {
			t.Log(err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "x" {
		t.Errorf("the file is %q %v", text, err)
	}
}

// A reader that does not read delays nobody. The last state of each object is
// told when it reads again, and the order of each is kept.
func TestSlowReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	core, logs := observer.New(zap.DebugLevel)
	f, err := openFIFO(zap.New(core), config.FIFO{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	const events, objects = 100_000, 5
	began := time.Now()
	for i := range events {
		o := vi(fmt.Sprintf("VI_%d", i%objects))
		f.write(line{o, fmt.Sprintf("%s MASTER %d\n", o, i)}, true)
		f.write(line{o, fmt.Sprintf("%s MASTER_PRIORITY %d\n", o, i)}, false)
	}
	t.Logf("%d lines that nobody reads took %s; %d are lost", 2*events, time.Since(began), f.lost)
	if logs.Len() != 1 {
		t.Errorf("logged %d lines", logs.Len())
	}
	if len(f.pending) != objects {
		t.Errorf("%d lines wait, want one for each object", len(f.pending))
	}
	lines, last := reader(t, path), map[string]int{}
	for told := 0; told < objects; {
		f.again()
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		var name, what string
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "INSTANCE %s %s %d", &name, &what, &n); err != nil || n < last[name] {
			t.Fatalf("%q after %d: %v", lines.Text(), last[name], err)
		}
		if last[name] = n; what == "MASTER" && n >= events-objects {
			told++
		}
	}
	if f.unread() || len(f.pending) > 0 {
		t.Errorf("%d lines are left", len(f.pending))
	}
}

// What had no room is told when there is some, though nothing else happens.
func TestRoom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	p := newPiped(t)
	p.Apply(config.FIFOs{VRRPNotify: config.FIFO{Path: path}})
	last := 0
	for p.logs.Len() == 0 { // until a line is lost
		last++
		p.VRRP(vi("A"), "MASTER", last, false)
	}
	lines := reader(t, path)
	for n := 0; n != last && lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), `INSTANCE "A" MASTER %d`, &n); err != nil {
			t.Fatal(lines.Text(), err)
		}
	}
	if lines.Err() != nil {
		t.Error(lines.Err())
	}
	p.stop()
}

// The script gets the path behind its own arguments, is started again with each
// configuration, never beside the one before, reads the last lines and is
// ended with SIGTERM.
func TestFIFOScript(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fifo")
	read := script(t, dir, "read", `echo "begin $*" >>$dir/log
trap 'end=1' TERM
while test -z "$end" && read -r line <&3; do echo "$line" >>$dir/log; done 3<$2
test -n "$end" && echo term >>$dir/log || echo eof >>$dir/log`)
	cfg := config.FIFOs{VRRPNotify: config.FIFO{Path: path, Script: command(read + " arg")}}
	log := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); read2(t, dir+"/log") != want; time.Sleep(2 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("logged %q, want %q", read2(t, dir+"/log"), want)
			}
		}
	}
	p := newPiped(t)
	p.Apply(cfg)
	begin := "begin arg " + path + "\n"
	p.VRRP(vi("A"), "BACKUP", 1, false)
	log(begin + "INSTANCE \"A\" BACKUP 1\n")
	p.Apply(cfg)
	log(begin + "INSTANCE \"A\" BACKUP 1\nterm\n" + begin)
	p.VRRP(vi("A"), "STOP", 1, false)
	p.stop()
	got := read2(t, dir+"/log")
	if want := begin + "INSTANCE \"A\" BACKUP 1\nterm\n" + begin + "INSTANCE \"A\" STOP 1\n"; got != want+"term\n" && got != want+"eof\n" {
		t.Errorf("logged %q, want %q", got, want)
	}
	if log := p.log(); log != "" {
		t.Errorf("logged %s", log)
	}
}

// read2 is read for a file that may not be there yet.
func read2(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// A script that cannot be run, or ends, is said; one that ignores SIGTERM is
// killed.
func TestFIFOScriptTrouble(t *testing.T) {
	dir := t.TempDir()
	stubborn := script(t, dir, "stubborn", `trap '' TERM; echo x >$dir/up; while :; do sleep 1; done`)
	p := newPiped(t)
	p.Apply(config.FIFOs{
		Notify:     config.FIFO{Path: dir + "/a", Script: command("/no/such/script")},
		VRRPNotify: config.FIFO{Path: dir + "/b", Script: command("/bin/false")},
		LVSNotify:  config.FIFO{Path: dir + "/c", Script: command(stubborn)},
	})
	await(t, dir+"/up")
	p.stop()
	for _, want := range []string{"notify FIFO script map[error:cannot run script /no/such/script", "has ended, nobody does until the next reload map[status:1]"} {
		if !strings.Contains(p.log(), want) {
			t.Errorf("not logged: %s\n%s", want, p.log())
		}
	}
}
