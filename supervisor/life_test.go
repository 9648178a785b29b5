//go:build linux

package supervisor

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// A storm of one signal is served once more, others are not lost behind it.
func TestQueue(t *testing.T) {
	in := make(chan os.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := Queue(ctx, in)
	for range 1000 {
		in <- syscall.SIGHUP
	}
	in <- syscall.SIGUSR1
	in <- syscall.SIGHUP
	in <- syscall.SIGTERM
	var got []os.Signal
	for range 3 {
		got = append(got, <-out)
	}
	if want := []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGTERM}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	in <- syscall.SIGHUP
	if sig := <-out; sig != syscall.SIGHUP {
		t.Errorf("a signal after that: %v", sig)
	}
	select {
	case sig := <-out:
		t.Errorf("one too many: %v", sig)
	default:
	}
}

// withScripts is the base configuration with scripts at both ends.
func (b *bench) withScripts(startup string) {
	b.t.Helper()
	dir := filepath.Dir(b.file)
	text := fmt.Sprintf(base, dir, "")
	b.put(strings.Replace(text, "router_id test\n", fmt.Sprintf(`router_id test
    startup_script "%s"
    startup_script_timeout 20
    shutdown_script "%s/notify.sh the end"
    reload_file %s/reloading
    config_save_dir %s
`, strings.ReplaceAll(startup, "DIR", dir), dir, dir, b.t.TempDir()), 1))
}

func TestScriptsAtBothEnds(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	b.withScripts("DIR/notify.sh the beginning")
	b.start()
	b.wait("MASTER", func() bool { return strings.Contains(b.notified(), "INSTANCE VI_1 MASTER 255") })
	if line := b.reload(); line != "Reload complete" {
		t.Errorf("reload: %s", line)
	}
	b.stop()
	said := b.notified()
	if !strings.HasPrefix(said, "the beginning\nINSTANCE") || !strings.HasSuffix(said, "STOP 255\nthe end\n") {
		t.Errorf("scripts: %s", said)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(b.file), "reloading")); !os.IsNotExist(err) {
		t.Errorf("the marker of a reload is left: %v", err)
	}
}

// SIGTERM ends a start that waits for its script, and nothing has happened.
func TestStopWhileStarting(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	b.withScripts("/bin/sleep 1000")
	core, logs := observer.New(zap.DebugLevel)
	b.logs = logs
	s := New(Options{File: b.file, Log: zap.New(core), Signals: b.signals, IPVS: b.table, Ledger: b.ledger})
	go func() { b.done <- s.Run(context.Background()) }()
	b.signals <- syscall.SIGHUP
	b.stop()
	if said := b.notified(); said != "the end\n" {
		t.Errorf("scripts: %q", said)
	}
	if ops := b.table.take(); len(ops) > 0 || strings.Contains(b.log(), "STATE") {
		t.Errorf("something began: %q\n%s", ops, b.log())
	}
}

// child_wait_time is what scripts have at the end, and a reload changes it.
func TestChildWaitTime(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	hang := filepath.Join(filepath.Dir(b.file), "hang.sh")
	if err := os.WriteFile(hang, []byte("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(seconds int) {
		text := strings.ReplaceAll(fmt.Sprintf(base, filepath.Dir(b.file), ""), "notify.sh", "hang.sh")
		b.put(fmt.Sprintf("child_wait_time %d\n", seconds) + text)
	}
	put(3600)
	b.start()
	b.wait("MASTER", func() bool { return strings.Contains(b.log(), "Entering MASTER STATE") })
	put(0)
	if line := b.reload(); line != "Reload complete" {
		t.Errorf("reload: %s", line)
	}
	b.stop()
	if !strings.Contains(b.log(), "ended: lvsd stops") {
		t.Errorf("the script was not ended:\n%s", b.log())
	}
}

// config_save_dir has a copy of each configuration, for root alone, and the
// state before and after a reload.
func TestConfigSaveDir(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	b.withScripts("/bin/true")
	b.start()
	b.reload()
	b.stop()
	text, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	dir := regexp.MustCompile(`config_save_dir (\S+)`).FindStringSubmatch(string(text))[1]
	pid := os.Getpid()
	for name, want := range map[string]string{
		fmt.Sprintf("keepalived.conf.%d.0", pid):      "vrrp_instance VI_1 {",
		fmt.Sprintf("keepalived.conf.%d.1", pid):      "vrrp_instance VI_1 {",
		fmt.Sprintf("keepalived_vrrp.%d.1.pre", pid):  "VRRP Instance = VI_1",
		fmt.Sprintf("keepalived_vrrp.%d.1.post", pid): "VRRP Instance = VI_1",
	} {
		path := filepath.Join(dir, name)
		copied, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(copied), want) {
			t.Errorf("%s: %v\n%s", name, err, copied)
		}
		if info, err := os.Stat(path); err == nil && info.Mode() != 0o600 {
			t.Errorf("%s: %v", name, info.Mode())
		}
	}
}

// What the service manager hears.
func TestServiceManager(t *testing.T) {
	if !inside(t) {
		return
	}
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("TMPDIR", t.TempDir())
	hear := func(want string) {
		t.Helper()
		pattern := regexp.MustCompile(want)
		buffer := make([]byte, 4096)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				t.Fatalf("waited for %q: %v", want, err)
			}
			if pattern.Match(buffer[:n]) {
				return
			}
		}
	}
	b := newBench(t)
	hear(fmt.Sprintf(`^READY=1\nMAINPID=%d\nSTATUS=1 virtual router: 1 \w+; 1 virtual server: \d of 2 real servers up$`, os.Getpid()))
	hear(`^STATUS=1 virtual router: 1 MASTER; 1 virtual server: \d of 2 real servers up$`)
	b.reload()
	hear(`^RELOADING=1\nMONOTONIC_USEC=\d+$`)
	hear(`^READY=1\n.*\nSTATUS=[^;]*; [^;]*$`)
	b.put(fmt.Sprintf(base, filepath.Dir(b.file), "") + "broken\n")
	b.reload()
	hear(`^RELOADING=1\n`)
	hear(`^READY=1\n.*\nSTATUS=.*; the last reload failed: the configuration has a new error: .*Unknown keyword 'broken'`)
	data := b.read(syscall.SIGUSR1, filepath.Join(TempDir(), "keepalived_parent.data"))
	if !strings.Contains(data, " Last reload failed = the configuration has a new error: ") {
		t.Errorf("the dump:\n%s", data)
	}
	b.stop()
	hear(`^STOPPING=1$`)
}
