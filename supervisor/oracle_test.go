//go:build linux

package supervisor

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// needOracle wants what lvsd is compared with; only -short does without.
func needOracle(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			if testing.Short() {
				t.Skipf("LEFT OUT by -short: this test needs %s", program)
			}
			t.Fatalf("this test needs %s; `go run ./e2e/needs` installs it", program)
		}
	}
}

// keepalived runs it until the test ends; a library answers in the place of
// IPVS.
func (b *bench) keepalived() *os.Process {
	b.t.Helper()
	dir := b.t.TempDir()
	alone := filepath.Join(dir, "alone.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-o", alone, "../internal/dump/testdata/alone.c").CombinedOutput(); err != nil {
		b.t.Fatalf("cc: %v: %s", err, out)
	}
	args := []string{"-n", "-l", "-f", b.file}
	for _, p := range []string{"p", "r", "c", "b"} {
		args = append(args, "-"+p, filepath.Join(dir, p+".pid"))
	}
	cmd := exec.Command("keepalived", args...)
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+alone)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		hard := time.AfterFunc(20*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer hard.Stop()
		_ = cmd.Wait() // its status is none of our business
	})
	return cmd.Process
}
