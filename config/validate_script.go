package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// quoted is the command as keepalived's diagnostics print it.
func (c *Command) quoted() string { return "'" + strings.Join(Words(c.Line), "' '") + "'" }

// found says whether keepalived finds what a script line begins with.
type found uint8

const (
	foundNothing  found = iota
	foundFile           // a file to execute
	foundRedirect       // < or >: keepalived neither executes nor misses it
	foundPlain          // something that must not be executed: keepalived counts it as a script, and does not run it
)

// ErrNotExecutable is what [Environment.Executable] says of what is there and
// cannot be executed.
var ErrNotExecutable = errors.New("not an executable file")

// find looks for the first word of a script line, as keepalived reads it.
func (v *validator) find(c *Command) found {
	words := c.Args
	if c.Shell {
		words = Words(c.Line)
	}
	switch {
	case v.env == nil:
		return foundFile
	case len(words) == 0:
		return foundNothing
	case strings.HasPrefix(words[0], "<"), strings.HasPrefix(words[0], ">"):
		return foundRedirect
	}
	switch err := v.env.Executable(words[0]); {
	case err == nil:
		return foundFile
	case errors.Is(err, ErrNotExecutable):
		return foundPlain
	}
	return foundNothing
}

// ownWords are what a shell needs no file for.
var ownWords = [...]string{
	"!", "{", "(", ".", ":", "[", "[[", "case", "cd", "command", "eval", "exec", "exit", "export", "false", "for", "if", "read", "set", "test", "true",
	"ulimit", "umask", "unset", "until", "while",
}

// shellRuns reports whether a shell has a chance with a line of which
// keepalived finds nothing.
func (v *validator) shellRuns(c *Command) bool {
	if !c.Shell || v.env == nil {
		return c.Shell
	}
	first, at, _ := Operator(c.Line)
	words := Words(c.Line[:at])
	if len(words) == 0 {
		return first == "<" || first == ">" || first == "$(" || first == "`"
	}
	word := words[0]
	return strings.ContainsAny(word, "=$(~") || slices.Contains(ownWords[:], word) || v.env.Executable(word) == nil
}

// whyNot says why the first word of a script line is not found.
func (v *validator) whyNot(c *Command) string {
	if err := v.env.Executable(Words(c.Line)[0]); err != nil {
		return err.Error()
	}
	return ""
}

// knownUser reports whether the account of a script exists.
func (v *validator) knownUser(u User) bool {
	return v.env == nil || u.Name == "" || v.env.HasUser(u)
}

// scripts disables what cannot run.
func (v *validator) scripts() {
	v.scripted = map[string]bool{}
	v.serviceScripts() // keepalived's checker is the first to read the file
	v.c.Scripts = slices.DeleteFunc(v.c.Scripts, func(s TrackScript) bool {
		switch where := v.find(&s.Script); {
		case v.orphan(&s.Script, s.End, "vrrp script "+s.Name):
			return true // and unknown to those that track it
		case !v.knownUser(s.Script.User):
			v.add(s.UserOrigin, ClassGeneral, "unknown-user", "Unable to set uid/gid for script %s", s.Script.quoted())
			return true
		case where == foundFile && v.untrusted(&s.Script) && v.c.Global.EnableScriptSecurity:
			v.fixed(s.Script.Origin, "script-unsafe", "Disabling track script %s due to insecure", s.Name)
			v.problems[len(v.problems)-1].Hint = v.whyUnsafe(&s.Script)
		case where == foundFile:
			v.vrrp = true
			return false
		case where == foundRedirect:
			return false
		case where == foundPlain:
			v.vrrp = true
			v.add(s.Script.Origin, ClassNone, "script-not-found", "Disabling track script %s, which is not executable", s.Name).Hint = v.whyNot(&s.Script)
		case v.shellRuns(&s.Script):
			v.fixed(s.Script.Origin, "script-not-found", "keepalived disables track script %s, whose first word is no command; lvsd runs the line under /bin/sh", s.Name)
			return false
		default:
			v.add(s.Script.Origin, ClassGeneral, "script-not-found", "Disabling track script %s since not found/accessible", s.Name).Severity = Warning
			v.problems[len(v.problems)-1].Hint = v.whyNot(&s.Script)
		}
		v.scripted[s.Name] = true
		return true
	})
	v.runs = v.c.scriptsByName()
	g := &v.c.Global
	v.once(&g.StartupScript, "startup")
	v.once(&g.ShutdownScript, "shutdown")
	if len(v.c.Instances) > 0 {
		v.notify(&g.FIFO.Notify.Script, &v.vrrp)
		v.notify(&g.FIFO.VRRPNotify.Script, &v.vrrp)
	}
	if len(v.c.Services) > 0 {
		v.notify(&g.FIFO.Notify.Script, &v.checker)
		v.notify(&g.FIFO.LVSNotify.Script, &v.checker)
	}
	for k := range v.c.Instances {
		for _, c := range inOrder(v.c.Instances[k].commands()) {
			v.notify(c, &v.vrrp)
		}
	}
	for k := range v.c.Groups {
		g := &v.c.Groups[k]
		for _, c := range inOrder([]*Command{&g.Notify, &g.NotifyMaster, &g.NotifyBackup, &g.NotifyFault, &g.NotifyStop}) {
			v.notify(c, &v.vrrp)
		}
	}
}

// inOrder are the commands of a block that there are, as they were written.
func inOrder(all []*Command) []*Command {
	all = slices.DeleteFunc(all, (*Command).IsZero)
	slices.SortStableFunc(all, func(a, b *Command) int { return cmp.Compare(a.Origin.Line, b.Origin.Line) })
	return all
}

