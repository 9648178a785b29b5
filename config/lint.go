package config

import (
	"fmt"
	"net/netip"
)

// Subnet is an address of an interface with its prefix length, not masked: a
// network that the interface is on.
type Subnet struct {
	Link   string
	Prefix netip.Prefix
}

// Lint names traps of the field: what is accepted, and mostly not what was
// meant. They are warnings of lvsd's own and never change a verdict. Call it
// after [Config.Resolve]. What only the machine tells is left out with a nil
// environment.
func (c *Config) Lint(env Environment) []Problem {
	l := newLinter(c, env)
	for _, lint := range [...]func(*linter){
		(*linter).mixedForwarding,
		(*linter).mixedChecksums,
		(*linter).uselessPersistence,
		(*linter).offLink,
		(*linter).sharedSegment,
		(*linter).uselessWeights,
		(*linter).silentAddresses,
		(*linter).otherPrefix,
		(*linter).unequalTracking,
		(*linter).missingShellScripts,
	} {
		lint(l)
	}
	return l.problems
}

// linter collects the traps of a configuration.
type linter struct {
	c        *Config
	env      Environment // nil: nothing is looked up
	problems []Problem
	machine  []Subnet              // the networks of the machine
	byLink   map[string][]Subnet   // the same by interface
	groups   map[string]*SyncGroup // by member
	said     map[trap]bool
}

// trap is a kind of trap at a place.
type trap struct {
	at   Origin
	code string
}

func newLinter(c *Config, env Environment) *linter {
	l := &linter{c: c, env: env, byLink: map[string][]Subnet{}, groups: map[string]*SyncGroup{}, said: map[trap]bool{}}
	if env != nil {
		l.machine = env.Subnets()
	}
	for _, s := range l.machine {
		l.byLink[s.Link] = append(l.byLink[s.Link], s)
	}
	for i := range c.Groups {
		for _, name := range c.Groups[i].Members {
			l.groups[name] = &c.Groups[i]
		}
	}
	return l
}

// warn names a trap, of each kind once at a place: the lines of a loop all have
// the place of the loop.
func (l *linter) warn(at Origin, code, format string, args ...any) {
	if trap := (trap{at, code}); at.Line > 0 {
		if l.said[trap] {
			return
		}
		l.said[trap] = true
	}
	l.problems = append(l.problems, Problem{Origin: at, Severity: Warning, Code: code, Message: fmt.Sprintf(format, args...), Late: true})
}

// isHost reports a prefix that is one address.
func isHost(p netip.Prefix) bool { return p.Bits() == p.Addr().BitLen() }
