package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
	"github.com/lvsd/lvsd/parser"
	"github.com/lvsd/lvsd/supervisor"
)

// configuration is one call of lvsd config.
type configuration struct {
	file, id             string
	json, schema, conf   bool
	origins, showSecrets bool
	offline              bool
}

// configCommand is lvsd config: the configuration as lvsd understands it.
func configCommand(p *program) *cobra.Command {
	c := configuration{}
	cmd := &cobra.Command{
		Use:   "config [-f FILE]",
		Short: "print the configuration as lvsd understands it",
		Long: `Prints a configuration: with its defaults as keepalived's dump, or with --json as
JSON; with --conf as one keepalived.conf, without what is a default. Passwords are
asterisks, unless --show-secrets is given with --json or --conf. What is wrong in it
is left out, with the errors on standard error; the verdict is that of lvsd -t.`,
		Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			p.configID = c.id
			p.status = c.run(p.id(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.file, "use-file", "f", defaultFile, "read this configuration file")
	f.StringVarP(&c.id, "config-id", "i", "", "the id of @id lines, that of this host if not given")
	f.BoolVar(&c.json, "json", false, "print JSON")
	f.BoolVar(&c.schema, "schema", false, "print the JSON Schema of --json and read nothing")
	f.BoolVar(&c.conf, "conf", false, "print a keepalived.conf, with what is included and defined in its place")
	f.BoolVar(&c.origins, "origin", false, "with --json, say where each block begins")
	f.BoolVar(&c.showSecrets, "show-secrets", false, "with --json or --conf, print passwords instead of asterisks")
	f.BoolVar(&c.offline, "offline", false, "look up nothing on this machine: the file is for another one")
	cmd.MarkFlagsMutuallyExclusive("json", "schema", "conf")
	return cmd
}

// run returns the exit status.
func (c *configuration) run(id string, out, errors io.Writer) int {
	if err := c.print(id, out, errors); err != nil {
		fmt.Fprintln(errors, err)
		return config.ExitNoConfig
	}
	return config.ExitOK
}

func (c *configuration) print(id string, out, errors io.Writer) error {
	w := bufio.NewWriter(out)
	if c.schema {
		_, _ = w.Write(config.JSONSchema()) // an error stays until Flush
		return w.Flush()
	}
	o := parser.Options{File: c.file, ConfigID: id, Environment: supervisor.Machine()}
	if c.offline {
		o.Environment = nil
	}
	cfg, problems, err := parser.Load(o)
	if err != nil {
		return err
	}
	var wrong []config.Problem
	for _, p := range problems {
		if p.Severity == config.Error {
			wrong = append(wrong, p)
		}
	}
	if err := parser.Print(errors, wrong, parser.Full); err != nil {
		return err
	}
	switch {
	case c.json:
		_, _ = w.Write(cfg.JSON(config.JSONOptions{Origins: c.origins, Secrets: c.showSecrets})) // an error stays until Flush
	case c.conf && c.showSecrets:
		err = parser.Write(w, cfg)
	case c.conf:
		err = parser.WriteConcealed(w, cfg)
	default:
		err = dump.All(w, cfg, nil)
	}
	return cmp.Or(err, w.Flush())
}
