package config

import "strings"

// missingShellScripts: of a line for a shell the first word is looked for when
// it is a plain path.
func (l *linter) missingShellScripts() {
	if l.env == nil {
		return
	}
	l.c.eachCommand(func(c *Command) {
		if !c.Shell {
			return
		}
		if path, _, _ := strings.Cut(strings.TrimSpace(c.Line), " "); strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "$`*?[{~<>|&;()'\"\\") && l.env.Executable(path) != nil {
			l.warn(c.Origin, "script-not-found", "script %s is not there or not executable", path)
		}
	})
}

// untracked names scripts that nothing tracks: they never run. It looks at the
// configuration as it is written.
func (v *validator) untracked() {
	used := map[string]bool{}
	note := func(list []Track) {
		for _, t := range list {
			used[t.Name] = true
		}
	}
	for i := range v.c.Instances {
		note(v.c.Instances[i].TrackScript)
	}
	for i := range v.c.Groups {
		note(v.c.Groups[i].TrackScript)
	}
	for i := range v.c.Scripts {
		if s := &v.c.Scripts[i]; !used[s.Name] {
			v.add(s.Origin, ClassNone, "untracked-script", "vrrp_script %s is tracked by no vrrp_instance and no vrrp_sync_group, so that it never runs", s.Name)
		}
	}
}
