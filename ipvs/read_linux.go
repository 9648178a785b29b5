package ipvs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// The library reads one service at a time, in five exchanges with all of their
// statistics; every service is read once a minute, and all at every reload.

// readTogether is how many services are asked for in one message. The answers
// must have room in the socket's buffer.
const readTogether = 32

// read are services, nil where there is none.
func (g *genl) read(keys []config.ServiceKey) ([]*Service, error) {
	all := make([]*Service, 0, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), readTogether)
		some, err := g.readSome(keys[:n])
		if err != nil {
			return nil, err
		}
		all, keys = append(all, some...), keys[n:]
	}
	for _, s := range all {
		if s == nil {
			continue
		}
		if err := g.readDests(s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// readSome are services without their destinations. Each request has one answer.
func (g *genl) readSome(keys []config.ServiceKey) ([]*Service, error) {
	g.out.reset()
	first := g.out.sequence + 1
	for i := range keys {
		g.request(cmdGetService, 0, &keys[i])
	}
	if err := g.send(); err != nil {
		return nil, err
	}
	services, left := make([]*Service, len(keys)), len(keys)
	var failed error
	err := g.answers(func(a answer) (more bool) {
		at := a.sequence - first
		if at >= uint32(len(keys)) {
			return true // of an earlier exchange
		}
		left--
		if a.kind == unix.NLMSG_ERROR {
			if errno := a.errno(); errno != unix.ESRCH && errno != unix.ENOENT && failed == nil {
				failed = errno
			}
			return left > 0
		}
		s, err := decodeService(a.attributes())
		if err != nil {
			failed = err
		}
		services[at] = s
		return left > 0
	})
	return services, errors.Join(err, failed)
}

// readAll is the whole table.
func (g *genl) readAll() ([]*Service, error) {
	var all []*Service
	err := g.dump(cmdGetService, nil, func(attributes []byte) error {
		s, err := decodeService(attributes)
		all = append(all, s)
		return err
	})
	for _, s := range all {
		if err == nil {
			err = g.readDests(s)
		}
	}
	return all, err
}

func (g *genl) readDests(s *Service) error {
	g.dests = g.dests[:0]
	err := g.dump(cmdGetDest, &s.Key, func(attributes []byte) error {
		d, err := decodeDest(attributes, IPv6(s.Key))
		g.dests = append(g.dests, d)
		return err
	})
	s.Dests = slices.Clone(g.dests)
	if err != nil {
		return fmt.Errorf("read the destinations of %s: %w", s.Key, err)
	}
	return nil
}

// dump hands each message of a list, without its headers, to f. The bytes are
// not f's to keep.
func (g *genl) dump(command uint8, key *config.ServiceKey, f func(attributes []byte) error) error {
	g.out.reset()
	g.request(command, unix.NLM_F_DUMP, key)
	if err := g.send(); err != nil {
		return err
	}
	var failed error
	err := g.answers(func(a answer) (more bool) {
		switch {
		case a.sequence != g.out.sequence:
			return true
		case a.kind == unix.NLMSG_DONE, a.kind == unix.NLMSG_ERROR:
			if errno := a.errno(); errno != 0 {
				failed = errors.Join(failed, errno)
			}
			return false
		}
		failed = errors.Join(failed, f(a.attributes()))
		return true
	})
	return errors.Join(err, failed)
}

// request puts a question for one service, or with a nil key for all, into the
// buffer.
func (g *genl) request(command uint8, flags uint16, key *config.ServiceKey) {
	g.out.begin(g.family.ID, command, flags)
	if key != nil {
		service := g.out.attribute(attrService | unix.NLA_F_NESTED)
		svc := toService(*key, Attrs{})
		g.out.key(&svc)
		g.out.close(service)
	}
	g.out.end()
}

// answer is a message of the kernel.
type answer struct {
	kind     uint16
	sequence uint32
	body     []byte
}

// errno is that of an error, 0 of an acknowledgement or the end of a list.
func (a answer) errno() syscall.Errno {
	return syscall.Errno(-int32(binary.NativeEndian.Uint32(a.body)))
}

// attributes are what follows struct genlmsghdr.
func (a answer) attributes() []byte { return a.body[min(len(a.body), unix.GENL_HDRLEN):] }

var errCutOff = errors.New("the kernel's answer is cut off")

// answers hands what the kernel sends to f until it wants no more. The library
// drops all of what it has received with the first error, and asks for the
// length of each message before it takes it.
func (g *genl) answers(f func(answer) (more bool)) error {
	raw, err := g.conn.SyscallConn()
	if err != nil {
		return err
	}
	for more := true; more; {
		var n int
		var failed error
		if err := raw.Read(func(fd uintptr) bool {
			n, _, failed = unix.Recvfrom(int(fd), g.buffer[:], unix.MSG_DONTWAIT)
			return failed != unix.EAGAIN && failed != unix.EINTR
		}); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("receive: %w", failed)
		}
		for b := g.buffer[:n]; more && len(b) >= unix.NLMSG_HDRLEN+4; {
			length := int(binary.NativeEndian.Uint32(b))
			if length < unix.NLMSG_HDRLEN+4 || length > len(b) {
				return errCutOff
			}
			more = f(answer{binary.NativeEndian.Uint16(b[4:]), binary.NativeEndian.Uint32(b[8:]), b[unix.NLMSG_HDRLEN:length]})
			b = b[min(len(b), (length+3)&^3):]
		}
	}
	return nil
}

// attribute is one of an answer. Its value is not to be kept.
type attribute struct {
	kind  uint16
	value []byte
}

// each hands all attributes to f. The library's decoder makes a copy of each,
// and all services are read at every reload.
func each(b []byte, f func(attribute)) error {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlAttr {
			return errCutOff
		}
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			return errCutOff
		}
		const flags = unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER
		f(attribute{binary.NativeEndian.Uint16(b[2:]) &^ flags, b[unix.SizeofNlAttr:length]})
		b = b[min(len(b), (length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1)):]
	}
	return nil
}

