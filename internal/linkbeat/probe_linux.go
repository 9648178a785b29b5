package linkbeat

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
)

// Numbers of linux/mii.h and linux/ethtool.h.
const (
	miiBMSR       = 0x01   // the basic mode status register
	miiLinkStatus = 0x0004 // BMSR_LSTATUS
	ethtoolGLink  = 0x0a
)

// request is struct ifreq; what lies behind the name depends on the request.
type request[T any] struct {
	name [unix.IFNAMSIZ]byte
	data T
}

// mii is struct mii_ioctl_data, with what struct ifreq has room for.
type mii struct {
	phy, register, in, out uint16
	_                      [16]byte
}

// pointer is the data of an ethtool request.
type pointer struct {
	value *ethtoolValue
	_     [16]byte
}

type ethtoolValue struct{ command, data uint32 }

// probe asks a driver in one of the ways, or, as keepalived, in the first other
// one that it knows.
func probe(name string, how config.LinkbeatProbe) (up bool, err error) {
	ways := map[config.LinkbeatProbe][]func(int, string) (bool, error){
		config.ProbeMII: {askMII, askEthtool, askFlags}, config.ProbeEthtool: {askEthtool, askMII, askFlags}, config.ProbeIoctl: {askFlags},
		config.ProbeAuto: {askMII, askEthtool, askFlags},
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("probe %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	for _, ask := range ways[how] {
		if up, err = ask(fd, name); err == nil {
			return up, nil
		}
	}
	return false, fmt.Errorf("probe %s: %w", name, err)
}

func askMII(fd int, name string) (bool, error) {
	var r request[mii]
	copy(r.name[:unix.IFNAMSIZ-1], name)
	if err := ioctl(fd, unix.SIOCGMIIPHY, unsafe.Pointer(&r)); err != nil {
		return false, err
	}
	r.data.register = miiBMSR
	if err := ioctl(fd, unix.SIOCGMIIREG, unsafe.Pointer(&r)); err != nil {
		return false, err
	}
	return r.data.out&miiLinkStatus != 0, nil
}

func askEthtool(fd int, name string) (bool, error) {
	value := &ethtoolValue{command: ethtoolGLink}
	r := request[pointer]{data: pointer{value: value}}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	err := ioctl(fd, unix.SIOCETHTOOL, unsafe.Pointer(&r))
	return value.data != 0, err
}

func askFlags(fd int, name string) (bool, error) {
	r, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, r)
	}
	return err == nil && r.Uint16()&unix.IFF_RUNNING != 0, err
}

func ioctl(fd int, what uint, r unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(what), uintptr(r)); errno != 0 {
		return errno
	}
	return nil
}
