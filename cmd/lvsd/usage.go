package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// What keepalived's build would have been configured with to do what lvsd does:
// exporters look for --enable-json, roles for the words.
const (
	configureOptions = "--enable-snmp --enable-snmp-rfcv2 --enable-snmp-rfcv3 --enable-dbus --enable-json --enable-bfd --enable-regex --enable-log-file --with-init=systemd"
	configOptions    = "NFTABLES LVS REGEX VRRP VRRP_AUTH VRRP_VMAC JSON BFD OLD_CHKSUM_COMPAT SNMP_V3_FOR_V2 SNMP_VRRP SNMP_CHECKER SNMP_RFCV2 SNMP_RFCV3 DBUS INIT=systemd SYSTEMD_NOTIFY"
)

// printVersion is -v, on standard error as keepalived has it. The second word
// of the first line is the version that its readers compare.
func (p *program) printVersion() {
	fmt.Fprint(p.stderr, fullName, "\n\n")
	fmt.Fprint(p.stderr, "lvsd is keepalived, written again, and not the work of keepalived's authors\n\n")
	fmt.Fprintf(p.stderr, "Built with %s for %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(p.stderr, "Running on %s\n", kernelVersion())
	if name := distribution(); name != "" {
		fmt.Fprintf(p.stderr, "Distro: %s\n", name)
	}
	fmt.Fprintf(p.stderr, "\nconfigure options: %s\n\nConfig options:  %s\n", configureOptions, configOptions)
}

// kernelVersion is what uname(2) says, "Linux" if it says nothing.
func kernelVersion() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "Linux"
	}
	text := func(field [65]byte) string {
		before, _, _ := bytes.Cut(field[:], []byte{0})
		return string(before)
	}
	return text(u.Sysname) + " " + text(u.Release) + " " + text(u.Version)
}

// distribution is the name in os-release(5); empty: nobody knows.
func distribution() string {
	b, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return ""
}

// usage lists the options as keepalived does, on stderr.
func (p *program) usage() {
	fmt.Fprintf(p.stderr, "Usage: %s [OPTION...]\n", p.argv[0])
	for _, o := range optionsFor(p.asKeepalived()) {
		left := "      "
		if o.short != 0 {
			left = fmt.Sprintf("  -%c, ", o.short)
		}
		left += "--" + o.long
		switch o.arg {
		case required:
			left += "=" + argName(o)
		case optional:
			left += "[=" + argName(o) + "]"
		}
		help := o.help
		if help == "" {
			help = "(no effect)"
		}
		if len(left) > 30 {
			left += "\n" + strings.Repeat(" ", 30)
		}
		fmt.Fprintf(p.stderr, "%-30s %s\n", left, help)
	}
	if !p.asKeepalived() {
		fmt.Fprintf(p.stderr, "\nCommands, each with a --help of its own:\n  %s COMMAND\n", filepath.Base(p.argv[0]))
		for _, c := range p.commands {
			fmt.Fprintf(p.stderr, "%-30s %s\n", "  "+c.Name(), c.Short)
		}
	}
}

func argName(o option) string {
	if o.name == "" {
		return "ARG"
	}
	return o.name
}
