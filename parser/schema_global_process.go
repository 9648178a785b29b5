package parser

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// processRows are the keywords that each of keepalived's processes has.
func processRows(process string, field func(*config.Global) *config.Process) rows[config.Global] {
	type global = config.Global
	limit := set(micros(1, 1<<32-1), func(g *global) *time.Duration { return &field(g).RlimitRttime }).or("Invalid " + process + " real-time limit - %V")
	return rows[global]{
		process + "_priority": set(num[int](-20, 19), func(g *global) *int { return &field(g).Priority }).
			or("Invalid " + process + " process priority specified").orMissing("No " + process + " process priority specified"),
		process + "_no_swap": yes(func(g *global) *bool { return &field(g).NoSwap }),
		process + "_rt_priority": row[global]{apply: rtPriority(process, field)}.
			orMissing("No " + process + " process real-time priority specified"),
		process + "_cpu_affinity":  row[global]{apply: cpuAffinity(process, field)}.orMissing("No " + process + " cpu_id set specified"),
		process + "_rlimit_rttime": limit,
		process + "_rlimit_rtime":  limit, // its name until 2.0.20
	}
}

// processNameRows are names of processes, and what they create files with.
// lvsd is one process, that of process_name.
func processNameRows() rows[config.Global] {
	type global = config.Global
	name := func(field func(*global) *string) row[global] { return row[global]{apply: processName(field)} }
	return rows[global]{
		"process_names":        yes(func(g *global) *bool { return &g.Process.ProcessNames }),
		"process_name":         name(func(g *global) *string { return &g.Process.ProcessName }),
		"vrrp_process_name":    name(func(g *global) *string { return &g.Process.VRRP.ProcessName }),
		"checker_process_name": name(func(g *global) *string { return &g.Process.Checker.ProcessName }),
		"lvs_process_name":     name(func(g *global) *string { return &g.Process.Checker.ProcessName }),
		"bfd_process_name":     name(func(g *global) *string { return &g.Process.BFD.ProcessName }),
		"umask":                {apply: umask},
	}
}

// globalProcessRows are about the processes together.
func globalProcessRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"max_auto_priority": {apply: maxAutoPriority, says: "max_auto_priority '%V' must be in [0, 99] (or -1 to disable) - ignoring"},
		// lvsd's own: adverts go like everything else of the machine.
		"vrrp_no_realtime": yes(func(g *global) *bool { return &g.Process.VRRPNoRealtime }),
		"min_auto_priority_delay": set(micros(1, 10_000_000), func(g *global) *time.Duration { return &g.Process.MinAutoPriorityDelay }).
			or("min_auto_priority_delay '%V' must be in [1, 10000000] - ignoring").orMissing("min_auto_priority_delay requires delay time"),
	}
}

// processName is a name as ps(1) shows it.
func processName(field func(*config.Global) *string) func(*cursor, *config.Global) {
	return func(c *cursor, g *config.Global) {
		word, ok := c.need()
		if !ok {
			return
		}
		if len(word) > 15 { // TASK_COMM_LEN of prctl(2), less its NUL
			c.errorf(config.ClassGeneral, "invalid-value", "Process name %s more than 15 characters, truncating", word)
			word = word[:15]
		}
		*field(g) = strings.Clone(word)
	}
}

// rtPriority is cut to what sched(7) allows.
func rtPriority(process string, field func(*config.Global) *config.Process) func(*cursor, *config.Global) {
	return func(c *cursor, g *config.Global) {
		word, ok := c.need()
		if !ok {
			return
		}
		n, f := num[int](-maxInt, maxInt)(word)
		switch {
		case f != nil:
			c.errorf(f.class, f.code, "%s process real-time priority '%s' invalid", process, word)
			return
		case n < 1:
			c.errorf(config.ClassGeneral, "invalid-value", "%s process real-time priority %d less than minimum 1 - setting to minimum", process, n)
		case n > 99:
			c.errorf(config.ClassGeneral, "invalid-value", "%s process real-time priority %d greater than maximum 99 - setting to maximum", process, n)
		}
		field(g).RTPriority = max(1, min(99, n))
	}
}

// cpuAffinity reads numbers of processors; a wrong one makes all of them void.
func cpuAffinity(process string, field func(*config.Global) *config.Process) func(*cursor, *config.Global) {
	return func(c *cursor, g *config.Global) {
		var all []int
		for word, ok := c.need(); ok; word, ok = c.next() {
			n, f := num[int](0, 1<<16)(word)
			if f != nil {
				c.errorf(f.class, f.code, "Invalid cpu_id:%s specified for %s process", word, process)
				c.complete = true
				all = nil
				break
			}
			all = append(all, n)
		}
		field(g).CPUAffinity = all
	}
}

