package parser

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// defaults gives every block the same.
func defaults[T any](def T) func(*confWriter, *T) *T {
	return func(*confWriter, *T) *T { return &def }
}

// table makes a block of a table that needs no schema.
func table[T any](b func() *block[T]) func(*confWriter) *block[T] {
	return func(*confWriter) *block[T] { return b() }
}

func rootWriters() writers[config.Config] {
	type cfg = config.Config
	all := writers[cfg]{
		"global_defs": func(w *confWriter, keyword string, c, def *cfg) {
			w.block(keyword, false, func() { writeRows(w, w.schema.global, globalWriters(), &c.Global, &def.Global) })
		},
		"SSL": func(w *confWriter, keyword string, c, _ *cfg) {
			if c.SSL != nil {
				w.block(keyword, true, func() { writeRows(w, w.schema.ssl, sslWriters(), c.SSL, &config.SSL{}) })
			}
		},
		"net_namespace": set(text, func(c *cfg) *string { return &c.Daemon.NetNamespace }).write,
		"vrrp_instance": blocks(func(c *cfg) []config.Instance { return c.Instances }, func(w *confWriter) *block[config.Instance] { return w.schema.instance },
			instanceWriters, func(w *confWriter, k string, i *config.Instance) string { return w.word(k, i.Name) }, (*confWriter).instanceDefaults),
		"vrrp_sync_group": blocks(func(c *cfg) []config.SyncGroup { return c.Groups }, func(w *confWriter) *block[config.SyncGroup] { return w.schema.group },
			func(*config.SyncGroup) writers[config.SyncGroup] {
				return writers[config.SyncGroup]{
					"group":                      func(w *confWriter, keyword string, g, _ *config.SyncGroup) { w.members(keyword, g.Members) },
					"sync_group_tracking_weight": writeFlag(func(g *config.SyncGroup) *bool { return &g.SyncGroupTrackingWeight }),
				}
			}, func(w *confWriter, k string, g *config.SyncGroup) string { return w.word(k, g.Name) }, defaults(config.SyncGroup{})),
		"vrrp_script": blocks(func(c *cfg) []config.TrackScript { return c.Scripts }, func(w *confWriter) *block[config.TrackScript] { return w.schema.script },
			scriptWriters, func(w *confWriter, k string, s *config.TrackScript) string { return w.word(k, s.Name) }, defaults(config.DefaultTrackScript)),
		"virtual_server": blocks(func(c *cfg) []config.VirtualServer { return c.Services }, func(w *confWriter) *block[config.VirtualServer] { return w.schema.service },
			serviceWriters, (*confWriter).serviceName, defaults(config.DefaultVirtualServer)),
		"virtual_server_group": writeServiceGroups,
	}
	maps.Copy(all, staticWriters())
	maps.Copy(all, trackerWriters())
	return all
}

