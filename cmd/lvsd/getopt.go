package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// usageError is a mistake on the command line, in keepalived's words.
type usageError string

func (e usageError) Error() string { return string(e) }

// getopt rewrites a command line as getopt_long(3) reads it into one that a
// library with other habits cannot misread: every option in its long spelling,
// an argument always behind "=", everything else after "--". So -nlP, -tFILE,
// -t, -f FILE, -fFILE, --use-file FILE and the abbreviation --use all work.
//
// A mistake is no reason to stop, and nothing counts behind an option that is
// answered at once, such as -v.
func getopt(table []option, args []string) (opts []string, mistakes error) {
	var rest []string
	for len(args) > 0 && !answered(table, opts) {
		arg := args[0]
		args = args[1:]
		var err error
		var taken []string
		switch {
		case arg == "--":
			rest, args = append(rest, args...), nil
		case strings.HasPrefix(arg, "--"):
			taken, args, err = longOption(table, arg[2:], args)
		case len(arg) > 1 && arg[0] == '-':
			taken, args, err = shortOptions(table, arg[1:], args)
		default:
			rest = append(rest, arg)
		}
		opts, mistakes = append(opts, taken...), errors.Join(mistakes, err)
	}
	if len(rest) > 0 {
		opts = append(append(opts, "--"), rest...)
	}
	return opts, mistakes
}

// rest are the words behind the options of a command line that [getopt] has
// rewritten.
func rest(args []string) []string {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[i+1:]
	}
	return nil
}

// answered reports whether the last option is one that ends the program.
func answered(table []option, opts []string) bool {
	if len(opts) == 0 {
		return false
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(opts[len(opts)-1], "--"), "=")
	o := lookupLong(table, name)
	return o != nil && o.answers
}

// longOption reads --name, --name=value or --name value; any unambiguous
// beginning of the name will do.
func longOption(table []option, arg string, args []string) (opts, left []string, err error) {
	name, value, given := strings.Cut(arg, "=")
	o := lookupLong(table, name)
	switch {
	case o == nil, given && o.arg == none:
		return nil, args, usageError("Unknown option --" + arg)
	case given && value == "" && o.arg == optional:
		return []string{"--" + o.long}, args, nil
	case given && value == "":
		return nil, args, usageError("Missing parameter for option --" + name)
	case given:
		return []string{"--" + o.long + "=" + value}, args, nil
	case o.arg == required && len(args) == 0:
		return nil, nil, usageError("Missing parameter for option --" + name)
	case o.arg == required:
		return []string{"--" + o.long + "=" + args[0]}, args[1:], nil
	}
	return []string{"--" + o.long}, args, nil
}

// shortOptions reads a run of short options, the last of which may have an
// argument: behind it, or, when it needs one, in the next word.
func shortOptions(table []option, run string, args []string) (opts, left []string, err error) {
	for i := range len(run) {
		o := lookupShort(table, run[i])
		switch {
		case o == nil:
			err = errors.Join(err, usageError(fmt.Sprintf("Unknown option -%c", run[i])))
		case o.answers && o.arg == none:
			return append(opts, "--"+o.long), args, err
		case o.arg == none:
			opts = append(opts, "--"+o.long)
			continue
		case i+1 < len(run):
			return append(opts, "--"+o.long+"="+run[i+1:]), args, err
		case o.arg == optional:
			return append(opts, "--"+o.long), args, err
		case len(args) == 0:
			return opts, nil, errors.Join(err, usageError(fmt.Sprintf("Missing parameter for option -%c", run[i])))
		default:
			return append(opts, "--"+o.long+"="+args[0]), args[1:], err
		}
	}
	return opts, args, err
}

func lookupShort(table []option, short byte) *option {
	for i := range table {
		if table[i].short == short {
			return &table[i]
		}
	}
	return nil
}

func lookupLong(table []option, name string) *option {
	var found *option
	for i := range table {
		switch o := &table[i]; {
		case o.long == name:
			return o
		case o.own: // never makes an abbreviation of keepalived's ambiguous
		case strings.HasPrefix(o.long, name) && found != nil:
			return nil // ambiguous
		case strings.HasPrefix(o.long, name):
			found = o
		}
	}
	return found
}
