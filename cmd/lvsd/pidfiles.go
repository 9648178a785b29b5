package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/dump"
)

// pidFiles are where keepalived's would be: those that were asked for, and
// those of the processes that it would have. A daemon that is one of several has
// them in a folder of their own.
func (p *program) pidFiles(c *config.Config) daemon.Files {
	dir, suffix := "/run", ""
	if d := &c.Daemon; d.UsePIDDir || d.Instance != "" || d.NetNamespace != "" {
		dir = daemon.PIDDir
		if os.Mkdir(dir, 0o755) == nil { // else writing into it says what is wrong
			_ = os.Chmod(dir, 0o755) // whatever the umask
		}
	}
	if c.Daemon.Instance != "" {
		suffix = "_" + c.Daemon.Instance
	}
	path := func(given, name string) string {
		if given != "" {
			return given
		}
		return filepath.Join(dir, name+suffix+".pid")
	}
	needs := map[string]bool{}
	for _, d := range dump.Documents(c) {
		needs[d.Process] = true
	}
	if p.all {
		needs["vrrp"], needs["healthcheckers"], needs["bfd"] = true, true, true
	}
	files := daemon.Files{Parent: path(p.pid, "keepalived")}
	if !p.onlyCheck && (p.vrrpPid != "" || needs["vrrp"]) {
		files.VRRP = path(p.vrrpPid, "vrrp")
	}
	if !p.onlyVRRP && (p.checkersPid != "" || needs["healthcheckers"]) {
		files.Checkers = path(p.checkersPid, "checkers")
	}
	if !p.noBFD && (p.bfdPid != "" || needs["bfd"]) {
		files.BFD = path(p.bfdPid, "bfd")
	}
	return files
}

// beside is a file where the pid file is, so that each of several daemons has
// its own.
func beside(pidFile, extension string) string { return strings.TrimSuffix(pidFile, ".pid") + extension }