// staticWriters are those of what holds whatever the state, and of links.
func staticWriters() writers[config.Config] {
	type cfg = config.Config
	return writers[cfg]{
		"track_group": blocks(func(c *cfg) []config.TrackGroup { return c.Static.TrackGroups }, table(trackGroupBlock),
			func(*config.TrackGroup) writers[config.TrackGroup] {
				return writers[config.TrackGroup]{"group": func(w *confWriter, keyword string, g, _ *config.TrackGroup) { w.members(keyword, g.Members) }}
			}, func(w *confWriter, k string, g *config.TrackGroup) string { return w.word(k, g.Name) }, defaults(config.TrackGroup{})),
		"static_ipaddress": each(func(c *cfg) []config.Address { return c.Static.IPAddress }, func(w *confWriter, k string, a *config.Address) string {
			return w.address(k, a, w.cfg.Global.DefaultInterface)
		}),
		"static_routes": each(func(c *cfg) []config.Route { return c.Static.Routes }, (*confWriter).route),
		"static_rules":  each(func(c *cfg) []config.Rule { return c.Static.Rules }, (*confWriter).rule),
		"garp_group": blocks(func(c *cfg) []config.GarpGroup { return c.Links.GarpGroups }, table(garpGroupBlock),
			func(*config.GarpGroup) writers[config.GarpGroup] {
				return writers[config.GarpGroup]{
					"garp_interval": func(w *confWriter, k string, g, _ *config.GarpGroup) { w.garpDelay(k, g.GarpInterval) },
					"gna_interval":  func(w *confWriter, k string, g, _ *config.GarpGroup) { w.garpDelay(k, g.GnaInterval) },
					"interfaces": each(func(g *config.GarpGroup) []config.Link { return g.Interfaces },
						func(w *confWriter, k string, l *config.Link) string { return w.first(k, l.Name) }),
				}
			}, func(*confWriter, string, *config.GarpGroup) string { return "" }, defaults(config.GarpGroup{})),
		"linkbeat_interfaces": each(func(c *cfg) []config.Linkbeat { return c.Links.Linkbeat }, func(w *confWriter, k string, l *config.Linkbeat) string {
			return trimRight(w.first(k, l.Name) + " " + string(l.Probe))
		}),
		"interface_up_down_delays": each(func(c *cfg) []config.UpDownDelay { return c.Links.Delays }, func(w *confWriter, k string, d *config.UpDownDelay) string {
			return strings.Join([]string{w.first(k, d.Name), seconds6(d.Down), seconds6(d.Up)}, " ")
		}),
	}
}

func trackerWriters() writers[config.Config] {
	type cfg = config.Config
	return writers[cfg]{
		"track_file": blocks(func(c *cfg) []config.TrackFile { return c.Trackers.Files }, table(func() *block[config.TrackFile] { return trackFileBlock("track_file") }),
			trackFileWriters, func(w *confWriter, k string, f *config.TrackFile) string { return w.word(k, f.Name) }, defaults(config.TrackFile{})),
		"vrrp_track_process": blocks(func(c *cfg) []config.TrackProcess { return c.Trackers.Processes }, table(trackProcessBlock),
			trackProcessWriters, func(w *confWriter, k string, p *config.TrackProcess) string { return w.word(k, p.Name) }, defaults(config.DefaultTrackProcess)),
		"bfd_instance": blocks(func(c *cfg) []config.BFDInstance { return c.Trackers.BFD }, table(bfdBlock),
			bfdWriters, func(w *confWriter, k string, b *config.BFDInstance) string { return w.word(k, b.Name) }, defaults(config.DefaultBFDInstance)),
	}
}

// garpDelay writes a delay that was given, even one that is no delay.
func (w *confWriter) garpDelay(keyword string, o config.Opt[time.Duration]) {
	if o.Set {
		w.line(keyword, seconds6(o.Value))
	}
}

func sslWriters() writers[config.SSL] {
	return writers[config.SSL]{"password": func(w *confWriter, keyword string, s, _ *config.SSL) { w.secret(keyword, s.Password) }}
}

func (w *confWriter) secret(keyword string, s config.Secret) {
	if s != "" {
		w.line(keyword, w.password(keyword, s))
	}
}

func (w *confWriter) password(keyword string, s config.Secret) string {
	if w.conceal {
		return s.String()
	}
	return w.word(keyword, string(s))
}

func scriptWriters(*config.TrackScript) writers[config.TrackScript] {
	type track = config.TrackScript
	return writers[track]{
		"script": func(w *confWriter, keyword string, s, _ *track) { w.line(keyword, w.script(keyword, s.Script.Line)) },
		"user": func(w *confWriter, keyword string, s, _ *track) {
			if text := w.scriptUser(keyword, &s.Script); text != "" {
				w.line(keyword, text)
			}
		},
		"init_fail": writeFlag(func(s *track) *bool { return &s.InitFail }),
		"interval":  set(seconds(0, longest), func(s *track) *time.Duration { return &s.Interval }).write,
		"timeout":   opt(seconds(0, longest), func(s *track) *config.Opt[time.Duration] { return &s.Timeout }).write,
		"weight": func(w *confWriter, keyword string, s, _ *track) {
			if s.Weight != 0 || s.Reverse {
				w.line(keyword, fmt.Sprint(s.Weight), when(s.Reverse, "reverse"))
			}
		},
	}
}