// orphan reports a script that nobody is to run: it names no user, and the
// default one does not exist.
func (v *validator) orphan(c *Command, end Origin, what string) bool {
	if !v.userless || c.User.Name != "" {
		return false
	}
	v.lacks(end)
	v.add(end, ClassGeneral, "unknown-user", "Unable to set default user for %s - removing", what)
	return true
}

// lacks says once that the default user does not exist.
func (v *validator) lacks(at Origin) {
	if v.lacking {
		v.add(at, ClassGeneral, "unknown-user", "Unable to set default user %s for script", scriptAccount.Name)
		v.lacking = false
	}
}

// serviceScripts are those of the virtual servers. A check whose script has no
// user to run as is dropped.
func (v *validator) serviceScripts() {
	for k := range v.c.Services {
		s := &v.c.Services[k]
		if len(s.RealServers) == 0 {
			continue // it is left out, see services
		}
		v.notify(s.QuorumUp, &v.checker)
		v.notify(s.QuorumDown, &v.checker)
		for j := range s.RealServers {
			r := &s.RealServers[j]
			v.notify(r.NotifyUp, &v.checker)
			v.notify(r.NotifyDown, &v.checker)
			r.Checks = slices.DeleteFunc(r.Checks, func(check Check) bool {
				p, misc := check.Params.(*MiscParams)
				return misc && v.checkScript(p)
			})
		}
	}
}

// checkScript looks at the script of a MISC_CHECK; true when it is to go.
func (v *validator) checkScript(p *MiscParams) bool {
	c := &p.MiscPath
	switch {
	case v.orphan(c, p.End, "misc script "+c.quoted()):
		return true
	case !v.knownUser(c.User):
		v.add(p.UserOrigin, ClassGeneral, "unknown-user", "Failed to set uid/gid for misc checker script %s - removing", c.quoted())
		return true
	}
	v.wanted(c, &v.checker)
	return false
}

// notify looks at a script of an event. keepalived drops it without a word in
// -t when it cannot run; one that is not there yet is kept, with a warning.
func (v *validator) notify(c *Command, runs *bool) {
	switch {
	case c.IsZero():
	case v.userless && c.User.Name == "":
		v.lacks(c.Origin)
		v.add(c.Origin, ClassNone, "unknown-user", "there is no default user for script %s - ignoring it", c.Line)
		*c = Command{}
	case !v.knownUser(c.User):
		v.add(c.Origin, ClassNone, "unknown-user", "Unable to set uid/gid for script %s - ignoring it", c.Line)
		*c = Command{}
	default:
		v.wanted(c, runs)
	}
}

// once looks at a script of the start or the end, which keepalived reads with
// the rest of global_defs: its user is known by then.
func (v *validator) once(c *Command, when string) {
	switch {
	case c.IsZero():
	case v.knownUser(c.User):
		v.wanted(c, &v.parent)
	default:
		if c.User == scriptAccount {
			v.add(c.Origin, ClassGeneral, "unknown-user", "Unable to set default user %s for script", scriptAccount.Name).Child = false
			v.lacking = false
		}
		v.add(c.Origin, ClassGeneral, "unknown-user", "Invalid %s script", when).Child = false
		*c = Command{}
	}
}

// wanted warns of a script that is not there; otherwise scripts run.
func (v *validator) wanted(c *Command, runs *bool) {
	switch v.find(c) {
	case foundFile:
		if v.untrusted(c) && v.c.Global.EnableScriptSecurity {
			v.add(c.Origin, ClassNone, "script-unsafe", "Unsafe permissions found for script %s - it is not run", c.Program()).Hint = v.whyUnsafe(c)
			return
		}
		*runs = true
	case foundPlain:
		*runs = true
		fallthrough
	case foundNothing:
		if !v.shellRuns(c) {
			v.add(c.Origin, ClassNone, "script-not-found", "script %s is not there or not executable", Words(c.Line)[0]).Hint = v.whyNot(c)
		}
	}
}

// untrusted notes a script that root is to run and others may change.
func (v *validator) untrusted(c *Command) bool {
	if v.env == nil || v.whyUnsafe(c) == "" {
		return false
	}
	v.unsafe = true
	return true
}

// whyUnsafe says why a script is not to be trusted; empty: it is.
func (v *validator) whyUnsafe(c *Command) string {
	user, g := c.User, &v.c.Global
	if user == (User{}) && c != &g.StartupScript && c != &g.ShutdownScript {
		user = g.ScriptUser
	}
	if err := v.env.Unsafe(c.Program(), user); err != nil {
		return err.Error()
	}
	return ""
}

// security reports scripts that run without enable_script_security.
func (v *validator) security() {
	if v.c.Global.EnableScriptSecurity {
		return
	}
	more := ""
	if v.unsafe {
		more = " There are insecure scripts."
	}
	if v.parent {
		v.add(Origin{}, ClassSecurity, "script-security", "SECURITY VIOLATION - start/shutdown scripts are being executed but script_security not enabled.%s", more)
	}
	if v.vrrp && !v.unlinked { // keepalived looks no further then
		v.add(Origin{}, ClassSecurity, "script-security", "SECURITY VIOLATION - scripts are being executed but script_security not enabled.%s", more)
	}
	if v.checker {
		v.add(Origin{}, ClassSecurity, "script-security", "SECURITY VIOLATION - check scripts are being executed but script_security not enabled.%s", more)
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
			v.add(t.Origin, ClassGeneral, "unknown-script", "(%s) track script %s not found, ignoring...", owner, t.Name).Hint =
				DidYouMean(t.Name, names(v.c.Scripts, func(s *TrackScript) string { return s.Name }))
		}
		return true
	})
}
