package vrrp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel/kerneltest"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// mouth is a connection that has the same to say whenever it is asked.
type mouth struct {
	arrived func()
	says    wire.Datagram
	sent    int
}

func (m *mouth) Open(_ Socket, _ []uint8, arrived func()) (Conn, error) {
	m.arrived = arrived
	return m, nil
}

func (m *mouth) Receive(each func(*wire.Datagram)) { each(&m.says) }
func (m *mouth) Send(Outgoing) error               { m.sent++; return nil }
func (m *mouth) Filter([]uint8) error              { return nil }
func (m *mouth) Buffer(Buffer) error               { return nil }
func (m *mouth) Close() error                      { return nil }

// alone is a runner whose loop is the test: a MASTER on eth0.
func alone(t *testing.T, m *mouth, change func(*config.Instance)) *Runner {
	t.Helper()
	return aloneOn(t, m, change)
}

func aloneOn(t *testing.T, opener Opener, change func(*config.Instance)) *Runner {
	t.Helper()
	var told tape
	r := New(Options{Host: new(kerneltest.Host), Notifier: &told, Opener: opener})
	r.journal = newQueue()
	i := config.DefaultInstance
	i.Name, i.Interface, i.VirtualRouterID, i.Version = "VI_1", "eth0", 51, config.Some(uint8(3))
	i.VirtualIPAddress = []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.100/24")}}
	if change != nil {
		change(&i)
	}
	cfg := &config.Config{Global: config.DefaultGlobal, Instances: []config.Instance{i}}
	cfg.Resolve(nil)
	r.linkChanged(LinkChanged{Link: "eth0", Exists: true, Up: true, IPv4: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, IPv6: []netip.Addr{netip.MustParseAddr("fe80::1")}})
	r.apply(cfg)
	for range 20 { // to be MASTER, and past the second round of gratuitous ARP
		r.fire(r.groups.first().deadline)
	}
	if r.members["VI_1"].State() != config.Master {
		t.Fatal("not MASTER")
	}
	rested(r)
	t.Cleanup(func() { rested(r) })
	return r
}

// rested waits until the queues have nothing to do: what they allocate is not
// the loop's.
func rested(r *Runner) {
	for _, g := range r.groups.all {
		<-g.queue.mark()
	}
	<-r.journal.mark()
}

// adverts are the kinds of them.
var adverts = map[string]func(*config.Instance){
	"multicast": nil,
	"version 2": func(i *config.Instance) { i.Version = config.Some(uint8(2)) },
	"AH": func(i *config.Instance) {
		i.Version, i.Authentication = config.Some(uint8(2)), config.Authentication{Type: config.AuthAH, Pass: "secret"}
	},
	"IPv6": func(i *config.Instance) {
		i.VirtualIPAddress = []config.Address{{Prefix: netip.MustParsePrefix("fe80::100/64")}}
	},
	"auth_hmac": func(i *config.Instance) {
		key := config.HMACKey{ID: 1, Secret: "0123456789abcdef0123456789abcdef"}
		i.AuthHMAC = &config.AuthHMAC{Keys: []config.HMACKey{key}, ActiveKey: 1}
	},
	"unicast": func(i *config.Instance) {
		i.UnicastPeers = []config.Peer{{Addr: netip.MustParseAddr("10.0.0.2")}, {Addr: netip.MustParseAddr("10.0.0.3")}}
	},
}

// An advert costs the loop nothing to collect, from the deadline to the socket:
// to a group, and to peers.
func TestAdvertAllocatesNothing(t *testing.T) {
	for name, change := range adverts {
		t.Run(name, func(t *testing.T) {
			var m mouth
			r := alone(t, &m, change)
			before := m.sent
			if n := testing.AllocsPerRun(100, func() {
				at := r.until(r.groups.first().deadline)
				r.fire(at)
			}); n != 0 {
				t.Errorf("an advert costs %v allocations", n)
			}
			if m.sent-before < 101 {
				t.Errorf("%d adverts", m.sent-before)
			}
		})
	}
}

// A datagram, from its arrival to the counter, costs the loop nothing to
// collect either, whether it is believed or not.
func TestDatagramAllocatesNothing(t *testing.T) {
	var m mouth
	r := alone(t, &m, func(i *config.Instance) {
		i.LowerPrioNoAdvert = config.Some(true)
		i.GarpLowerPrioRepeat = config.Some(0)
	})
	a := wire.Advert{Version: 3, VRID: 51, Priority: 50, Interval: time.Second, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.100")}}
	good := wire.Datagram{Src: netip.MustParseAddr("10.0.0.2"), Dst: netip.MustParseAddr("224.0.0.18"), TTL: 255}
	good.Payload, _ = a.AppendTo(nil, good.Pseudo())
	damaged := good
	damaged.Payload = append([]byte(nil), good.Payload...)
	damaged.Payload[6]++
	far := good
	far.TTL = 254
	stranger := good
	stranger.Payload = append([]byte(nil), good.Payload...)
	stranger.Payload[1] = 52
	for name, d := range map[string]wire.Datagram{"good": good, "damaged": damaged, "far": far, "stranger": stranger} {
		m.says = d
		before := r.members["VI_1"].Stats()
		if n := testing.AllocsPerRun(100, func() {
			m.arrived()
			r.posts.do()
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
		after := r.members["VI_1"].Stats()
		if name == "good" && after.AdvertRcvd-before.AdvertRcvd != 101 || name == "damaged" && after.ChecksumErr-before.ChecksumErr != 101 || name == "far" && after.IPTTLErr-before.IPTTLErr != 101 {
			t.Errorf("%s: %+v", name, after)
		}
	}
}