func trackFileWriters(*config.TrackFile) writers[config.TrackFile] {
	type file = config.TrackFile
	return writers[file]{
		"file":   set(text, func(f *file) *string { return &f.File }).write,
		"weight": func(w *confWriter, keyword string, f, _ *file) { w.weight(keyword, f.Weight, f.Reverse) },
		"init_file": func(w *confWriter, keyword string, f, _ *file) {
			if f.InitFile.Set {
				w.line(keyword, fmt.Sprint(f.InitFile.Value), when(f.Overwrite, "overwrite"))
			}
		},
	}
}

// weight writes INT [reverse].
func (w *confWriter) weight(keyword string, weight config.Opt[int], reverse bool) {
	if weight.Set {
		w.line(keyword, fmt.Sprint(weight.Value), when(reverse, "reverse"))
	}
}

func trackProcessWriters(*config.TrackProcess) writers[config.TrackProcess] {
	type process = config.TrackProcess
	return writers[process]{
		"process": func(w *confWriter, keyword string, p, _ *process) {
			line := []string{keyword, w.word(keyword, p.Process[0])}
			for _, word := range p.Process[1:] {
				line = append(line, w.script(keyword, word))
			}
			w.line(line...)
		},
		"param_match": func(w *confWriter, keyword string, p, _ *process) {
			switch p.ParamMatch {
			case config.ParamNone:
			case config.ParamExact:
				w.line(keyword)
			default:
				w.line(keyword, string(p.ParamMatch))
			}
		},
		"weight": func(w *confWriter, keyword string, p, _ *process) { w.weight(keyword, p.Weight, p.Reverse) },
		"quorum": func(w *confWriter, keyword string, p, def *process) {
			if p.Quorum > def.Quorum { // 0 is said by quorum_max
				w.line(keyword, fmt.Sprint(p.Quorum))
			}
		},
	}
}

func bfdWriters(*config.BFDInstance) writers[config.BFDInstance] {
	type bfd = config.BFDInstance
	return writers[bfd]{
		"neighbor_ip": set(address, func(b *bfd) *netip.Addr { return &b.NeighborIP }).write,
		"weight": func(w *confWriter, keyword string, b, _ *bfd) {
			w.weight(keyword, config.Opt[int]{Value: b.Weight, Set: b.Weight != 0 || b.Reverse}, b.Reverse)
		},
	}
}

// writeServiceGroups: the blocks hold lines, not keywords.
func writeServiceGroups(w *confWriter, keyword string, c, _ *config.Config) {
	for i := range c.ServiceGroups {
		g := &c.ServiceGroups[i]
		w.block(keyword+" "+w.word(keyword, g.Name), true, func() {
			for k := range g.Entries {
				w.line(groupEntryLine(&g.Entries[k]))
			}
		})
	}
}

func groupEntryLine(e *config.GroupEntry) string {
	if e.IsMark() {
		return trimRight(fmt.Sprintf("fwmark %d %s", e.FWMark, when(e.Family != 0, e.Family.String())))
	}
	addresses := e.First.String()
	if e.Last != e.First {
		addresses += "-" + rangeEnd(e)
	}
	return fmt.Sprintf("%s %d", addresses, e.Port)
}

// rangeEnd is an address, or its last part where that is enough.
func rangeEnd(e *config.GroupEntry) string {
	first, last := e.First.AsSlice(), e.Last.AsSlice()
	n := len(first) - 1
	if e.First.Is6() {
		n--
	}
	switch {
	case !slices.Equal(first[:n], last[:n]):
		return e.Last.String()
	case e.First.Is6():
		return fmt.Sprintf("%x", int(last[n])<<8|int(last[n+1]))
	}
	return fmt.Sprint(last[n])
}
