package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cloudflare/ipvs"
	"github.com/mdlayher/genetlink"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Commands and attributes of the generic netlink family of IPVS that
// cloudflare/ipvs lacks or keeps to itself, include/uapi/linux/ip_vs.h.
const (
	familyName    = "IPVS"
	familyVersion = 1

	cmdNewService = 1
	cmdSetService = 2
	cmdDelService = 3
	cmdGetService = 4
	cmdNewDest    = 5
	cmdSetDest    = 6
	cmdDelDest    = 7
	cmdGetDest    = 8
	cmdFlush      = 17

	attrService = 1
	attrDest    = 2

	svcAF        = 1
	svcProtocol  = 2
	svcAddr      = 3
	svcPort      = 4
	svcFWMark    = 5
	svcScheduler = 6
	svcFlags     = 7
	svcTimeout   = 8
	svcNetmask   = 9
	svcEngine    = 11

	destAddr       = 1
	destPort       = 2
	destMethod     = 3
	destWeight     = 4
	destUThreshold = 5
	destLThreshold = 6
	destAF         = 11
	destTunType    = 13
	destTunPort    = 14
	destTunFlags   = 15
)

// genl speaks to IPVS where cloudflare/ipvs does not: persistence engines, sync
// daemons, emptying the table, and many services and destinations at a time.
type genl struct {
	conn   *netlink.Conn
	family genetlink.Family
	buffer [32 << 10]byte // as much as the kernel puts into one message
}

// dialGenl connects to the IPVS of the current network namespace.
func dialGenl(receive config.ReceiveBuffer) (*genl, error) {
	conn, err := netlink.Dial(unix.NETLINK_GENERIC, nil)
	if err != nil {
		return nil, err
	}
	family, err := genetlink.NewConn(conn).GetFamily(familyName)
	if err == nil && receive.Bytes > 0 {
		err = setReceiveBuffer(conn, receive)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &genl{conn: conn, family: family}, nil
}

func setReceiveBuffer(conn *netlink.Conn, size config.ReceiveBuffer) error {
	option := unix.SO_RCVBUF
	if size.Force {
		option = unix.SO_RCVBUFFORCE
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, option, int(size.Bytes))
	}); err != nil {
		return err
	}
	return failed
}

// execute sends one command and waits for its answer.
func (g *genl) execute(command uint8, data []byte, flags netlink.HeaderFlags) ([]genetlink.Message, error) {
	m := genetlink.Message{Header: genetlink.Header{Command: command, Version: familyVersion}, Data: data}
	return genetlink.NewConn(g.conn).Execute(m, g.family.ID, netlink.Request|flags)
}

// batchLength is how many commands are sent in one message. The answers, one
// for each that fails, must have room in the socket's buffer.
const batchLength = 64

// batch sends commands together, and answers with an error, or nil, for each.
// Only the last one is acknowledged; those before it answer when they fail. The
// second result is an error of the socket itself.
func (g *genl) batch(commands []netlink.Message) ([]error, error) {
	errs := make([]error, 0, len(commands))
	for len(commands) > 0 {
		n := min(len(commands), batchLength)
		some, err := g.together(commands[:n])
		if err != nil {
			return nil, err
		}
		errs, commands = append(errs, some...), commands[n:]
	}
	return errs, nil
}

func (g *genl) together(commands []netlink.Message) ([]error, error) {
	commands[len(commands)-1].Header.Flags |= netlink.Acknowledge
	sent, err := g.conn.SendMessages(commands)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(sent))
	first, last := sent[0].Header.Sequence, sent[len(sent)-1].Header.Sequence
	return errs, g.answers(func(a answer) (more bool) {
		if a.kind != unix.NLMSG_ERROR {
			return true
		}
		if at := a.sequence - first; at < uint32(len(errs)) && a.errno() != 0 {
			errs[at] = a.errno()
		}
		return a.sequence != last
	})
}

// command is a message of one operation.
func (g *genl) command(op Op) (netlink.Message, error) {
	verb := op.Verb.command()
	if verb == 0 {
		return netlink.Message{}, fmt.Errorf("no such operation: %q", op.Verb)
	}
	ae := netlink.NewAttributeEncoder()
	svc := toService(op.Key, op.Attrs)
	ae.Nested(attrService, func(ae *netlink.AttributeEncoder) error {
		if op.Verb == AddService || op.Verb == EditService {
			encodeService(ae, &svc, op.Attrs.Engine)
		} else {
			encodeKey(ae, &svc)
		}
		return nil
	})
	if op.Verb == AddDest || op.Verb == EditDest || op.Verb == DeleteDest {
		dest := toDest(op.Dest)
		ae.Nested(attrDest, func(ae *netlink.AttributeEncoder) error {
			encodeDest(ae, &dest)
			return nil
		})
	}
	data, err := ae.Encode()
	header := []byte{verb, familyVersion, 0, 0} // struct genlmsghdr
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(g.family.ID), Flags: netlink.Request},
		Data:   append(header, data...),
	}, err
}

// command is that of the kernel; 0 for no verb.
func (v Verb) command() uint8 {
	switch v {
	case AddService:
		return cmdNewService
	case EditService:
		return cmdSetService
	case DeleteService:
		return cmdDelService
	case AddDest:
		return cmdNewDest
	case EditDest:
		return cmdSetDest
	case DeleteDest:
		return cmdDelDest
	}
	return 0
}

// encodeKey is what tells a service from others.
func encodeKey(ae *netlink.AttributeEncoder, s *ipvs.Service) {
	ae.Uint16(svcAF, uint16(s.Family))
	if s.FWMark != 0 {
		ae.Uint32(svcFWMark, s.FWMark)
		return
	}
	ae.Uint16(svcProtocol, uint16(s.Protocol))
	ae.Bytes(svcAddr, s.Address.AsSlice())
	ae.Bytes(svcPort, binary.BigEndian.AppendUint16(nil, s.Port))
}

func encodeService(ae *netlink.AttributeEncoder, s *ipvs.Service, engine string) {
	encodeKey(ae, s)
	ae.String(svcScheduler, s.Scheduler)
	if engine != "" {
		ae.String(svcEngine, engine)
	}
	ae.Bytes(svcFlags, binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, uint32(s.Flags)), ^uint32(0)))
	ae.Uint32(svcTimeout, s.Timeout)
	if s.Family == ipvs.INET6 {
		ae.Uint32(svcNetmask, uint32(s.Netmask.Bits()))
	} else {
		ae.Bytes(svcNetmask, s.Netmask.AsSlice())
	}
}

func encodeDest(ae *netlink.AttributeEncoder, d *ipvs.Destination) {
	ae.Uint16(destAF, uint16(d.Family))
	ae.Bytes(destAddr, d.Address.AsSlice())
	ae.Bytes(destPort, binary.BigEndian.AppendUint16(nil, d.Port))
	ae.Uint32(destMethod, uint32(d.FwdMethod))
	ae.Uint32(destWeight, d.Weight)
	ae.Uint32(destUThreshold, d.UpperThreshold)
	ae.Uint32(destLThreshold, d.LowerThreshold)
	ae.Uint8(destTunType, uint8(d.TunnelType))
	ae.Bytes(destTunPort, binary.BigEndian.AppendUint16(nil, d.TunnelPort))
	ae.Uint16(destTunFlags, uint16(d.TunnelFlags))
}

// flush empties the table.
func (g *genl) flush() error {
	_, err := g.execute(cmdFlush, nil, netlink.Acknowledge)
	return err
}

func (g *genl) close() error { return g.conn.Close() }
