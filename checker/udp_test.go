package checker

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// answering is a UDP server on loopback and a check of it. The server answers
// each datagram with those that reply gives.
func answering(t *testing.T, addr string, reply func([]byte) [][]byte) (config.Check, <-chan netip.AddrPort) {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	from := make(chan netip.AddrPort, 8)
	go func() {
		b := make([]byte, 1<<16)
		for {
			n, peer, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			select {
			case from <- peer:
			default:
			}
			for _, r := range reply(b[:n]) {
				_, _ = conn.WriteToUDPAddrPort(r, peer)
			}
		}
	}()
	at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return config.Check{ConnectIP: at.Addr(), ConnectPort: at.Port(), Timing: within(patience)}, from
}

// patience is a timeout that no probe of these tests is to reach.
const patience = 10 * time.Second

// within is the timing of a check with a connect_timeout.
func within(timeout time.Duration) *config.Timing {
	return &config.Timing{ConnectTimeout: config.Some(timeout)}
}

func replies(all ...string) func([]byte) [][]byte {
	return func([]byte) (b [][]byte) {
		for _, r := range all {
			b = append(b, []byte(r))
		}
		return b
	}
}

func echoes(b []byte) [][]byte { return [][]byte{b} }

func TestUDP(t *testing.T) {
	params := func(change func(*config.UDPParams)) *config.UDPParams {
		p := config.DefaultUDPParams
		change(&p)
		return &p
	}
	reply := func(pattern, mask string) func(*config.UDPParams) {
		return func(p *config.UDPParams) { p.RequireReply, p.Reply, p.ReplyMask = true, []byte(pattern), []byte(mask) }
	}
	any := reply("", "")
	length := func(low, high uint16) func(*config.UDPParams) {
		return func(p *config.UDPParams) { p.RequireReply, p.MinReplyLength, p.MaxReplyLength = true, low, high }
	}
	for name, test := range map[string]struct {
		params func(*config.UDPParams)
		server func([]byte) [][]byte
		reason string // empty: up
	}{
		"mute":             {func(*config.UDPParams) {}, replies(), ""},
		"any reply":        {func(*config.UDPParams) {}, replies("no"), ""},
		"filler":           {length(32, 32), echoes, ""},
		"payload":          {func(p *config.UDPParams) { p.Payload = []byte("hi"); reply("hi", "\xff\xff")(p) }, echoes, ""},
		"required":         {any, replies("x"), ""},
		"required, mute":   {any, replies(), "no reply: i/o timeout"},
		"mask":             {reply("a\x00c", "\xff\x00\xff"), replies("abc"), ""},
		"half an octet":    {reply("\x60", "\xf0"), replies("a"), ""},
		"mismatch":         {reply("a\x00c", "\xff\x00\xff"), replies("abd"), "the reply has 64 at octet 2"},
		"first reply":      {reply("a", "\xff"), replies("b", "a"), "at octet 0"},
		"shorter":          {reply("abc", "\xff\xff\xff"), replies("ab"), ""},
		"longer":           {reply("abc", "\xff\xff\xff"), replies("abcd"), ""},
		"empty":            {any, replies(""), ""},
		"too short":        {length(3, 9), replies("ab"), "the reply has 2 octets or more, not 3 to 9"},
		"too long":         {length(0, 9), replies("0123456789ab"), "the reply has 10 octets or more, not 0 to 9"},
		"as long as given": {length(9, 9), replies("012345678"), ""},
		"huge":             {any, replies(strings.Repeat("x", 60000)), "the reply has 256 octets or more, not 0 to 255"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
				check, _ := answering(t, addr, test.server)
				check.Params = params(test.params)
				if strings.Contains(name, "mute") {
					check.Timing = within(50 * time.Millisecond)
				}
				r := probed(t, newUDP(check))
				if r.Up != (test.reason == "") || !strings.Contains(r.Reason, test.reason) || r.Local != "" {
					t.Errorf("%s: %+v, want %q", addr, r, test.reason)
				}
			}
		})
	}
}

// The network says that nobody listens.
func TestUDPRefused(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:9", "[::1]:9"} {
		at := netip.MustParseAddrPort(addr)
		params := config.DefaultUDPParams
		check := config.Check{ConnectIP: at.Addr(), ConnectPort: at.Port(), Timing: within(patience), Params: &params}
		r := probed(t, newUDP(check))
		if r.Up || r.Timeout || r.Local != "" || !strings.Contains(r.Reason, "connection refused") {
			t.Errorf("%s: %+v", addr, r)
		}
	}
}

func TestUDPBind(t *testing.T) {
	check, from := answering(t, "127.0.0.1:0", echoes)
	check.Bind = &config.Bind{BindTo: netip.MustParseAddr("127.0.0.9"), BindIf: "lo"}
	params := config.DefaultUDPParams
	check.Params = &params
	if r := probed(t, newUDP(check)); !r.Up {
		t.Fatalf("%+v", r)
	}
	if got := (<-from).Addr(); got != check.Bind.BindTo {
		t.Errorf("came from %v", got)
	}
	check.Bind = &config.Bind{BindTo: netip.MustParseAddr("192.0.2.1")}
	if r := probed(t, newUDP(check)); r.Up || r.Local != udpPhrases.noBind {
		t.Errorf("%+v", r)
	}
}

// A check that is cancelled is not up for want of an answer.
func TestUDPCancelled(t *testing.T) {
	check, from := answering(t, "127.0.0.1:0", replies())
	params := config.DefaultUDPParams
	check.Params = &params
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-from
		cancel()
	}()
	if r := newUDP(check).Check(ctx); r.Up {
		t.Errorf("%+v", r)
	}
}
