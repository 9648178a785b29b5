//go:build linux

package supervisor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/dump"
)

// read is a dump that SIGUSR1 or its like has made; the file is removed, as
// some readers do.
func (b *bench) read(sig syscall.Signal, file string) string {
	b.t.Helper()
	b.signals <- sig
	b.signals <- syscall.Signal(0) // taken when the first one has been served
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatalf("%v\n%s", err, b.log())
	}
	if err := os.Remove(file); err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// SIGUSR1 and SIGUSR2 write what keepalived's tools read.
func TestDumps(t *testing.T) {
	if !inside(t) {
		return
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b := newBench(t)
	b.wait("MASTER", func() bool { return strings.Contains(b.notified(), "INSTANCE VI_1 MASTER 255") })

	data := b.read(syscall.SIGUSR1, filepath.Join(dir, "keepalived.data"))
	for _, want := range []string{
		"------< VRRP Topology >------\n VRRP Instance = VI_1\n   VRRP Version = 2\n   State = MASTER\n",
		"   Wantstate = MASTER\n", "   Effective priority = 255\n", "   Virtual IP (1):\n     10.9.0.100/24 dev veth0 scope global set\n",
		"   Using src_ip = 10.9.0.1\n", " Name = veth0\n", "   Tracking VRRP instances :\n     VI_1, weight 0\n", " Router ID = test\n",
	} {
		if !strings.Contains(data, want) {
			t.Errorf("keepalived.data lacks %q:\n%s", want, data)
		}
	}
	if !regexp.MustCompile(`(?m)^   Last transition = \d{10}\.\d{6} \(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d\.\d{6} \d{4}\)$`).MatchString(data) {
		t.Errorf("no last transition:\n%s", data)
	}
	for name, want := range map[string]string{
		"keepalived_parent.data": "------< Global definitions >------\n",
		"keepalived_check.data":  "   RIP = 10.9.0.12, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1\n",
	} {
		if text := b.read(syscall.SIGUSR1, filepath.Join(dir, name)); !strings.Contains(text, want) {
			t.Errorf("%s lacks %q:\n%s", name, want, text)
		}
	}
	stats := filepath.Join(dir, "keepalived.stats")
	if text := b.read(syscall.SIGUSR2, stats); !strings.HasPrefix(text, "VRRP Instance: VI_1\n  Advertisements:\n    Received: 0\n    Sent: ") || !strings.Contains(text, "  Became master: 1\n") {
		t.Errorf("keepalived.stats:\n%s", text)
	}
	if text := b.read(SignalStatsClear, stats); !strings.Contains(text, "  Became master: 1\n") {
		t.Errorf("STATS_CLEAR writes after it has cleared:\n%s", text)
	}
	if text := b.read(syscall.SIGUSR2, stats); !strings.Contains(text, "  Became master: 0\n") {
		t.Errorf("STATS_CLEAR does not clear:\n%s", text)
	}
	json := b.read(SignalJSON, filepath.Join(dir, "keepalived.json"))
	if !strings.HasPrefix(json, `[{"data":{"iname":"VI_1",`) || !strings.Contains(json, `"vips":["10.9.0.100\/24 dev veth0 scope global set"]`) || !strings.Contains(json, `"state":2,`) {
		t.Errorf("keepalived.json:\n%s", json)
	}
	b.read(signalJSONMusl, filepath.Join(dir, "keepalived.json"))
	b.stop()
	if left, err := os.ReadDir(dir); err != nil || slices.ContainsFunc(left, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".lvsd") }) {
		t.Errorf("left: %v %v", left, err)
	}
}

