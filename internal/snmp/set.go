package snmp

import (
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/agentx"
)

// setter changes a configuration; back changes it back.
type setter func(c *config.Config) (back func(*config.Config))

// setting is what a variable sets, or why it cannot be set. These can be:
// vrrpInstanceBasePriority and vrrpInstancePreempt.
func setting(c *config.Config, v *agentx.VarBind) (setter, agentx.Error) {
	entry := router.Sub(3, 1)
	if !v.Name.Under(entry) || len(v.Name) != len(entry)+2 {
		return nil, agentx.NotWritable
	}
	column, row := v.Name[len(entry)], v.Name[len(entry)+1]
	if row < 1 || uint64(row) > uint64(len(c.Instances)) {
		return nil, agentx.NotWritable
	}
	name := c.Instances[row-1].Name
	switch column {
	case 7:
		return number(v, 1, config.Owner, name, func(i *config.Instance) int { return int(i.Priority.Value) },
			func(i *config.Instance, n int) { i.Priority.Value = uint8(n) })
	case 13:
		return number(v, 1, 2, name, func(i *config.Instance) int { return 1 + count(i.NoPreempt) },
			func(i *config.Instance, n int) { i.NoPreempt = n == 2 })
	}
	return nil, agentx.NotWritable
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// number sets an Integer32 of an instance, in a range.
func number(v *agentx.VarBind, low, high int, name string, get func(*config.Instance) int, set func(*config.Instance, int)) (setter, agentx.Error) {
	n := v.Value.Int()
	switch {
	case v.Value.Type != agentx.TypeInteger:
		return nil, agentx.WrongType
	case n < low || n > high:
		return nil, agentx.WrongValue
	}
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
