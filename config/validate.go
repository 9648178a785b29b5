package config

import (
	"fmt"
	"strings"
)

// Environment is what the validation asks the machine that the configuration
// is for.
type Environment interface {
	// HasInterface reports whether a network interface exists.
	HasInterface(name string) bool
	// HasUser reports whether an account exists, and its group unless empty.
	HasUser(u User) bool
	// Executable is nil when path is a regular file that may be executed.
	Executable(path string) error
}

// Validate checks the configuration as a whole: cross references, missing and
// contradicting values. What keepalived repairs is repaired, with a warning;
// what cannot run is left out. Call it once, before [Config.Resolve]. With a
// nil environment nothing is looked up.
func (c *Config) Validate(env Environment) []Problem {
	v := &validator{c: c, env: env}
	v.globals()
	v.links()
	v.interfaces()
	v.scripts()
	v.instances()
	v.groups()
	v.services()
	v.security()
	return v.problems
}

// validator collects what is wrong.
type validator struct {
	c        *Config
	env      Environment // nil: nothing is looked up
	problems []Problem
	runs     map[string]*TrackScript // vrrp_scripts that can run, by name
	scripted map[string]bool         // those that cannot, and need no second complaint
	unlinked bool                    // an interface is missing
	parent   bool                    // scripts run at start and stop
	vrrp     bool                    // the VRRP part runs scripts
	checker  bool                    // the checker part does
}

// add reports a problem. The sentences are keepalived's where it has one.
func (v *validator) add(at Origin, class Class, code, format string, args ...any) *Problem {
	severity := Error
	if class == ClassNone || class == ClassWarning || class == ClassDeprecated || class == ClassSecurity {
		severity = Warning
	}
	v.problems = append(v.problems, Problem{
		Origin: at, Severity: severity, Class: class, Code: code, Message: fmt.Sprintf(format, args...), Late: !lookedUp(code),
	})
	return &v.problems[len(v.problems)-1]
}

// lookedUp reports codes of names that keepalived looks up while it reads.
func lookedUp(code string) bool {
	return strings.HasPrefix(code, "unknown-") && code != "unknown-instance"
}

// fixed reports what was set to the value that keepalived sets it to.
func (v *validator) fixed(at Origin, code, format string, args ...any) {
	v.add(at, ClassGeneral, code, format, args...).Severity = Warning
}

// fatal reports what keepalived's VRRP process exits for.
func (v *validator) fatal(at Origin, code, format string, args ...any) {
	v.add(at, ClassGeneral, code, format, args...).Fatal = true
}

func (v *validator) globals() {
	g := &v.c.Global
	if v.env != nil && g.ScriptUser != (User{}) && !v.env.HasUser(g.ScriptUser) {
		v.add(g.Origin, ClassGeneral, "unknown-user", "Error setting global script uid/gid")
		g.ScriptUser = User{}
	}
}

// interfaces looks up every interface that is named. Only without
// dynamic_interfaces must all of them be there.
func (v *validator) interfaces() {
	if v.env == nil || v.c.Global.DynamicInterfaces {
		return
	}
	before := len(v.problems)
	exists := v.lookup()
	for k := range v.c.Instances {
		i := &v.c.Instances[k]
		if !exists(i.Interface) {
			v.add(i.InterfaceOrigin, ClassGeneral, "unknown-interface", "WARNING - interface %s for vrrp_instance %s doesn't exist", i.Interface, i.Name)
		}
		i.eachAddress(func(a *Address) {
			if !exists(a.Dev) {
				v.add(a.Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s for ip address %s doesn't exist", a.Dev, a.Prefix)
			}
		})
		for _, t := range i.TrackInterface {
			if !exists(t.Name) {
				v.add(t.Origin, ClassGeneral, "unknown-interface", "(%s) tracked interface %s doesn't exist", i.Name, t.Name)
			}
		}
		if !exists(i.VRF) {
			v.add(i.Origin, ClassGeneral, "unknown-interface", "(%s) WARNING - VRF interface %s doesn't exist", i.Name, i.VRF)
		}
		v.routeLinks(exists, i.VirtualRoutes)
		v.ruleLinks(exists, i.VirtualRules)
	}
	v.staticLinks(exists)
	for _, g := range v.c.Groups {
		for _, t := range g.TrackInterface {
			if !exists(t.Name) {
				v.add(t.Origin, ClassGeneral, "unknown-interface", "(%s) tracked interface %s doesn't exist", g.Name, t.Name)
			}
		}
	}
	if len(v.problems) > before {
		v.add(Origin{}, ClassBadInterface, "unknown-interface", "Non-existent interface specified in configuration").Fatal = true
		v.unlinked = true
	}
}
