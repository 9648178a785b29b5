package ipvs

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudflare/ipvs"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// On a kernel without IPVS there is one clear error. On one with it, and as
// root, what is written is what is read, in a namespace of its own.
func TestNetlink(t *testing.T) {
	k := NewKernel(KernelOptions{})
	_, err := k.List()
	_ = k.Close()
	if _, statErr := os.Stat("/proc/net/ip_vs"); statErr != nil {
		if !errors.Is(err, ErrNoIPVS) || !strings.Contains(err.Error(), "modprobe ip_vs") || strings.Contains(err.Error(), "netlink") {
			t.Errorf("not a clear error: %v", err)
		}
		t.Log("ONLY THE ERROR IS TESTED HERE, this kernel has no IPVS:", err)
		return
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("a network namespace takes root: %v", err)
	}
	// Without its local routing table the kernel takes every address for a
	// broadcast address, which cannot be a real server.
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer func() { _ = k.Close() }()
	table, err := k.List()
	if err != nil || len(table) != 0 {
		t.Fatalf("a new namespace: %v, %v", table, err)
	}
	for _, words := range []string{
		"10.0.0.1:80 wrr", "10.0.0.1:53 udp rr ops", "10.0.0.1:5 sctp lc persist=50s mask=24", "10.0.0.1:81 mh sched=3",
		"[2001:db8::1]:443 sh sched=2", "[2001:db8::1]:444 lblc persist=180m mask=64", "fwmark=7 lblcr", "fwmark=7 ipv6 nq",
		"10.0.0.1:5060 udp rr persist=60s pe=sip", "10.0.0.1:82 dh", "10.0.0.1:83 fo", "10.0.0.1:84 ovf", "10.0.0.1:85 sed", "10.0.0.1:87 rr persist=60s netmask=255.0.255.0", "10.0.0.1:86 wlc",
	} {
		roundTrip(t, k, words)
	}
	wantError(t, k, Op{Verb: DeleteService, Key: service("10.0.0.9:80").Key}, fs.ErrNotExist, "")
	wantError(t, k, Op{Verb: AddService, Key: service("10.0.0.1:80").Key, Attrs: Attrs{Scheduler: "rr", Mask: 32}}, fs.ErrExist, "")
	gone := Op{Verb: EditDest, Key: service("10.0.0.1:80").Key, Dest: Dest{Addr: netip.MustParseAddrPort("10.9.9.9:80"), Method: config.NAT}}
	wantError(t, k, gone, fs.ErrNotExist, "")
	gone.Key = service("10.0.0.9:80").Key
	wantError(t, k, gone, fs.ErrNotExist, "")
	none := Op{Verb: AddService, Key: service("10.0.0.9:80").Key, Attrs: Attrs{Scheduler: "none-such", Mask: 32}}
	wantError(t, k, none, nil, `this kernel does not know the scheduler "none-such": load the module ip_vs_none-such`)

	table, err = k.List()
	if err != nil || len(table) != 15 {
		t.Fatalf("%d services, %v", len(table), err)
	}
	batches(t, k)
	daemons(t, k)
	for key, have := range table {
		for _, op := range Diff(have, nil) {
			if err := one(k, op); err != nil {
				t.Error(op, err)
			}
		}
		if s, err := readOne(k, key); s != nil || err != nil {
			t.Error(s, err)
		}
	}
}

