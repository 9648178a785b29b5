package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/parser"
)

// explainCommand is lvsd explain WORD: what a diagnosis means and what to do,
// or what a keyword takes.
func explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "explain CODE|KEYWORD",
		Short:     "explain the code of a diagnosis or a keyword, or list all codes",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: parser.Codes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), strings.Join(parser.Codes(), "\n"))
				return nil
			}
			if help := parser.HelpFor(args[0]); help != nil {
				explainKeyword(cmd.OutOrStdout(), help)
				return nil
			}
			text, ok := parser.Explain(args[0])
			if !ok {
				hint := config.DidYouMean(args[0], slices.Concat(parser.Codes(), keywordNames()))
				return fmt.Errorf("%q is neither a keyword nor the code of a diagnosis; %s", args[0], cmp.Or(hint, "lvsd explain lists the codes"))
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.TrimRight(text, "\n"))
			return nil
		},
	}
}

// explainKeyword prints the help for a keyword, blocks that agree together.
func explainKeyword(w io.Writer, help []parser.Help) {
	for len(help) > 0 {
		first := help[0]
		var blocks []string
		help = slices.DeleteFunc(help, func(h parser.Help) bool {
			same := h.Args == first.Args && h.Default == first.Default && h.Text == first.Text
			if same {
				blocks = append(blocks, h.Block)
			}
			return same
		})
		fmt.Fprintf(w, "%s\n    %s\n", strings.TrimSpace(first.Name+" "+first.Args), first.Text)
		if first.Default != "" {
			fmt.Fprintf(w, "    default: %s\n", first.Default)
		}
		for _, block := range blocks {
			if block == "/" {
				block = "no block: the top level"
			}
			fmt.Fprintf(w, "    in %s\n", block)
		}
		if len(help) > 0 {
			fmt.Fprintln(w)
		}
	}
}

func keywordNames() []string {
	var names []string
	for _, h := range parser.Manual() {
		names = append(names, h.Name)
	}
	return names
}
