package vrrp

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lvsd/lvsd/e2e/rig"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/mutate"
)

// rich is a configuration with something of everything that the router of
// [TestEndureMutated] can run.
const rich = `global_defs {
	router_id endurance
	vrrp_garp_master_delay 1
}
vrrp_script check {
	script "/bin/true"
	interval 1
	weight 5
}
track_file number {
	file /etc/keepalived/number
}
static_ipaddress {
	10.5.0.1/24 dev eth1
}
vrrp_sync_group G {
	group {
		VI_2
		VI_3
	}
	notify /etc/keepalived/notify.sh
}
vrrp_instance VI_1 {
	interface eth0
	virtual_router_id 51
	version 3
	priority 100
	advert_int 0.1
	virtual_ipaddress {
		10.9.0.100/24
		10.9.0.101/24 label eth0:x
	}
	virtual_routes {
		203.0.113.0/25 via 10.9.0.9 dev eth0
	}
	track_script {
		check
	}
	track_file {
		number weight 1
	}
}
vrrp_instance VI_2 {
	interface eth1
	use_vmac
	version 3
	advert_int 0.1
	virtual_router_id 52
	priority 110
	virtual_ipaddress {
		10.8.0.100/24
	}
}
vrrp_instance VI_3 {
	interface eth1
	version 3
	advert_int 0.1
	virtual_router_id 53
	priority 110
	virtual_ipaddress {
		10.8.0.101/24
	}
}
`

// TestEndureMutated: whatever becomes of the file, by a slip, a broken disk or
// a program, a reload does not end the daemon; where the file is refused
// nothing else happens, and the outcome is in the log, in the exit status of
// lvsd reload, in what the service manager hears and in the dump.
func TestEndureMutated(t *testing.T) {
	t.Parallel()
	const piece = 500
	count := endurance.Rounds(150, 10)
	var sum spoiled
	labs := make(chan struct{}, 3) // at the same time
	t.Run("pieces", func(t *testing.T) {
		for n := 0; n*piece < count; n++ {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				labs <- struct{}{}
				t.Cleanup(func() { <-labs })
				b := newBreaker(t, endurance.Random(t, n), &sum)
				for k := range min(piece, count-n*piece) {
					b.round(k)
				}
				b.good()
				b.Stop(patience)
				if held := append(b.held("eth0"), b.held("eth1")...); len(held) != 2 {
					t.Errorf("left addresses: %q", held)
				}
			})
		}
	})
	t.Logf("%d files: %+v", count, &sum.counts)
	if sum.Refused == 0 || sum.Accepted == 0 {
		t.Error("no file of each kind: nothing is proven")
	}
}

// spoiled are what became of the files of all pieces.
type spoiled struct {
	sync.Mutex
	counts
}

type counts struct{ Refused, Accepted, FieldRefused, FieldAccepted int }

// A breaker breaks the file of a running daemon.
type breaker struct {
	*router
	random    *rand.Rand
	addresses *addressLog
	quiet     time.Time // since when nothing happens but adverts
	pid       int
	socket    string
	manager   *net.UnixConn
	field     []string // configurations of others
	sum       *spoiled
}

func newBreaker(t *testing.T, random *rand.Rand, sum *spoiled) *breaker {
	s := newSegment(t)
	b := &breaker{router: s.router(1), random: random, field: fieldFiles(t), sum: sum}
	b.plug("eth1", s.Lab.Switch("two"), "02:00:00:00:01:01", "10.8.0.1/24")
	b.File("notify.sh", notifyScript)
	b.File("number", "3\n")
	b.File("lvsd.sh", "#!/bin/sh\nNOTIFY_SOCKET=/etc/keepalived/manager TMPDIR=/etc/keepalived exec "+rig.Binary()+" \"$@\"\n")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(b.Folder, "manager"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = manager.Close() })
	b.manager = manager
	b.addresses = b.watchAddresses()
	b.run("/etc/keepalived/lvsd.sh", rich)
	b.Wait(0, "Startup complete", patience)
	b.pid = b.PIDs()[0]
	b.socket = filepath.Join(filepath.Dir(b.PIDFiles()[0]), "keepalived.socket")
	b.settle(0)
	return b
}

