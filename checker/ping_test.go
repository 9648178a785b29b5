package checker

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/lvsd/lvsd/config"
)

func pinged(addr string) config.Check {
	return config.Check{ConnectIP: netip.MustParseAddr(addr), ConnectPort: 80, Timing: within(patience)}
}

// mayPing leaves a test out where this process may not open an ICMP socket.
func mayPing(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 && testing.Short() {
		t.Skip("LEFT OUT by -short: ICMP sockets take root or net.ipv4.ping_group_range; `make test` runs it")
	}
}

func TestPing(t *testing.T) {
	mayPing(t)
	for _, addr := range []string{"127.0.0.1", "::1"} {
		if r := probed(t, newPing(pinged(addr))); !r.Up || r.Reason != "" {
			t.Errorf("%s: %+v", addr, r)
		}
	}
}

func TestPingBind(t *testing.T) {
	mayPing(t)
	for bind, local := range map[config.Bind]string{
		{BindTo: netip.MustParseAddr("127.0.0.9"), BindPort: 77, BindIf: "lo", FWMark: 7}: "",
		{BindTo: netip.MustParseAddr("192.0.2.1")}:                                        pingPhrases.noBind,
		{BindIf: "nosuchlink"}: pingPhrases.noBind,
	} {
		check := pinged("127.0.0.1")
		check.Bind = &bind
		if r := probed(t, newPing(check)); r.Up != (local == "") || r.Local != local {
			t.Errorf("%+v: %+v", bind, r)
		}
	}
}

// On a link of its own nobody answers, and the kernel says so in time or not.
func TestPingNobody(t *testing.T) {
	mayPing(t)
	check := pinged("240.0.0.1")
	check.Timing = within(50 * time.Millisecond)
	p := newPing(check)
	for way, r := range map[string]Result{"by itself": p.Check(t.Context()), "polled": polledOnce(polling(t), p)} {
		if r.Up || r.Local != "" || r.Reason == "" {
			t.Errorf("%s: %+v", way, r)
		}
	}
}

// Of all that a socket may be given, one message is the reply.
func TestEcho(t *testing.T) {
	marshal := func(m icmp.Message) string {
		b, err := m.Marshal(nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const header = "\x46234567890123456789abcde" // with four octets of options
	for _, addr := range []string{"127.0.0.1", "::1"} {
		for _, raw := range []bool{false, true} {
			e := newPing(pinged(addr)).newEcho(raw)
			reply, before := icmp.Type(ipv6.ICMPTypeEchoReply), ""
			if e.v4 {
				reply = ipv4.ICMPTypeEchoReply
			}
			if e.v4 && raw {
				before = header
			}
			body, other, alien := e.message, e.message, e.message
			other.Data, alien.ID = []byte("12345678"), e.message.ID^1
			if text := string(e.message.Data); len(text) != 128 || !strings.HasPrefix(text, "keepalived check - keepalived check - ") {
				t.Errorf("sent %q", text)
			}
			right := before + marshal(icmp.Message{Type: reply, Body: &body})
			for name, test := range map[string]struct {
				bytes string
				want  bool
			}{
				"reply":           {right, true},
				"request":         {before + string(e.request()), false},
				"other data":      {before + marshal(icmp.Message{Type: reply, Body: &other}), false},
				"of another":      {before + marshal(icmp.Message{Type: reply, Body: &alien}), !raw},
				"nothing":         {"", false},
				"header alone":    {before, false},
				"cut":             {right[:len(right)-1], false},
				"short":           {right[:1], false},
				"other direction": {strings.Repeat("\xff", 40), false},
			} {
				if got := e.answeredBy([]byte(test.bytes)); got != test.want {
					t.Errorf("%s, raw %t, %s: %t", addr, raw, name, got)
				}
			}
		}
	}
}
