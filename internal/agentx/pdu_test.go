package agentx

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// written are PDUs and how they are on the wire, put together by hand from RFC
// 2741 section 6.
var written = []struct {
	name string
	pdu  PDU
	wire string
}{
	{
		"open", PDU{Kind: Open, Session: 1, Transaction: 2, Packet: 3, Timeout: 5, OID: OID{1, 3, 6, 1, 4, 1, 9586}, Text: "abcde"},
		"01 01 10 00  00000001 00000002 00000003 0000001c  05 000000  02 04 00 00 00000001 00002572  00000005 61626364 65000000",
	},
	{
		"close", PDU{Kind: Close, Session: 9, Reason: 5},
		"01 02 10 00  00000009 00000000 00000000 00000004  05 000000",
	},
	{
		"register", PDU{Kind: Register, Priority: 127, OID: OID{1, 3, 6, 1, 2, 1, 68}},
		"01 03 10 00  00000000 00000000 00000000 00000010  00 7f 0000  02 02 00 00 00000001 00000044",
	},
	{
		"get in a context", PDU{Kind: Get, Context: "ab", Ranges: []Range{{Start: OID{1, 2}}, {Start: OID{1, 3, 6, 1, 4}, Include: true, End: OID{1, 3, 6, 1, 5}}}},
		"01 05 18 00  00000000 00000000 00000000 00000020  00000002 61620000  02 00 00 00 00000001 00000002  00000000  00 04 01 00  00 05 00 00",
	},
	{
		"get bulk", PDU{Kind: GetBulk, NonRepeaters: 1, MaxRepetitions: 10, Ranges: []Range{{Start: OID{7}}}},
		"01 07 10 00  00000000 00000000 00000000 00000010  0001 000a  01 00 00 00 00000007  00000000",
	},
	{
		"response", PDU{Kind: Response, UpTime: 4, Error: WrongValue, Index: 2, VarBinds: []VarBind{
			{OID{1}, Integer(-2)}, {OID{2}, Counter64(1 << 40)}, {OID{3}, IPAddress(netipAddr("10.0.0.1"))}, {OID{4}, Value{Type: TypeEndOfMIBView}}, {OID{5}, Name(OID{1, 3, 6, 1, 4})},
		}},
		"01 12 10 00  00000000 00000000 00000000 0000005c  00000004 000a 0002" +
			" 0002 0000 01 00 00 00 00000001 fffffffe" +
			" 0046 0000 01 00 00 00 00000002 00000100 00000000" +
			" 0040 0000 01 00 00 00 00000003 00000004 0a000001" +
			" 0082 0000 01 00 00 00 00000004" +
			" 0006 0000 01 00 00 00 00000005 00 04 00 00",
	},
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWire(t *testing.T) {
	for _, test := range written {
		want := unhex(t, test.wire)
		if d := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(test.pdu.Append(nil))); d != "" {
			t.Errorf("%s: -want +written\n%s", test.name, d)
		}
		got, err := Parse(want)
		if d := cmp.Diff(test.pdu, got, cmpopts.EquateEmpty()); d != "" || err != nil {
			t.Errorf("%s: %v, -want +read\n%s", test.name, err, d)
		}
	}
}

// TestLittleEndian: a daemon may write in the order of its machine.
func TestLittleEndian(t *testing.T) {
	got, err := Parse(unhex(t, "01 06 00 00  01000000 02000000 03000000 14000000  02 02 00 00 01000000 44000000  01 00 00 00 07000000"))
	want := PDU{Kind: GetNext, Session: 1, Transaction: 2, Packet: 3, Ranges: []Range{{Start: OID{1, 3, 6, 1, 2, 1, 68}, End: OID{7}}}}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" || err != nil {
		t.Errorf("%v, -want +got\n%s", err, d)
	}
}

// TestBroken: no PDU that is cut short or has a byte changed does more than
// fail, and one that is read is not more than was there.
func TestBroken(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range written {
		whole := unhex(t, test.wire)
		for n := range whole {
			if p, err := Parse(whole[:n]); err == nil {
				t.Errorf("%s: %d of %d bytes are %+v", test.name, n, len(whole), p)
			}
		}
		for range 2000 {
			b := append([]byte(nil), whole...)
			for range 1 + random.IntN(3) {
				b[random.IntN(len(b))] = byte(random.Uint32())
			}
			check(t, b)
		}
	}
}

// check: what can be read can be written, and read again.
func check(t *testing.T, b []byte) {
	t.Helper()
	p, err := Parse(b)
	if err != nil {
		return
	}
	again, err := Parse(p.Append(nil))
	if d := cmp.Diff(p, again, cmpopts.EquateEmpty()); d != "" || err != nil {
		t.Errorf("%x: %v, -read +read again\n%s", b, err, d)
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range written {
		b, err := hex.DecodeString(strings.ReplaceAll(test.wire, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, b) })
}