// roundTrip makes a service with real servers, changes all of it, and reads it
// after each.
func roundTrip(t *testing.T, k *Netlink, words string) {
	t.Helper()
	c := parseService(strings.Fields(words))
	first := &Service{Key: c.Key, Attrs: attrs(&c)}
	second := &Service{Key: c.Key, Attrs: first.Attrs}
	second.Scheduler, second.Persistence, second.OPS, second.Engine = "rr", time.Minute, false, ""
	port := c.Key.Addr.Port()
	for i, method := range []config.Method{config.NAT, config.DR, config.TUN} {
		addr := netip.AddrFrom4([4]byte{10, 0, 0, byte(2 + i)})
		if IPv6(c.Key) {
			addr = netip.MustParseAddr("2001:db8::2")
			for range i {
				addr = addr.Next()
			}
		}
		d := Dest{Addr: netip.AddrPortFrom(addr, port), Method: method, Weight: i, UThreshold: uint32(2 * i), LThreshold: uint32(i)}
		if method == config.TUN {
			d.Tunnel = config.Tunnel{Type: config.GUE, Port: 6080, Checksum: config.RemoteChecksum}
		}
		first.Dests = append(first.Dests, d)
		if i > 0 { // the first goes
			d.Weight, d.Method, d.UThreshold, d.LThreshold, d.Tunnel = 65535, config.NAT, 0, 0, config.Tunnel{}
			second.Dests = append(second.Dests, d)
		}
	}
	var have *Service
	for _, want := range []*Service{first, second, first} {
		for _, op := range Diff(have, want) {
			if err := one(k, op); err != nil {
				t.Errorf("%s: %v", op, err)
			}
		}
		var err error
		if have, err = readOne(k, c.Key); err != nil || have == nil {
			t.Fatalf("read %s: %v, %v", words, have, err)
		}
		if left := Diff(have, want); left != nil {
			t.Errorf("%s: left to do: %v", words, left)
		}
	}
}

func readOne(k *Netlink, key config.ServiceKey) (*Service, error) {
	all, err := k.Read([]config.ServiceKey{key})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func one(k *Netlink, op Op) error { return k.Do([]Op{op})[0] }

func wantError(t *testing.T, k *Netlink, op Op, is error, text string) {
	t.Helper()
	err := one(k, op)
	if err == nil || is != nil && !errors.Is(err, is) || text != "" && err.Error() != text || is == nil && errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", op, err)
	}
}

