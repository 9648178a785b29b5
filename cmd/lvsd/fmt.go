package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/parser"
)

// Exit statuses of lvsd fmt, those of diff(1).
const (
	statusDiffers = 1 // with -l or -d: a file is not laid out
	statusTrouble = 2 // a file could not be
)

// formatting is one call of lvsd fmt.
type formatting struct {
	write, list, diff bool
	out               io.Writer
	differs           bool
}

// fmtCommand is lvsd fmt: a stable layout for configuration files.
func fmtCommand(p *program) *cobra.Command {
	f := &formatting{}
	cmd := &cobra.Command{
		Use:   "fmt [-w] [-l] [-d] [FILE...]",
		Short: "lay out configuration files",
		Long: `Lays out configuration files, or the standard input, and prints the result.
Blanks, empty lines and line ends are all that it changes, never the meaning;
parts of a configuration that are included can be laid out on their own.
With -l or -d and without -w, the exit status is 1 when a file differs; it is 2
after an error.`,
		Run: func(cmd *cobra.Command, files []string) {
			f.out = cmd.OutOrStdout()
			if err := f.run(cmd.InOrStdin(), files); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), err)
				p.status = statusTrouble
			} else if f.differs && !f.write {
				p.status = statusDiffers
			}
		},
	}
	cmd.Flags().BoolVarP(&f.write, "write", "w", false, "write the result to the file instead of printing it")
	cmd.Flags().BoolVarP(&f.list, "list", "l", false, "list files that differ instead of printing the result")
	cmd.Flags().BoolVarP(&f.diff, "diff", "d", false, "print differences instead of the result")
	return cmd
}

// run goes on after a file that fails.
func (f *formatting) run(stdin io.Reader, files []string) error {
	if len(files) > 0 {
		var failed []error
		for _, name := range files {
			failed = append(failed, f.file(name))
		}
		return errors.Join(failed...)
	}
	if f.write {
		return errors.New("fmt: -w needs a file, the standard input cannot be written to")
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("read the standard input: %w", err)
	}
	_, err = f.show("<standard input>", string(text))
	return err
}

func (f *formatting) file(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err // it names the file
	}
	result, err := f.show(name, string(text))
	if err != nil || !f.write || result == string(text) {
		return err
	}
	return replaceFile(name, result)
}

// show prints what was asked for and returns the laid out text.
func (f *formatting) show(name, text string) (string, error) {
	result := parser.Format(text)
	var err error
	switch {
	case !f.write && !f.list && !f.diff:
		_, err = io.WriteString(f.out, result)
	case result == text:
	default:
		f.differs = true
		if f.list {
			_, err = fmt.Fprintln(f.out, name)
		}
		if f.diff && err == nil {
			_, err = f.out.Write(diff.Diff(name+".orig", []byte(text), name, []byte(result)))
		}
	}
	return result, err
}
