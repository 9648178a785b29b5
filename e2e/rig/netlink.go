package rig

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A NetlinkWatch sees every request that a process of the host sends to the
// kernel over netlink, by the kernel's nlmon device.
type NetlinkWatch struct {
	host    *Host
	capture *Capture
	ipvs    uint16 // the message type of the IPVS family
}

// WatchNetlink starts to watch. The host's kernel must have nlmon, as the
// virtual machine's has.
func (h *Host) WatchNetlink() *NetlinkWatch {
	h.lab.t.Helper()
	h.batch("link add nlmon0 type nlmon", "link set nlmon0 up")
	w := &NetlinkWatch{host: h, capture: h.Capture("nlmon0")}
	// genl prints "Name: IPVS" and, on a line of its own, "ID: 0x20 ...".
	for line := range strings.Lines(h.Run("genl", "ctrl", "get", "name", "IPVS")) {
		if _, rest, ok := strings.Cut(line, "ID: 0x"); ok {
			_, _ = fmt.Sscanf(rest, "%x", &w.ipvs)
		}
	}
	if w.ipvs == 0 {
		h.lab.t.Fatalf("%s: the kernel has no IPVS", h.Name)
	}
	return w
}

// Writes are the requests since a moment that change something, in words:
// "route: new address", "ipvs: add destination". Questions are left out.
func (w *NetlinkWatch) Writes(since time.Time) []string {
	var found []string
	for _, f := range w.capture.Frames() {
		if f.At.Before(since) {
			continue
		}
		// Several messages may travel in one packet.
		for b := f.Data; len(b) >= unix.NLMSG_HDRLEN; {
			length := int(binary.NativeEndian.Uint32(b))
			if length < unix.NLMSG_HDRLEN || length > len(b) {
				break
			}
			if name := w.write(f.Protocol, b[:length]); name != "" {
				found = append(found, name)
			}
			b = b[min(len(b), (length+3)&^3):]
		}
	}
	return found
}

// ipvsCommands are the commands that change something, by number: linux/ip_vs.h.
var ipvsCommands = [...]string{
	1: "add service", 2: "edit service", 3: "delete service",
	5: "add destination", 6: "edit destination", 7: "delete destination",
	9: "start sync daemon", 10: "stop sync daemon", 12: "set timeouts", 16: "zero", 17: "flush",
}

// routeObjects are the kinds of object by (type - RTM_BASE) / 4: linux/rtnetlink.h.
var routeObjects = [...]string{"link", "address", "route", "neighbour", "rule"}

// write names a request that changes something; it is "" for others.
func (w *NetlinkWatch) write(family uint16, message []byte) string {
	kind, flags := binary.NativeEndian.Uint16(message[4:]), binary.NativeEndian.Uint16(message[6:])
	if flags&unix.NLM_F_REQUEST == 0 {
		return ""
	}
	switch {
	case family == unix.NETLINK_GENERIC && kind == w.ipvs && len(message) > unix.NLMSG_HDRLEN:
		if command := int(message[unix.NLMSG_HDRLEN]); command < len(ipvsCommands) && ipvsCommands[command] != "" {
			return "ipvs: " + ipvsCommands[command]
		}
	case family == unix.NETLINK_ROUTE && kind >= unix.RTM_BASE && int(kind-unix.RTM_BASE)/4 < len(routeObjects):
		object := routeObjects[(kind-unix.RTM_BASE)/4]
		switch (kind - unix.RTM_BASE) % 4 {
		case 0, 3:
			return "route: new " + object
		case 1:
			return "route: delete " + object
		}
	}
	return ""
}
