package parser

import (
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// The lists of tracked things. Of the same name twice the first counts.

func trackInterface[T any](field func(*T) *[]config.Track) row[T] {
	return track(field, trackKind{
		bound: 253, what: "track_interface", edge: true,
		unknown: "(%s) unknown track_interace %s weight option %s - ignoring", //nolint:misspell // keepalived's own
		missing: "(%s) track_interface %s: weight without value specified, ignoring", nameless: "(%s) tracked interface  doesn't exist",
	})
}

func trackScript[T any](field func(*T) *[]config.Track) row[T] {
	return track(field, trackKind{
		bound: 253, what: "track script", edge: true,
		unknown: "(%s) unknown track script %s option %s - ignoring",
		missing: "(%s) track_script %s: weight without value specified, ignoring",
	})
}

func track[T any](field func(*T) *[]config.Track, kind trackKind) row[T] {
	r := list(func(c *cursor, t *T) {
		l, ok := c.track(&kind)
		all := field(t)
		switch {
		case !ok:
		case l.Name == "" && kind.nameless != "":
			c.errorf(config.ClassGeneral, "unknown-interface", kind.nameless, c.d.name)
		case c.d.twice(mention{list: c.keyword, name: l.Name}):
			c.at = 0
			c.errorf(config.ClassGeneral, "duplicate", "(%s) duplicate %s %s - ignoring", c.d.name, c.keyword, l.Name)
		default:
			*all = append(*all, l)
		}
	})
	r.write = each(func(t *T) []config.Track { return *field(t) }, (*confWriter).track)
	return r
}

// trackRows are the lists of what is tracked by the name of a block.
func trackRows[T any](file, process, bfd func(*T) *[]config.Track) rows[T] {
	return rows[T]{
		"track_file":    track(file, trackKind{bound: 254, what: "track file"}),
		"track_process": track(process, trackKind{bound: 254, what: "track process"}),
		"track_bfd":     track(bfd, trackKind{bound: 253, what: "track bfd"}),
	}
}

func groupBlock() *block[config.SyncGroup] {
	type group = config.SyncGroup
	return &block[group]{path: "vrrp_sync_group", rows: merged(trackRows(
		func(g *group) *[]config.Track { return &g.TrackFile },
		func(g *group) *[]config.Track { return &g.TrackProcess },
		func(g *group) *[]config.Track { return &g.TrackBFD },
	), rows[group]{
		"smtp_alert": optBool(func(g *group) *config.Opt[bool] { return &g.SMTPAlert }).or("Invalid vrrp_sync_group smtp_alert parameter %V"),
		"notify_priority_changes": optBool(func(g *group) *config.Opt[bool] { return &g.NotifyPriorityChanges }).
			or("(%N) Invalid value '%V' for notify_priority_changes specified"),
		"group":                      {block: true, apply: groupMembers},
		"track_interface":            trackInterface(func(g *group) *[]config.Track { return &g.TrackInterface }),
		"track_script":               trackScript(func(g *group) *[]config.Track { return &g.TrackScript }),
		"notify":                     script(func(g *group) *config.Command { return &g.Notify }),
		"notify_master":              script(func(g *group) *config.Command { return &g.NotifyMaster }),
		"notify_backup":              script(func(g *group) *config.Command { return &g.NotifyBackup }),
		"notify_fault":               script(func(g *group) *config.Command { return &g.NotifyFault }),
		"notify_stop":                script(func(g *group) *config.Command { return &g.NotifyStop }),
		"sync_group_tracking_weight": on(func(g *group) { g.SyncGroupTrackingWeight = true }),
		"global_tracking":            {apply: globalTracking},
	})}
}

func groupMembers(c *cursor, g *config.SyncGroup) {
	if len(g.Members) > 0 {
		c.errorf(config.ClassGeneral, "duplicate", "Group list already specified for sync group %s", g.Name)
		return
	}
	list(func(c *cursor, g *config.SyncGroup) {
		for word, ok := c.next(); ok; word, ok = c.next() {
			g.Members = append(g.Members, strings.Clone(word))
			g.MemberOrigins = append(g.MemberOrigins, c.d.src.origin(c.pos()))
		}
	}).apply(c, g)
}

func globalTracking(c *cursor, g *config.SyncGroup) {
	c.errorf(config.ClassDeprecated, "deprecated", "(%s) global_tracking is deprecated. Use track_interface/script/file on the sync group", g.Name)
	g.SyncGroupTrackingWeight = true
}

func scriptBlock() *block[config.TrackScript] {
	type track = config.TrackScript
	return &block[track]{path: "vrrp_script", rows: rows[track]{
		"script":    {apply: trackScriptCommand},
		"interval":  atLeast(secondsTo(3, 0, longest), time.Second, scriptLeast, func(s *track, v time.Duration) { s.Interval = v }).or("(%N): vrrp script interval '%V' must be between 1 and 4294 - ignoring"),
		"timeout":   atLeast(secondsTo(3, 0, longest), time.Second, scriptLeast, func(s *track, v time.Duration) { s.Timeout = config.Some(v) }).or("(%N): vrrp script timeout '%V' must be between 1 and 4294 - ignoring"),
		"weight":    {apply: scriptWeight},
		"rise":      set(count(1, maxInt), func(s *track) *int { return &s.Rise }).or("(%N): vrrp script rise value '%V' invalid, defaulting to 1"),
		"fall":      set(count(1, maxInt), func(s *track) *int { return &s.Fall }).or("(%N): vrrp script fall value '%V' invalid, defaulting to 1"),
		"user":      {apply: trackScriptUser},
		"init_fail": on(func(s *track) { s.InitFail = true }),
	}}
}

const scriptLeast = "(%N): vrrp script %K must be greater than 0, setting to 1"

// atLeast is a time that is not zero.
func atLeast[T any](read value[time.Duration], least time.Duration, says string, put func(*T, time.Duration)) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		word, ok := c.need()
		if !ok {
			return
		}
		v, f := read(word)
		switch {
		case !c.takes(f, word):
			return
		case v == 0:
			c.problem(config.Error, config.ClassGeneral, "invalid-value", strings.NewReplacer("%N", c.d.name, "%K", c.keyword).Replace(says))
			v = least
		}
		put(t, v)
	}}
}

