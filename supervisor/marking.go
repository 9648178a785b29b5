package supervisor

import (
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/kernel"
	"github.com/lvsd/lvsd/ipvs"
)

// marking gives the services of groups firewall marks, nftables_ipvs. Without a
// table nothing has one.
type marking struct {
	log   *zap.Logger
	table *kernel.Marks // nil: not configured
	name  string        // of the table, and of its network namespace
	given *ipvs.Marks   // nil: none yet
}

func newMarking(log *zap.Logger, c *config.Config) *marking {
	m := &marking{log: log}
	if table := c.Global.Firewall.NFTablesIPVS; table != "" {
		m.name = strings.TrimSpace(table + " " + c.Daemon.NetNamespaceIPVS.Value)
		m.table = kernel.NewMarks(table, c.Daemon.NetNamespaceIPVS.Value)
	}
	return m
}

// marker is what the marks are given to; nil: nobody.
func (m *marking) marker() ipvs.Marker {
	if m.table == nil {
		return nil
	}
	return m.table
}

// give sets the marks of services. What a predecessor has given goes on, after a
// crash and in an upgrade.
func (m *marking) give(services []config.Service, first uint32) {
	if m.table == nil {
		return
	}
	var there []config.Marked
	if m.given == nil {
		m.given = new(ipvs.Marks)
		var err error
		if there, err = m.table.Marked(); err != nil {
			m.log.Warn("the firewall marks of a predecessor are not known", zap.Error(err))
		}
	}
	m.given.Give(services, first, there)
}

// prioritise sets the priority of the table's chains, and reports that it was
// another one.
func (m *marking) prioritise(priority int) (other bool) {
	return m.table != nil && m.table.Prioritise(priority)
}

// of are the marks that services have, for dumps.
func (m *marking) of(services []config.Service) map[config.ServiceKey]uint32 {
	marks := make(map[config.ServiceKey]uint32)
	for i := range services {
		if s := &services[i]; s.Mark != 0 {
			marks[s.Key] = s.Mark
		}
	}
	return marks
}

// entries are those of the ledger.
func (m *marking) entries() []entry {
	if m.table == nil {
		return nil
	}
	return []entry{{marks: m.name}}
}

// sweep deletes the tables that a predecessor has left and nobody names any more.
func (m *marking) sweep(left []string) {
	for _, name := range left {
		if name == m.name {
			continue
		}
		m.log.Info(fmt.Sprintf("removing the nftables table %s, which a predecessor left behind", name))
		table, namespace, _ := strings.Cut(name, " ")
		old := kernel.NewMarks(table, namespace)
		_, err := old.Mark(nil)
		if err != nil {
			m.log.Warn("what a predecessor left behind is still there", zap.Error(err))
		}
		_ = old.Close()
	}
}

func (m *marking) close() {
	if m.table != nil {
		_ = m.table.Close() // nothing is buffered
	}
}
