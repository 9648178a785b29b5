package checker

import (
	"fmt"
	"maps"
	"net/netip"
	"sync"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
)

// Watch holds the checks that have no probe and no timer: FILE_CHECK, which the
// number in a file tells, and BFD_CHECK, which the state of a session does. It
// decides and reports; looking at files and sessions is somebody else's.
type Watch struct {
	log      *zap.Logger
	onResult func(Report)

	mu      sync.Mutex // held while reporting: reports about a check are in order
	checks  map[source][]*told
	numbers map[string]int // in the files, by the name of the track_file
	up      map[string]bool
}

// source is what tells a check: a track_file or a bfd_instance.
type source struct {
	kind config.CheckKind
	name string
}

// told is a check.
type told struct {
	service config.ServiceKey
	server  netip.AddrPort
	label   string // the server in the log
	id      config.CheckID
	file    *config.FileParams // nil: a BFD session
	ran, up bool
	weight  config.WeightChange
}

// NewWatch prepares a Watch. The callback is told when a check comes up, goes
// down or says another weight. It must not call the Watch.
func NewWatch(log *zap.Logger, onResult func(Report)) *Watch {
	return &Watch{log: log, onResult: onResult, checks: map[source][]*told{}, numbers: map[string]int{}, up: map[string]bool{}}
}

// Apply makes these the services whose servers are checked, and hands what is
// known of their checks to commit before anything else is reported: a server
// that a file keeps down is never up in between.
func (w *Watch) Apply(services []config.Service, commit func(known []Report) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := make(map[toldKey]bool)
	for _, checks := range w.checks {
		for _, c := range checks {
			before[c.key()] = true
		}
	}
	w.checks = map[source][]*told{}
	var known []Report
	for i := range services {
		s := &services[i]
		for k := range s.Servers {
			server := &s.Servers[k]
			for _, check := range server.Checks {
				if !check.Kind.Told() {
					continue
				}
				from, c := newTold(s.Key, server, check)
				w.checks[from] = append(w.checks[from], c)
				if !w.learn(from, c) {
					continue
				}
				known = append(known, c.report(from))
				if !c.up && !before[c.key()] {
					w.log.Info(c.sentence(from))
				}
			}
		}
	}
	return commit(known)
}

func newTold(service config.ServiceKey, server *config.Server, check config.Check) (source, *told) {
	c := &told{
		service: service, server: server.Addr, label: server.String(service.Protocol), id: check.ID(),
		up: !check.Timing.Alpha.Value,
	}
	if p, ok := check.Params.(*config.BFDParams); ok {
		return source{check.Kind, p.Name}, c
	}
	c.file = check.Params.(*config.FileParams)
	return source{check.Kind, c.file.TrackFile}, c
}

// learn brings a check to what is known of its source; false when nothing is.
func (w *Watch) learn(from source, c *told) bool {
	if c.file == nil {
		up, known := w.up[from.name]
		if known {
			c.up, c.ran = up, true
		}
		return known
	}
	number, known := w.numbers[from.name]
	if known {
		c.up, c.weight = c.file.Judge(number)
		c.ran = true
	}
	return known
}

// File takes the number in a track_file: the first one, and each other.
func (w *Watch) File(name string, number int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.numbers[name] = number
	w.changed(source{config.FileCheck, name})
}

// Session takes the state of a bfd_instance. Until it is told, sessions say
// nothing, and the checks are as alpha has them.
func (w *Watch) Session(name string, up bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.up[name] = up
	w.changed(source{config.BFDCheck, name})
}

// changed tells the checks of a source.
func (w *Watch) changed(from source) {
	for _, c := range w.checks[from] {
		was := *c
		w.learn(from, c)
		if was.ran && was.up == c.up && was.weight == c.weight {
			continue
		}
		if was.up != c.up || c.file == nil && !was.ran {
			w.log.Info(c.sentence(from))
		}
		w.onResult(c.report(from))
	}
}

// Forget drops what is known of a file that is not looked at any more.
func (w *Watch) Forget(file string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.numbers, file)
}

// Numbers are those in the files, by the name of the track_file.
func (w *Watch) Numbers() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.numbers)
}

// Snapshot is the status of every check, in no order.
func (w *Watch) Snapshot() (all []Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, checks := range w.checks {
		for _, c := range checks {
			all = append(all, Status{Service: c.service, Server: c.server, Check: c.id, Up: c.up, Ran: c.ran})
		}
	}
	return all
}

type toldKey struct {
	service config.ServiceKey
	id      jobID
}

func (c *told) key() toldKey { return toldKey{c.service, jobID{c.server, c.id}} }

func (c *told) report(from source) Report {
	r := Report{Service: c.service, Server: c.server, Check: c.id, Up: c.up, Weight: c.weight}
	if !c.up {
		r.Reason = fmt.Sprintf("%s %s", from.kind, from.name)
	}
	return r
}

// sentence is what keepalived logs.
func (c *told) sentence(from source) string {
	switch {
	case c.file == nil:
		return fmt.Sprintf("BFD check of [%s] RS(%s) is %s", from.name, c.label, map[bool]string{true: "UP", false: "DOWN"}[c.up])
	case c.up:
		return fmt.Sprintf("(%s): tracked file %s leaving FAULT state", c.label, from.name)
	}
	return fmt.Sprintf("(%s): tracked file %s now FAULT state", c.label, from.name)
}
