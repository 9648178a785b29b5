package snmp

import (
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// tracking is a kind of trackers: where instances and groups name them.
type tracking struct {
	instance, group uint32 // tables
	own             func(*config.Instance) []config.Track
	members         func(*config.SyncGroup) []config.Track
	first           uint32 // column of the names
}

var (
	trackedLinks = tracking{
		4, 14, func(i *config.Instance) []config.Track { return i.TrackInterface },
		func(g *config.SyncGroup) []config.Track { return g.TrackInterface }, 1,
	}
	trackedScripts = tracking{
		5, 15, func(i *config.Instance) []config.Track { return i.TrackScript },
		func(g *config.SyncGroup) []config.Track { return g.TrackScript }, 2,
	}
	trackedFiles = tracking{
		12, 16, func(i *config.Instance) []config.Track { return i.TrackFile },
		func(g *config.SyncGroup) []config.Track { return g.TrackFile }, 2,
	}
	trackedBFD = tracking{
		17, 19, func(i *config.Instance) []config.Track { return i.TrackBFD },
		func(g *config.SyncGroup) []config.Track { return g.TrackBFD }, 2,
	}
	trackedProcesses = tracking{
		20, 22, func(i *config.Instance) []config.Track { return i.TrackProcess },
		func(g *config.SyncGroup) []config.Track { return g.TrackProcess }, 2,
	}
)

// tracked are the tables of what instances and groups track.
func (s *State) tracked() (all view) {
	for _, k := range []*tracking{&trackedLinks, &trackedScripts, &trackedFiles, &trackedBFD, &trackedProcesses} {
		var instances, groups table[config.Track]
		for i := range s.Config.Instances {
			for n, t := range k.own(&s.Config.Instances[i]) {
				instances.add(t, uint32(i+1), uint32(n+1))
			}
		}
		for i := range s.Config.Groups {
			for n, t := range k.members(&s.Config.Groups[i]) {
				groups.add(t, uint32(i+1), uint32(n+1))
			}
		}
		columns := []object[config.Track]{
			col(k.first, func(t *config.Track) agentx.Value { return agentx.Text(t.Name) }),
			col(k.first+1, func(t *config.Track) agentx.Value { return agentx.Integer(t.Weight.Value) }),
			col(k.first+2, func(t *config.Track) agentx.Value { return truth(t.Reverse.Value) }),
		}
		all = append(all, instances.view(router.Sub(k.instance, 1), columns...)...)
		all = append(all, groups.view(router.Sub(k.group, 1), columns...)...)
	}
	return all
}

// names are those that somebody tracks: keepalived forgets other scripts and
// files.
func (k *tracking) names(c *config.Config) map[string]bool {
	all := make(map[string]bool)
	for i := range c.Instances {
		for _, t := range k.own(&c.Instances[i]) {
			all[t.Name] = true
		}
	}
	for i := range c.Groups {
		for _, t := range k.members(&c.Groups[i]) {
			all[t.Name] = true
		}
	}
	return all
}

// trackers are the tables of the trackers themselves.
func (s *State) trackers() view {
	return slices.Concat(s.scripts(), s.files(), s.sessions(), s.processes())
}

// scripts is vrrpScriptTable.
func (s *State) scripts() view {
	type row = *config.TrackScript
	var t table[row]
	used := trackedScripts.names(s.Config)
	for i := range s.Config.Scripts {
		if v := &s.Config.Scripts[i]; used[v.Name] {
			t.add(v, uint32(len(t.rows)+1))
		}
	}
	return t.view(router.Sub(9, 1),
		col(2, func(v *row) agentx.Value { return agentx.Text((*v).Name) }),                           // vrrpScriptName
		col(3, func(v *row) agentx.Value { return script(&(*v).Script) }),                             // vrrpScriptCommand
		col(4, func(v *row) agentx.Value { return agentx.Integer(int((*v).Interval / time.Second)) }), // vrrpScriptInterval
		col(5, func(v *row) agentx.Value { return agentx.Integer((*v).Weight) }),                      // vrrpScriptWeight
		col(6, func(v *row) agentx.Value { return s.scriptResult(*v) }),                               // vrrpScriptResult
		col(7, func(v *row) agentx.Value { return agentx.Gauge((*v).Rise) }),                          // vrrpScriptRise
		col(8, func(v *row) agentx.Value { return agentx.Gauge((*v).Fall) }),                          // vrrpScriptFall
		col(9, func(v *row) agentx.Value { return truth((*v).Reverse) }),                              // vrrpScriptWgtRev
	)
}

// scriptResult: init, bad, good, initfailed.
func (s *State) scriptResult(v *config.TrackScript) agentx.Value {
	switch now := s.Facts.Scripts[v.Name]; {
	case now.Up:
		return agentx.Integer(3)
	case now.Known:
		return agentx.Integer(2)
	case v.InitFail:
		return agentx.Integer(5)
	}
	return agentx.Integer(1)
}

// files is vrrpFileTable.
func (s *State) files() view {
	type row = *config.TrackFile
	var t table[row]
	used := trackedFiles.names(s.Config)
	for i := range s.Config.Trackers.Files {
		if v := &s.Config.Trackers.Files[i]; used[v.Name] {
			t.add(v, uint32(len(t.rows)+1))
		}
	}
	return t.view(router.Sub(13, 1),
		col(2, func(v *row) agentx.Value { return agentx.Text((*v).Name) }),                   // vrrpFileName
		col(3, func(v *row) agentx.Value { return agentx.Text((*v).File) }),                   // vrrpFilePath
		col(4, func(v *row) agentx.Value { return agentx.Integer(s.Facts.Files[(*v).Name]) }), // vrrpFileResult
		col(5, func(v *row) agentx.Value { return agentx.Integer(fileWeight(*v)) }),           // vrrpFileWeight
		col(6, func(v *row) agentx.Value { return truth((*v).Reverse) }),                      // vrrpFileWgtRev
	)
}

func fileWeight(f *config.TrackFile) int {
	if !f.Weight.Set {
		return 1
	}
	return f.Weight.Value
}

// sessions is vrrpBfdTable.
func (s *State) sessions() view {
	type row = *config.BFDInstance
	var t table[row]
	for i := range s.Config.Trackers.BFD {
		if v := &s.Config.Trackers.BFD[i]; v.VRRP || !v.Checker {
			t.add(v, uint32(len(t.rows)+1))
		}
	}
	return t.view(router.Sub(18, 1),
		col(2, func(v *row) agentx.Value { return agentx.Text((*v).Name) }), // vrrpBfdName
		col(3, func(v *row) agentx.Value { return agentx.Integer(up(s.Facts.Sessions[(*v).Name].Up)) }),
		col(4, func(v *row) agentx.Value { return agentx.Integer((*v).Weight) }), // vrrpBfdWeight
		col(5, func(v *row) agentx.Value { return truth((*v).Reverse) }),         // vrrpBfdWgtRev
	)
}

// up is vrrpBfdResult, which has no names for its numbers.
func up(b bool) int {
	if b {
		return 1
	}
	return 0
}

// processes is vrrpProcessTable.
func (s *State) processes() view {
	type row = *config.TrackProcess
	var t table[row]
	for i := range s.Config.Trackers.Processes {
		t.add(&s.Config.Trackers.Processes[i], uint32(i+1))
	}
	return t.view(router.Sub(21, 1),
		col(2, func(v *row) agentx.Value { return agentx.Text((*v).Name) }),                                          // vrrpProcessName
		col(3, func(v *row) agentx.Value { return agentx.Text((*v).Process[0]) }),                                    // vrrpProcessPath
		col(4, func(v *row) agentx.Value { return agentx.Text(strings.Join((*v).Process[1:], " ")) }),                // vrrpProcessParams
		col(5, func(v *row) agentx.Value { return paramMatch((*v).ParamMatch) }),                                     // vrrpProcessParamMatch
		col(6, func(v *row) agentx.Value { return agentx.Integer((*v).Weight.Value) }),                               // vrrpProcessWeight
		col(7, func(v *row) agentx.Value { return truth((*v).Reverse) }),                                             // vrrpProcessWgtRev
		col(8, func(v *row) agentx.Value { return agentx.Gauge((*v).Quorum) }),                                       // vrrpProcessQuorum
		col(9, func(v *row) agentx.Value { return agentx.Integer(most(*v)) }),                                        // vrrpProcessQuorumMax
		col(10, func(v *row) agentx.Value { return agentx.Gauge((*v).ForkDelay.Microseconds()) }),                    // vrrpProcessForkDelay
		col(11, func(v *row) agentx.Value { return agentx.Gauge((*v).TerminateDelay.Microseconds()) }),               // vrrpProcessTerminateDelay
		col(12, func(v *row) agentx.Value { return truth((*v).FullCommand || (*v).ParamMatch != config.ParamNone) }), // vrrpProcessFullCommand
		col(13, func(v *row) agentx.Value { return agentx.Integer(s.Facts.Processes[(*v).Name].Current) }),           // vrrpProcessCurProc
		col(14, func(v *row) agentx.Value { return truth(s.Facts.Processes[(*v).Name].Quorum) }),                     // vrrpProcessResult
	)
}

// paramMatch: none, exact, partial, initial.
func paramMatch(m config.ParamMatch) agentx.Value {
	return agentx.Integer(max(slices.Index([]config.ParamMatch{config.ParamNone, config.ParamExact, config.ParamPartial, config.ParamInitial}, m), 0))
}

// most is quorum_max; -1: none.
func most(p *config.TrackProcess) int {
	if !p.QuorumMax.Set {
		return -1
	}
	return p.QuorumMax.Value
}
