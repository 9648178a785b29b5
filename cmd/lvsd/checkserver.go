package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/checker"
	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/internal/filewatch"
	"github.com/lvsd/lvsd/parser"
	"github.com/lvsd/lvsd/supervisor"
)

// statusFailed is the exit status of lvsd check when a check has not passed.
const statusFailed = 1

// serverCheck is one call of lvsd check.
type serverCheck struct {
	*program
	file   string
	json   bool
	config *config.Config
}

// checkCommand is lvsd check: the checks of one real server, run once.
func checkCommand(p *program) *cobra.Command {
	c := serverCheck{program: p}
	cmd := &cobra.Command{
		Use:   "check FILE VS RS",
		Short: "run the checks of a real server once, and say why they fail",
		Long: `Runs each check that a configuration has for a real server of a virtual server
once, and says step by step what it did, how long that took, and why it failed.
No running lvsd and no table of the kernel is touched; the script of a MISC_CHECK
runs as its user and with enable_script_security as in lvsd.

VS and RS are named as in the file: "192.0.2.1 80" or 192.0.2.1:80, "fwmark 5",
"group web" or web; tcp, udp or sctp behind it where two differ in that alone.

The exit status is 0 when all checks have passed, 1 when one has not or when
there is no such server, 6 when there is no such file.`,
		Example: "  lvsd check /etc/keepalived/keepalived.conf 192.0.2.1:80 10.0.0.11:80",
		Args:    cobra.MinimumNArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.file = args[0]
			return c.run(cmd, strings.Fields(strings.Join(args[1:], " ")))
		},
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	cmd.Flags().StringVarP(&p.configID, "config-id", "i", "", "the id of @id lines, that of this host if not given")
	return cmd
}

