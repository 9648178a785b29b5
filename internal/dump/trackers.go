package dump

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// tracks are what an instance or a group tracks.
type tracks struct{ interfaces, scripts, files, processes, bfd []config.Track }

// tracked writes the track_* blocks; keepalived has two words for processes.
func (p *printer) tracked(processes string, t *tracks) {
	for _, l := range []struct {
		title, between string
		list           []config.Track
	}{
		{"interfaces", " ", t.interfaces}, {"scripts", " ", t.scripts}, {"files", ", ", t.files}, {processes, ", ", t.processes}, {"BFDs", ": ", t.bfd},
	} {
		if len(l.list) > 0 {
			p.line("   Tracked %s :", l.title)
		}
		for _, t := range l.list {
			p.line("     %s%sweight %d%s", t.Name, l.between, t.Weight.Value, reverseText(t.Reverse.Value))
		}
	}
}

// users writes the instances that track an object, those that say so
// themselves first. The line of a sync group counts for those of its members that
// have none, or one with a weight.
func (p *printer) users(c *config.Config, name string, own func(*config.Instance) []config.Track, group func(*config.SyncGroup) []config.Track) {
	p.listed(usersOf(c, name, own, group, groups))
}

func (p *printer) listed(users []string) {
	if len(users) > 0 {
		p.line("   Tracking instances :")
	}
	for _, u := range users {
		p.line("     %s", u)
	}
}

// groups is the line that counts of two: the group's.
func groups(_, all *config.Track) *config.Track { return all }

// groupsWeight is, of processes, the group's with the member's reverse.
func groupsWeight(own, all *config.Track) *config.Track {
	return &config.Track{Weight: all.Weight, Reverse: own.Reverse}
}

func usersOf(c *config.Config, name string, own func(*config.Instance) []config.Track, group func(*config.SyncGroup) []config.Track, merged func(own, all *config.Track) *config.Track) (users []string) {
	seen := map[string]bool{}
	add := func(instance string, t *config.Track) {
		users = append(users, fmt.Sprintf("%s, weight %d%s", instance, t.Weight.Value, reverseText(t.Reverse.Value)))
		seen[instance] = true
	}
	for i := range c.Instances {
		v := &c.Instances[i]
		t, g := find(own(v), name), groupOf(c, v.Name)
		if t == nil {
			continue
		}
		if g != nil && t.Weight.Value != 0 {
			if all := find(group(g), name); all != nil {
				t = merged(t, all)
			}
		}
		add(v.Name, t)
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		for _, member := range g.Members {
			if t := find(group(g), name); t != nil && !seen[member] {
				add(member, t)
			}
		}
	}
	return users
}

