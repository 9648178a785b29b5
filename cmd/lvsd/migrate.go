package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/migrate"
	"github.com/lvsd/lvsd/parser"
	"github.com/lvsd/lvsd/supervisor"
)

// migrateCommand is lvsd migrate --check: what would be different on this
// machine with lvsd in the place of keepalived.
func migrateCommand(p *program) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "migrate --check",
		Short: "say what would be different with lvsd in place of keepalived",
		Long: `Reads how keepalived is started on this machine, its options, its configuration,
and who else reads its files, and says what would be different with lvsd in its
place. Nothing is changed. The exit status is 0 when there is no difference.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !check {
				return fmt.Errorf("lvsd migrate only looks: say --check")
			}
			m := migration{out: cmd.OutOrStdout(), load: loadHere}
			m.run(migrate.Look(os.DirFS("/")))
			p.status = m.status()
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "look, and change nothing")
	return cmd
}

// migration prints what it finds and counts what would be different.
type migration struct {
	out     io.Writer
	load    func(file, id string, all bool) ([]config.Problem, error)
	differs int
}

func loadHere(file, id string, all bool) ([]config.Problem, error) {
	_, problems, err := parser.Load(parser.Options{File: file, ConfigID: id, AllConfig: all, Environment: supervisor.Machine()})
	return problems, err
}

func (m *migration) run(found migrate.Report) {
	starts := found.Starts
	if len(starts) == 0 {
		fmt.Fprintln(m.out, "keepalived is not started by systemd or an init script, and does not run")
		starts = []migrate.Start{{Args: []string{"keepalived"}}}
	}
	var files []string
	for _, start := range starts {
		s, err := m.options(start)
		if err != nil {
			m.differ("%v", err)
			continue
		}
		if !slices.Contains(files, s.file) {
			files = append(files, s.file)
			m.configuration(s)
		}
	}
	for _, r := range found.Readers {
		fmt.Fprintf(m.out, "%s (process %d) uses %s\n", r.Name, r.Pid, r.Uses)
	}
	switch m.differs {
	case 0:
		fmt.Fprintln(m.out, "nothing would be different but what docs/compatibility.md lists")
	default:
		fmt.Fprintf(m.out, "%d would be different, beside what docs/compatibility.md lists\n", m.differs)
	}
}

func (m *migration) status() int {
	if m.differs > 0 {
		return config.ExitFatal
	}
	return config.ExitOK
}

// differ prints a difference below what it belongs to.
func (m *migration) differ(format string, args ...any) {
	m.differs++
	fmt.Fprintf(m.out, "    "+format+"\n", args...)
}

// options reads a command line as keepalived does.
func (m *migration) options(start migrate.Start) (settings, error) {
	if start.Where != "" {
		fmt.Fprintf(m.out, "%s: %s\n", start.Where, strings.Join(start.Args, " "))
	}
	s := settings{file: defaultFile}
	args, err := getopt(optionTable, start.Args[1:])
	if err != nil {
		return s, err
	}
	flags := pflag.NewFlagSet("keepalived", pflag.ContinueOnError)
	bindOptions(flags, optionTable, &s)
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	for _, name := range ineffective(flags) {
		m.differ("--%s has no effect", name)
	}
	return s, nil
}

// configuration says what a test of a configuration answers.
func (m *migration) configuration(s settings) {
	problems, err := m.load(s.file, (&program{settings: s}).id(), s.allConfig)
	if err != nil {
		fmt.Fprintf(m.out, "%s\n", s.file)
		m.differ("cannot be read: %v", err)
		return
	}
	fmt.Fprintf(m.out, "%s: keepalived -t answers %d\n", s.file, config.TestStatus(problems))
}
