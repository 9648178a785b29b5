package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// find finds a real server by the words for its virtual server and for itself.
func find(services []config.Service, words []string) (*config.Service, *config.Server, error) {
	s, words, err := serviceWords(words)
	if err != nil {
		return nil, nil, err
	}
	r, words, err := serverWords(words)
	switch {
	case err != nil:
		return nil, nil, err
	case len(words) > 0:
		return nil, nil, fmt.Errorf("%q is too much behind the real server %s", strings.Join(words, " "), r.text)
	}
	type pair struct {
		service *config.Service
		server  *config.Server
	}
	var of []*config.Service
	var found []pair
	for i := range services {
		service := &services[i]
		if !s.names(service.Key) {
			continue
		}
		of = append(of, service)
		for k := range service.Servers {
			if server := &service.Servers[k]; r.names(server, service.Key.Protocol) {
				found = append(found, pair{service, server})
			}
		}
	}
	switch {
	case len(of) == 0:
		var names []string
		for i := range services {
			names = append(names, services[i].Key.String())
		}
		return nil, nil, fmt.Errorf("there is no virtual server %s; %s", s.text, candidates("there is", names))
	case len(found) == 0:
		var names []string
		for _, service := range of {
			for k := range service.Servers {
				names = append(names, service.Servers[k].String(service.Key.Protocol))
			}
		}
		return nil, nil, fmt.Errorf("virtual server %s has no real server %s; %s", of[0].Key, r.text, candidates("it has", names))
	case len(found) > 1:
		var names []string
		for _, p := range found {
			names = append(names, fmt.Sprintf("%s of %s%s", p.server.String(p.service.Key.Protocol), p.service.Key, family(p.service.Key)))
		}
		return nil, nil, fmt.Errorf("real server %s of virtual server %s may be one of several, say the port, and tcp, udp or sctp behind the virtual server; %s", r.text, s.text, candidates("there is", names))
	}
	return found[0].service, found[0].server, nil
}

// family tells two services of one mark apart.
func family(k config.ServiceKey) string {
	switch {
	case k.FWMark == 0:
		return ""
	case k.IPv6:
		return " (IPv6)"
	}
	return " (IPv4)"
}

// mostCandidates are listed when something is not found.
const mostCandidates = 20

func candidates(there string, names []string) string {
	if len(names) == 0 {
		return there + " none"
	}
	more := ""
	if left := len(names) - mostCandidates; left > 0 {
		names, more = names[:mostCandidates], fmt.Sprintf(" and %d more", left)
	}
	return there + " " + strings.Join(names, ", ") + more
}

// wanted is what words say of a virtual or a real server. What is not said may
// be anything.
type wanted struct {
	text     string // for messages
	addr     netip.Addr
	port     uint16
	portSet  bool
	protocol string // in lower case
	fwmark   uint32
	group    string
	logged   string // as the log has it: [192.0.2.1]:tcp:80, FWM 5
}

func (w *wanted) names(k config.ServiceKey) bool {
	if w.protocol != "" && w.protocol != strings.ToLower(k.Protocol.String()) {
		return false
	}
	switch {
	case w.logged != "":
		return w.logged == k.String()
	case w.fwmark != 0:
		return w.fwmark == k.FWMark
	case w.group != "":
		return w.group == k.Group
	}
	return k.Group == "" && k.FWMark == 0 && w.at(k.Addr)
}

func (w *wanted) at(a netip.AddrPort) bool {
	return w.addr == a.Addr() && (!w.portSet || w.port == a.Port())
}

// serverWanted is wanted of a real server.
type serverWanted struct{ wanted }

func (w *serverWanted) names(s *config.Server, p config.Protocol) bool {
	if w.logged != "" {
		return w.logged == s.String(p)
	}
	return w.at(s.Addr)
}

// serviceWords reads what names a virtual server: an address with its port, a
// mark or a group, and maybe a protocol.
func serviceWords(words []string) (w wanted, rest []string, err error) {
	if len(words) == 0 {
		return w, nil, errors.New("name the virtual server, and behind it the real server")
	}
	first, rest := words[0], words[1:]
	if first == "virtual_server" && len(rest) > 0 {
		first, rest = rest[0], rest[1:]
	}
	switch {
	case (strings.EqualFold(first, "fwmark") || first == "FWM") && len(rest) > 0:
		mark, err := strconv.ParseUint(rest[0], 0, 32)
		if err != nil || mark == 0 {
			return w, nil, fmt.Errorf("%q is no fwmark", rest[0])
		}
		w.fwmark, w.text, rest = uint32(mark), "fwmark "+rest[0], rest[1:]
	case first == "group" && len(rest) > 0:
		w.group, w.text, rest = rest[0], "group "+rest[0], rest[1:]
	default:
		if rest = w.address(first, rest); !w.addr.IsValid() && w.logged == "" {
			w.group = first
		}
	}
	if len(rest) > 0 && slices.Contains([]string{"tcp", "udp", "sctp"}, strings.ToLower(rest[0])) {
		w.protocol, rest = strings.ToLower(rest[0]), rest[1:]
		w.text += " " + w.protocol
	}
	return w, rest, nil
}

// serverWords reads what names a real server.
func serverWords(words []string) (w serverWanted, rest []string, err error) {
	if len(words) > 0 && words[0] == "real_server" {
		words = words[1:]
	}
	if len(words) == 0 {
		return w, nil, errors.New("name a real server behind the virtual server")
	}
	rest = w.address(words[0], words[1:])
	if !w.addr.IsValid() && w.logged == "" {
		return w, nil, fmt.Errorf("%q is no address of a real server", words[0])
	}
	return w, rest, nil
}

// address reads ADDRESS, ADDRESS:PORT, ADDRESS PORT, or a name of the log.
func (w *wanted) address(first string, rest []string) []string {
	w.text = first
	if at, err := netip.ParseAddrPort(first); err == nil {
		w.addr, w.port, w.portSet = at.Addr(), at.Port(), true
		return rest
	}
	a, err := netip.ParseAddr(strings.Trim(first, "[]"))
	if err != nil {
		if strings.HasPrefix(first, "[") {
			w.logged = first
		}
		return rest
	}
	w.addr = a
	if len(rest) > 0 {
		if port, err := strconv.ParseUint(rest[0], 10, 16); err == nil {
			w.port, w.portSet, w.text, rest = uint16(port), true, first+" "+rest[0], rest[1:]
		}
	}
	return rest
}
