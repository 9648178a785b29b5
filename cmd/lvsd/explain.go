package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/parser"
)

// explainCommand is lvsd explain CODE: what a diagnosis means and what to do.
func explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "explain CODE",
		Short:     "explain the code of a diagnosis, or list all codes",
		Args:      cobra.MaximumNArgs(1),
		ValidArgs: parser.Codes(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), strings.Join(parser.Codes(), "\n"))
				return nil
			}
			text, ok := parser.Explain(args[0])
			if !ok {
				hint := config.DidYouMean(args[0], parser.Codes())
				return fmt.Errorf("no diagnosis has the code %q; %s", args[0], cmp.Or(hint, "lvsd explain lists them"))
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.TrimRight(text, "\n"))
			return nil
		},
	}
}
