package rig

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestReadPlan(t *testing.T) {
	mixed, err := os.ReadFile("../testdata/clusters/mixed.conf")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := ReadPlan(string(mixed))
	if err != nil {
		t.Fatal(err)
	}
	const want = "{[{10.51.8.80/23 em1}] [{10.51.8.80:80 DR [10.51.8.31]} {10.51.8.80:80 TUN [10.51.8.37]}] [80]}"
	if got := fmt.Sprint(plan); got != want {
		t.Errorf("plan of mixed.conf:\n%s\nwant\n%s", got, want)
	}
	if got := plan.Service(netip.MustParseAddrPort("10.51.8.80:80")); !slices.Equal(got, []string{"10.51.8.31", "10.51.8.37"}) {
		t.Errorf("real servers of both blocks: %v", got)
	}
	for _, wrong := range []string{"", "virtual_server 10.0.0.1 x {", "real_server 10.0.0.1 80 {", "virtual_server 10.0.0.1\n"} {
		if plan, err := ReadPlan(wrong); err == nil {
			t.Errorf("ReadPlan(%q) = %v, want an error", wrong, plan)
		}
	}
}

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.65.32.28/23": "10.65.33.255", "172.30.0.10/26": "172.30.0.63", "192.0.2.1/32": "192.0.2.1",
	} {
		if got := broadcast(netip.MustParsePrefix(prefix)).String(); got != want {
			t.Errorf("broadcast(%s) = %s, want %s", prefix, got, want)
		}
	}
}

// An advert of keepalived, padded to Ethernet's least length: only the
// datagram counts.
func TestParseAdvert(t *testing.T) {
	frame, err := hex.DecodeString(strings.ReplaceAll(
		"01005e000012 020000000001 0800"+
			"45c00028 00010000 ff70 1839 0a4121fc e0000012"+
			"2180640101010000 0a41201c 3131313100000000"+
			"000000000000", " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	a, ok := parseAdvert(Frame{Data: frame})
	got := fmt.Sprint(a.Source, a.Version, a.VRID, a.Priority, len(a.Datagram))
	if want := "10.65.33.252 2 128 100 40"; !ok || got != want {
		t.Errorf("parseAdvert = %s, %t, want %s", got, ok, want)
	}
	for n := range len(frame) - 6 {
		if a, ok := parseAdvert(Frame{Data: frame[:n]}); ok {
			t.Errorf("parseAdvert of %d bytes = %s, want nothing", n, a)
		}
	}
}

func TestHexAddrPort(t *testing.T) {
	if got := hexAddrPort("0A41201C:01BB").String(); got != "10.65.32.28:443" {
		t.Errorf("hexAddrPort = %s", got)
	}
	for _, wrong := range []string{"", "0A41201C", "0A41201C:", "[2001:0db8]:0050", "zz:zz"} {
		if got := hexAddrPort(wrong); got.IsValid() {
			t.Errorf("hexAddrPort(%q) = %s, want none", wrong, got)
		}
	}
}

func TestTally(t *testing.T) {
	var tally Tally
	for _, name := range []string{"a", "b", "b", "a"} {
		tally.Add(name, nil)
	}
	if !tally.Even("a", "b") || tally.Even("a") || tally.Even("a", "b", "c") {
		t.Errorf("%s: Even is wrong", tally)
	}
	tally.Add("", os.ErrDeadlineExceeded)
	if got, want := tally.String(), "2 from a, 2 from b, 1 lost, the first one: i/o timeout"; got != want || tally.Even("a", "b") {
		t.Errorf("%q, want %q, and not even", got, want)
	}
}

// The guest must not measure go test's limits, nor write its files.
func TestGuestArguments(t *testing.T) {
	got := guestArguments([]string{"-test.v=true", "-test.timeout=10m0s", "-test.testlogfile=/tmp/x", "-test.run=TestDR", "--test.paniconexit0"})
	if want := []string{"-test.v=true", "-test.run=TestDR"}; !slices.Equal(got, want) {
		t.Errorf("guestArguments = %q, want %q", got, want)
	}
}

// The kernel aligns names and contents to four bytes.
func TestArchive(t *testing.T) {
	var a archive
	a.add("init", 0o100755, []byte("hello"))
	b := a.bytes()
	if len(b)%4 != 0 || !strings.HasPrefix(string(b), "070701"+"00000001"+"000081ed") {
		t.Errorf("archive of %d bytes: %q", len(b), b)
	}
	const header = 110
	if got := string(b[header+len("init\x00")+1:][:5]); got != "hello" {
		t.Errorf("content %q", got)
	}
}