func find(list []config.Track, name string) *config.Track {
	i := slices.IndexFunc(list, func(t config.Track) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

func scriptsOf(i *config.Instance) []config.Track       { return i.TrackScript }
func groupScriptsOf(g *config.SyncGroup) []config.Track { return g.TrackScript }

// scripts writes those that somebody tracks: keepalived forgets the others.
func (p *printer) scripts(c *config.Config) {
	title := "VRRP Scripts"
	for i := range c.Scripts {
		if len(usersOf(c, c.Scripts[i].Name, scriptsOf, groupScriptsOf, groups)) == 0 {
			continue
		}
		if title != "" {
			p.title(title)
		}
		title = ""
		p.script(c, &c.Scripts[i])
	}
}

func (p *printer) script(c *config.Config, s *config.TrackScript) {
	state := p.facts.Scripts[s.Name]
	p.line(" VRRP Script = %s", s.Name)
	p.field("Command", s.Script.Quoted())
	p.fitness(&s.Script)
	p.line("   Interval = %g sec", s.Interval.Seconds())
	timeout := s.Timeout.Value
	if !s.Timeout.Set {
		timeout = 0 // the interval counts
	}
	p.line("   Timeout = %g sec", timeout.Seconds())
	p.line("   Weight = %d%s", s.Weight, reverseText(s.Reverse))
	p.field("Rise", s.Rise)
	p.field("Fall", s.Fall)
	p.field("Insecure", "no")
	p.field("Init state", choose(s.InitFail && !state.Known, "failed", "unknown"))
	p.field("Status", choose(state.Up, "GOOD", "BAD"))
	p.field("Script uid:gid", p.account(s.Script.User))
	p.line("   VRRP instances :")
	p.users(c, s.Name, scriptsOf, groupScriptsOf)
	p.field("State", choose(state.Running, "running", "idle"))
}

// trackers writes the other objects that instances and groups track.
func (p *printer) trackers(c *config.Config) {
	t := &c.Trackers
	p.trackFiles(c)
	if len(t.Processes) > 0 {
		p.title("VRRP Track processes")
	}
	for i := range t.Processes {
		p.trackProcess(&t.Processes[i])
		p.listed(usersOf(c, t.Processes[i].Name,
			func(i *config.Instance) []config.Track { return i.TrackProcess },
			func(g *config.SyncGroup) []config.Track { return g.TrackProcess }, groupsWeight))
	}
	p.trackSessions(c)
}

func filesOf(i *config.Instance) []config.Track       { return i.TrackFile }
func groupFilesOf(g *config.SyncGroup) []config.Track { return g.TrackFile }

// trackFiles writes those that somebody tracks: keepalived forgets the others.
func (p *printer) trackFiles(c *config.Config) {
	title := "VRRP Track files"
	for i := range c.Trackers.Files {
		f := &c.Trackers.Files[i]
		if len(usersOf(c, f.Name, filesOf, groupFilesOf, groups)) == 0 {
			continue
		}
		if title != "" {
			p.title(title)
		}
		title = ""
		p.trackFile(f)
		p.users(c, f.Name, filesOf, groupFilesOf)
	}
}

func (p *printer) trackSessions(c *config.Config) {
	title := "VRRP Track BFDs"
	for i := range c.Trackers.BFD {
		b := &c.Trackers.BFD[i]
		if b.Checker && !b.VRRP {
			continue
		}
		if title != "" {
			p.title(title)
		}
		title = ""
		p.line(" VRRP Track BFD = %s", b.Name)
		p.line("   Weight = %d%s", b.Weight, reverseText(b.Reverse))
		p.line("   Bfd is %s", choose(p.facts.Sessions[b.Name].Up, "up", "down"))
		p.line("   Tracking VRRP instances :")
		p.users(c, b.Name,
			func(i *config.Instance) []config.Track { return i.TrackBFD },
			func(g *config.SyncGroup) []config.Track { return g.TrackBFD })
	}
}

func (p *printer) trackFile(f *config.TrackFile) {
	p.line(" Track file = %s", f.Name)
	p.field("File", f.File)
	p.field("Status", p.facts.Files[f.Name])
	weight := f.Weight.Value
	if !f.Weight.Set {
		weight = 1
	}
	p.line("   Weight = %d%s", weight, reverseText(f.Reverse))
	if f.InitFile.Set {
		p.field("Init value", fmt.Sprint(f.InitFile.Value)+choose(f.Overwrite, " overwrite", ""))
	}
}

func (p *printer) trackProcess(t *config.TrackProcess) {
	state := p.facts.Processes[t.Name]
	p.line(" VRRP Track process = %s", t.Name)
	p.field("Process", t.Process[0])
	if len(t.Process) > 1 {
		p.field("Parameters", strings.Join(t.Process[1:], " "))
	}
	if t.ParamMatch != config.ParamNone {
		p.field("Param match", t.ParamMatch)
	}
	p.field("Min processes", t.Quorum)
	if t.QuorumMax.Set {
		p.field("Max processes", t.QuorumMax.Value)
	}
	p.field("Current processes", state.Current)
	p.field("Have quorum", state.Quorum)
	p.line("   Weight = %d%s", t.Weight.Value, reverseText(t.Reverse))
	p.line("   Terminate delay = %fs", t.TerminateDelay.Seconds())
	p.line("   Fork delay = %fs", t.ForkDelay.Seconds())
	p.field("Full command", t.FullCommand)
}
