package vrrp

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/internal/netns"
)

// A connection that was prepared is the one that is opened; one that is not
// ready in time is made anew, and one that nobody wants is closed.
func TestPrepare(t *testing.T) {
	ns := netns.New(t, "vrrp-prepare")
	ns.Run(t, "ip link set lo up")
	s := Socket{Link: "lo", Group: netip.MustParseAddr("224.0.0.18")}
	closed := func(fd int) bool {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return err == unix.EBADF
	}
	err := ns.Do(func() error {
		p := newPoller(new(posts))
		if err := p.open(); err != nil {
			return err
		}
		open := func() *watch {
			t.Helper()
			c, err := p.Open(s, []uint8{1}, func() {})
			if err != nil {
				t.Fatal(err)
			}
			return c.(*watch)
		}
		slow := p.prepare(s)
		prepared := p.prepared[s].rawConn
		slow()
		if c := open(); c.rawConn != prepared || len(p.prepared) > 0 {
			t.Error("what was prepared is not opened")
		}

		slow = p.prepare(s)
		prepared = p.prepared[s].rawConn
		if c := open(); c.rawConn == prepared || len(p.prepared) > 0 {
			t.Error("what is not ready is opened")
		}
		if closed(prepared.rx) {
			t.Error("closed under the hands of who sets it up")
		}
		if slow(); !closed(prepared.rx) || !closed(prepared.tx) {
			t.Error("left open")
		}

		slow = p.prepare(s)
		prepared = p.prepared[s].rawConn
		slow()
		err := p.close() // which waits
		if !closed(prepared.rx) || !closed(prepared.tx) {
			t.Error("what nobody wanted is left open")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