// What the kernel would answer to what we send is what we wanted.
func TestConversionIsLossless(t *testing.T) {
	for _, words := range []string{
		"10.0.0.1:80 wrr", "10.0.0.1:53 udp ops", "10.0.0.1:5 sctp persist=50s mask=24", "10.0.0.1:80 persist=50s netmask=255.0.255.0",
		"[2001:db8::1]:443 mh sched=7", "[2001:db8::1]:443 sh persist=3h mask=64", "fwmark=7 lc", "fwmark=7 ipv6 nq",
	} {
		c := parseService(strings.Fields(words))
		want := &Service{Key: c.Key, Attrs: attrs(&c)}
		raw := toService(want.Key, want.Attrs)
		raw.Flags |= ipvs.ServiceHashed // the kernel's own mark
		if d := cmp.Diff(show(want), show(fromService(raw))); d != "" {
			t.Error(d)
		}
	}
	for _, words := range []string{"10.0.0.2:80 dr w=0", "10.0.0.2:80 nat x=5 y=3", "[2001:db8::2]:80 tun w=65535", "10.0.0.2:80 gue=6080 csum", "10.0.0.2:80 gre remcsum"} {
		s := parseServer(strings.Fields(words))
		want := dest(&s, s.Weight)
		if got := fromDest(toDest(want)); got != want {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// What is written into a message is read from it as it was: the kernel answers
// with the attributes that it is given.
func TestMessagesAreLossless(t *testing.T) {
	g := new(genl)
	for _, words := range []string{
		"10.0.0.1:80 wrr", "10.0.0.1:53 udp ops", "10.0.0.1:5 sctp persist=50s mask=24", "10.0.0.1:5060 persist=50s pe=sip netmask=255.0.255.0",
		"[2001:db8::1]:443 mh sched=7", "[2001:db8::1]:443 sh persist=3h mask=64", "fwmark=7 lc", "fwmark=7 ipv6 nq",
	} {
		c := parseService(strings.Fields(words))
		want := Op{Verb: AddService, Key: c.Key, Attrs: attrs(&c)}
		got, err := decodeService(written(t, g, want))
		if err != nil || show(got) != want.String() {
			t.Errorf("%s, %v, not %s", show(got), err, want)
		}
	}
	for _, words := range []string{"10.0.0.2:80 dr w=0", "10.0.0.2:80 nat x=5 y=3", "[2001:db8::2]:80 tun w=65535", "10.0.0.2:80 gue=6080 csum", "10.0.0.2:80 gre remcsum"} {
		s := parseServer(strings.Fields(words))
		want := dest(&s, s.Weight)
		op := Op{Verb: EditDest, Key: service("10.0.0.1:80").Key, Dest: want}
		if got, err := decodeDest(written(t, g, op), false); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
}

// written are the attributes of the last of two messages in the buffer, which is
// as long as it says.
func written(t *testing.T, g *genl, op Op) []byte {
	t.Helper()
	g.out.reset()
	other := Op{Verb: AddService, Key: service("10.0.0.1:80").Key, Attrs: Attrs{Scheduler: "wlc", Mask: 32}}
	if err := errors.Join(g.command(&other), g.command(&op)); err != nil {
		t.Fatal(err)
	}
	m := g.out.b[binary.NativeEndian.Uint32(g.out.b):]
	if length := binary.NativeEndian.Uint32(m); int(length) != len(m) || binary.NativeEndian.Uint32(m[8:]) != g.out.sequence {
		t.Errorf("%s: % x: length %d, sequence %d", op, m, length, g.out.sequence)
	}
	return answer{body: m[unix.NLMSG_HDRLEN:]}.attributes()
}

// Whatever the kernel might answer, nothing is read beyond its end.
func TestCutOffAnswers(t *testing.T) {
	g := new(genl)
	d := Dest{Addr: netip.MustParseAddrPort("10.0.0.2:80"), Method: config.TUN, Weight: 1}
	whole := written(t, g, Op{Verb: AddDest, Key: service("10.0.0.1:80").Key, Dest: d})
	for n := range len(whole) {
		if got, err := decodeDest(whole[:n:n], false); err == nil && got == d {
			t.Errorf("%d of %d bytes are read as all of them", n, len(whole))
		}
		_, _ = decodeService(whole[:n:n]) // some are a service
		short := slices.Clone(whole)
		short[n] = 1
		_, _ = decodeDest(short, false) // the lengths do not agree
	}
	if got, err := decodeDest(whole, false); err != nil || got != d {
		t.Errorf("%v, %v", got, err)
	}
}

// TestMessagesAllocateNothing: a start writes tens of thousands of them, and a
// reload reads them.
func TestMessagesAllocateNothing(t *testing.T) {
	g := new(genl)
	op := Op{Verb: AddDest, Key: service("10.0.0.1:80").Key, Dest: Dest{Addr: netip.MustParseAddrPort("10.0.0.2:80"), Method: config.TUN, Weight: 1}}
	if n := testing.AllocsPerRun(100, func() {
		g.out.reset()
		if err := g.command(&op); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for %s", n, op)
	}
	message := written(t, g, op)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := decodeDest(message, false); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations to read %s", n, op)
	}
}

func show(s *Service) string { return Op{Verb: AddService, Key: s.Key, Attrs: s.Attrs}.String() }

// A socket that does not answer is given up, and the next use opens another.
func TestDeadSocket(t *testing.T) {
	dead := &deadClient{closed: make(chan struct{})}
	k := Netlink{sockets: &sockets{Client: dead}, answerWithin: time.Millisecond}
	if _, err := k.Timeouts(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if k.sockets != nil {
		t.Error("still in use")
	}
}

type deadClient struct {
	ipvs.Client
	closed chan struct{}
}

func (d *deadClient) Close() error {
	close(d.closed)
	return nil
}

func (d *deadClient) Config() (ipvs.Config, error) {
	<-d.closed
	return ipvs.Config{}, os.ErrClosed
}

// daemons: the sync daemons with all their attributes, and the timeouts.
func daemons(t *testing.T, k *Netlink) {
	t.Helper()
	for _, args := range []string{"link add sync0 type dummy", "link set sync0 up", "addr add 10.2.0.1/24 dev sync0"} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", args, err, out)
		}
	}
	listed := func(want string) {
		t.Helper()
		out, err := exec.Command("ipvsadm", "-L", "--daemon").CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%v: %s\nwant %s", err, got, want)
		}
	}
	d := config.SyncDaemon{Interface: "sync0", ID: config.Some[uint8](9)}
	if err := k.StartSync(SyncBackup, d); err != nil {
		t.Error(err)
	}
	listed("backup sync daemon (mcast=sync0, syncid=9, maxlen=1472, group=224.0.0.81, port=8848, ttl=1)")
	if err := k.StartSync(SyncBackup, d); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := k.StopSync(SyncBackup); err != nil {
		t.Error(err)
	}
	if err := k.StopSync(SyncBackup); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	d.MaxLen, d.Port, d.TTL, d.Group = 1000, 9000, 3, netip.MustParseAddr("224.0.0.99")
	if err := k.StartSync(SyncMaster, d); err != nil {
		t.Error(err)
	}
	listed("master sync daemon (mcast=sync0, syncid=9, maxlen=1000, group=224.0.0.99, port=9000, ttl=3)")
	if err := k.StopSync(SyncMaster); err != nil {
		t.Error(err)
	}
	found, err := k.Timeouts()
	if err != nil || found.TCP == 0 || found.UDP == 0 {
		t.Errorf("%v, %v", found, err)
	}
	want := found.with(config.LVSTimeouts{TCPFin: config.Some(77 * time.Second)})
	if err := k.SetTimeouts(want); err != nil {
		t.Error(err)
	}
	if got, err := k.Timeouts(); err != nil || got != want || got == found {
		t.Errorf("%v, %v", got, err)
	}
}

// batches: many operations in one go, some of which fail, and what it costs.
func batches(t *testing.T, k *Netlink) {
	t.Helper()
	key := service("10.0.9.9:80").Key
	ops := []Op{{Verb: AddService, Key: key, Attrs: Attrs{Scheduler: "rr", Mask: 32}}}
	const n = 1000
	for i := range n {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i / 200), byte(1 + i%200)}), 80)
		ops = append(ops, Op{Verb: AddDest, Key: key, Dest: Dest{Addr: addr, Method: config.NAT, Weight: 1}})
	}
	began := time.Now()
	for i, err := range k.Do(ops) {
		if err != nil {
			t.Errorf("%s: %v", ops[i], err)
		}
	}
	together := time.Since(began)
	for i := range ops {
		ops[i].Verb = map[Verb]Verb{AddService: EditService, AddDest: EditDest}[ops[i].Verb]
	}
	began = time.Now()
	for _, op := range ops {
		if err := one(k, op); err != nil {
			t.Errorf("%s: %v", op, err)
		}
	}
	t.Logf("%d operations: %s in messages of %d, %s one by one", len(ops), together, batchLength, time.Since(began))
	for i := range ops {
		if i%3 == 0 {
			ops[i] = Op{Verb: AddDest, Key: key, Dest: ops[max(i, 1)].Dest}
		}
	}
	for i, err := range k.Do(ops) {
		if got := errors.Is(err, fs.ErrExist); got != (i%3 == 0) || err != nil && !got {
			t.Errorf("%s: %v", ops[i], err)
		}
	}
	if s, err := readOne(k, key); err != nil || len(s.Dests) != n {
		t.Errorf("%d destinations, %v", len(s.Dests), err)
	}
	if err := one(k, Op{Verb: DeleteService, Key: key}); err != nil {
		t.Error(err)
	}
}
