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
	// MTU is that of a network interface, 0 when it is not known.
	MTU(name string) int
	// HasUser reports whether an account exists, and its group unless empty.
	HasUser(u User) bool
	// Executable is nil when name is a regular file that may be executed; a
	// name without a slash is looked for in $PATH. The error of what is there
	// all the same wraps [ErrNotExecutable].
	Executable(name string) error
	// Unsafe says why a program that an account is to execute must not be trusted:
	// the account is root, and others may change what the name leads to.
	Unsafe(name string, u User) error
	// HasDirectory reports whether path is a directory.
	HasDirectory(path string) bool
	// HasNamespace reports whether a network namespace of that name exists, as
	// ip-netns(8) names them.
	HasNamespace(name string) bool
	// PrivateMacvlan reports whether an interface is a macvlan in private mode.
	PrivateMacvlan(name string) bool
	// Links are all that are there.
	Links() []PresentLink
	// Beneath is the interface that a macvlan or an ipvlan is on, and below that
	// one; any other, and one that is not known, is its own.
	Beneath(name string) string
	// KeyFile is what a file holds, and whether none but its owner may read it.
	KeyFile(path string) (content []byte, private bool, err error)
	// Subnets are the networks that the addresses of the interfaces say.
	Subnets() []Subnet
	// OnLink reports whether a packet to an address needs no gateway.
	OnLink(a Addr) bool
}

// Validate checks the configuration as a whole: cross references, missing and
// contradicting values. What keepalived repairs is repaired, with a warning;
// what cannot run is left out. Call it once, before [Config.Resolve]. With a
// nil environment nothing is looked up.
func (c *Config) Validate(env Environment) []Problem {
	v := &validator{c: c, env: env}
	v.untracked()
	v.globals()
	v.linkLines()
	v.interfaces()
	v.scripts()
	v.trackFiles()
	v.instances()
	v.groups()
	v.delays()
	v.services()
	v.told()
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
	userless bool                    // scripts that name no user have none: the default one does not exist
	lacking  bool                    // and nobody was told which it is
	unlinked bool                    // an interface is missing
	links    []string                // of the machine, with an address; see nearLink
	parent   bool                    // scripts run at start and stop
	vrrp     bool                    // the VRRP part runs scripts
	checker  bool                    // the checker part does
	unsafe   bool                    // one of those that run is not to be trusted
}

// add reports a problem. The sentences are keepalived's where it has one.
func (v *validator) add(at Origin, class Class, code, format string, args ...any) *Problem {
	severity := Error
	if class == ClassNone || class == ClassWarning || class == ClassDeprecated || class == ClassSecurity {
		severity = Warning
	}
	v.problems = append(v.problems, Problem{
		Origin: at, Severity: severity, Class: class, Code: code, Message: fmt.Sprintf(format, args...), Hint: hintOf(code), Late: !lookedUp(code), Child: true,
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
	switch {
	case v.env == nil:
	case g.ScriptUser != (User{}) && !v.env.HasUser(g.ScriptUser):
		v.add(g.ScriptUserOrigin, ClassGeneral, "unknown-user", "Error setting global script uid/gid").Child = false
		g.ScriptUser, v.userless = User{}, true
	case g.ScriptUser == (User{}) && g.EnableScriptSecurity:
		v.userless = !v.env.HasUser(scriptAccount)
		v.lacking = v.userless
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
			v.add(i.InterfaceOrigin, ClassGeneral, "unknown-interface", "WARNING - interface %s for vrrp_instance %s doesn't exist", i.Interface, i.Name).Hint = v.nearLink(i.Interface)
		}
		i.eachAddress(func(a *Address) {
			if !exists(a.Dev) {
				v.add(a.Origin, ClassGeneral, "unknown-interface", "WARNING - interface %s for ip address %s doesn't exist", a.Dev, a.Prefix).Hint = v.nearLink(a.Dev)
			}
		})
		for _, t := range i.TrackInterface {
			if !exists(t.Name) {
				v.add(t.Origin, ClassGeneral, "unknown-interface", "(%s) tracked interface %s doesn't exist", i.Name, t.Name).Hint = v.nearLink(t.Name)
			}
		}
		if i.Interface == "" && !exists(i.VRF) { // beside an interface it is cleared
			v.add(i.Origin, ClassGeneral, "unknown-interface", "(%s) WARNING - VRF interface %s doesn't exist", i.Name, i.VRF).Hint = v.nearLink(i.VRF)
		}
		v.routeLinks(exists, i.VirtualRoutes)
		v.ruleLinks(exists, i.VirtualRules)
	}
	v.staticLinks(exists)
	for _, g := range v.c.Groups {
		for _, t := range g.TrackInterface {
			if !exists(t.Name) {
				v.add(t.Origin, ClassGeneral, "unknown-interface", "(%s) tracked interface %s doesn't exist", g.Name, t.Name).Hint = v.nearLink(t.Name)
			}
		}
	}
	if len(v.problems) > before {
		v.add(Origin{}, ClassBadInterface, "unknown-interface", "Non-existent interface specified in configuration").Fatal = true
		v.unlinked = true
	}
}