func (c *serverCheck) run(cmd *cobra.Command, words []string) error {
	loaded, problems, err := parser.Load(parser.Options{File: c.file, ConfigID: c.id(), Environment: supervisor.Machine()})
	if err != nil {
		c.status = config.ExitNoConfig
		fmt.Fprintln(c.stderr, err)
		return nil
	}
	c.config = loaded
	if name := loaded.Daemon.NetNamespace; name != "" {
		if err := daemon.EnterNamespace(name, false, nil); err != nil {
			return err
		}
	}
	service, server, err := find(loaded.KernelServices(), words)
	if err != nil {
		if n := countErrors(problems); n > 0 {
			err = fmt.Errorf("%w\nthe file has errors, %d of them: lvsd -t -f %s", err, n, c.file)
		}
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report := serverReport{Service: service.Key.String(), Server: server.String(service.Key.Protocol), Up: true, Checks: []checkReport{}}
	for _, check := range server.Checks {
		trials, err := c.try(ctx, check)
		if err != nil {
			return err
		}
		for _, t := range trials {
			r := reportOf(t)
			report.Checks = append(report.Checks, r)
			report.Up = report.Up && r.Verdict == passed
		}
	}
	if !report.Up {
		c.status = statusFailed
	}
	if c.json {
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetIndent("", "  ")
		return e.Encode(report)
	}
	report.print(cmd.OutOrStdout())
	return nil
}

func countErrors(problems []config.Problem) (n int) {
	for _, p := range problems {
		if p.Severity == config.Error {
			n++
		}
	}
	return n
}

// try runs a check, or looks at what tells it.
func (c *serverCheck) try(ctx context.Context, check config.Check) ([]checker.Trial, error) {
	t := checker.Trial{Kind: check.Kind}
	switch p := check.Params.(type) {
	case *config.FileParams:
		began := time.Now()
		t.Target = p.TrackFile
		if f := c.config.CheckedFiles()[p.TrackFile]; f != nil {
			t.Target = f.File
		}
		number, err := filewatch.Read(t.Target)
		if t.Took = time.Since(began); err != nil {
			t.Reason = err.Error()
			break
		}
		t.Up, t.Weight = p.Judge(number)
		t.Steps = []checker.Step{{After: t.Took, Name: "number", Text: fmt.Sprintf("the number in the file is %d", number)}}
		if !t.Up {
			t.Reason = fmt.Sprintf("the number %d in the file", number)
		}
	case *config.BFDParams:
		t.Target = p.Name
		t.Unsure = "a BFD session is known to the running lvsd alone"
		t.Up = true
	default:
		return checker.Once(ctx, check, supervisor.CheckScript)
	}
	return []checker.Trial{t}, nil
}

// Verdicts about a check.
const (
	passed  = "passed"
	failed  = "failed"
	unsure  = "unsure" // lvsd takes it for passed
	untried = "untried"
)

// serverReport is what lvsd check prints; with --json as it is.
type serverReport struct {
	Service string        `json:"virtual_server"`
	Server  string        `json:"real_server"`
	Up      bool          `json:"up"`
	Checks  []checkReport `json:"checks"`
}

// checkReport is a check, or one URL of HTTP_GET. Times are in seconds.
type checkReport struct {
	Kind    string       `json:"kind"`
	Target  string       `json:"target"`
	Verdict string       `json:"verdict"`
	Reason  string       `json:"reason,omitempty"`
	Timeout bool         `json:"timeout,omitempty"`
	Weight  string       `json:"weight,omitempty"`
	Took    float64      `json:"took"`
	Steps   []stepReport `json:"steps"`
}

type stepReport struct {
	After float64 `json:"after"`
	Name  string  `json:"name"`
	Text  string  `json:"text"`
}

func reportOf(t checker.Trial) checkReport {
	r := checkReport{
		Kind: string(t.Kind), Target: t.Target, Verdict: failed, Reason: t.Reason, Timeout: t.Timeout,
		Took: t.Took.Seconds(), Steps: []stepReport{},
	}
	switch {
	case t.Local != "":
		r.Verdict = untried
	case t.Unsure != "":
		r.Verdict, r.Reason = unsure, t.Unsure
	case t.Up:
		r.Verdict = passed
	case r.Reason == "" && t.Timeout:
		r.Reason = "it has not ended in time"
	}
	if r.Verdict == passed {
		switch w := t.Weight; {
		case w.To.Set:
			r.Weight = fmt.Sprintf("the weight is %d", w.To.Value)
		case w.By != 0:
			r.Weight = fmt.Sprintf("%+d to the weight", w.By)
		}
	}
	for _, s := range t.Steps {
		r.Steps = append(r.Steps, stepReport{s.After.Seconds(), s.Name, s.Text})
	}
	return r
}

// print is the report for people.
func (r *serverReport) print(w io.Writer) {
	fmt.Fprintf(w, "%s of %s\n", r.Server, r.Service)
	count := map[string]int{}
	for _, c := range r.Checks {
		count[c.Verdict]++
		fmt.Fprintf(w, "%s %s\n", c.Kind, c.Target)
		for _, s := range c.Steps {
			fmt.Fprintf(w, "    %9.3f ms  %s\n", s.After*1000, s.Text)
		}
		fmt.Fprintf(w, "    %9.3f ms  %s\n", c.Took*1000, c.conclusion())
	}
	switch all := len(r.Checks); {
	case all == 0:
		fmt.Fprintln(w, "it has no check, and so is always up")
	case r.Up:
		fmt.Fprintf(w, "%d of %d passed\n", count[passed], all)
	default:
		fmt.Fprintf(w, "%d of %d passed, %d failed, %d not decided\n", count[passed], all, count[failed], count[unsure]+count[untried])
	}
}

func (c *checkReport) conclusion() string {
	switch c.Verdict {
	case failed:
		return "FAILED: " + c.Reason
	case unsure:
		return "NOT RUN, which lvsd takes for passed: " + c.Reason
	case untried:
		return "NOT TRIED, this host cannot: " + c.Reason
	}
	if c.Weight != "" {
		return "passed, " + c.Weight
	}
	return "passed"
}
