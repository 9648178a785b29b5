package vrrp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/vrrp"
	"github.com/lvsd/lvsd/vrrp/wire"
)

// What leaves a socket with authentication headers is what keepalived 2.2.7
// was seen to send; what arrives through it is what keepalived was seen to
// send too, with its headers, and nothing of another kind.
func TestAHSocket(t *testing.T) {
	a, b := pair(t)
	a.Run(t, "ip addr add 10.9.0.1/24 dev eth0")
	b.Run(t, "ip addr add 10.9.0.2/24 dev eth0")
	source := netip.MustParseAddr("10.9.0.1")
	next := capture(t, b)
	sender, _ := opened(t, a, vrrp.Socket{Link: "eth0", Group: group4, AH: true}, 51)
	plain, _ := opened(t, a, vrrp.Socket{Link: "eth0", Group: group4}, 51)
	_, arrived := opened(t, b, vrrp.Socket{Link: "eth0", Group: group4, AH: true}, 51)
	_, plainly := opened(t, b, vrrp.Socket{Link: "eth0", Group: group4}, 51)

	want, _ := hex.DecodeString("45c0004400010000ff33d0a90a090001e0000012" + "700400000a09000100000001bb0da534a576df868a8b3efb" +
		"2133780202014fee0a0900640a0900650000000000000000")
	message := want[44:]
	ah := wire.NewAH("s3cret")
	out := vrrp.Outgoing{Src: source, Dst: group4, TTL: 255, ID: 1, Payload: message, AH: ah, Sequence: 1}
	if err := sender.Send(out); err != nil {
		t.Fatal(err)
	}
	if got := next(); !bytes.Equal(got, want) {
		t.Errorf("sent\n%swant\n%s", hex.Dump(got), hex.Dump(want))
	}
	if d := <-arrived; !ah.Verify(&d) || d.Sequence() != 1 || !bytes.Equal(d.Payload, message) {
		t.Errorf("received %s, headers %x", show(d), d.Headers)
	}

	// Without the header, for another virtual router, of something else: none
	// of it arrives.
	other := bytes.Clone(message)
	other[1] = 52
	for _, o := range []struct {
		conn    vrrp.Conn
		payload []byte
	}{{plain, message}, {sender, other}, {sender, message[:7]}} {
		out.Payload, out.AH = o.payload, ah
		if o.conn == plain {
			out.AH = nil
		}
		if err := o.conn.Send(out); err != nil {
			t.Fatal(err)
		}
	}
	nested := ah.AppendIPv4(nil, source, group4, 255, 1, 9, message)
	nested[20] = unix.IPPROTO_UDP
	if err := a.Do(func() error { return sendRaw(nested, group4) }); err != nil {
		t.Fatal(err)
	}
	out.Payload, out.AH, out.Sequence = message, ah, 2
	if err := sender.Send(out); err != nil {
		t.Fatal(err)
	}
	if d := <-arrived; d.Sequence() != 2 {
		t.Errorf("received %s, number %d", show(d), d.Sequence())
	}
	if d := <-plainly; d.Headers != nil || !bytes.Equal(d.Payload, message) {
		t.Errorf("without the header: %s", show(d))
	}
	if len(arrived)+len(plainly) > 0 {
		t.Errorf("more arrived: %d and %d", len(arrived), len(plainly))
	}
}

// sendRaw sends an IPv4 datagram as it is.
func sendRaw(datagram []byte, dst netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return fmt.Errorf("open a raw socket: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.BindToDevice(fd, "eth0"); err != nil {
		return fmt.Errorf("bind to eth0: %w", err)
	}
	return unix.Sendto(fd, datagram, 0, &unix.SockaddrInet4{Addr: dst.As4()})
}
