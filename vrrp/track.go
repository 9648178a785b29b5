package vrrp

import (
	"fmt"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// Kind is what is tracked.
type Kind uint8

// What is tracked by a name of its own. Links have [LinkChanged].
const (
	Script  Kind = iota // a vrrp_script
	File                // a track_file
	Process             // a vrrp_track_process
	BFD                 // a bfd_instance
	link
	anyLink // all of them, for track_src_ip
)

// Object is something that is tracked.
type Object struct {
	Kind Kind
	Name string
}

// tracker is a line of one of the track_ lists with what is known of its
// object.
type tracker struct {
	config.Track
	kind      Kind
	shared    bool // the sync group's
	own       bool // a file that the instance tracks itself, in vain
	known, up bool
	value     int // of a file
	held      int // what a file adds to the priority; the same as before while it is a reason for FAULT
}

// most is what keepalived makes of results beyond it: that much below the
// priority is FAULT, that much above it is the highest priority.
const most = 254

// failed says that the instance must be in FAULT.
func (t *tracker) failed() bool {
	switch {
	case !t.known:
		return false
	case t.kind == File:
		return t.product() <= -most
	}
	return t.Weight.Value == 0 && t.up == t.Reverse.Value
}

// bonus is what the tracker adds to the priority: a positive weight while its
// object is up, a negative one while it is not. Reverse changes the sign.
func (t *tracker) bonus() int {
	w := t.Weight.Value
	switch {
	case !t.known:
		return 0
	case t.kind == File:
		return t.held
	case (w > 0) != t.up:
		return 0
	case t.Reverse.Value:
		return -w
	}
	return w
}

// product is the number in a file by the weight; with weight 0 any number but
// 0 is the worst that there is, and with reverse 0 is.
func (t *tracker) product() int {
	w := t.Weight.Value
	switch {
	case w == 0 && (t.value != 0) == t.Reverse.Value:
		return 0
	case w == 0:
		return -most
	case t.Reverse.Value:
		w = -w
	}
	return min(max(min(max(t.value, -most), most)*w, -most), most)
}

// learn notes a verdict.
func (t *tracker) learn(ev Tracked) {
	t.known, t.up, t.value = true, ev.Up, ev.Value
	t.hold()
}

// hold is for new values and new weights.
func (t *tracker) hold() {
	if t.kind == File && t.known && !t.failed() {
		t.held = t.product()
	}
}

// track takes the trackers of the configuration and of the sync group. Links that
// something of the instance is on come first, then those of the group, and hide
// others of the same name, with keepalived's exceptions: what an instance tracks
// with weight 0 is so tracked, a process with another weight has the group's and
// its own reverse, and of a BFD session both count. The own interface, which is
// tracked anyway, has no weight. What is known of an object stays known.
func (m *Machine) track(group *config.SyncGroup) {
	old := m.trackers
	m.trackers = nil
	shared := false
	add := func(kind Kind, list []config.Track) {
		for _, line := range list {
			if shared && kind == link && line.Name == m.cfg.Interface && !m.cfg.DontTrackPrimary {
				continue
			}
			t := tracker{Track: line, kind: kind, shared: shared}
			if was := find(old, kind, line.Name); was != nil {
				t.known, t.up, t.value, t.held = was.known, was.up, was.value, was.held
				t.hold()
			}
			first := find(m.trackers, kind, line.Name)
			if first != nil && !shared && kind == File {
				first.own = true
			}
			switch {
			case first == nil || kind == BFD:
				m.trackers = append(m.trackers, t)
			case first.shared && line.Weight.Value == 0:
				*first = t
			case kind == Process:
				first.Reverse = line.Reverse
			}
		}
	}
	add(link, m.cfg.Requires)
	if group != nil {
		shared = true
		eachTrack(groupTracks(group), add)
		shared = false
	}
	eachTrack(&m.cfg, add)
}

// eachTrack calls f for the list of each kind.
func eachTrack(i *config.Instance, f func(Kind, []config.Track)) {
	f(link, i.Requires)
	f(link, i.TrackInterface)
	f(Script, i.TrackScript)
	f(File, i.TrackFile)
	f(Process, i.TrackProcess)
	f(BFD, i.TrackBFD)
}

// groupTracks are the lists of a sync group.
func groupTracks(g *config.SyncGroup) *config.Instance {
	return &config.Instance{
		TrackInterface: g.TrackInterface, TrackScript: g.TrackScript, TrackFile: g.TrackFile,
		TrackProcess: g.TrackProcess, TrackBFD: g.TrackBFD,
	}
}

func find(list []tracker, kind Kind, name string) *tracker {
	i := slices.IndexFunc(list, func(t tracker) bool { return t.kind == kind && t.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// tracks says that the instance tracks something itself, not with its sync group
// alone.
func (m *Machine) tracks(o Object) bool {
	if o.Kind == link && o.Name == m.cfg.Interface && !m.cfg.DontTrackPrimary {
		return true
	}
	t := find(m.trackers, o.Kind, o.Name)
	return t != nil && (!t.shared || t.own)
}

// tracked notes a verdict about a tracked object.
func (m *Machine) tracked(ev Tracked, out *effects) {
	t := find(m.trackers, ev.Kind, ev.Name)
	if t == nil {
		return
	}
	failed := t.failed()
	for i := range m.trackers {
		if same := &m.trackers[i]; same.kind == ev.Kind && same.Name == ev.Name {
			same.learn(ev)
		}
	}
	if !m.started || t.kind != File || failed == t.failed() {
		return
	}
	if !failed {
		out.add(m.line(false, fmt.Sprintf("(%s): tracked file %s now FAULT state", m.cfg.Name, t.Name)))
		return
	}
	out.add(m.line(false, fmt.Sprintf("(%s): tracked file %s leaving FAULT state", m.cfg.Name, t.Name)))
	if priority := m.effective(); priority != m.priority {
		m.say(out, "Setting effective priority to %d", priority)
		m.priority = priority // nobody is told, the instance is not yet out of FAULT
		m.compose()
	}
}

// observe notes the state of a link.
func (m *Machine) observe(l LinkChanged) {
	if t := find(m.trackers, link, l.Link); t != nil {
		t.known, t.up = true, l.Exists && l.Up
	}
	m.homes.observe(l, trackedSource(&m.cfg))
	if l.Link == m.cfg.Interface && l.Link != "" {
		m.link = l
		m.refreshSource()
	}
	if l.Link == m.cfg.Device() {
		m.device = l
	}
}

// effective is the priority after tracking, RFC 9568 section 5.2.4: 255 is the
// owner's alone and 0 says farewell.
func (m *Machine) effective() uint8 {
	base := int(m.cfg.Priority.Value)
	switch {
	case base == config.Owner && m.rival.reduced:
		return config.Owner - 1
	case base == config.Owner:
		return config.Owner
	}
	for i := range m.trackers {
		base += m.trackers[i].bonus()
	}
	return uint8(min(max(base, 1), config.Owner-1))
}

// undecided says that the instance must not leave INIT yet: a script that can
// bring it to FAULT has no verdict.
func (m *Machine) undecided() bool {
	return m.waiting() && slices.ContainsFunc(m.trackers, func(t tracker) bool {
		return t.kind == Script && t.Weight.Value == 0 && !t.known
	})
}

// faulty says that the instance itself has a reason to be in FAULT.
func (m *Machine) faulty() bool {
	return m.linkDown() || m.sourceless || m.deaf || m.sourceGone() || m.cfg.Unable != "" || m.failing() != nil
}

// linkDown leaves unicast instances without an interface aside, and those with
// dont_track_primary.
func (m *Machine) linkDown() bool { return m.downLink() != "" }

// downLink is the interface, or the instance's own link on it, that is down.
func (m *Machine) downLink() string {
	switch {
	case m.cfg.Interface == "" || m.cfg.DontTrackPrimary:
	case !m.link.Exists || !m.link.Up:
		return m.cfg.Interface
	case m.cfg.Device() != m.cfg.Interface && !(m.device.Link == m.cfg.Device() && m.device.Exists && m.device.Up):
		return m.cfg.Device()
	}
	return ""
}

// failing is the first tracker that is a reason to be in FAULT.
func (m *Machine) failing() *tracker {
	for i := range m.trackers {
		if m.trackers[i].failed() {
			return &m.trackers[i]
		}
	}
	return nil
}

// failure is the first reason to be in FAULT, for the log.
func (m *Machine) failure() string {
	if m.linkDown() {
		return fmt.Sprintf("(%s): entering FAULT state (interface %s down)", m.cfg.Name, m.downLink())
	}
	if m.cfg.Unable != "" {
		return fmt.Sprintf("(%s) entering FAULT state (%s)", m.cfg.Name, m.cfg.Unable)
	}
	if m.sourceGone() || m.deaf && m.cfg.Unicast() {
		return fmt.Sprintf("(%s): entering FAULT state (src address not configured)", m.cfg.Name)
	}
	if t := m.failing(); t != nil {
		return fmt.Sprintf("(%s)%s", m.cfg.Name, t.failure())
	}
	if m.deaf && !m.sourceless {
		return fmt.Sprintf("(%s): entering FAULT state (no socket on interface %s)", m.cfg.Name, m.cfg.AdvertDevice())
	}
	family := 4
	if m.cfg.IPv6() {
		family = 6
	}
	return fmt.Sprintf("(%s) entering FAULT state (no IPv%d address for interface)", m.cfg.Name, family)
}

// failure says why the tracker brings its instance to FAULT.
func (t *tracker) failure() string {
	quorum := map[bool]string{false: "not achieved", true: "achieved"}
	switch t.kind {
	case Script:
		return fmt.Sprintf(": entering FAULT state due to script %s", t.Name)
	case File:
		return fmt.Sprintf(": entering FAULT state (tracked file %s has status %d)", t.Name, t.product())
	case Process:
		return fmt.Sprintf(" entering FAULT state (tracked process %s quorum %s)", t.Name, quorum[t.up])
	case BFD:
		return fmt.Sprintf(": entering FAULT state (BFD %s down)", t.Name)
	}
	return fmt.Sprintf(": entering FAULT state (interface %s down)", t.Name)
}
