package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lvsd/lvsd/checker"
	"github.com/lvsd/lvsd/config"
)

const genhashUsage = `Usage: %s COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
`

// genhashTable is every option of genhash, genhash(1).
var genhashTable = []option{
	{short: 'S', long: "use-ssl"},
	{short: 'I', long: "use-sni"},
	{short: 's', long: "server", arg: required},
	{short: 'p', long: "port", arg: required},
	{short: 'u', long: "url", arg: required},
	{short: 'V', long: "use-virtualhost", arg: required},
	{short: 'v', long: "verbose"},
	{short: 'h', long: "help"},
	{short: 'm', long: "fwmark", arg: required},
	{short: 'P', long: "protocol", arg: required},
	{short: 't', long: "timeout", arg: required},
}

// genhashTimeout is that of genhash when nothing is said.
const genhashTimeout = 5 * time.Second

// genhashArguments are those of genhash when the command line calls it: by the
// program's name, or by keepalived's -T, before which nothing counts.
func (p *program) genhashArguments() (called string, args []string, ok bool) {
	if p.calledAs("genhash") {
		return p.argv[0], p.argv[1:], true
	}
	name, args, ok := cutGenhash(optionsFor(p.asKeepalived()), p.argv[1:])
	if ok && name != "" {
		fmt.Fprintf(p.stderr, "Warning -- `%s` not used as first option, previous options ignored\n", name)
	}
	return p.argv[0] + " --genhash", args, ok
}

// cutGenhash looks for -T, alone or in a run of short options: what is behind it
// are genhash's own arguments. The name is how keepalived calls it where it is
// not the first option.
func cutGenhash(table []option, args []string) (name string, own []string, ok bool) {
	for at := 0; len(args) > 0 && args[0] != "--"; at++ {
		arg := args[0]
		args = args[1:]
		switch {
		case strings.HasPrefix(arg, "--"):
			if o := lookupLong(table, arg[2:]); o != nil && o.short == 'T' {
				return said(at > 0, o.long), args, true
			}
			_, args, _ = longOption(table, arg[2:], args) // who reads them again complains
		case strings.HasPrefix(arg, "-"):
			before, rest, found := strings.Cut(arg[1:], "T")
			if found && !takesArgument(table, before) {
				if rest != "" {
					args = append([]string{"-" + rest}, args...)
				}
				return said(at > 0 || before != "", "-T"), args, true
			}
			_, args, _ = shortOptions(table, arg[1:], args)
		}
	}
	return "", nil, false
}

func said(late bool, name string) string {
	if late {
		return name
	}
	return ""
}

// takesArgument tells whether one of a run of short options takes what follows.
func takesArgument(table []option, run string) bool {
	for i := range len(run) {
		if o := lookupShort(table, run[i]); o != nil && o.arg != none {
			return true
		}
	}
	return false
}

// genhashCommand is lvsd genhash.
func genhashCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "genhash -s ADDRESS -p PORT -u PATH", Short: "print the digest of a page, for digest of HTTP_GET",
		Long: strings.TrimSuffix(fmt.Sprintf(genhashUsage, "lvsd genhash"), "\n"), DisableFlagParsing: true,
		Run: func(_ *cobra.Command, args []string) { p.status = genhash("lvsd genhash", args, p.stdout, p.stderr) },
	}
}

// genhash is genhash(1), which was called so, and returns its exit status: 1 for a
// mistake on the command line. A server that does not answer is no failure of
// genhash.
func genhash(called string, args []string, stdout, stderr io.Writer) int {
	g := checker.Genhash{Timeout: genhashTimeout}
	args, err := getopt(genhashTable, args)
	for i := 0; err == nil && i < len(args); i++ {
		if args[i] == "--" {
			err = usageError("Unexpected argument(s): " + strings.Join(args[i+1:], " "))
			break
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		err = genhashOption(&g, name, value)
	}
	if err == nil && (!g.Server.Addr().IsValid() || g.Server.Port() == 0 || g.Path == "") {
		err = usageError("")
	}
	if err != nil {
		if err.Error() != "" {
			fmt.Fprintln(stderr, err)
		}
		fmt.Fprintf(stderr, genhashUsage, called)
		return config.ExitFatal
	}
	if err := g.Run(context.Background(), stdout, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return config.ExitFatal
	}
	return config.ExitOK
}

func genhashOption(g *checker.Genhash, name, value string) error {
	number := func(what string, low, high uint64) (uint64, error) {
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || n < low || n > high {
			return 0, usageError(fmt.Sprintf("invalid %s '%s'", what, value))
		}
		return n, nil
	}
	switch name {
	case "use-ssl":
		g.TLS = true
	case "use-sni":
		g.SNI = true
	case "server":
		a, err := netip.ParseAddr(value)
		if err != nil {
			return usageError("server should be an IP, not " + value)
		}
		g.Server = netip.AddrPortFrom(a, g.Server.Port())
	case "port":
		n, err := number("port number", 1, math.MaxUint16)
		g.Server = netip.AddrPortFrom(g.Server.Addr(), uint16(n))
		return err
	case "url":
		g.Path = value
	case "use-virtualhost":
		g.VirtualHost = value
	case "verbose":
		g.Verbose = true
	case "fwmark":
		n, err := number("fwmark", 0, math.MaxUint32)
		g.FWMark = uint32(n)
		return err
	case "protocol":
		versions := map[string]config.HTTPProtocol{"1.0": config.HTTP10, "1.0c": config.HTTP10C, "1.0C": config.HTTP10C, "1.1": config.HTTP11}
		version, ok := versions[value]
		if !ok {
			return usageError(fmt.Sprintf("invalid HTTP protocol version '%s'", value))
		}
		g.Protocol = version
	case "timeout":
		n, err := number("timeout", 0, math.MaxUint32)
		g.Timeout = time.Duration(n) * time.Second
		return err
	case "help":
		return usageError("")
	}
	return nil
}
