//go:build linux

package netns

import (
	"context"
	"net"
	"os/exec"
	"strings"
	"testing"
)

// Two hosts on a LAN reach each other; sockets made in Do stay inside; nothing
// is left afterwards.
func TestLAN(t *testing.T) {
	var names []string
	t.Run("hosts", func(t *testing.T) {
		lan := NewLAN(t)
		a, b := New(t, "netns-a"), New(t, "netns-b")
		names = []string{lan.Name, a.Name, b.Name}
		lan.Attach(t, a, "eth0", "10.0.0.1/24")
		lan.Attach(t, b, "eth0", "10.0.0.2/24")

		var listener net.Listener
		if err := b.Do(func() (err error) { listener, err = net.Listen("tcp", "10.0.0.2:0"); return err }); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }()
		err := a.Do(func() error {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err == nil {
				_ = conn.Close()
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		out, err := a.Command(context.Background(), "ip", "-br", "-4", "addr", "show", "eth0").Output()
		if err != nil || !strings.Contains(string(out), "10.0.0.1/24") {
			t.Errorf("eth0: %q, %v", out, err)
		}
	})
	list, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.Contains(string(list), name) {
			t.Errorf("%s is still there", name)
		}
	}
}
