package vrrp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// dozers are two hosts on a cable.
func dozers(t *testing.T) (a, b *netns.NS) {
	a, b = netns.New(t, "doze-a"), netns.New(t, "doze-b")
	netns.Veth(t, a, "eth0", b, "eth0")
	a.Run(t, "ip addr add 10.99.0.1/24 dev eth0")
	b.Run(t, "ip addr add 10.99.0.2/24 dev eth0")
	a.Run(t, "ip addr add fe80::1/64 dev eth0 nodad")
	b.Run(t, "ip addr add fe80::2/64 dev eth0 nodad")
	return a, b
}

// within runs a poller on a host, with a connection.
func within(t *testing.T, ns *netns.NS, s Socket, f func(p *poller, c Conn, arrived *bool)) {
	t.Helper()
	err := ns.Do(func() error {
		p := newPoller(new(posts))
		if err := p.open(); err != nil {
			return err
		}
		p.slumber.shortest = time.Second
		var arrived bool
		c, err := p.Open(s, nil, func() { arrived = true })
		if err == nil {
			f(p, c, &arrived)
			err = c.Close()
		}
		if closing := p.close(); err == nil {
			err = closing
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// received are the next datagrams, as they came.
func received(t *testing.T, p *poller, c Conn, arrived *bool, most int) (list []echo) {
	t.Helper()
	for len(list) < most {
		if err := p.wait(time.Now().Add(time.Minute), new(volley)); err != nil {
			t.Error(err)
			return list
		}
		if *arrived {
			*arrived = false
			c.Receive(func(*wire.Datagram) {
				var e echo
				c.(*watch).capture(&e)
				list = append(list, e)
			})
		}
	}
	return list
}

var dozing = []struct {
	name string
	s    [2]Socket
	out  Outgoing
}{
	{"IPv4", [2]Socket{{Link: "eth0", Group: netip.MustParseAddr("224.0.0.18")}, {Link: "eth0", Group: netip.MustParseAddr("224.0.0.18")}},
		Outgoing{Src: netip.MustParseAddr("10.99.0.1"), Dst: netip.MustParseAddr("224.0.0.18"), TTL: 255, ID: 0xfffd}},
	{"IPv4 unicast", [2]Socket{{Link: "eth0", Source: netip.MustParseAddr("10.99.0.1")}, {Link: "eth0", Source: netip.MustParseAddr("10.99.0.2")}},
		Outgoing{Src: netip.MustParseAddr("10.99.0.1"), Dst: netip.MustParseAddr("10.99.0.2"), TTL: 64, ID: 1}},
	{"IPv6", [2]Socket{{Link: "eth0", Group: netip.MustParseAddr("ff02::12")}, {Link: "eth0", Group: netip.MustParseAddr("ff02::12")}},
		Outgoing{Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("ff02::12"), TTL: 255}},
}

func advertOf(t *testing.T, o *Outgoing, priority uint8) []byte {
	t.Helper()
	a := wire.Advert{Version: 3, VRID: 51, Priority: priority, Interval: time.Second, Addrs: []netip.Addr{netip.MustParseAddr("10.99.0.100")}}
	if o.Src.Is6() {
		a.Addrs[0] = netip.MustParseAddr("fe80::100")
	}
	payload, err := a.AppendTo(nil, wire.Pseudo{Src: o.Src, Dst: o.Dst})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// A wait in which a MASTER is expected to go on sending sends what Send would,
// when it is due, and tells it afterwards.
func TestDozeSends(t *testing.T) {
	a, b := dozers(t)
	for _, tt := range dozing {
		t.Run(tt.name, func(t *testing.T) {
			const every = 15 * time.Millisecond
			ready, heard := make(chan struct{}), make(chan []echo, 1)
			var other sync.WaitGroup
			defer other.Wait()
			other.Go(func() {
				within(t, b, tt.s[1], func(p *poller, c Conn, arrived *bool) {
					close(ready)
					heard <- received(t, p, c, arrived, 1+mostRounds)
				})
			})
			<-ready
			tt.out.Payload = advertOf(t, &tt.out, 100)
			within(t, a, tt.s[0], func(p *poller, c Conn, _ *bool) {
				p.epoch = p.epoch.Add(every / 3) // as if it had been put aside between two looks at the clock
				if err := c.Send(tt.out); err != nil {
					t.Error(err)
				}
				due := time.Now().Add(every)
				var o order
				p.doze(due.Add(time.Hour))
				p.entrust(&o, c, nil, tt.out, due, every)
				o.late = int64(time.Hour) // the machine may be busy
				if err := p.wait(due, new(volley)); err != nil {
					t.Error(err)
				}
				rounds := 0
				tell := func(_ *order, at time.Time) {
					due := due.Add(time.Duration(rounds) * every)
					if late := at.Sub(due); late < 0 {
						t.Errorf("round %d is %s late", rounds, late)
					}
					if ok, err := p.deliver(&o, due.Add(every)); !ok || err != nil { // what has been sent
						t.Error(ok, err)
					}
					rounds++
				}
				p.relate(tell)
				if rounds != mostRounds {
					t.Errorf("%d rounds", rounds)
				}
				p.relate(func(*order, time.Time) { t.Error("told twice") })
			})
			all := <-heard
			if len(all) != 1+mostRounds {
				t.Fatalf("%d adverts", len(all))
			}
			for i, e := range all {
				if e.framed {
					id := binary.BigEndian.Uint16(e.bytes[4:])
					want := tt.out.ID
					for range i {
						want = following(want)
					}
					if id != want {
						t.Errorf("advert %d has identification %d, want %d", i, id, want)
					}
					copy(e.bytes[4:6], []byte{0, 0})
					copy(e.bytes[10:12], []byte{0, 0})
				}
				if !bytes.Equal(e.bytes, all[0].bytes) || !bytes.Equal(e.controls, all[0].controls) {
					t.Errorf("advert %d is %x, the first %x", i, e.bytes, all[0].bytes)
				}
			}
		})
	}
}

// A wait in which a BACKUP is expected to go on hearing its MASTER goes on with
// each copy of its advert, and ends when there is none, or another.
func TestDozeHears(t *testing.T) {
	a, b := dozers(t)
	for _, tt := range dozing {
		t.Run(tt.name, func(t *testing.T) {
			said := make(chan uint8)
			var other sync.WaitGroup
			defer other.Wait()
			other.Go(func() {
				within(t, a, tt.s[0], func(_ *poller, c Conn, _ *bool) {
					for priority := range said {
						tt.out.ID, tt.out.Payload = following(tt.out.ID), advertOf(t, &tt.out, priority)
						if err := c.Send(tt.out); err != nil {
							t.Error(err)
						}
					}
				})
			})
			within(t, b, tt.s[1], func(p *poller, c Conn, arrived *bool) {
				defer close(said)
				said <- 100
				known := received(t, p, c, arrived, 1)[0]
				wait := func(left, down time.Duration) (priorities []uint8, took time.Duration) {
					began := time.Now()
					due := began.Add(left)
					if p.doze(began.Add(time.Hour)); !p.hears(c, &known, due, down) {
						t.Error("there is something against it")
					}
					if err := p.wait(due, new(volley)); err != nil {
						t.Error(err)
					}
					took = time.Since(began)
					p.recall(func(at time.Time, from Conn, heard *wire.Datagram) {
						if from != c || heard == nil || at.Before(began) {
							t.Errorf("%s after the begin: %v", at.Sub(began), heard)
							return
						}
						priorities = append(priorities, heard.Payload[2])
					})
					return priorities, took
				}
				const short = 50 * time.Millisecond
				if heard, took := wait(short, time.Hour); len(heard) > 0 || took < short {
					t.Errorf("silence: %v heard, waited for %s", heard, took)
				}
				said <- 100
				if heard, took := wait(time.Hour, short); !bytes.Equal(heard, []byte{100}) || took < short {
					t.Errorf("a copy, then silence: %v heard, waited for %s", heard, took)
				}
				p.slumber.shortest = hearing - 1
				if p.hears(c, &known, time.Now(), time.Hour) {
					t.Error("there is nothing against it where milliseconds count")
				}
				p.slumber.shortest = hearing
				for _, priority := range []uint8{100, 100, 100, 99} {
					said <- priority
				}
				if heard, _ := wait(time.Hour, time.Hour); !bytes.Equal(heard, []byte{100, 100, 100, 99}) {
					t.Errorf("heard %v", heard)
				}
			})
		})
	}
}

// A wait ends when something is due that is no habit, when an advert is late, and
// when one cannot be sent, of which the loop is told.
func TestDozeEnds(t *testing.T) {
	a, _ := dozers(t)
	tt := dozing[0]
	tt.out.Payload = advertOf(t, &tt.out, 100)
	within(t, a, tt.s[0], func(p *poller, c Conn, _ *bool) {
		const far = 30 * time.Millisecond
		once := func(every time.Duration, prepare func(now time.Time, o *order)) (rounds int, took time.Duration, failed error) {
			now := time.Now()
			var o order
			defer p.forget(&o) // the stand-in may follow it soon
			p.slumber.last = time.Time{}
			p.doze(now.Add(time.Hour))
			p.entrust(&o, c, nil, tt.out, now.Add(far), every)
			o.late = int64(time.Hour)
			prepare(now, &o)
			if err := p.wait(now.Add(far), new(volley)); err != nil {
				t.Error(err)
			}
			took = time.Since(now)
			p.relate(func(*order, time.Time) {
				rounds++
				if _, err := p.deliver(&o, now.Add(time.Hour)); err != nil {
					failed = err
				}
			})
			return rounds, took, failed
		}
		wait := func(every time.Duration, prepare func(now time.Time, o *order)) (rounds int, took time.Duration, failed error) {
			for range 4 { // the runtime's signals may end one before anything is due
				if rounds, took, failed = once(every, prepare); took >= far || rounds > 0 || failed != nil {
					break
				}
			}
			return rounds, took, failed
		}
		if rounds, took, err := wait(time.Hour, func(now time.Time, _ *order) { p.dozing.limit = p.nanoseconds(now.Add(2 * far)) }); rounds != 1 || took < 2*far || err != nil {
			t.Errorf("something else: %d rounds in %s, %v", rounds, took, err)
		}
		if rounds, took, err := wait(far, func(_ time.Time, o *order) { o.late = -1 }); rounds != 0 || took < far || err != nil {
			t.Errorf("late: %d rounds in %s, %v", rounds, took, err)
		}
		a.Run(t, "ip link set eth0 down")
		if rounds, took, err := wait(far, func(time.Time, *order) {}); rounds != 1 || took < far || err == nil {
			t.Errorf("link down: %d rounds in %s, %v", rounds, took, err)
		}
	})
}