// maxAutoPriority reads [INT]; without one the priority may be raised to the
// most.
func maxAutoPriority(c *cursor, g *config.Global) {
	g.Process.MaxAutoPriority = 99
	if word, ok := c.next(); ok {
		n, f := num[int](-1, 99)(word)
		if f != nil {
			c.invalid(f, word)
		}
		g.Process.MaxAutoPriority = n
	}
}

// umask reads a number or names of bits, see [config.ParseUmask].
func umask(c *cursor, g *config.Global) {
	word, ok := c.need()
	if !ok {
		return
	}
	if word == "" {
		c.errorf(config.ClassGeneral, "missing-parameter", "umask missing bit value")
		return
	}
	if word[:1] < "0" || word[:1] > "9" {
		word += c.tail()
	}
	mask, err := config.ParseUmask(word)
	switch {
	case err != nil:
		c.errorf(config.ClassGeneral, "invalid-value", "%s", err)
	case trim(c.rest) != "":
		c.errorf(config.ClassGeneral, "extra-words", "Extra parameter(s) to umask option")
		c.complete = true
	default:
		g.Process.Umask = mask
	}
}

// bufferRows are the sizes of receive buffers.
func bufferRows() rows[config.Global] {
	type global = config.Global
	all := rows[global]{
		"vrrp_rx_bufs_policy": row[global]{apply: rxPolicy}.orMissing("vrrp_rx_bufs_policy missing"),
		"vrrp_rx_bufs_multiplier": set(num[uint32](1, 1<<32-1), func(g *global) *uint32 { return &g.Receive.VRRPRxBufsMultiplier }).
			or("Invalid vrrp_rx_bufs_multiplier %V").orMissing("Invalid vrrp_rx_bufs_multiplier").alone("Invalid vrrp_rx_bufs_multiplier"),
	}
	for name, field := range map[string]func(*global) *config.ReceiveBuffer{
		"vrrp_netlink_cmd_rcv_bufs":     func(g *global) *config.ReceiveBuffer { return &g.Receive.VRRPNetlinkCmd },
		"vrrp_netlink_monitor_rcv_bufs": func(g *global) *config.ReceiveBuffer { return &g.Receive.VRRPNetlinkMonitor },
		"lvs_netlink_cmd_rcv_bufs":      func(g *global) *config.ReceiveBuffer { return &g.Receive.LVSNetlinkCmd },
		"lvs_netlink_monitor_rcv_bufs":  func(g *global) *config.ReceiveBuffer { return &g.Receive.LVSNetlinkMonitor },
		"process_monitor_rcv_bufs":      func(g *global) *config.ReceiveBuffer { return &g.Receive.ProcessMonitor },
	} {
		all[name] = set(num[uint32](0, 1<<32-1), func(g *global) *uint32 { return &field(g).Bytes }).
			or(name + " size (%V) invalid").orMissing(name + " size missing")
		all[name+"_force"] = setBool(func(g *global) *bool { return &field(g).Force }).
			or(fmt.Sprintf("Invalid value '%%V' for global %s_force specified", name))
	}
	return all
}

// rxPolicy reads MTU | ADVERT | INT; of two the first counts.
func rxPolicy(c *cursor, g *config.Global) {
	r := &g.Receive
	for word, ok := c.need(); ok; word, ok = c.next() {
		size := r.VRRPRxBufsSize
		policy := map[string]config.RxPolicy{"MTU": config.RxMTU, "ADVERT": config.RxAdvert}[strings.ToUpper(word)]
		if policy == config.RxKernel {
			n, f := num[uint32](0, 1<<32-1)(word)
			if f != nil {
				c.errorf(f.class, f.code, "Invalid vrrp_rx_bufs_policy %s", word)
				continue
			}
			policy, size = config.RxSize, n
		}
		if r.VRRPRxBufsPolicy != config.RxKernel && r.VRRPRxBufsPolicy != policy {
			c.errorf(config.ClassGeneral, "duplicate", "Cannot set both vrrp_rx_bufs_policy %s and %s, ignoring %s", rxPolicyName(r), strings.ToUpper(word), strings.ToUpper(word))
			continue
		}
		r.VRRPRxBufsPolicy, r.VRRPRxBufsSize = policy, size
	}
}

// rxPolicyName is a policy as keepalived.conf spells it.
func rxPolicyName(r *config.ReceiveBuffers) string {
	switch r.VRRPRxBufsPolicy {
	case config.RxMTU:
		return "MTU"
	case config.RxAdvert:
		return "ADVERT"
	case config.RxSize:
		return strconv.Itoa(int(r.VRRPRxBufsSize))
	}
	return "none"
}
