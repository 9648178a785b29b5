// Package packages tests what `make package` makes.
package packages

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the project.
const root = "../.."

// build makes the packages and finds the one of a kind.
func build(t *testing.T) (deb, rpm string) {
	t.Helper()
	say(t, "make", "-C", root, "package")
	find := func(pattern string) string {
		found, err := filepath.Glob(filepath.Join(root, "bin", pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v %v", pattern, found, err)
		}
		return found[0]
	}
	return find("lvsd_*.deb"), find("lvsd-*.rpm")
}

// say runs a command that has to succeed.
func say(t *testing.T, name string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out.String())
	}
	return out.String()
}

// TestPackages builds both packages, swaps Debian's keepalived for the deb and
// back in a copy of this machine, and looks into the rpm.
func TestPackages(t *testing.T) {
	if testing.Short() {
		t.Skip("LEFT OUT by -short: it builds packages and installs them in a copy of this machine; `make test` runs it")
	}
	deb, rpm := build(t)
	t.Run("deb", func(t *testing.T) {
		t.Log("\n" + say(t, "unshare", "--mount", "./swap.sh", deb))
	})
	t.Run("rpm", func(t *testing.T) {
		tree := t.TempDir()
		say(t, "rpm", "--root", tree, "--nodeps", "--noscripts", "--install", rpm)
		if out := say(t, "chroot", tree, "/usr/sbin/keepalived", "-v"); !strings.HasPrefix(out, "Keepalived v2") {
			t.Errorf("keepalived -v says %q", out)
		}
		if out := say(t, "chroot", tree, "/usr/sbin/lvsd", "-t", "--offline", "-f", "/etc/keepalived/keepalived.conf.sample"); out != "" {
			t.Errorf("the sample: %s", out)
		}
		files := strings.Fields(say(t, "rpm", "--query", "--package", "--list", rpm))
		for _, name := range []string{
			"/usr/lib/systemd/system/keepalived.service", "/etc/sysconfig/keepalived", "/usr/bin/genhash",
			"/usr/share/man/man5/keepalived.conf.5.gz", "/usr/share/zsh/site-functions/_lvsd",
		} {
			if !slices.Contains(files, name) {
				t.Errorf("%s is not in the rpm", name)
			}
		}
		if out := say(t, "rpm", "--query", "--package", "--provides", rpm); !strings.Contains(out, "keepalived = 2.4.3") {
			t.Errorf("provides %s", out)
		}
		for _, scriptlet := range []string{"post", "preun", "postun"} {
			say(t, "sh", "-n", filepath.Join(root, "dist/rpm", scriptlet))
		}
	})
}
