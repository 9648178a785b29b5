package vrrp

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/e2e/rig"
)

// TestFrames runs lvsd and keepalived with the same configuration on hosts
// with the same MAC and IP addresses, each alone on a segment of its own. What
// they send from taking over until they have stopped is equal byte for byte,
// identification of the IPv4 header included: both count the adverts.
func TestFrames(t *testing.T) {
	t.Parallel()
	several6 := []string{"fe80::9:100/64", "2001:db8:9::102/64", "2001:db8:9::101/128"}
	several := []string{"10.9.0.100/24", "10.9.0.102/24", "10.9.0.101/32 dev eth0"}
	tests := []struct {
		name     string
		instance instance
	}{
		{"v2", instance{}},
		{"v2 pass", instance{pass: "s3cret"}},
		{"v2 long pass", instance{pass: "12345678"}},
		{"v2 pass too long", instance{pass: "123456789"}},
		{"v2 pass unicast", instance{pass: "s3cret", source: "10.9.0.1", peers: []string{"10.9.0.2"}}},
		{"v2 AH", instance{ah: "s3cret"}},
		{"v2 AH unicast", instance{ah: "s3cret", source: "10.9.0.1", peers: []string{"10.9.0.3", "10.9.0.2"}}},
		{"v2 AH unicast_ttl", instance{ah: "s3cret", source: "10.9.0.1", peers: []string{"10.9.0.2"}, more: "unicast_ttl 33"}},
		{"v2 fault and recovery", instance{more: trackOther}},
		{"v3 fault and recovery", instance{version: 3, more: trackOther}},
		{"v2 advert_int 2", instance{advert: "2"}},
		{"v2 several addresses", instance{vips: several, excluded: []string{"10.9.0.110/24", "10.9.0.109/24"}}},
		{"v2 unicast", instance{source: "10.9.0.1", peers: []string{"10.9.0.3", "10.9.0.2"}}},
		{"v3", instance{version: 3}},
		{"v3 advert_int 0.5", instance{version: 3, advert: "0.5"}},
		{"v3 several addresses", instance{version: 3, vips: several, excluded: []string{"10.9.0.110/24", "10.9.0.109/24"}}},
		{"v3 unicast", instance{version: 3, source: "10.9.0.1", peers: []string{"10.9.0.3", "10.9.0.2"}}},
		{"v2 unicast_ttl", instance{source: "10.9.0.1", peers: []string{"10.9.0.2"}, more: "unicast_ttl 33"}},
		{"v2 mcast_src_ip", instance{from: "10.9.0.77"}},
		{"v2 mcast_dst_ip", instance{more: "mcast_dst_ip 224.0.0.77"}},
		{"v2 strict", instance{more: "strict_mode true"}},
		{"v2 unicast without peers", instance{more: "unicast_src_ip 10.9.0.1"}},
		{"v3 advert_int 0.1", instance{version: 3, advert: "0.1"}},
		{"v3 advert_int 4.99", instance{version: 3, priority: 255, state: "MASTER", advert: "4.99"}},
		{"v3 old_unicast_checksum", instance{version: 3, source: "10.9.0.1", peers: []string{"10.9.0.3", "10.9.0.2"}, more: "old_unicast_checksum"}},
		{"v3 old_unicast_checksum never", instance{version: 3, source: "10.9.0.1", peers: []string{"10.9.0.2"}, more: "old_unicast_checksum never"}},
		{"v3 owner", instance{version: 3, priority: 255, state: "MASTER"}},
		{"IPv6", instance{vips: vips6}},
		{"IPv6 mcast_dst_ip", instance{vips: vips6, more: "mcast_dst_ip ff02::77"}},
		{"IPv6 strict", instance{vips: vips6, more: "strict_mode true"}},
		{"IPv6 v2", instance{version: 2, vips: vips6}},
		{"IPv6 v2 pass", instance{version: 2, vips: vips6, pass: "s3cret"}},
		{"IPv6 v2 unicast", instance{version: 2, vips: vips6, source: "2001:db8:9::1", peers: []string{"2001:db8:9::2"}}},
		{"IPv6 v2 pass unicast", instance{version: 2, vips: vips6, pass: "s3cret", source: "2001:db8:9::1", peers: []string{"2001:db8:9::2"}}},
		{"IPv6 owner", instance{version: 3, vips: vips6, priority: 255, state: "MASTER"}},
		{"IPv6 fault and recovery", instance{vips: vips6, more: trackOther}},
		{"IPv6 several addresses", instance{vips: several6, excluded: []string{"2001:db8:9::110/64", "10.9.0.110/24"}}},
		{"IPv6 unicast", instance{vips: vips6, source: "2001:db8:9::1", peers: []string{"2001:db8:9::3", "2001:db8:9::2"}}},
		{"IPv6 unicast link-local", instance{vips: vips6, source: "fe80::1", peers: []string{"fe80::3", "fe80::2"}}},
		{"IPv6 unicast_ttl", instance{vips: vips6, source: "2001:db8:9::1", peers: []string{"2001:db8:9::2"}, more: "unicast_ttl 33"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.instance.priority == 0 {
				test.instance.priority = 120
			}
			first := startRecording(t, rig.Binary(), test.instance)
			second := startRecording(t, rig.Keepalived, test.instance)
			if test.instance.more == trackOther {
				fail(first, second)
			}
			got, want := first.finish(), second.finish()
			if diff := cmp.Diff(second.states(0), first.states(0)); diff != "" {
				t.Errorf("the log's lines about states, of keepalived (-) and of lvsd (+):\n%s", diff)
			}
			if diff := cmp.Diff(want.adverts, got.adverts); diff != "" {
				t.Errorf("adverts, of keepalived (-) and of lvsd (+):\n%s", diff)
			}
			if diff := cmp.Diff(want.farewell, got.farewell); diff != "" {
				t.Errorf("adverts of priority 0, of keepalived (-) and of lvsd (+):\n%s", diff)
			}
			if diff := cmp.Diff(want.arps, got.arps); diff != "" {
				t.Errorf("announcements, of keepalived (-) and of lvsd (+):\n%s", diff)
			}
			if !got.advertFirst {
				t.Errorf("the first announcement left before the first advert")
			}
			within(t, "from the first advert to the second burst of announcements", got.secondBurst, 5*time.Second, 5*time.Second+busy)
			if len(want.adverts) == 0 || len(want.farewell) == 0 || len(want.arps) < 10 {
				t.Errorf("keepalived sent too little to compare: %d adverts, %d announcements", len(want.adverts), len(want.arps))
			}
		})
	}
}

