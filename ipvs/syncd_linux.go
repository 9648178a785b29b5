package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cloudflare/ipvs"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Commands and attributes of sync daemons, include/uapi/linux/ip_vs.h.
const (
	cmdNewDaemon = 9
	cmdDelDaemon = 10

	attrDaemon = 3

	daemonState     = 1
	daemonInterface = 2
	daemonID        = 3
	daemonMaxLen    = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)

// StartSync implements [SyncKernel].
func (n *Netlink) StartSync(role SyncRole, d config.SyncDaemon) error {
	return n.daemon(cmdNewDaemon, role, &d)
}

// StopSync implements [SyncKernel].
func (n *Netlink) StopSync(role SyncRole) error {
	return n.daemon(cmdDelDaemon, role, &config.SyncDaemon{})
}

func (n *Netlink) daemon(command uint8, role SyncRole, d *config.SyncDaemon) error {
	ae := netlink.NewAttributeEncoder()
	ae.Nested(attrDaemon, func(ae *netlink.AttributeEncoder) error {
		ae.Uint32(daemonState, uint32(role))
		ae.String(daemonInterface, d.Interface)
		ae.Uint32(daemonID, uint32(d.ID.Value))
		if d.MaxLen != 0 {
			ae.Uint16(daemonMaxLen, d.MaxLen)
		}
		if d.Port != 0 {
			ae.Uint16(daemonPort, d.Port)
		}
		if d.TTL != 0 {
			ae.Uint8(daemonTTL, d.TTL)
		}
		switch g := d.Group; {
		case g.Is4():
			ae.Bytes(daemonGroup, g.AsSlice())
		case g.Is6():
			ae.Bytes(daemonGroup6, g.AsSlice())
		}
		return nil
	})
	data, err := ae.Encode()
	if err != nil {
		return err
	}
	err = n.with(func(s *sockets) error {
		_, err := s.genl.execute(command, data, netlink.Acknowledge)
		return err
	})
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("sync daemon: %w", fs.ErrNotExist)
	}
	return err
}

// Timeouts implements [Kernel].
func (n *Netlink) Timeouts() (t Timeouts, err error) {
	err = n.with(func(s *sockets) error {
		c, err := s.Config()
		t = Timeouts{seconds(c.TCPTimeout), seconds(c.TCPFinTimeout), seconds(c.UDPTimeout)}
		return err
	})
	return t, err
}

// SetTimeouts implements [Kernel].
func (n *Netlink) SetTimeouts(t Timeouts) error {
	return n.with(func(s *sockets) error {
		return s.SetConfig(ipvs.Config{
			TCPTimeout: uint32(t.TCP / time.Second), TCPFinTimeout: uint32(t.TCPFin / time.Second), UDPTimeout: uint32(t.UDP / time.Second),
		})
	})
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }
