package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// A need is a program that the rig calls, and the Debian package that has it.
type need struct{ command, pkg string }

// hostNeeds are the programs that tests and the demo call, natively or inside
// the virtual machine, which sees the same files.
var hostNeeds = []need{
	{"aiosmtpd", "python3-aiosmtpd"},
	{"bash", "bash"},
	{"busctl", "systemd"},
	{"cc", "build-essential"},
	{"dnsmasq", "dnsmasq-base"},
	{"dbus-daemon", "dbus-daemon"},
	{"ip", "iproute2"},
	{"sysctl", "procps"},
	{"ipvsadm", "ipvsadm"},
	{"keepalived", "keepalived"},
	{"nginx", "nginx-light"},
	{"nft", "nftables"},
	{"python3", "python3"},
	{"rpm", "rpm"},
	{"snmpd", "snmpd"},
	{"snmptrapd", "snmptrapd"},
	{"snmpwalk", "snmp"},
	{"tcpdump", "tcpdump"},
}

// vmNeeds are what booting the virtual machine takes on top.
var vmNeeds = []need{
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"modprobe", "kmod"},
	{"dpkg", "dpkg"},
	{"xz", "xz-utils"},
}

// Install installs what tests call outside of the virtual machine.
func Install(ctx context.Context, out io.Writer) error { return install(ctx, out, hostNeeds) }

// install installs the packages of those programs that are missing, and says so.
func install(ctx context.Context, out io.Writer, needs []need) error {
	var commands, packages []string
	for _, n := range needs {
		if _, err := lookPath(n.command); err != nil {
			commands = append(commands, n.command)
			packages = append(packages, n.pkg)
		}
	}
	if len(packages) == 0 {
		return nil
	}
	fmt.Fprintf(out, "rig: missing %s: installing %s with apt\n",
		strings.Join(commands, ", "), strings.Join(packages, ", "))
	restore, err := forbidServices()
	if err != nil {
		return err
	}
	defer restore()
	args := append([]string{"install", "-y", "--no-install-recommends"}, packages...)
	if err := aptGet(ctx, "", args...); err != nil {
		return fmt.Errorf("install %s: %w", strings.Join(packages, " "), err)
	}
	return nil
}

// policyFile is where Debian's invoke-rc.d asks whether a service may start.
const policyFile = "/usr/sbin/policy-rc.d"

// forbidServices keeps packages from starting their services while they are
// installed: nobody asked for a keepalived on this host.
func forbidServices() (restore func(), err error) {
	if _, err := os.Stat(policyFile); !errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // the host has a policy of its own: leave it
	}
	if err := asRoot("sh", "-c", "printf '#!/bin/sh\\nexit 101\\n' >"+policyFile+" && chmod 755 "+policyFile).Run(); err != nil {
		return nil, fmt.Errorf("write %s: %w", policyFile, err)
	}
	return func() { _ = asRoot("rm", "-f", policyFile).Run() }, nil
}

// aptGet runs apt-get in dir; when that fails it updates the package lists,
// once, and tries again.
func aptGet(ctx context.Context, dir string, args ...string) error {
	if run(ctx, dir, "apt-get", args...) == nil {
		return nil
	}
	if err := run(ctx, "", "apt-get", "update"); err != nil {
		return err
	}
	return run(ctx, dir, "apt-get", args...)
}

// run runs a command as root and answers with its output when it fails.
func run(ctx context.Context, dir, name string, args ...string) error {
	c := asRoot(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	stop := context.AfterFunc(ctx, func() { _ = c.Cancel() })
	defer stop()
	output, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(output))
	}
	return nil
}

// asRoot is exec.Command, through sudo when this process is not root.
func asRoot(name string, args ...string) *exec.Cmd {
	if os.Geteuid() != 0 {
		return exec.Command("sudo", append([]string{"-E", name}, args...)...)
	}
	return exec.Command(name, args...)
}

// lookPath is exec.LookPath with the folders of system programs, which an
// ordinary user's PATH lacks on Debian.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/local/sbin/", "/usr/sbin/", "/sbin/"} {
		if info, statErr := os.Stat(dir + name); statErr == nil && info.Mode()&0o111 != 0 {
			return dir + name, nil
		}
	}
	return "", err
}