// trackOther makes an instance depend on a second device.
const trackOther = "track_interface {\n\teth1\n}"

// A recording is a daemon that is alone on its segment, from its start to its stop.
type recording struct {
	*router
	instance instance
}

// startRecording starts a daemon; neighbours that only answer for their
// addresses are there for unicast.
func startRecording(t *testing.T, binary string, i instance) *recording {
	t.Helper()
	s := newSegment(t)
	if i.source != "" {
		neighbour := i
		neighbour.source = ""
		s.routerOf(neighbour, 2)
		s.routerOf(neighbour, 3)
	}
	r := &recording{s.routerOf(i, 1), i}
	r.plug("eth1", s.Lab.Switch("lan2"), "02:00:00:00:01:01", "10.9.1.1/24")
	r.run(binary, i)
	return r
}

// fail takes the tracked link away from masters for a moment, from all at the same
// time: one that is master for five seconds has more to announce.
func fail(masters ...*recording) {
	for _, r := range masters {
		r.t.Helper()
		r.nextAdvert(time.Time{}, r.instance.priority, r.instance.down()+patience)
		r.owns(true, patience)
	}
	time.Sleep(busy) // what they have to announce at once
	for _, r := range masters {
		r.Link("eth1", false)
	}
	for _, r := range masters {
		r.becomes(0, "VI_1", "FAULT", patience)
		r.owns(false, patience)
	}
	time.Sleep(busy)
	for _, r := range masters {
		r.Link("eth1", true)
	}
}

// What a recorded daemon sent, in hexadecimal.
type sent struct {
	adverts     []string // the first few
	farewell    []string // priority 0: how many adverts were sent before is not part of it
	arps        []string // gratuitous ARP and unsolicited neighbour advertisements
	advertFirst bool
	secondBurst time.Duration // of arps, after the first advert
}

// finish waits for the second burst of gratuitous ARP, stops the daemon and
// answers with what it has sent.
func (r *recording) finish() sent {
	r.t.Helper()
	r.owns(true, r.instance.down()+patience)
	began := r.nextAdvert(time.Now().Add(-r.instance.interval()), r.instance.priority, patience).At
	time.Sleep(time.Until(began.Add(5*time.Second + busy)))
	r.Stop(patience)
	return r.collect()
}

