package main

import (
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/parser"
)

//go:embed man
var manPages embed.FS

// manCommand is lvsd man PAGE: a manual page in roff. What the tables of
// options and keywords know is put in where the page has its place.
func manCommand(root *cobra.Command) *cobra.Command {
	pages := map[string]string{"lvsd": "man/lvsd.8", "keepalived.conf": "man/keepalived.conf.5"}
	return &cobra.Command{
		Use:       "man lvsd|keepalived.conf",
		Short:     "print a manual page, for man -l -",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"lvsd", "keepalived.conf"},
		RunE: func(cmd *cobra.Command, args []string) error {
			page, err := manPages.ReadFile(pages[args[0]])
			if err != nil {
				return err
			}
			_, err = io.WriteString(cmd.OutOrStdout(), strings.NewReplacer(
				"@VERSION@", version, "@SPEAKS@", speaks,
				"@OPTIONS@", manOptions(), "@COMMANDS@", manCommands(root), "@KEYWORDS@", manKeywords(),
			).Replace(string(page)))
			return err
		},
	}
}

// manOptions are the options as tagged paragraphs.
func manOptions() string {
	var b strings.Builder
	for _, o := range optionsFor(false) {
		b.WriteString(".TP\n.B ")
		if o.short != 0 {
			fmt.Fprintf(&b, `\-%c, `, o.short)
		}
		b.WriteString(roff("--" + o.long))
		switch o.arg {
		case required:
			fmt.Fprintf(&b, `=\fI%s\fR`, argName(o))
		case optional:
			fmt.Fprintf(&b, `[=\fI%s\fR]`, argName(o))
		}
		fmt.Fprintf(&b, "\n%s\n", roff(sentence(o.help)))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// manCommands are the subcommands.
func manCommands(root *cobra.Command) string {
	var b strings.Builder
	for _, c := range root.Commands() {
		if c.Hidden || !c.IsAvailableCommand() {
			continue
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff("lvsd "+c.Use), roff(sentence(c.Short)))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// manKeywords are the keywords under their blocks; blocks that come from the
// same section of the help follow each other and share it.
func manKeywords() string {
	var order []string
	blocks := map[string][]parser.Help{}
	for _, h := range parser.Manual() {
		if blocks[h.Block] == nil {
			order = append(order, h.Block)
		}
		blocks[h.Block] = append(blocks[h.Block], h)
	}
	var b strings.Builder
	for _, block := range order {
		title := block
		if block == "/" {
			title = "at the top level"
		}
		fmt.Fprintf(&b, ".SS %s\n", roff(title))
		for _, h := range blocks[block] {
			fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(h.Name+" "+h.Args)), roff(h.Text))
			if h.Default != "" {
				fmt.Fprintf(&b, "(%s)\n", roff(h.Default))
			}
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return "Of builds for debugging, no effect."
	}
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// roff makes text safe: hyphens stay hyphens, and no line begins with a
// control character.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, `-`, `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		return `\&` + s
	}
	return s
}
