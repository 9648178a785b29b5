package supervisor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/ipvs"
)

// statusDelay lets a burst of changes become one line.
const statusDelay = 200 * time.Millisecond

// status is how it is, in one line for people: systemctl status shows it.
func (s *Supervisor) status() string {
	var parts []string
	if s.router != nil {
		if now, err := s.router.Snapshot(); err == nil && len(now.Instances) > 0 {
			states := map[config.State]int{}
			for i := range now.Instances {
				states[now.Instances[i].State]++
			}
			parts = append(parts, plural(len(now.Instances), "virtual router")+": "+counted(states))
		}
	}
	up, all, drains := 0, 0, 0
	services := slices.DeleteFunc(s.services.Snapshot(), func(v ipvs.Status) bool {
		drains += len(v.Drains)
		return v.Leaving
	})
	for i := range services {
		for _, server := range services[i].Servers {
			all++
			up += count(server.Alive)
		}
	}
	if len(services) > 0 {
		parts = append(parts, fmt.Sprintf("%s: %d of %s up", plural(len(services), "virtual server"), up, plural(all, "real server")))
	}
	if drains > 0 {
		parts = append(parts, fmt.Sprintf("%s to drain", plural(drains, "real server")))
	}
	line := cmp.Or(strings.Join(parts, "; "), "nothing is configured")
	if s.refused != "" {
		line += "; the last reload failed: " + s.refused
	}
	return daemon.Status(line)
}

// counted is `1 MASTER, 2 BACKUP`.
func counted(states map[config.State]int) string {
	var words []string
	for _, state := range []config.State{config.Master, config.Backup, config.Fault, config.Init} {
		if n := states[state]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, state))
		}
	}
	return strings.Join(words, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// alive tells the watchdog of the service manager that no part hangs: each has
// answered.
func (s *Supervisor) alive() {
	if s.router != nil {
		if _, err := s.router.Snapshot(); err != nil {
			return
		}
	}
	s.services.Snapshot()
	s.tell(daemon.Alive)
}
