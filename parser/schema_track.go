package parser

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func trackGroupBlock() *block[config.TrackGroup] {
	type group = config.TrackGroup
	return &block[group]{path: "track_group", rows: rows[group]{
		"group": {block: true, values: true, apply: func(c *cursor, g *group) {
			if g.Members != nil {
				c.errorf(config.ClassGeneral, "duplicate", "Group list already specified for sync group %s", g.Name)
				return
			}
			g.Members = []string{}
			list(func(c *cursor, g *group) {
				for word, ok := c.next(); ok; word, ok = c.next() {
					g.Members = append(g.Members, strings.Clone(word))
				}
			}).apply(c, g)
			if len(g.Members) == 0 {
				c.emptyBlock(fmt.Sprintf("Warning - track group %s has empty group block", g.Name))
			}
		}},
	}}
}

func trackGroup(c *cursor, cfg *config.Config) {
	if name, ok := named(c); ok {
		g := config.TrackGroup{Origin: c.origin(), Name: name}
		decode(c.d, trackGroupBlock(), c.st.Body, &g)
		cfg.Static.TrackGroups = append(cfg.Static.TrackGroups, g)
	}
}

// trackFileBlock is track_file, or vrrp_track_file as it was called until
// 2.1.0.
func trackFileBlock(path string) *block[config.TrackFile] {
	type file = config.TrackFile
	return &block[file]{path: path, rows: rows[file]{
		"file": row[file]{apply: func(c *cursor, f *file) {
			word, ok := c.need()
			switch {
			case !ok:
			case f.File != "":
				c.errorf(config.ClassGeneral, "duplicate", "File already set for track file %s - ignoring %s", f.Name, word)
			default:
				f.File = strings.Clone(word)
			}
		}}.orMissing("track file file name missing"),
		"weight": {apply: func(c *cursor, f *file) { c.objectWeight("track file", "track_file", &f.Weight, &f.Reverse) }},
		"init_file": {apply: func(c *cursor, f *file) {
			f.InitFile = config.Some(0)
			for word, ok := c.next(); ok; word, ok = c.next() {
				n, fault := num[int](-maxInt, maxInt)(word)
				switch {
				case word == "overwrite":
					f.Overwrite = true
				case fault != nil:
					c.errorf(config.ClassGeneral, "invalid-value", "Unknown track file init option %s", word)
				default:
					if n < -254 || n > 254 {
						c.errorf(config.ClassGeneral, "invalid-value", "Track file %s init value %d is outside sensible range [-254, 254]", f.Name, n)
					}
					f.InitFile = config.Some(n)
				}
			}
		}},
	}}
}

// objectWeight reads INT [reverse] of something that is tracked; of two the
// first counts.
func (c *cursor) objectWeight(kind, keyword string, weight *config.Opt[int], reverse *bool) {
	word, ok := c.next()
	if !ok {
		c.errorf(config.ClassGeneral, "missing-parameter", "No weight specified for %s %s - ignoring", kind, c.d.name)
		return
	}
	n, f := num[int](-254, 254)(word)
	switch {
	case weight.Set:
		c.errorf(config.ClassGeneral, "duplicate", "Weight already set for %s %s - ignoring %s", kind, c.d.name, word)
		c.complete = true
		return
	case f != nil:
		c.errorf(f.class, f.code, "Weight (%s) for %s %s must be between [-254..254] inclusive. Ignoring...", word, keyword, c.d.name)
		c.complete = true
		return
	}
	*weight = config.Some(n)
	switch option, ok := c.next(); {
	case !ok:
	case option == "reverse":
		*reverse = true
	case option != "noreverse":
		c.errorf(config.ClassGeneral, "invalid-value", "%s %s unknown weight option %s", keyword, c.d.name, option)
	}
}

// trackedName reads the name of an object, without which keepalived ends.
func trackedName(c *cursor) (string, bool) {
	before := *c
	if _, ok := c.need(); !ok {
		return "", false
	}
	complete := c.complete
	*c = before
	c.complete = complete
	return named(c)
}

func trackFile(c *cursor, cfg *config.Config) {
	path := c.keyword
	if name, ok := trackedName(c); ok {
		f := config.TrackFile{Origin: c.origin(), Name: name, End: c.d.src.origin(c.st.Body.Close.Pos)}
		decode(c.d, trackFileBlock(path), c.st.Body, &f)
		if f.File == "" {
			c.d.problem(c.st.Body.Close.Pos, config.Error, config.ClassGeneral, "missing-file", fmt.Sprintf("No file set for track_file %s - ignoring", name))
			return
		}
		cfg.Trackers.Files = append(cfg.Trackers.Files, f)
	}
}

