package snmp

import (
	"slices"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// setter changes a configuration; back changes it back.
type setter func(c *config.Config) (back func(*config.Config))

// maxWeight is that of a real server.
const maxWeight = 65535

// setting is what a variable sets, or why it cannot be set. These can be:
// vrrpInstanceBasePriority, vrrpInstancePreempt and realServerWeight.
func setting(c *config.Config, v *agentx.VarBind) (setter, agentx.Error) {
	instances, servers := router.Sub(3, 1), check.Sub(4, 1)
	switch at := v.Name; {
	case at.Under(instances.Sub(7)) && len(at) == len(instances)+2:
		return instanceSetting(c, v, config.Owner, func(i *config.Instance) int { return int(i.Priority.Value) },
			func(i *config.Instance, n int) { i.Priority.Value = uint8(n) })
	case at.Under(instances.Sub(13)) && len(at) == len(instances)+2:
		return instanceSetting(c, v, 2, func(i *config.Instance) int { return 1 + count(i.NoPreempt) },
			func(i *config.Instance, n int) { i.NoPreempt = n == 2 })
	case at.Under(servers.Sub(7)) && len(at) == len(servers)+3:
		return weightSetting(c, v)
	}
	return nil, agentx.NotWritable
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// integer is what is to be set, from low to high.
func integer(v *agentx.VarBind, low, high int) agentx.Error {
	switch n := v.Value.Int(); {
	case v.Value.Type != agentx.TypeInteger:
		return agentx.WrongType
	case n < low || n > high:
		return agentx.WrongValue
	}
	return agentx.NoError
}

// instanceSetting sets a number from 1 on of an instance.
func instanceSetting(c *config.Config, v *agentx.VarBind, high int, get func(*config.Instance) int, set func(*config.Instance, int)) (setter, agentx.Error) {
	row := v.Name[len(v.Name)-1]
	if row < 1 || uint64(row) > uint64(len(c.Instances)) {
		return nil, agentx.NotWritable
	}
	if code := integer(v, 1, high); code != agentx.NoError {
		return nil, code
	}
	name, n := c.Instances[row-1].Name, v.Value.Int()
	change := func(c *config.Config, n int) (was int) {
		for i := range c.Instances {
			if c.Instances[i].Name == name {
				was = get(&c.Instances[i])
				set(&c.Instances[i], n)
			}
		}
		return was
	}
	return func(c *config.Config) func(*config.Config) {
		was := change(c, n)
		return func(c *config.Config) { change(c, was) }
	}, agentx.NoError
}

// weightSetting sets the weight of a real server. The sorry server has the
// first number, where there is one.
func weightSetting(c *config.Config, v *agentx.VarBind) (setter, agentx.Error) {
	service, row := uint64(v.Name[len(v.Name)-2]), uint64(v.Name[len(v.Name)-1])
	if service < 1 || service > uint64(len(c.Services)) {
		return nil, agentx.NotWritable
	}
	of := &c.Services[service-1]
	if of.SorryServer != nil {
		row--
	}
	if row < 1 || row > uint64(len(of.RealServers)) {
		return nil, agentx.NotWritable
	}
	if code := integer(v, 0, maxWeight); code != agentx.NoError {
		return nil, code
	}
	change := func(c *config.Config, weight config.Opt[int]) (was config.Opt[int]) {
		if service > uint64(len(c.Services)) {
			return weight // a reload has taken it away
		}
		of := &c.Services[service-1]
		if row > uint64(len(of.RealServers)) {
			return weight
		}
		of.RealServers = slices.Clone(of.RealServers)
		server := &of.RealServers[row-1]
		was, server.Weight = server.Weight, weight
		return was
	}
	return func(c *config.Config) func(*config.Config) {
		was := change(c, config.Some(v.Value.Int()))
		return func(c *config.Config) { change(c, was) }
	}, agentx.NoError
}