// What is tracked shows how it stands now.
func TestDumpTrackers(t *testing.T) {
	if !inside(t) {
		return
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b := prepare(t)
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/number", []byte("42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	b.put(fmt.Sprintf("vrrp_track_process self {\n process %s\n weight 1\n}\ntrack_file number {\n file %s/number\n weight 0\n}\n", bytes.TrimSpace(comm), dir) +
		strings.Replace(string(text), "advert_int 1\n", "advert_int 1\n    track_process {\n self\n }\n track_file {\n number weight 1\n }\n", 1))
	b.start()
	data := b.read(syscall.SIGUSR1, filepath.Join(dir, "keepalived.data"))
	b.stop()
	if !regexp.MustCompile(`(?m)^   Current processes = [1-9]\d*\n   Have quorum = true$`).MatchString(data) {
		t.Errorf("the process:\n%s", data)
	}
	if !strings.Contains(data, "   Status = 42\n") {
		t.Errorf("the file:\n%s", data)
	}
}

// Nothing to run is no reason to fail.
func TestDumpNothing(t *testing.T) {
	if !inside(t) {
		return
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	b := prepare(t)
	b.put("global_defs {\n    router_id nothing\n}\n")
	b.start()
	if text := b.read(syscall.SIGUSR1, filepath.Join(dir, "keepalived_parent.data")); !strings.Contains(text, " Router ID = nothing\n") {
		t.Errorf("keepalived_parent.data:\n%s", text)
	}
	b.signals <- syscall.SIGUSR2
	b.stop()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestDumpFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	document := dump.Documents(&config.Config{Services: make([]config.VirtualServer, 1)})[1]
	for _, c := range []struct {
		given, instance, namespace string
		use                        bool
		want                       string
	}{
		{want: dir + "/keepalived_check.data"},
		{instance: "one", want: dir + "/keepalived_check.data"},
		{instance: "one", use: true, want: dir + "/keepalived_check.one.data"},
		{instance: "one", namespace: "ns", use: true, want: dir + "/keepalived_check.ns_one.data"},
		{given: "/var/lib/lvsd/", want: "/var/lib/lvsd/keepalived_check.data"},
		{given: "state.txt", want: dir + "/state_check.txt"},
		{given: "/run/state", want: "/run/state_check"},
	} {
		s := New(Options{Log: zap.NewNop()})
		s.config.Global.Interface.DataUseInstance = c.use
		s.config.Global.Interface.StateDumpFile = c.given
		s.config.Daemon = config.Daemon{Instance: c.instance, NetNamespace: c.namespace}
		if got := s.dataFile(document); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	t.Setenv("TMPDIR", dir+"/nowhere")
	if got := TempDir(); got != "/tmp" {
		t.Errorf("TMPDIR that is no folder: %s", got)
	}
	core, logs := observer.New(zap.InfoLevel)
	s := New(Options{Log: zap.New(core)})
	s.checkTempDir()
	t.Setenv("TMPDIR", dir)
	s.checkTempDir()
	t.Setenv("TMPDIR", "")
	s.checkTempDir()
	if got := logs.All(); len(got) != 1 || !strings.Contains(got[0].Message, dir+"/nowhere") {
		t.Errorf("of a TMPDIR that is no folder, and two that are, is said: %v", got)
	}
}

// That copies cannot be kept is said once, until they can.
func TestUnsaved(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	s := New(Options{Log: zap.New(core)})
	dir := t.TempDir()
	for _, name := range []string{"none/a", "none/b", "c", "none/d"} {
		s.keep(filepath.Join(dir, name), func(io.Writer) error { return nil })
	}
	if got := logs.Len(); got != 2 {
		t.Errorf("%d lines, want 2: %v", got, logs.All())
	}
}

// A file is there whole, and closed under its final name.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keepalived.data")
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MOVED_TO|unix.IN_CLOSE_WRITE|unix.IN_DELETE); err != nil {
		t.Fatal(err)
	}
	if err := replace(file, 0o640, func(w io.Writer) error { _, err := io.WriteString(w, "all"); return err }); err != nil {
		t.Fatal(err)
	}
	if got, want := events(t, fd), []string{"moved keepalived.data", "closed keepalived.data"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := replace(file, 0o640, func(io.Writer) error { return io.ErrShortWrite }); err == nil {
		t.Error("an error is lost")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "all" {
		t.Errorf("after an error: %q %v", text, err)
	}
}

// events are those that wait at an inotify descriptor.
func events(t *testing.T, fd int) (all []string) {
	t.Helper()
	buffer := make([]byte, 4096)
	n, err := unix.Read(fd, buffer)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < n; {
		mask, length := binary.NativeEndian.Uint32(buffer[at+4:]), int(binary.NativeEndian.Uint32(buffer[at+12:])) // inotify(7)
		at += unix.SizeofInotifyEvent
		name, _, _ := bytes.Cut(buffer[at:at+length], []byte{0})
		at += length
		what := map[uint32]string{unix.IN_MOVED_TO: "moved ", unix.IN_CLOSE_WRITE: "closed ", unix.IN_DELETE: "deleted "}[mask]
		all = append(all, what+string(name))
	}
	return all
}
