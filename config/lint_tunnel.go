package config

// greUse is the first block that sends GRE to an address.
type greUse struct {
	origin Origin
	csum   bool
}

// mixedChecksums: a host unwraps GRE to one of its addresses either with
// checksums or without. The device that takes the one kind drops the other, and
// no check through another way finds that out.
func (l *linter) mixedChecksums() {
	first := make(map[Addr]greUse)
	look := func(s *VirtualServer, a Addr, method Opt[Method], own Tunnel, at Origin) {
		kind, tunnel := s.Method(), s.Tunnel
		if method.Set {
			kind, tunnel = method.Value, own
		}
		if kind != TUN || tunnel.Type != GRE {
			return
		}
		use := greUse{at, tunnel.Checksum == Checksum}
		was, known := first[a]
		switch {
		case !known:
			first[a] = use
		case was.csum != use.csum:
			l.warn(at, "mixed-checksums", "server %s gets GRE %s checksums here and %s in line %d: it can take only one of both, and drops the other",
				a, withOrNot(use.csum), withOrNot(was.csum), was.origin.Line)
		}
	}
	for i := range l.c.Services {
		s := &l.c.Services[i]
		for k := range s.RealServers {
			r := &s.RealServers[k]
			look(s, r.Addr.Addr(), r.LVSMethod, r.Tunnel, r.Origin)
		}
		if sorry := s.SorryServer; sorry != nil {
			look(s, sorry.Addr.Addr(), sorry.Method, sorry.Tunnel, sorry.Origin)
		}
	}
}

func withOrNot(with bool) string {
	if with {
		return "with"
	}
	return "without"
}
