package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/syslog"
	"github.com/lvsd/lvsd/supervisor"
)

// Pid files of keepalived.
const (
	parentPid   = "/run/keepalived.pid"
	vrrpPid     = "/run/vrrp.pid"
	checkersPid = "/run/checkers.pid"
)

// daemon runs lvsd: in the foreground with -n, else detached.
func (p *program) daemon() int {
	starting, detached := daemon.Inherit()
	if !p.foreground && !detached {
		status, err := daemon.Daemonize()
		if err != nil {
			fmt.Fprintln(p.stderr, err)
		}
		return status
	}
	if err := p.absolute(); err != nil {
		fmt.Fprintln(p.stderr, err)
		return config.ExitFatal
	}
	syscall.Umask(defaultUmask)
	output := syslog.New(p.logOptions())
	log := output.Logger()
	ctx, end := context.WithCancel(context.Background())
	var helpers sync.WaitGroup
	for _, run := range []func(context.Context) error{output.Run, daemon.WaitForOrphans} {
		helpers.Go(func() { _ = run(ctx) }) // there is nobody left to tell
	}
	defer func() {
		end()
		helpers.Wait()
	}()
	return p.serve(log, func() {
		if !detached {
			return
		}
		if err := starting.Ready(); err != nil {
			log.Error(err.Error())
		}
	})
}

// defaultUmask is keepalived's, for its own files and for those of scripts.
const defaultUmask = 0o177

// absolute makes the paths of the command line so: the working directory will
// be / when they are used again.
func (p *program) absolute() error {
	for _, path := range []*string{&p.file, &p.pid, &p.vrrpPid, &p.checkersPid} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = abs
	}
	return nil
}

func (p *program) logOptions() syslog.Options {
	o := syslog.Options{Socket: syslog.Socket, Detail: p.detail > 0}
	if p.noSyslog {
		o.Socket = ""
	}
	if p.console {
		o.Console = p.stderr
	}
	return o
}

// serve runs the supervisor between pid files and returns the exit status.
func (p *program) serve(log *zap.Logger, started func()) int {
	log.Info(fmt.Sprintf("Starting lvsd v%s, in place of Keepalived v%s", version, speaks))
	log.Info(fmt.Sprintf("Running on %s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version()))
	log.Info("Command line: '" + strings.Join(p.argv, "' '") + "'")
	for _, o := range p.ineffective {
		log.Warn(fmt.Sprintf("option --%s is known, but not acted on yet", o))
	}
	files := p.pidFiles()
	if err := files.Claim(); err != nil {
		return p.refuse(log, err)
	}
	defer func() {
		if err := files.Release(); err != nil {
			log.Error(err.Error())
		}
	}()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, supervisor.Handled()...)
	defer signal.Stop(signals)
	// Caught, so that a closed terminal does not end lvsd; not ignored, which
	// scripts would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := supervisor.New(supervisor.Options{
		File: p.file, ConfigID: p.id(), AllConfig: p.allConfig, Log: log,
		NoVRRP: p.onlyCheck, NoCheck: p.onlyVRRP, KeepVRRP: p.keepVRRP, KeepIPVS: p.keepIPVS, Dump: p.dump, Terse: p.asKeepalived(),
		Signals: signals, Started: started, Ledger: ledger(files.Parent),
		Reloaded: func() {
			if err := files.Touch(); err != nil {
				log.Error(err.Error())
			}
		},
	}).Run(context.Background())
	if err != nil {
		return p.refuse(log, err)
	}
	log.Info(fmt.Sprintf("Stopped lvsd v%s", version))
	return config.ExitOK
}

// refuse says why there is no daemon, in the log and, when somebody waits for
// it, on the terminal.
func (p *program) refuse(log *zap.Logger, err error) int {
	log.Error(err.Error())
	if !p.console {
		fmt.Fprintln(p.stderr, err)
	}
	if _, ok := errors.AsType[*daemon.RunningError](err); ok {
		return config.ExitOK // as keepalived has it
	}
	if exit, ok := errors.AsType[*supervisor.ExitError](err); ok {
		return exit.Status
	}
	return config.ExitFatal
}

// ledger is where the pid file is, so that each of several daemons has its own.
func ledger(pidFile string) string { return strings.TrimSuffix(pidFile, ".pid") + ".ledger" }

func (p *program) pidFiles() daemon.Files {
	files := daemon.Files{Parent: cmp.Or(p.pid, parentPid)}
	if !p.onlyCheck {
		files.VRRP = cmp.Or(p.vrrpPid, vrrpPid)
	}
	if !p.onlyVRRP {
		files.Checkers = cmp.Or(p.checkersPid, checkersPid)
	}
	return files
}
