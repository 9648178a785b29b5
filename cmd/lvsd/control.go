package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
)

// question is one call of lvsd reload or lvsd plan.
type question struct {
	pid     string
	timeout time.Duration
	control.Request
}

func (q *question) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&q.pid, "pid", "p", "/run/keepalived.pid", "the pid file of the running lvsd")
	cmd.Flags().DurationVar(&q.timeout, "timeout", time.Minute, "how long to wait for the answer")
}

// reloadCommand is lvsd reload: SIGHUP with an answer.
func reloadCommand(p *program) *cobra.Command {
	q := question{Request: control.Request{Command: control.Reload}}
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "let the running lvsd read its configuration again, and say how it went",
		Long: `Lets the running lvsd read its configuration again, waits for the outcome and says
it. The exit status is 0 when the configuration runs now. When it was refused and
everything runs on as before, it is that of lvsd -t: 5 for a configuration with a
new error, 6 for one that is missing or empty. It is 1 when no lvsd is running.`,
		Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			p.status = q.ask(cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	q.flags(cmd)
	return cmd
}

// planCommand is lvsd plan: what a reload would do.
func planCommand(p *program) *cobra.Command {
	q := question{Request: control.Request{Command: control.Plan}}
	cmd := &cobra.Command{
		Use:   "plan [-f NEW]",
		Short: "say what a reload would change, and touch nothing",
		Long: `Compares a configuration with the one that is running and prints, line by line,
what a reload would change. Lines that touch traffic begin with an exclamation
mark. Nothing is changed. The exit status is that of lvsd reload.`,
		Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			p.status = q.ask(cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	q.flags(cmd)
	cmd.Flags().StringVarP(&q.File, "use-file", "f", "", "compare this file, instead of the one that lvsd was started with")
	return cmd
}

// ask returns the exit status.
func (q *question) ask(out, errors io.Writer) int {
	if q.File != "" {
		file, err := filepath.Abs(q.File)
		if err != nil {
			fmt.Fprintln(errors, err)
			return config.ExitFatal
		}
		q.File = file
	}
	ctx, cancel := context.WithTimeout(context.Background(), q.timeout)
	defer cancel()
	answer, err := control.Ask(ctx, beside(q.pid, ".socket"), q.Request)
	switch {
	case err != nil:
		fmt.Fprintln(errors, err)
		return config.ExitFatal
	case answer.Status != config.ExitOK:
		fmt.Fprintln(errors, answer.Text)
	default:
		fmt.Fprintln(out, strings.TrimSuffix(answer.Text, "\n"))
	}
	return answer.Status
}
