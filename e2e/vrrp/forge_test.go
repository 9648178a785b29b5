package vrrp

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // RFC 2403
	"encoding/binary"
	"net/netip"
	"slices"
)

// A forgery is an advert that a router must reject for one reason alone.
type forgery struct {
	reason string
	frame  []byte
}

// A datagram is an advert over IPv4 in the making, with what a liar may set.
type datagram struct {
	source, destination netip.Addr
	ttl                 uint8
	pseudo              bool   // version 3: the checksum covers the pseudo header
	vrrp                []byte // without its checksum
	checksum            func(uint16) uint16
}

// forgeries are adverts for router 51 in version 2 with the password s3cret,
// or in version 3, for one virtual address, from a host that is none of its
// routers. If one were believed, priority 250 would depose any master and hold
// back any backup, priority 0 would call the backup to take over.
func forgeries(version int) []forgery {
	var all []forgery
	for _, priority := range []byte{250, 0} {
		valid := func() datagram { return validAdvert(version, priority) }
		add := func(reason string, lie func(*datagram)) {
			d := valid()
			lie(&d)
			all = append(all, forgery{reason, d.frame()})
		}
		add("checksum", func(d *datagram) { d.checksum = func(sum uint16) uint16 { return sum ^ 0x0100 } })
		add("TTL", func(d *datagram) { d.ttl = 254 })
		add("VRID", func(d *datagram) { d.vrrp[1] = 52 })
		add("version 15", func(d *datagram) { d.vrrp[0] |= 0xf0 })
		add("type 2", func(d *datagram) { d.vrrp[0] = d.vrrp[0]&0xf0 | 2 })
		add("more addresses than there are", func(d *datagram) { d.vrrp[3] = 200 })
		add("cut in the header", func(d *datagram) { d.vrrp = d.vrrp[:5] })
		add("cut in the addresses", func(d *datagram) { d.vrrp = d.vrrp[:10] })
		add("nothing but an IP header", func(d *datagram) { d.vrrp = nil })
		add("surplus", func(d *datagram) { d.vrrp = append(d.vrrp, make([]byte, 64)...) })
		add("unicast in a multicast instance", func(d *datagram) { d.destination = netip.MustParseAddr("10.9.0.1") })
		add("unicast in a multicast instance", func(d *datagram) { d.destination = netip.MustParseAddr("10.9.0.2") })
		if version == 3 {
			add("version 2", func(d *datagram) { *d = validAdvert(2, priority) })
			add("interval 0", func(d *datagram) { d.vrrp[4], d.vrrp[5] = 0, 0 })
			continue
		}
		add("version 3", func(d *datagram) { *d = validAdvert(3, priority) })
		add("no authentication", func(d *datagram) { d.vrrp[4] = 0; clear(d.vrrp[12:]) })
		add("authentication header", func(d *datagram) { d.vrrp[4] = 2 })
		add("password", func(d *datagram) { copy(d.vrrp[12:], "s3crets") })
		add("interval", func(d *datagram) { d.vrrp[5] = 7 })
		add("no password", func(d *datagram) { d.vrrp = d.vrrp[:12] })
	}
	return all
}

// headed are forgeries for a router with authentication headers, all of them
// in protocol 51: who lies about them is not believed, even with the right
// password when the number is an old one.
func headed(password string) []forgery {
	var all []forgery
	for _, priority := range []byte{250, 0} {
		valid := validAdvert(2, priority)
		valid.vrrp[4] = 2
		clear(valid.vrrp[12:])
		add := func(reason string, number uint32, key string, lie func(ip []byte)) {
			all = append(all, forgery{reason, valid.headed(number, key, lie)})
		}
		add("password", 1<<31, "another", nil)
		add("number 0", 0, password, nil)
		add("SPI", 1<<31, password, func(ip []byte) { ip[24]++ })
		add("TTL", 1<<31, password, func(ip []byte) { ip[8] = 254 })
		add("next header", 1<<31, password, func(ip []byte) { ip[20] = 17 })
		add("source", 1<<31, password, func(ip []byte) { ip[15]++ })
		all = append(all, forgery{"no header", valid.frame()})
	}
	return all
}

// headed is the datagram behind an authentication header, RFC 2402 and RFC
// 2403, with lies that are told after it was signed.
func (d datagram) headed(number uint32, key string, lie func(ip []byte)) []byte {
	v := slices.Clone(d.vrrp)
	binary.BigEndian.PutUint16(v[6:], internetChecksum(v))
	ip := []byte{0x45, 0, 0, 0, 0, 1, 0, 0, d.ttl, 51, 0, 0}
	ip = slices.Concat(ip, d.source.AsSlice(), d.destination.AsSlice(), []byte{112, 4, 0, 0}, d.source.AsSlice())
	ip = binary.BigEndian.AppendUint32(ip, number)
	ip = append(append(ip, make([]byte, 12)...), v...)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	mac := hmac.New(md5.New, []byte(key))
	mac.Write(ip)
	copy(ip[32:44], mac.Sum(nil))
	if lie != nil {
		lie(ip)
	}
	ip[1] = 0xc0
	binary.BigEndian.PutUint16(ip[10:], internetChecksum(ip[:20]))
	ethernet := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0x66, 0x08, 0x00}
	return slices.Concat(ethernet, ip)
}

// validAdvert is RFC 3768 section 5.1 or RFC 9568 section 5.1.
func validAdvert(version int, priority uint8) datagram {
	d := datagram{
		source: netip.MustParseAddr("10.9.0.66"), destination: netip.MustParseAddr("224.0.0.18"), ttl: 255,
		pseudo:   version == 3,
		vrrp:     []byte{byte(version)<<4 | 1, 51, priority, 1, 0, 100, 0, 0},
		checksum: func(sum uint16) uint16 { return sum },
	}
	d.vrrp = append(d.vrrp, vip.AsSlice()...)
	if version == 2 {
		d.vrrp[4], d.vrrp[5] = 1, 1 // a simple password, 1 s
		d.vrrp = append(d.vrrp, "s3cret\x00\x00"...)
	}
	return d
}

// frame is the datagram in an Ethernet frame to everybody.
func (d datagram) frame() []byte {
	v := slices.Clone(d.vrrp)
	if len(v) >= 8 {
		covered := v
		if d.pseudo {
			covered = slices.Concat(d.source.AsSlice(), d.destination.AsSlice(), []byte{0, 112, 0, byte(len(v))}, v)
		}
		binary.BigEndian.PutUint16(v[6:], d.checksum(internetChecksum(covered)))
	}
	ip := []byte{0x45, 0xc0, 0, 0, 0, 1, 0, 0, d.ttl, 112, 0, 0}
	ip = slices.Concat(ip, d.source.AsSlice(), d.destination.AsSlice())
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(v)))
	binary.BigEndian.PutUint16(ip[10:], internetChecksum(ip))
	ethernet := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 0x66, 0x08, 0x00}
	return slices.Concat(ethernet, ip, v)
}

// internetChecksum is RFC 1071's.
func internetChecksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