// round is one broken file.
func (b *breaker) round(n int) {
	b.t.Helper()
	text, of, foreign := rich, "the usual one", false
	if len(b.field) > 0 && b.random.IntN(3) == 0 {
		of, foreign = rig.OneOf(b.random, b.field...), true
		text = readFile(b.t, of)
	}
	what := fmt.Sprintf("file %d: %s of %s", n, b.spoil(text), of)
	plan := b.ask(what, control.Plan)
	if b.count(plan.Status == 0, foreign); foreign && plan.Status == 0 {
		return // it would run what others call their scripts
	}
	mark, events, notified := b.Mark(), b.addresses.mark(), b.ReadFile("notify.log")
	b.drain()
	answer := b.reloadBy(n, what)
	if answer.Status != plan.Status {
		b.t.Fatalf("%s: lvsd plan has status %d (%s), lvsd reload %d (%s)", what, plan.Status, plan.Text, answer.Status, answer.Text)
	}
	if answer.Status == 0 {
		b.Wait(mark, reloaded, patience)
		b.good()
		if strings.Contains(plan.Text, "!") {
			b.settle(mark)
		}
		return
	}
	said := b.Wait(mark, refused, patience).Text
	_, reason, _ := strings.Cut(strings.TrimSpace(answer.Text), refused+": ")
	if reason == "" || !strings.HasSuffix(said, reason) || answer.Status != 5 && answer.Status != 6 {
		b.t.Errorf("status %d, answer %q, log %q", answer.Status, answer.Text, said)
	}
	if heard := b.drain(); !strings.Contains(heard, "RELOADING=1\n") || !strings.HasSuffix(heard, "; the last reload failed: "+reason+"\n") {
		b.t.Errorf("the service manager heard %q, the reason was %q", heard, reason)
	}
	if n%25 == 0 {
		b.dumped(reason)
		b.onTime()
	}
	if states, events, now := b.states(mark), b.addresses.since(events), b.ReadFile("notify.log"); len(states)+len(events) > 0 || now != notified {
		b.t.Errorf("states %q, addresses %q, notified %q", states, events, strings.TrimPrefix(now, notified))
	}
	if pids := b.PIDs(); b.t.Failed() || pids[0] != b.pid {
		b.t.Fatalf("that was %s; process %d, at first %d", what, pids[0], b.pid)
	}
}

func (b *breaker) count(accepted, foreign bool) {
	b.sum.Lock()
	defer b.sum.Unlock()
	switch c := &b.sum.counts; {
	case accepted && foreign:
		c.FieldAccepted++
	case foreign:
		c.FieldRefused++
	case accepted:
		c.Accepted++
	default:
		c.Refused++
	}
}

// onTime looks at the adverts since it is quiet.
func (b *breaker) onTime() {
	b.t.Helper()
	const interval = 100 * time.Millisecond
	sent := b.sent(b.quiet)
	for i := 1; i < len(sent); i++ {
		if gap := sent[i].At.Sub(sent[i-1].At); gap > interval+busy {
			b.t.Errorf("%s between %s and the next one", gap, sent[i-1])
		}
	}
	if len(sent) == 0 && time.Since(b.quiet) > interval+busy {
		b.t.Errorf("no advert since %s", b.quiet)
	}
}

