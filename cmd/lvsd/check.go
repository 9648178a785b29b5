package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/parser"
	"github.com/lvsd/lvsd/supervisor"
)

// The forms that --format names.
const (
	formatText  = "text"
	formatJSON  = "json"
	formatSARIF = "sarif"
)

// testConfig is -t: every problem of the file, and the status that keepalived
// would give it.
func (p *program) testConfig() int {
	switch p.format {
	case formatText, formatJSON, formatSARIF:
	default:
		fmt.Fprintf(p.stderr, "unknown format '%s' for --format: text, json and sarif are known\n", p.format)
		return config.ExitFatal
	}
	out := p.stderr
	if p.format != formatText {
		out = p.stdout
	}
	if p.testLog != "" {
		f, err := os.OpenFile(p.testLog, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			why, _ := errors.AsType[syscall.Errno](err)
			said := why.Error() // strerror(3) has a capital letter
			fmt.Fprintf(p.stderr, "Unable to open config-test log file %s %d - %s%s\n", p.testLog, int(why), strings.ToUpper(said[:1]), said[1:])
			return config.ExitFatal
		}
		defer f.Close()
		out = f
	}
	problems, status := p.problems()
	if err := p.write(out, problems, status); err != nil {
		fmt.Fprintf(p.stderr, "cannot write the result of the test: %v\n", err)
		return config.ExitFatal
	}
	return status
}

// problems are those of the configuration, and the exit status.
func (p *program) problems() ([]config.Problem, int) {
	o := parser.Options{File: p.file, ConfigID: p.id(), AllConfig: p.allConfig, Peers: !p.asKeepalived(), Test: true}
	if o.Offline = p.offline; !p.offline {
		o.Environment = supervisor.Machine()
	}
	// What is read lives until the process ends: looking for garbage while it
	// grows is a fifth of the time of 10,000 real servers, and finds next to none.
	debug.SetGCPercent(400)
	c, problems, err := parser.Load(o)
	if err != nil {
		return []config.Problem{parser.Unreadable(err)}, config.ExitNoConfig
	}
	if name := cmp.Or(p.namespace, c.Daemon.NetNamespace); name != "" && o.Environment != nil && o.Environment.HasNamespace(name) {
		// Its interfaces are there. Whoever may not enter is told of ours.
		_ = daemon.EnterNamespace(name, false, nil)
	}
	if p.strict {
		return problems, config.StrictStatus(problems)
	}
	return problems, config.TestStatus(problems)
}

func (p *program) write(out io.Writer, problems []config.Problem, status int) error {
	report := parser.Report{Problems: problems, Status: status, Version: version}
	switch {
	case p.format == formatJSON:
		return report.WriteJSON(out)
	case p.format == formatSARIF:
		return report.WriteSARIF(out)
	case p.asKeepalived():
		return parser.Print(out, problems, parser.Plain)
	}
	return parser.Print(out, problems, parser.Full)
}
