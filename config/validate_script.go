package config

import (
	"slices"
	"strings"
)

// searchPath is where a command without a slash is looked for, as execvp(3)
// does without PATH.
var searchPath = [...]string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// runnable reports whether the command exists. A shell finds its own.
func (v *validator) runnable(c *Command) bool {
	if v.env == nil || c.Shell || len(c.Args) == 0 {
		return true
	}
	name := c.Args[0]
	if strings.Contains(name, "/") {
		return v.env.Executable(name) == nil
	}
	return slices.ContainsFunc(searchPath[:], func(dir string) bool { return v.env.Executable(dir+"/"+name) == nil })
}

// knownUser reports whether the account of a script exists.
func (v *validator) knownUser(u User) bool {
	return v.env == nil || u.Name == "" || v.env.HasUser(u)
}

// scripts disables what cannot run.
func (v *validator) scripts() {
	v.scripted = map[string]bool{}
	v.c.Scripts = slices.DeleteFunc(v.c.Scripts, func(s TrackScript) bool {
		switch {
		case !v.knownUser(s.Script.User):
			v.add(s.Script.Origin, ClassGeneral, "unknown-user", "Unable to set uid/gid for script %s", s.Script.Line)
		case !v.runnable(&s.Script):
			v.add(s.Script.Origin, ClassGeneral, "script-not-found", "Disabling track script %s since not found/accessible", s.Name).Severity = Warning
		default:
			v.vrrp = true
			return false
		}
		v.scripted[s.Name] = true
		return true
	})
	v.runs = v.c.scriptsByName()
	g := &v.c.Global
	v.notify(&g.StartupScript, &v.parent)
	v.notify(&g.ShutdownScript, &v.parent)
	if len(v.c.Instances) > 0 {
		v.notify(&g.FIFO.Notify.Script, &v.vrrp)
		v.notify(&g.FIFO.VRRPNotify.Script, &v.vrrp)
	}
	if len(v.c.Services) > 0 {
		v.notify(&g.FIFO.Notify.Script, &v.checker)
		v.notify(&g.FIFO.LVSNotify.Script, &v.checker)
	}
	for k := range v.c.Instances {
		for _, c := range v.c.Instances[k].commands() {
			v.notify(c, &v.vrrp)
		}
	}
	for k := range v.c.Groups {
		g := &v.c.Groups[k]
		for _, c := range []*Command{&g.Notify, &g.NotifyMaster, &g.NotifyBackup, &g.NotifyFault, &g.NotifyStop} {
			v.notify(c, &v.vrrp)
		}
	}
	v.serviceScripts()
}

// serviceScripts are those of the virtual servers. A check whose script has no
// user to run as is dropped.
func (v *validator) serviceScripts() {
	for k := range v.c.Services {
		s := &v.c.Services[k]
		v.notify(s.QuorumUp, &v.checker)
		v.notify(s.QuorumDown, &v.checker)
		for j := range s.RealServers {
			r := &s.RealServers[j]
			v.notify(r.NotifyUp, &v.checker)
			v.notify(r.NotifyDown, &v.checker)
			r.Checks = slices.DeleteFunc(r.Checks, func(check Check) bool { return v.checkScript(check.script()) })
		}
	}
}

// checkScript looks at the script of a MISC_CHECK; true when it is to go.
func (v *validator) checkScript(c *Command) bool {
	switch {
	case c == nil:
		return false
	case !v.knownUser(c.User):
		v.add(c.Origin, ClassGeneral, "unknown-user", "Failed to set uid/gid for misc checker script %s - removing", c.Line)
		return true
	case !v.runnable(c):
		v.add(c.Origin, ClassNone, "script-not-found", "script %s is not there or not executable", c.Args[0])
	default:
		v.checker = true
	}
	return false
}

// notify looks at a script of an event. keepalived drops it without a word in
// -t when it cannot run; one that is not there yet is kept, with a warning.
func (v *validator) notify(c *Command, runs *bool) {
	switch {
	case c.IsZero():
	case !v.knownUser(c.User):
		v.add(c.Origin, ClassNone, "unknown-user", "Unable to set uid/gid for script %s - ignoring it", c.Line)
		*c = Command{}
	case !v.runnable(c):
		v.add(c.Origin, ClassNone, "script-not-found", "script %s is not there or not executable", c.Args[0])
	default:
		*runs = true
	}
}

// security reports scripts that run without enable_script_security.
func (v *validator) security() {
	if v.c.Global.EnableScriptSecurity {
		return
	}
	if v.parent {
		v.add(Origin{}, ClassSecurity, "script-security", "SECURITY VIOLATION - start/shutdown scripts are being executed but script_security not enabled.")
	}
	if v.vrrp && !v.unlinked { // keepalived looks no further then
		v.add(Origin{}, ClassSecurity, "script-security", "SECURITY VIOLATION - scripts are being executed but script_security not enabled.")
	}
	if v.checker {
		v.add(Origin{}, ClassSecurity, "script-security", "SECURITY VIOLATION - check scripts are being executed but script_security not enabled.")
	}
}

// commands are the notify scripts of an instance.
func (i *Instance) commands() []*Command {
	return []*Command{
		i.Notify, i.NotifyMaster, i.NotifyBackup, i.NotifyFault, i.NotifyStop, i.NotifyDeleted.Value, i.NotifyMasterRxLowerPri,
	}
}

// tracked drops trackers of unknown scripts.
func (v *validator) tracked(owner string, tracks []Track) []Track {
	return slices.DeleteFunc(tracks, func(t Track) bool {
		if v.runs[t.Name] != nil {
			return false
		}
		if !v.scripted[t.Name] {
			v.add(t.Origin, ClassGeneral, "unknown-script", "(%s) track script %s not found, ignoring...", owner, t.Name)
		}
		return true
	})
}