// spoil puts a broken file into place, and says what is wrong with it.
func (b *breaker) spoil(text string) string {
	b.t.Helper()
	path := filepath.Join(b.Folder, "keepalived.conf")
	if err := os.RemoveAll(path); err != nil {
		b.t.Fatal(err)
	}
	var err error
	kind := rig.OneOf(b.random, "missing", "empty", "blank", "a directory", "a FIFO that nobody writes", "a link to itself", "executable", "a device", "no text")
	if b.random.IntN(10) > 0 {
		kind = "mutated"
	}
	switch kind {
	case "missing":
	case "empty":
		err = os.WriteFile(path, nil, 0o600)
	case "blank":
		err = os.WriteFile(path, []byte("\n# nothing\n\n"), 0o600)
	case "a directory":
		err = os.Mkdir(path, 0o755)
	case "a FIFO that nobody writes":
		err = syscall.Mkfifo(path, 0o600)
	case "a link to itself":
		err = os.Symlink("keepalived.conf", path)
	case "executable":
		err = os.WriteFile(path, []byte(text), 0o700)
	case "a device":
		err = os.Symlink("/dev/zero", path)
	case "no text":
		noise := make([]byte, 1+b.random.IntN(1<<16))
		for i := range noise {
			noise[i] = byte(b.random.IntN(256))
		}
		err = os.WriteFile(path, noise, 0o600)
	default:
		mutant, mistakes := mutate.Text(b.random, text)
		kind = fmt.Sprintf("%q", mistakes)
		err = os.WriteFile(path, []byte(mutant), 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return kind
}

// reloadBy reloads, by the command that people call or as it does.
func (b *breaker) reloadBy(n int, what string) control.Answer {
	b.t.Helper()
	if n%20 > 0 {
		return b.ask(what, control.Reload)
	}
	text, status := b.finishes(rig.Binary(), "reload", "-p", strings.TrimSuffix(b.socket, ".socket")+".pid")
	return control.Answer{Status: status, Text: text}
}

func (b *breaker) ask(what, command string) control.Answer {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	answer, err := control.Ask(ctx, b.socket, control.Request{Command: command})
	if err != nil {
		b.t.Fatalf("lvsd %s with %s: %v", command, what, err)
	}
	return answer
}

// good goes back to the whole file.
func (b *breaker) good() {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.Folder, "keepalived.conf")); err != nil {
		b.t.Fatal(err)
	}
	b.configure(rich)
	if answer := b.ask("the whole file", control.Reload); answer.Status != 0 {
		b.t.Fatalf("the whole file is refused: %s", answer.Text)
	}
}

// settle waits until all instances are MASTER again and have their addresses,
// after what the log says from a mark on.
func (b *breaker) settle(mark int) {
	b.t.Helper()
	const late = 300 * time.Millisecond // for what is not told in the log
	time.Sleep(late)
	rig.Until(b.t, "all to be MASTER", patience, func() bool {
		last := make(map[string]string)
		for _, line := range b.Lines(mark) {
			if name, state, ok := strings.Cut(line.Text, ") Entering "); ok {
				last[name[strings.IndexByte(name, '(')+1:]] = strings.Fields(state)[0]
			}
		}
		for _, name := range []string{"VI_1", "VI_2", "VI_3"} {
			if state, changed := last[name]; changed && state != "MASTER" {
				return false
			}
		}
		return b.Has(b.vip) && b.Has(netip.MustParseAddr("10.8.0.100")) && b.Has(netip.MustParseAddr("10.8.0.101"))
	})
	time.Sleep(late)
	b.quiet = time.Now()
}

// drain is what the service manager has heard since it was asked last.
func (b *breaker) drain() string {
	b.t.Helper()
	conn, err := b.manager.SyscallConn()
	if err != nil {
		b.t.Fatal(err)
	}
	var heard strings.Builder
	buffer := make([]byte, 1<<16)
	err = conn.Read(func(fd uintptr) bool {
		for {
			n, _, err := syscall.Recvfrom(int(fd), buffer, syscall.MSG_DONTWAIT)
			if err != nil {
				return true
			}
			heard.Write(append(buffer[:n:n], '\n'))
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return heard.String()
}

// dumped looks for the outcome in the dump.
func (b *breaker) dumped(reason string) {
	b.t.Helper()
	path := filepath.Join(b.Folder, "keepalived_parent.data")
	_ = os.Remove(path)
	b.Signal(syscall.SIGUSR1)
	rig.Until(b.t, "the reason in the dump", patience, func() bool {
		content, _ := os.ReadFile(path)
		return strings.Contains(string(content), " Last reload failed = "+reason)
	})
}

// fieldFiles are configurations from the field, which are no part of lvsd:
// LVSD_CORPUS names their folder, or it lies next to the checkout.
func fieldFiles(t *testing.T) (files []string) {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	folder := cmp.Or(os.Getenv("LVSD_CORPUS"), filepath.Join(root, "../shared/corpus"))
	index, err := os.ReadFile(filepath.Join(folder, "expected.tsv"))
	if err != nil {
		t.Logf("NO CORPUS, only the project's own file is broken: set LVSD_CORPUS to its folder (%v)", err)
		return nil
	}
	for row := range strings.Lines(string(index)) {
		name, _, _ := strings.Cut(strings.TrimSpace(row), "\t")
		if path := filepath.Join(folder, "configs", name); strings.HasSuffix(name, ".conf") {
			files = append(files, path)
		}
	}
	return files
}
