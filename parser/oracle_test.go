package parser

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// TestOracle asks Debian's keepalived for the exit status of -t for every file
// of testdata/conf, in a network namespace with the interfaces of [bench]. A
// file that lvsd means to judge differently says so in its first line:
//
//	! differs: STATUS why
//
// STATUS is -1 where keepalived crashes.
func TestOracle(t *testing.T) {
	keepalived, ns := oracle(t)
	for _, file := range confFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".conf"), func(t *testing.T) {
			_, problems, err := Load(Options{File: file, ConfigID: "here", Environment: bench{}})
			if err != nil {
				t.Fatal(err)
			}
			want, meant := differs(t, file)
			if !meant {
				want = config.TestStatus(problems)
			}
			limit := "60"
			if want == 124 { // of timeout(1): keepalived hangs
				limit = "1"
			}
			got, said := ask(t, "ip", "netns", "exec", ns, "timeout", limit, keepalived, "-t", "-i", "here", "-f", filepath.Base(file))
			if got != want {
				t.Errorf("keepalived's status is %d, not %d; it says\n%s", got, want, said)
			}
			if meant && want == config.TestStatus(problems) {
				t.Errorf("does not differ any more: both are %d", want)
			}
		})
	}
}

// oracle is Debian's keepalived, and a network namespace with the interfaces of
// [bench].
func oracle(t *testing.T) (keepalived, ns string) {
	t.Helper()
	keepalived, err := exec.LookPath("keepalived")
	if err != nil || os.Getuid() != 0 {
		const why = "this test needs root and Debian's keepalived 2.2.7"
		if testing.Short() {
			t.Skip("LEFT OUT by -short: " + why)
		}
		t.Fatal(why + "; `go run ./e2e/needs` installs it")
	}
	ns = fmt.Sprintf("lvsd-parser-%d", os.Getpid())
	run(t, "ip", "netns", "add", ns)
	t.Cleanup(func() { run(t, "ip", "netns", "del", ns) })
	for _, link := range benchLinks {
		run(t, "ip", "-n", ns, "link", "add", link, "type", "bridge")
		run(t, "ip", "-n", ns, "link", "set", link, "up")
	}
	return keepalived, ns
}

// differs is keepalived's status where lvsd's is meant to be another.
func differs(t *testing.T, file string) (int, bool) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`^! differs: (-?\d+) `).FindSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func ask(t *testing.T, args ...string) (status int, said []byte) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = confDir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		return failed.ExitCode(), out.Bytes()
	} else if err != nil {
		t.Fatal(err)
	}
	return 0, out.Bytes()
}
