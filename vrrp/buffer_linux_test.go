package vrrp

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/netns"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// The receive buffer of two instances on a link of 1400 bytes is what
// keepalived 2.2.7 was seen to ask for; the kernel doubles it, and has a least
// size.
func TestBuffer(t *testing.T) {
	ns := netns.New(t, "vrrp-buffer")
	ns.Run(t, "ip link set lo mtu 1400 up")
	const least = 2304
	for name, c := range map[string]struct {
		global config.ReceiveBuffers
		own    uint32 // kernel_rx_buf_size of the first
		want   int    // 0: the kernel's own
	}{
		"none":       {},
		"MTU":        {global: config.ReceiveBuffers{VRRPRxBufsPolicy: config.RxMTU, VRRPRxBufsMultiplier: 3}, want: 16800},
		"ADVERT":     {global: config.ReceiveBuffers{VRRPRxBufsPolicy: config.RxAdvert, VRRPRxBufsMultiplier: 3}, want: least},
		"size":       {global: config.ReceiveBuffers{VRRPRxBufsPolicy: config.RxSize, VRRPRxBufsSize: 9000, VRRPRxBufsMultiplier: 3}, want: 36000},
		"size, own":  {global: config.ReceiveBuffers{VRRPRxBufsPolicy: config.RxSize, VRRPRxBufsSize: 9000, VRRPRxBufsMultiplier: 3}, own: 30000, want: 78000},
		"MTU10, own": {global: config.ReceiveBuffers{VRRPRxBufsPolicy: config.RxMTU, VRRPRxBufsMultiplier: 10}, own: 30000, want: 88000},
		"own":        {global: config.ReceiveBuffers{VRRPRxBufsMultiplier: 3}, own: 30000, want: 60000},
	} {
		r := New(Options{Opener: new(mouth)})
		r.receiving = c.global
		s := r.newSocket("lo")
		s.members = map[uint8][]*member{}
		for vrid := range uint8(2) {
			i := config.DefaultInstance
			i.VirtualRouterID, i.Version = vrid+1, config.Some(uint8(3))
			i.VirtualIPAddress = []config.Address{{Prefix: netip.MustParsePrefix("10.0.0.100/24")}}
			if vrid == 0 {
				i.KernelRxBufSize = c.own
			}
			s.members[vrid+1] = []*member{{Machine: NewMachine(i)}}
		}
		var conn *rawConn
		err := ns.Do(func() (err error) {
			conn, err = openRaw(Socket{Link: "lo", Group: netip.MustParseAddr("224.0.0.18")}, nil, new(inbox))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := unix.GetsockoptInt(conn.rx, unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err := conn.Buffer(r.buffer(s)); err != nil {
			t.Error(err)
		}
		if c.want == 0 {
			c.want = before
		}
		if got, _ := unix.GetsockoptInt(conn.rx, unix.SOL_SOCKET, unix.SO_RCVBUF); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Neither sending nor receiving leaves something to collect, over IPv4, IPv6
// and with authentication headers.
func TestSocketsAllocateNothing(t *testing.T) {
	ns := netns.New(t, "vrrp-alloc")
	ns.Run(t, "ip link set lo up")
	for name, c := range map[string]struct {
		address string
		ah      *wire.AH
	}{
		"IPv4": {"127.0.0.1", nil}, "AH": {"127.0.0.1", wire.NewAH("secret")}, "IPv6": {"::1", nil},
	} {
		t.Run(name, func(t *testing.T) {
			addr := netip.MustParseAddr(c.address)
			var conn *rawConn
			err := ns.Do(func() (err error) {
				conn, err = openRaw(Socket{Link: "lo", Source: addr, AH: c.ah != nil}, nil, new(inbox))
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			received := 0
			hear := func(d *wire.Datagram) {
				if d.Src == addr && len(d.Payload) == 12 {
					received++
				}
			}
			o := Outgoing{Src: addr, Dst: addr, TTL: 255, ID: 1, Payload: make([]byte, 12), AH: c.ah, Sequence: 1}
			if n := testing.AllocsPerRun(100, func() {
				if err := conn.Send(o); err != nil {
					t.Error(err)
				}
				conn.Receive(hear)
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if received != 101 {
				t.Errorf("%d datagrams received of 101", received)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
