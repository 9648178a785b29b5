//go:build linux

package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Local reads and changes the network namespace that it was opened in, one step
// at a time, and remembers nothing: a real server's side, see
// internal/realserver. Directors have [Host].
type Local struct {
	nl   *netlink.Handle
	conf *os.Root // net.ipv4.conf
}

// LocalLink is a link with its addresses.
type LocalLink struct {
	Up        bool // administratively
	Addresses []netip.Prefix
}

// OpenLocal opens the sockets of a Local.
func OpenLocal() (*Local, error) {
	conf, err := os.OpenRoot("/proc/sys/net/ipv4/conf")
	if err != nil {
		return nil, err
	}
	nl, err := netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_GENERIC)
	if err != nil {
		_ = conf.Close()
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	return &Local{nl: nl, conf: conf}, nil
}

// Close closes the sockets.
func (l *Local) Close() error {
	l.nl.Close()
	return l.conf.Close()
}

// Links are all links by name.
func (l *Local) Links() (map[string]LocalLink, error) {
	links, err := dump(l.nl.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	addresses, err := dump(func() ([]netlink.Addr, error) { return l.nl.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	all := make(map[string]LocalLink, len(links))
	for _, link := range links {
		attrs := link.Attrs()
		found := LocalLink{Up: attrs.RawFlags&unix.IFF_UP != 0}
		for _, a := range addresses {
			if a.LinkIndex == attrs.Index {
				found.Addresses = append(found.Addresses, fromIPNet(a.IPNet))
			}
		}
		all[attrs.Name] = found
	}
	return all, nil
}

// Setting is one of net.ipv4.conf: eth0.arp_ignore; empty for a device that is
// not there.
func (l *Local) Setting(name string) string {
	value, err := l.conf.ReadFile(settingPath(name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(value))
}

// Set writes a setting.
func (l *Local) Set(name, value string) error {
	f, err := l.conf.OpenFile(settingPath(name), os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(value)
		if failed := f.Close(); err == nil {
			err = failed
		}
	}
	if err != nil {
		return fmt.Errorf("set net.ipv4.conf.%s to %s: %w", name, value, err)
	}
	return nil
}

// settingPath: names of devices may have dots, names of settings have none.
func settingPath(name string) string {
	at := strings.LastIndexByte(name, '.')
	return path.Join(name[:max(at, 0)], name[at+1:])
}

// SetUp sets a link up or down.
func (l *Local) SetUp(name string, up bool) error {
	link, err := l.nl.LinkByName(name)
	if err == nil {
		change := l.nl.LinkSetDown
		if up {
			change = l.nl.LinkSetUp
		}
		err = change(link)
	}
	if err != nil {
		return fmt.Errorf("set %s up or down: %w", name, err)
	}
	return nil
}

// AddAddress adds an address to a link, without duplicate address detection.
func (l *Local) AddAddress(name string, p netip.Prefix) error {
	link, err := l.nl.LinkByName(name)
	if err == nil {
		a := &netlink.Addr{IPNet: toIPNet(p)}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD
		}
		err = l.nl.AddrAdd(link, a)
	}
	if err != nil {
		return fmt.Errorf("add %s to %s: %w", p, name, err)
	}
	return nil
}

// DeleteAddress removes an address from a link.
func (l *Local) DeleteAddress(name string, p netip.Prefix) error {
	link, err := l.nl.LinkByName(name)
	if err == nil {
		err = l.nl.AddrDel(link, &netlink.Addr{IPNet: toIPNet(p)})
	}
	if err != nil {
		return fmt.Errorf("remove %s from %s: %w", p, name, err)
	}
	return nil
}

func toIPNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