// trackScriptCommand reads CMD, one word: its arguments must be quoted.
func trackScriptCommand(c *cursor, s *config.TrackScript) {
	user := s.Script.User
	rest := trim(c.rest)
	if rest == "" {
		return // keepalived complains at the end of the block
	}
	cmd, ok := c.command()
	if !ok {
		return
	}
	if cmd.User != (config.User{}) && !s.Script.IsZero() || cmd.User.Name != "" {
		c.problem(config.Warning, config.ClassNone, "extra-words", "script takes one word, ignoring what follows: quote a command with arguments: \""+rest+`"`)
	}
	cmd.User = user
	s.Script = cmd
}

// trackScriptUser reads USER [GROUP].
func trackScriptUser(c *cursor, s *config.TrackScript) {
	s.UserOrigin = c.origin()
	user(func(s *config.TrackScript) *config.User { return &s.Script.User }).apply(c, s)
}

// scriptWeight reads weight INT [reverse].
func scriptWeight(c *cursor, s *config.TrackScript) {
	word, ok := c.need()
	if !ok {
		return
	}
	n, f := count(-253, 253)(word)
	if f != nil {
		c.errorf(f.class, f.code, "vrrp_script %s weight %s must be in [-253, 253]", c.d.name, word)
		c.complete = true
		return
	}
	s.Weight, s.Reverse = n, false
	switch option, ok := c.next(); {
	case !ok:
	case option == "reverse":
		s.Reverse = true
	case option != "noreverse":
		c.errorf(config.ClassGeneral, "invalid-value", "vrrp_script %s unknown weight option %s", c.d.name, option)
	}
}