func trackProcessBlock() *block[config.TrackProcess] {
	type process = config.TrackProcess
	delay := seconds(time.Microsecond, time.Hour)
	wrong := func(keyword, limits string) string {
		return keyword + " (%V) for vrrp_track_process %N must be between [" + limits + "] inclusive. Ignoring..."
	}
	return &block[process]{path: "vrrp_track_process", rows: rows[process]{
		"process":     {apply: processCommand},
		"param_match": {apply: paramMatch},
		"weight": {apply: func(c *cursor, p *process) {
			c.objectWeight("track process", "vrrp_track_process", &p.Weight, &p.Reverse)
		}},
		"quorum":     set(num[int](1, 65535), func(p *process) *int { return &p.Quorum }).or(wrong("Quorum", "1..65535")),
		"quorum_max": opt(num[int](0, 65535), func(p *process) *config.Opt[int] { return &p.QuorumMax }).or(wrong("quorum_max", "0..65535")),
		"delay": {says: wrong("delay", "0.000001..3600"), apply: func(c *cursor, p *process) {
			set(delay, func(p *process) *time.Duration { return &p.TerminateDelay }).apply(c, p)
			p.ForkDelay = p.TerminateDelay
		}},
		"terminate_delay": set(delay, func(p *process) *time.Duration { return &p.TerminateDelay }).or(wrong("terminate_delay", "0.000001..3600")),
		"fork_delay":      set(delay, func(p *process) *time.Duration { return &p.ForkDelay }).or(wrong("fork_delay", "0.000001..3600")),
		"full_command":    yes(func(p *process) *bool { return &p.FullCommand }),
	}}
}

// processCommand reads PATH|NAME [ARG...].
func processCommand(c *cursor, p *config.TrackProcess) {
	word, ok := c.need()
	if !ok {
		return
	}
	if len(p.Process) > 0 {
		c.errorf(config.ClassGeneral, "duplicate", "Process already set for track process %s - ignoring %s", p.Name, word)
		c.complete = true
		return
	}
	for ; ok; word, ok = c.script() {
		p.Process = append(p.Process, strings.Clone(word))
	}
	if len(p.Process) > 1 && p.ParamMatch == config.ParamNone {
		p.ParamMatch = config.ParamExact
	}
}

func paramMatch(c *cursor, p *config.TrackProcess) {
	word, ok := c.next()
	switch match := config.ParamMatch(word); {
	case !ok:
		p.ParamMatch = config.ParamExact
	case match == config.ParamInitial || match == config.ParamPartial:
		p.ParamMatch = config.ParamMatch(strings.Clone(word))
	default:
		c.errorf(config.ClassGeneral, "invalid-value", "Invalid param_match type %s - ignoring", word)
	}
}

// trackProcess: keepalived accepts a second one of the same name silently and
// never finds it.
func trackProcess(c *cursor, cfg *config.Config) {
	word, ok := c.need()
	if !ok {
		return
	}
	name, end := strings.Clone(word), c.st.Body.Close.Pos
	c.d.begin(name, "("+name+")")
	p := config.DefaultTrackProcess
	p.Name, p.Origin = name, c.origin()
	decode(c.d, trackProcessBlock(), c.st.Body, &p)
	switch {
	case len(p.Process) == 0:
		c.d.problem(end, config.Error, config.ClassGeneral, "missing-process", fmt.Sprintf("track process '%s' process name not specified", name))
	case c.d.names["vrrp_track_process "+name]:
		c.problem(config.Warning, config.ClassNone, "duplicate", fmt.Sprintf("vrrp_track_process %s is defined twice, the first one counts", name))
	default:
		if p.QuorumMax.Set && p.QuorumMax.Value > 0 && p.QuorumMax.Value < p.Quorum {
			c.d.problem(end, config.Warning, config.ClassGeneral, "quorum", "quorum_max is less than quorum - ignoring")
			p.QuorumMax = config.Opt[int]{}
		}
		if p.QuorumMax.Set && p.QuorumMax.Value == 0 {
			p.Quorum = 0
		}
		c.d.names["vrrp_track_process "+name] = true
		cfg.Trackers.Processes = append(cfg.Trackers.Processes, p)
	}
}

