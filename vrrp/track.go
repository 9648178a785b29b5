package vrrp

import (
	"fmt"
	"slices"

	"github.com/lvsd/lvsd/config"
)

// tracker is a line of track_interface or track_script with what is known of
// its object.
type tracker struct {
	config.Track
	known, up bool
}

// good says that the object does what is wished; with reverse that is to fail.
func (t *tracker) good() bool { return t.up != t.Reverse }

// failed says that the instance must be in FAULT.
func (t *tracker) failed() bool { return t.known && t.Weight.Value == 0 && !t.good() }

// bonus is what the tracker adds to the priority: a positive weight while its
// object is good, a negative one while it is not.
func (t *tracker) bonus() int {
	w := t.Weight.Value
	if t.known && (w > 0) == t.good() {
		return w
	}
	return 0
}

// track takes the trackers of the configuration and of the sync group, whose
// own come first and hide those of the same name. What is known of an object
// stays known.
func (m *Machine) track(group *config.SyncGroup) {
	var interfaces, scripts []config.Track
	if group != nil {
		interfaces, scripts = group.TrackInterface, group.TrackScript
	}
	m.interfaces = trackers(m.interfaces, interfaces, m.cfg.TrackInterface)
	m.scripts = trackers(m.scripts, scripts, m.cfg.TrackScript)
}

func trackers(old []tracker, lists ...[]config.Track) []tracker {
	var all []tracker
	for _, list := range lists {
		for _, track := range list {
			if find(all, track.Name) != nil {
				continue
			}
			t := tracker{Track: track}
			if was := find(old, track.Name); was != nil {
				t.known, t.up = was.known, was.up
			}
			all = append(all, t)
		}
	}
	return all
}

func find(list []tracker, name string) *tracker {
	i := slices.IndexFunc(list, func(t tracker) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// learn notes the state of a tracked object.
func learn(list []tracker, name string, up bool) {
	if t := find(list, name); t != nil {
		t.known, t.up = true, up
	}
}

// observe notes the state of a link.
func (m *Machine) observe(l LinkChanged) {
	learn(m.interfaces, l.Link, l.Exists && l.Up)
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
	if base == config.Owner {
		return config.Owner
	}
	for i := range m.interfaces {
		base += m.interfaces[i].bonus()
	}
	for i := range m.scripts {
		base += m.scripts[i].bonus()
	}
	return uint8(min(max(base, 1), config.Owner-1))
}

// undecided says that the instance must not leave INIT yet: a script that can
// bring it to FAULT has no verdict.
func (m *Machine) undecided() bool {
	return m.waiting() && slices.ContainsFunc(m.scripts, func(t tracker) bool {
		return t.Weight.Value == 0 && !t.known
	})
}

// faulty says that the instance itself has a reason to be in FAULT.
func (m *Machine) faulty() bool {
	return m.linkDown() || m.sourceless || m.cfg.Unable != "" || m.tracksFailure()
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

func (m *Machine) tracksFailure() bool {
	failed := func(t tracker) bool { return t.failed() }
	return slices.ContainsFunc(m.interfaces, failed) || slices.ContainsFunc(m.scripts, failed)
}

// failure is the first reason to be in FAULT, for the log.
func (m *Machine) failure() string {
	down := func(link string) string {
		return fmt.Sprintf("(%s): entering FAULT state (interface %s down)", m.cfg.Name, link)
	}
	if m.linkDown() {
		return down(m.downLink())
	}
	if m.cfg.Unable != "" {
		return fmt.Sprintf("(%s) entering FAULT state (%s is not acted on yet)", m.cfg.Name, m.cfg.Unable)
	}
	for i := range m.interfaces {
		if m.interfaces[i].failed() {
			return down(m.interfaces[i].Name)
		}
	}
	for i := range m.scripts {
		if m.scripts[i].failed() {
			return fmt.Sprintf("(%s): entering FAULT state due to script %s", m.cfg.Name, m.scripts[i].Name)
		}
	}
	family := 4
	if m.cfg.IPv6() {
		family = 6
	}
	return fmt.Sprintf("(%s) entering FAULT state (no IPv%d address for interface)", m.cfg.Name, family)
}
