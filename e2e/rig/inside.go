package rig

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// do calls fn on a thread that is inside the host's network. Sockets that fn
// opens stay there; goroutines that it starts are elsewhere.
func (h *Host) do(fn func() error) error {
	runtime.LockOSThread()
	if err := unix.Setns(h.descriptor, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter host %s: %w", h.Name, err)
	}
	result := fn()
	if err := unix.Setns(h.lab.home, unix.CLONE_NEWNET); err != nil {
		// The thread is lost: it stays locked and ends with this goroutine.
		return fmt.Errorf("leave host %s: %w", h.Name, err)
	}
	runtime.UnlockOSThread()
	return result
}

// Has reports whether h holds an address on any of its devices.
func (h *Host) Has(address netip.Addr) bool {
	h.lab.t.Helper()
	var found bool
	err := h.do(func() error {
		held, err := net.InterfaceAddrs()
		for _, a := range held {
			prefix, parseErr := netip.ParsePrefix(a.String())
			found = found || parseErr == nil && prefix.Addr() == address
		}
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: list addresses: %v", h.Name, err)
	}
	return found
}

// Packets is how many packets the host has sent by a device.
func (h *Host) Packets(device string) (sent int) {
	h.lab.t.Helper()
	err := h.do(func() error {
		counters, err := os.ReadFile("/proc/thread-self/net/dev")
		for line := range strings.Lines(string(counters)) {
			const sentAt = 9 // eight of what was received, and bytes
			if name, fields, _ := strings.Cut(strings.TrimSpace(line), ":"); name == device {
				sent, err = strconv.Atoi(strings.Fields(fields)[sentAt])
			}
		}
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("%s: count packets of %s: %v", h.Name, device, err)
	}
	return sent
}

// IPVS is the host's table of services as the kernel holds it: real servers
// by service. It costs less than calling ipvsadm, so that a test can poll it,
// and is for tables of up to some thirty entries: one page of /proc.
func (h *Host) IPVS() map[netip.AddrPort][]Destination {
	h.lab.t.Helper()
	table := map[netip.AddrPort][]Destination{}
	err := h.do(func() error {
		file, err := os.Open("/proc/thread-self/net/ip_vs")
		if err != nil {
			return err
		}
		defer file.Close()
		// In one read: the kernel loses an entry where one read ends and the
		// next begins.
		content := make([]byte, 1<<16)
		n, err := file.Read(content)
		if err != nil {
			return err
		}
		content = content[:n]
		var service netip.AddrPort
		for line := range strings.Lines(string(content)) {
			switch f := strings.Fields(line); {
			case len(f) >= 3 && (f[0] == "TCP" || f[0] == "UDP"):
				service = hexAddrPort(f[1])
				table[service] = nil
			case len(f) == 6 && f[0] == "->" && service.IsValid():
				weight, _ := strconv.Atoi(f[3])
				table[service] = append(table[service], Destination{hexAddrPort(f[1]), f[2], weight})
			}
		}
		return nil
	})
	if err != nil {
		h.lab.t.Fatalf("%s: read the IPVS table: %v", h.Name, err)
	}
	return table
}

// A Destination is a real server in the kernel's table.
type Destination struct {
	Address netip.AddrPort
	Method  string // Route, Tunnel or Masq
	Weight  int
}

// hexAddrPort reads the kernel's 0A41201C:0050.
func hexAddrPort(s string) netip.AddrPort {
	address, port, _ := strings.Cut(s, ":")
	a, err := hex.DecodeString(address)
	p, portErr := hex.DecodeString(port)
	if err != nil || portErr != nil || len(a) != 4 || len(p) != 2 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a)), binary.BigEndian.Uint16(p))
}

// Processes are the processes that run in h: pid and name. The test's own, a
// thread of which may be inside, is not one of them.
func (h *Host) Processes() []string {
	h.lab.t.Helper()
	var own unix.Stat_t
	if err := unix.Fstat(h.descriptor, &own); err != nil {
		h.lab.t.Fatalf("%s: %v", h.Name, err)
	}
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		var st unix.Stat_t
		dir := filepath.Dir(filepath.Dir(link))
		if filepath.Base(dir) == strconv.Itoa(os.Getpid()) {
			continue
		}
		if unix.Stat(link, &st) == nil && st.Ino == own.Ino && st.Dev == own.Dev {
			name, _ := os.ReadFile(dir + "/comm")
			found = append(found, filepath.Base(dir)+" "+strings.TrimSpace(string(name)))
		}
	}
	return found
}