func (r *recording) collect() sent {
	few := 6 // three rounds with two peers each
	if r.instance.more == trackOther {
		few = 1 // how many there are before the fault is chance
	}
	var s sent
	var master, lastARP time.Time // since when it is master
	var last rig.Frame
	for _, f := range r.wire.Frames() {
		switch {
		case !f.Sent:
		case isAdvert(f.Data) && priority(f.Data) == 0:
			s.farewell = append(s.farewell, words(f.Data, identification(last.Data)))
			master = time.Time{}
		case isAdvert(f.Data):
			if len(s.adverts) < min(few, int(5*time.Second/r.instance.interval())) {
				s.adverts = append(s.adverts, words(f.Data, 0))
			}
			if master.IsZero() {
				master = f.At
			}
			last = f
		case isGratuitous(f.Data) || isUnsolicited(f.Data):
			s.advertFirst = s.advertFirst || len(s.arps) == 0 && !master.IsZero()
			if f.At.Sub(lastARP) > 2*time.Second {
				s.secondBurst = f.At.Sub(master)
			}
			lastARP = f.At
			s.arps = append(s.arps, hex.EncodeToString(f.Data))
		}
	}
	return s
}

// isAdvert reports whether an Ethernet frame carries VRRP.
func isAdvert(frame []byte) bool {
	if isIPv6(frame) {
		return len(frame) >= 14+40+8 && frame[14+6] == 112
	}
	return len(frame) >= 14+20+8 && frame[12] == 0x08 && frame[13] == 0x00 && (frame[14+9] == 112 || isAH(frame))
}

// isAH reports whether an IPv4 frame carries VRRP behind an authentication
// header, RFC 2402.
func isAH(frame []byte) bool {
	return len(frame) >= 14+20+24+8 && frame[14+9] == 51 && frame[14+20] == 112
}

func isIPv6(frame []byte) bool { return len(frame) >= 14+40 && frame[12] == 0x86 && frame[13] == 0xdd }

// isUnsolicited reports whether an Ethernet frame is a neighbour advertisement
// to all nodes, RFC 4861 section 4.4.
func isUnsolicited(frame []byte) bool {
	return isIPv6(frame) && len(frame) >= 14+40+24 && frame[14+6] == 58 && frame[14+40] == 136 &&
		netip.AddrFrom16([16]byte(frame[14+24:])) == netip.IPv6LinkLocalAllNodes()
}

// isGratuitous reports whether an Ethernet frame is an ARP packet whose sender
// asks for, or speaks of, its own address.
func isGratuitous(frame []byte) bool {
	return len(frame) >= 14+28 && frame[12] == 0x08 && frame[13] == 0x06 &&
		netip.AddrFrom4([4]byte(frame[28:32])) == netip.AddrFrom4([4]byte(frame[38:42]))
}

// identification is the IPv4 header's, and priority the advert's.
func identification(advert []byte) uint16 {
	if isIPv6(advert) {
		return 0
	}
	return binary.BigEndian.Uint16(advert[14+4:])
}

func priority(advert []byte) uint8 { return advert[vrrpAt(advert)+2] }

// vrrpAt is where the VRRP message begins in a frame.
func vrrpAt(advert []byte) int {
	if isIPv6(advert) {
		return 14 + 40
	}
	if isAH(advert) {
		return 14 + 20 + 24
	}
	return 14 + 4*int(advert[14]&15)
}

// words is an advert in hexadecimal. Its identification counts from base, and
// the IPv4 header's checksum is only there when base is 0.
func words(advert []byte, base uint16) string {
	f := slices.Clone(advert)
	if !isIPv6(f) {
		binary.BigEndian.PutUint16(f[14+4:], identification(f)-base)
		if base != 0 {
			clear(f[14+10 : 14+12])
		}
		if base != 0 && isAH(f) { // which is as different as the count of adverts
			clear(f[14+20+8 : 14+20+24])
		}
	}
	header := vrrpAt(f)
	return fmt.Sprintf("ethernet %x ip %x vrrp %x", f[:14], f[14:header], f[header:])
}

// TestCapture: what has passed before the question is in the answer, at once.
func TestCapture(t *testing.T) {
	t.Parallel()
	r := newSegment(t).router(1)
	beside := r.Capture("eth0") // a socket does not see what it sends itself
	seen := 0
	for n := range 300 {
		if err := r.wire.Send(validAdvert(2, byte(n)).frame()); err != nil {
			t.Fatal(err)
		}
		if at := len(beside.Frames()); at <= seen {
			t.Fatalf("%d frames after frame %d was sent", at, n)
		} else {
			seen = at
		}
	}
}
