package notify

import (
	"strconv"

	"github.com/lvsd/lvsd/config"
)

// InstanceEvent is a state that a VRRP instance has entered, with its
// effective priority: first the script of that state, without arguments, then
// notify with INSTANCE NAME STATE PRIORITY. An instance that a reload removed
// is told as FAULT, unless it has notify_deleted.
func InstanceEvent(i *config.Instance, state config.State, priority int) Event {
	gone := state == config.Deleted
	state = Told(i, state)
	var own *config.Command
	switch state {
	case config.Master:
		own = i.NotifyMaster
	case config.Backup:
		own = i.NotifyBackup
	case config.Fault:
		own = i.NotifyFault
	case config.Stop:
		own = i.NotifyStop
	case config.Deleted:
		own = i.NotifyDeleted.Value
	}
	e := stateEvent(Object{"INSTANCE", i.Name}, state, priority, own, i.Notify)
	e.Mail, e.Gone = i.SMTPAlert.Value, gone
	return e
}

// Told is the state that is told of an instance which has entered one: an
// instance that a reload removed is in FAULT, unless it has notify_deleted.
func Told(i *config.Instance, state config.State) config.State {
	if state == config.Deleted && !i.NotifyDeleted.Set {
		return config.Fault
	}
	return state
}

// GroupEvent is a state that a sync group has entered: first the script of
// that state, then notify with GROUP NAME STATE 0.
func GroupEvent(g *config.SyncGroup, state config.State) Event {
	var own *config.Command
	switch state {
	case config.Master:
		own = &g.NotifyMaster
	case config.Backup:
		own = &g.NotifyBackup
	case config.Fault:
		own = &g.NotifyFault
	case config.Stop:
		own = &g.NotifyStop
	}
	e := stateEvent(Object{"GROUP", g.Name}, state, 0, own, &g.Notify)
	e.Mail = g.SMTPAlert.Value
	return e
}

func stateEvent(o Object, state config.State, priority int, own, generic *config.Command) Event {
	e := Event{Object: o, What: state.String()}
	if !own.IsZero() {
		e.Calls = append(e.Calls, Call{Command: *own})
	}
	if !generic.IsZero() {
		args := []string{o.Kind, o.Name, state.String(), strconv.Itoa(priority)}
		e.Calls = append(e.Calls, Call{Command: *generic, Args: args})
	}
	return e
}

// LowerPriorityEvent is an advert of a lower priority that a MASTER received:
// notify_master_rx_lower_pri, without arguments.
func LowerPriorityEvent(i *config.Instance) Event {
	return single(Event{Object: Object{"INSTANCE", i.Name}, What: "MASTER_RX_LOWER_PRI", Repeats: true}, i.NotifyMasterRxLowerPri)
}

// ServerEvent is a real server of a service that came up or went down:
// notify_up or notify_down, without arguments.
func ServerEvent(service config.ServiceKey, s *config.Server, up bool) Event {
	o := Object{"RS", s.String(service.Protocol) + " " + service.String()}
	if up {
		return single(Event{Object: o, What: "UP"}, s.NotifyUp)
	}
	return single(Event{Object: o, What: "DOWN"}, s.NotifyDown)
}

// ServiceEvent is a service that gained or lost its quorum: quorum_up or
// quorum_down, without arguments.
func ServiceEvent(s *config.Service, up bool) Event {
	o := Object{"VS", s.Key.String()}
	if up {
		return single(Event{Object: o, What: "UP"}, s.QuorumUp)
	}
	return single(Event{Object: o, What: "DOWN"}, s.QuorumDown)
}

func single(e Event, c *config.Command) Event {
	if !c.IsZero() {
		e.Calls = []Call{{Command: *c}}
	}
	return e
}
