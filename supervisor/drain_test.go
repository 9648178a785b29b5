//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// What a reload takes out and what drains is shown, and is in the ledger as long
// as it is in the kernel.
func TestDrain(t *testing.T) {
	if !inside(t) {
		return
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b := prepare(t)
	text, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	one := strings.Replace(string(text), "TCP_CHECK", "drain_timeout 3600\n        TCP_CHECK", 1)
	b.put(one + strings.ReplaceAll(one[strings.Index(one, "virtual_server"):], "10.9.0.100", "10.9.0.101"))
	b.table.connections = 1
	b.start()
	b.table.take()

	b.put(strings.Replace(one, "real_server 10.9.0.11", "real_server 10.9.0.14", 1))
	b.reload()
	ops := b.table.take()
	for _, want := range []string{"-e -t 10.9.0.100:80 -r 10.9.0.11:80 -g -w 0", "-e -t 10.9.0.101:80 -r 10.9.0.11:80 -g -w 0", "-d -t 10.9.0.101:80 -r 10.9.0.12:80"} {
		if !slices.Contains(ops, want) {
			t.Errorf("no %s in %q", want, ops)
		}
	}
	shown := b.read(syscall.SIGUSR1, filepath.Join(dir, "keepalived_check.data"))
	for _, want := range []string{" [10.9.0.11]:tcp:80 of [10.9.0.100]:tcp:80 until ", " [10.9.0.11]:tcp:80 of [10.9.0.101]:tcp:80 until ", "Drain timeout = 3600"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
	noted := func() bool {
		text, err := os.ReadFile(b.ledger())
		return err == nil && strings.LastIndex(string(text), "+ service 6 10.9.0.101:80\n") > strings.LastIndex(string(text), "~ service 6 10.9.0.101:80\n")
	}
	if !noted() {
		t.Error("what is left of 10.9.0.101 is not in the ledger")
	}
	b.table.mu.Lock()
	b.table.connections = 0
	b.table.mu.Unlock()
	b.wait("the end of the connections", func() bool {
		ops = append(ops, b.table.take()...)
		return slices.Contains(ops, "-D -t 10.9.0.101:80") && slices.Contains(ops, "-d -t 10.9.0.100:80 -r 10.9.0.11:80")
	})
	b.put(one)
	b.reload()
	if noted() {
		t.Error("10.9.0.101 is still in the ledger")
	}
	b.stop()
}