// nested hands each attribute of those of a kind, itself a list of attributes, to f.
func nested(b []byte, kind uint16, f func(attribute)) error {
	var failed error
	err := each(b, func(a attribute) {
		if a.kind == kind && failed == nil {
			failed = each(a.value, f)
		}
	})
	return cmp.Or(err, failed)
}

// uint8 and the others are 0 where the kernel says less.
func (a attribute) uint8() uint8 {
	if len(a.value) < 1 {
		return 0
	}
	return a.value[0]
}

func (a attribute) uint16() uint16 {
	if len(a.value) < 2 {
		return 0
	}
	return binary.NativeEndian.Uint16(a.value)
}

// port is a number in the order of the network.
func (a attribute) port() uint16 {
	if len(a.value) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(a.value)
}

func (a attribute) uint32() uint32 {
	if len(a.value) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a.value)
}

func (a attribute) uint64() uint64 {
	if len(a.value) < 8 {
		return 0
	}
	return binary.NativeEndian.Uint64(a.value)
}

// text ends with a zero.
func (a attribute) text() string { return unix.ByteSliceToString(a.value) }

func decodeService(b []byte) (*Service, error) {
	var raw ipvs.Service
	var addr, mask []byte
	var engine string
	err := nested(b, attrService, func(a attribute) {
		switch a.kind {
		case svcAF:
			raw.Family = ipvs.AddressFamily(a.uint16())
		case svcProtocol:
			raw.Protocol = ipvs.Protocol(a.uint16())
		case svcAddr:
			addr = a.value
		case svcPort:
			raw.Port = a.port()
		case svcFWMark:
			raw.FWMark = a.uint32()
		case svcScheduler:
			raw.Scheduler = a.text()
		case svcFlags: // struct ip_vs_flags
			raw.Flags = ipvs.Flags(a.uint32())
		case svcTimeout:
			raw.Timeout = a.uint32()
		case svcNetmask:
			mask = a.value
		case svcEngine:
			engine = a.text()
		}
	})
	if err != nil {
		return nil, err
	}
	raw.Address = address(addr, raw.Family)
	switch {
	case raw.Family == ipvs.INET6 && len(mask) == 4:
		raw.Netmask = netmask.MaskFrom(int(binary.NativeEndian.Uint32(mask)), 128)
	case len(mask) == 4:
		raw.Netmask = netmask.MaskFrom4([4]byte(mask))
	}
	s := fromService(raw)
	s.Engine = engine
	return s, nil
}

// decodeDest: a kernel that says no family has that of the service.
func decodeDest(b []byte, ipv6 bool) (Dest, error) {
	var raw ipvs.Destination
	var addr []byte
	raw.Family, _ = family(ipv6)
	err := nested(b, attrDest, func(a attribute) {
		switch a.kind {
		case destAddr:
			addr = a.value
		case destPort:
			raw.Port = a.port()
		case destMethod:
			raw.FwdMethod = ipvs.ForwardType(a.uint32())
		case destWeight:
			raw.Weight = a.uint32()
		case destUThreshold:
			raw.UpperThreshold = a.uint32()
		case destLThreshold:
			raw.LowerThreshold = a.uint32()
		case destAF:
			raw.Family = ipvs.AddressFamily(a.uint16())
		case destTunType:
			raw.TunnelType = ipvs.TunnelType(a.uint8())
		case destTunPort:
			raw.TunnelPort = a.port()
		case destTunFlags:
			raw.TunnelFlags = ipvs.TunnelFlags(a.uint16())
		}
	})
	raw.Address = address(addr, raw.Family)
	return fromDest(raw), err
}

// address is one of a union that has room for IPv6.
func address(b []byte, of ipvs.AddressFamily) netip.Addr {
	if of == ipvs.INET && len(b) > 4 {
		b = b[:4]
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
