package ipvs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

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
	out    messages
	dests  []Dest         // those of the service that is being read
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

// do carries out operations, many in one message, and answers with an error, or
// nil, for each. The second result is an error of the socket itself.
func (g *genl) do(ops []Op) ([]error, error) {
	errs := make([]error, 0, len(ops))
	for some := range slices.Chunk(ops, batchLength) {
		failures, err := g.together(some)
		if err != nil {
			return nil, err
		}
		errs = append(errs, failures...)
	}
	return errs, nil
}

// together sends operations in one message. Only the last one is acknowledged;
// those before it answer when they fail.
func (g *genl) together(ops []Op) ([]error, error) {
	g.out.reset()
	first := g.out.sequence + 1
	for i := range ops {
		if err := g.command(&ops[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", ops[i], err)
		}
	}
	g.out.acknowledge()
	last := g.out.sequence
	if err := g.send(); err != nil {
		return nil, err
	}
	errs := make([]error, len(ops))
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

// send sends what has been put into the buffer.
func (g *genl) send() error {
	raw, err := g.conn.SyscallConn()
	if err != nil {
		return err
	}
	kernel := &unix.SockaddrNetlink{Family: unix.AF_NETLINK}
	var failed error
	if err := raw.Write(func(fd uintptr) bool {
		failed = unix.Sendto(int(fd), g.out.b, 0, kernel)
		return failed != unix.EAGAIN && failed != unix.EINTR
	}); err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("send: %w", failed)
	}
	return nil
}

// command puts the message of an operation into the buffer.
func (g *genl) command(op *Op) error {
	verb := op.Verb.command()
	if verb == 0 {
		return fmt.Errorf("no such operation: %q", op.Verb)
	}
	m := &g.out
	m.begin(g.family.ID, verb, 0)
	service := m.attribute(attrService | unix.NLA_F_NESTED)
	svc := toService(op.Key, op.Attrs)
	if op.Verb == AddService || op.Verb == EditService {
		m.service(&svc, op.Attrs.Engine)
	} else {
		m.key(&svc)
	}
	m.close(service)
	if op.Verb == AddDest || op.Verb == EditDest || op.Verb == DeleteDest {
		dest := m.attribute(attrDest | unix.NLA_F_NESTED)
		m.dest(toDest(op.Dest))
		m.close(dest)
	}
	m.end()
	return nil
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

// key is what tells a service from others.
func (m *messages) key(s *ipvs.Service) {
	m.uint16(svcAF, uint16(s.Family))
	if s.FWMark != 0 {
		m.uint32(svcFWMark, s.FWMark)
		return
	}
	m.uint16(svcProtocol, uint16(s.Protocol))
	m.address(svcAddr, s.Address)
	m.port(svcPort, s.Port)
}

func (m *messages) service(s *ipvs.Service, engine string) {
	m.key(s)
	m.text(svcScheduler, s.Scheduler)
	if engine != "" {
		m.text(svcEngine, engine)
	}
	flags := m.attribute(svcFlags) // struct ip_vs_flags: and which of them are meant
	m.b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(m.b, uint32(s.Flags)), ^uint32(0))
	m.close(flags)
	m.uint32(svcTimeout, s.Timeout)
	if s.Family == ipvs.INET6 {
		m.uint32(svcNetmask, uint32(s.Netmask.Bits()))
	} else {
		m.bytes(svcNetmask, s.Netmask.AsSlice())
	}
}

func (m *messages) dest(d ipvs.Destination) {
	m.uint16(destAF, uint16(d.Family))
	m.address(destAddr, d.Address)
	m.port(destPort, d.Port)
	m.uint32(destMethod, uint32(d.FwdMethod))
	m.uint32(destWeight, d.Weight)
	m.uint32(destUThreshold, d.UpperThreshold)
	m.uint32(destLThreshold, d.LowerThreshold)
	m.uint8(destTunType, uint8(d.TunnelType))
	m.port(destTunPort, d.TunnelPort)
	m.uint16(destTunFlags, uint16(d.TunnelFlags))
}

// flush empties the table.
func (g *genl) flush() error {
	_, err := g.execute(cmdFlush, nil, netlink.Acknowledge)
	return err
}

func (g *genl) close() error { return g.conn.Close() }
