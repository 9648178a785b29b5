package checker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lvsd/lvsd/config"
)

// reply answers a DNS query with a header that is changed.
func reply(query []byte, change func(*dns.Msg)) []byte {
	var m dns.Msg
	if err := m.Unpack(query); err != nil {
		return nil
	}
	m.Response = true
	change(&m)
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func TestDNS(t *testing.T) {
	right := func(q []byte) []byte { return reply(q, func(*dns.Msg) {}) }
	code := func(c int) func(q []byte) [][]byte {
		return func(q []byte) [][]byte { return [][]byte{reply(q, func(m *dns.Msg) { m.Rcode = c })} }
	}
	another := func(q []byte) []byte { return reply(q, func(m *dns.Msg) { m.Id ^= 1; m.Rcode = dns.RcodeRefused }) }
	for name, test := range map[string]struct {
		server func(query []byte) [][]byte
		reason string // empty: up
	}{
		"answer":           {func(q []byte) [][]byte { return [][]byte{right(q)} }, ""},
		"header alone":     {func(q []byte) [][]byte { return [][]byte{right(q)[:12]} }, ""},
		"garbage behind":   {func(q []byte) [][]byte { return [][]byte{append(right(q)[:12], strings.Repeat("\xff", 4000)...)} }, ""},
		"after others":     {func(q []byte) [][]byte { return [][]byte{{}, {1}, another(q), q, right(q)[:11], right(q)} }, ""},
		"no such name":     {code(dns.RcodeNameError), "(rcode = 3)"},
		"refused":          {code(dns.RcodeRefused), "(rcode = 5)"},
		"mute":             {replies(), "read timeout from socket"},
		"mute, for others": {func(q []byte) [][]byte { return [][]byte{another(q), q} }, "read timeout from socket"},
		"flood":            {func(q []byte) [][]byte { return slices.Repeat([][]byte{q}, 20*maxStrangers) }, "too many datagrams"},
	} {
		t.Run(name, func(t *testing.T) {
			check, _ := answering(t, "127.0.0.1:0", test.server)
			check.Params = &config.DNSParams{Type: "A", Name: "example.org"}
			if strings.Contains(name, "mute") {
				check.Timing = within(50 * time.Millisecond)
			}
			if r := probed(t, newDNS(check)); r.Up != (test.reason == "") || !strings.Contains(r.Reason, test.reason) || r.Local != "" {
				t.Errorf("%+v, want %q", r, test.reason)
			}
		})
	}
}

// What is asked, and under what identifier.
func TestDNSQuestion(t *testing.T) {
	questions := make(chan dns.Msg, 32)
	check, _ := answering(t, "127.0.0.1:0", func(q []byte) [][]byte {
		var m dns.Msg
		if err := m.Unpack(q); err != nil {
			t.Error(err)
		}
		questions <- m
		return [][]byte{reply(q, func(*dns.Msg) {})}
	})
	types := strings.Fields("A NS CNAME SOA MX TXT AAAA RRSIG DNSKEY")
	for _, kind := range types {
		check.Params = &config.DNSParams{Type: kind, Name: "www.example.org"}
		if r := probed(t, newDNS(check)); !r.Up {
			t.Fatalf("%+v", r)
		}
	}
	root := config.DefaultDNSParams
	check.Params = &root
	if r := probed(t, newDNS(check)); !r.Up {
		t.Fatalf("%+v", r)
	}
	var ids []uint16
	for i := range 2 * (len(types) + 1) { // each is asked in two ways
		m, i := <-questions, i/2
		want := dns.Question{Name: ".", Qtype: dns.TypeSOA, Qclass: dns.ClassINET}
		if i < len(types) {
			want = dns.Question{Name: "www.example.org.", Qtype: dns.StringToType[types[i]], Qclass: dns.ClassINET}
		}
		if len(m.Question) != 1 || m.Question[0] != want || !m.RecursionDesired || m.Response || m.Opcode != dns.OpcodeQuery {
			t.Errorf("asked %v, want %v", m, want)
		}
		ids = append(ids, m.Id)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) < 2*len(types)-2 {
		t.Errorf("the identifiers are %v", ids)
	}
}

func TestDNSTrouble(t *testing.T) {
	check, _ := answering(t, "127.0.0.1:0", replies())
	check.Params = &config.DNSParams{Type: "A", Name: strings.Repeat("x", 64) + ".org"}
	if r := probed(t, newDNS(check)); r.Up || r.Reason == "" {
		t.Errorf("a label that is too long: %+v", r)
	}
	check.Params = &config.DNSParams{Type: "SOA"}
	check.Bind = &config.Bind{BindIf: "nosuchlink"}
	if r := probed(t, newDNS(check)); r.Up || r.Local != dnsPhrases.noBind {
		t.Errorf("%+v", r)
	}
	check.Bind, check.ConnectPort = nil, 9
	if r := probed(t, newDNS(check)); r.Up || r.Timeout || !strings.Contains(r.Reason, "failed to read socket; errno 111 (Connection refused)") {
		t.Errorf("%+v", r)
	}
}