func bfdBlock() *block[config.BFDInstance] {
	type bfd = config.BFDInstance
	const says = "Configuration error: BFD instance %N "
	wrong := func(keyword, limits string) string {
		return says + keyword + " value %V is not valid (must be in range [" + limits + "]), ignoring"
	}
	ttl := opt(num[uint8](1, 255), func(b *bfd) *config.Opt[uint8] { return &b.TTL }).
		or(says + "ttl/hoplimit value %V not valid (must be in range [1-255]), ignoring")
	neighbor := row[bfd]{apply: bfdNeighbor, says: says + "has malformed neighbor address %V, ignoring instance"}
	return &block[bfd]{path: "bfd_instance", rows: rows[bfd]{
		"source_ip":    set(address, func(b *bfd) *netip.Addr { return &b.SourceIP }).or(says + "has malformed source address %V, ignoring"),
		"neighbor_ip":  neighbor,
		"neighbour_ip": neighbor,
		"min_rx":       set(millis(1, 4294967), func(b *bfd) *time.Duration { return &b.MinRx }).or(wrong("min_rx", "1-4294967")),
		"min_tx":       set(millis(1, 4294967), func(b *bfd) *time.Duration { return &b.MinTx }).or(wrong("min_tx", "1-4294967")),
		"idle_tx":      set(millis(1000, 4294967), func(b *bfd) *time.Duration { return &b.IdleTx }).or(wrong("idle_tx", "1000-4294967")),
		"multiplier": set(num[uint8](1, 255), func(b *bfd) *uint8 { return &b.Multiplier }).
			or(says + "multiplier value %V not valid (must be in range [1-255]), ignoring"),
		"passive":  yes(func(b *bfd) *bool { return &b.Passive }),
		"ttl":      ttl,
		"hoplimit": ttl,
		"max_hops": set(num[int](-1, 255), func(b *bfd) *int { return &b.MaxHops }).
			or(says + "max_hops value %V not valid (must be in range [-1-255]), ignoring"),
		"multihop": setBool(func(b *bfd) *bool { return &b.Multihop }).or(says + "multihop value %V is not a boolean, ignoring"),
		"weight":   {apply: bfdWeight, says: says + "weight value %V not valid (must be in range [-253-253]), ignoring"},
		"vrrp":     yes(func(b *bfd) *bool { return &b.VRRP }),
		"checker":  yes(func(b *bfd) *bool { return &b.Checker }),
	}}
}

// bfdNeighbor remembers a malformed address: keepalived says no more about such
// an instance.
func bfdNeighbor(c *cursor, b *config.BFDInstance) {
	if word, ok := c.need(); ok {
		a, f := address(word)
		if f != nil {
			c.invalid(f, word)
			c.d.twice(mention{name: "malformed neighbor"})
		}
		b.NeighborIP = a
	}
}

func bfdWeight(c *cursor, b *config.BFDInstance) {
	word, ok := c.need()
	if !ok {
		return
	}
	n, f := num[int](-253, 253)(word)
	if f != nil {
		c.invalid(f, word)
		c.complete = true
		return
	}
	b.Weight = n
	switch option, ok := c.next(); {
	case !ok:
	case option == "reverse":
		b.Reverse = true
	default:
		c.errorf(config.ClassGeneral, "invalid-value", "Configuration error: BFD instance %s unknown weight option %s", c.d.name, option)
	}
}

// bfdInstance reads bfd_instance NAME.
func bfdInstance(c *cursor, cfg *config.Config) {
	word, ok := c.need()
	if !ok {
		return
	}
	name, end := strings.Clone(word), c.st.Body.Close.Pos
	if len(name) > 31 {
		c.errorf(config.ClassGeneral, "invalid-value", "Configuration error: BFD instance %s name too long (maximum length is 31 characters) - ignoring", name)
		return
	}
	b := config.DefaultBFDInstance
	b.Name, b.Origin = name, c.origin()
	c.d.begin(name, "("+name+")")
	decode(c.d, bfdBlock(), c.st.Body, &b)
	disabled := len(cfg.Trackers.Disabled)
	cfg.Trackers.Disabled = append(cfg.Trackers.Disabled, name)
	wrong := func(format string, args ...any) {
		c.d.problem(end, config.Error, config.ClassGeneral, "invalid-value", fmt.Sprintf(format, args...))
	}
	switch {
	case c.d.names["bfd_instance "+name]:
		wrong("BFD %s already specified", name)
		return
	case !b.NeighborIP.IsValid() && c.d.twice(mention{name: "malformed neighbor"}):
		return
	case !b.NeighborIP.IsValid():
		wrong("Configuration error: BFD instance %s has no neighbor address set, disabling instance", name)
		return
	case b.SourceIP.IsValid() && b.SourceIP.Is6() != b.NeighborIP.Is6():
		wrong("Configuration error: BFD instance %s source address %s and neighbor address %s are not of the same family, disabling instance", name, b.SourceIP, b.NeighborIP)
		return
	case c.d.names["bfd neighbor "+b.NeighborIP.String()+" "+b.SourceIP.String()]:
		wrong("Configuration error: BFD instance %s has duplicate neighbor address %s, ignoring instance", name, b.NeighborIP)
		return
	case b.MaxHops > int(b.HopLimit()):
		wrong("BFD instance %s: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit", name)
		b.MaxHops = int(b.HopLimit())
	}
	cfg.Trackers.Disabled = cfg.Trackers.Disabled[:disabled]
	c.d.names["bfd_instance "+name] = true
	c.d.names["bfd neighbor "+b.NeighborIP.String()+" "+b.SourceIP.String()] = true
	cfg.Trackers.BFD = append(cfg.Trackers.BFD, b)
}
