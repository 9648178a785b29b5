//go:build linux

package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/control"
	"github.com/lvsd/lvsd/internal/daemon"
	"github.com/lvsd/lvsd/vrrp"
)

// TestMain lets the test binary be the bridge that it starts.
func TestMain(m *testing.M) {
	if bridge, ok := daemon.OnBridge(); ok {
		if err := RunBridge(bridge, zap.NewNop(), nil); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// asked starts the bench with a control socket, and answers with how to ask for
// an upgrade to a shell script.
func (b *bench) asked(execute func(daemon.Handover) error) (upgrade func(script string) control.Answer) {
	b.t.Helper()
	dir := b.t.TempDir()
	socket, program := filepath.Join(dir, "socket"), filepath.Join(dir, "program")
	server := control.New()
	if err := server.Listen(socket); err != nil {
		b.t.Fatal(err)
	}
	go func() { _ = server.Run(context.Background()) }()
	b.options = func(o *Options) {
		o.Calls, o.Program, o.Test, o.Version = server.Calls(), program, []string{"-t"}, "1"
		o.Execute = func(path string, h daemon.Handover) error {
			if path != program {
				b.t.Errorf("executed %s", path)
			}
			return execute(h)
		}
	}
	b.start()
	return func(script string) control.Answer {
		b.t.Helper()
		if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			b.t.Fatal(err)
		}
		a, err := control.Ask(b.t.Context(), socket, control.Request{Command: control.Upgrade})
		if err != nil {
			b.t.Fatal(err)
		}
		return a
	}
}

// agrees is a program that would go on, and finds nothing wrong.
const agrees = `[ "$1" != upgrade ] || echo lvsd handover 2`

// A program that cannot go on, or refuses the configuration, changes nothing,
// and neither does one that cannot be executed.
func TestUpgradeRefused(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	failed := errors.New("no such luck")
	upgrade := b.asked(func(daemon.Handover) error { return failed })
	b.wait("MASTER", func() bool { return strings.Contains(b.notified(), "INSTANCE VI_1 MASTER 255") })
	b.table.take()
	told := b.notified()
	for _, test := range []struct {
		script string
		status int
		says   string
	}{
		{"exit 3", config.ExitFatal, "not an lvsd that can go on"},
		{"echo hello", config.ExitFatal, "not an lvsd that can go on"},
		{"echo lvsd handover 99", config.ExitFatal, "not an lvsd that can go on"},
		{agrees + "\n[ \"$1\" = upgrade ] || { echo what is this; exit 5; }", config.ExitTestFailed, "what is this"},
		{agrees + "\n[ \"$1\" = upgrade ] || kill $$", config.ExitFatal, "terminated"},
		{agrees, config.ExitFatal, failed.Error()},
	} {
		a := upgrade(test.script)
		if a.Status != test.status || !strings.Contains(a.Text, test.says) || !strings.Contains(a.Text, "runs on as before") {
			t.Errorf("%s: %+v", test.script, a)
		}
	}
	// A bridge that has not understood in time does nothing.
	h := new(handover)
	bridge, err := startBridge(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.supervisor.freezeRouter(h, bridge, -time.Second); !errors.Is(err, errLate) {
		t.Errorf("too late: %v", err)
	}
	bridge.end()
	sent := b.adverts()
	b.wait("adverts", func() bool { return b.adverts() > sent+1 })
	b.write(third)
	if line := b.reload(); line != "Reload complete" {
		t.Errorf("a reload after that: %s", line)
	}
	if got, want := b.table.take(), []string{"-a -t 10.9.0.100:80 -r 10.9.0.13:80 -g -w 1"}; !slices.Equal(got, want) {
		t.Errorf("IPVS: %q, want %q", got, want)
	}
	if now := b.notified(); now != told {
		t.Errorf("notified: %q", strings.TrimPrefix(now, told))
	}
	b.stop()
}

// adverts is how many the instance has sent.
func (b *bench) adverts() uint64 {
	b.t.Helper()
	now, err := b.supervisor.router.Snapshot()
	if err != nil {
		b.t.Fatal(err)
	}
	return now.Instances[0].Stats.AdvertSent
}

// A supervisor that goes on in the place of another one has its states at once,
// and does nothing to the kernel; nobody is told. The file is read again.
func TestUpgrade(t *testing.T) {
	if !inside(t) {
		return
	}
	b := prepare(t)
	executed := make(chan daemon.Handover)
	upgrade := b.asked(func(h daemon.Handover) error {
		executed <- h
		select {} // this program is no more
	})
	b.wait("MASTER", func() bool { return strings.Contains(b.notified(), "INSTANCE VI_1 MASTER 255") })
	b.table.take()
	told := b.notified()
	b.write(third)
	answered := make(chan control.Answer, 1)
	go func() { answered <- upgrade(agrees) }()
	was := <-executed
	if got, want := b.table.take(), []string{"-a -t 10.9.0.100:80 -r 10.9.0.13:80 -g -w 1"}; !slices.Equal(got, want) {
		t.Errorf("IPVS: %q, want %q", got, want)
	}
	began := time.Now()
	b.options = func(o *Options) {
		o.Version = "2"
		o.Predecessor = &Predecessor{State: was.State, Drop: func() { t.Error("given up") }}
	}
	b.start()
	if a, want := <-answered, (control.Answer{Text: "Upgrade complete: lvsd v2 runs in the place of v1"}); a != want {
		t.Errorf("the answer: %+v, want %+v", a, want)
	}
	now, err := b.supervisor.router.Snapshot()
	if err != nil || now.Instances[0].State != config.Master || !now.Instances[0].Changed.Before(began) {
		t.Errorf("it is %+v %v", now.Instances, err)
	}
	sent := b.adverts()
	b.wait("adverts", func() bool { return b.adverts() > sent+1 })
	if ops := b.table.take(); len(ops) > 0 {
		t.Errorf("IPVS: %q", ops)
	}
	if now := b.notified(); now != told {
		t.Errorf("notified: %q", strings.TrimPrefix(now, told))
	}
	b.stop()
	if got := b.table.take(); len(got) == 0 || got[len(got)-1] != "-D -t 10.9.0.100:80" {
		t.Errorf("at the end: %q", got)
	}
}

// What is of another version, or nothing at all, is not understood, and leaves
// a start like any other.
func TestUnderstand(t *testing.T) {
	state := `"rest"`
	good := &handover{Version: HandoverVersion, Program: "1", At: 5, VRRP: &vrrp.Handover{}, LocalReports: &state, Signals: []int{10}, Asker: 9}
	text, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := understand(text); err != nil || !reflect.DeepEqual(got, good) {
		t.Errorf("got %+v %v, want %+v", got, err, good)
	}
	for _, bad := range []string{"", "null", "{}", `{"Version":0}`, `{"Version":1,"Program":"1"}`, `{"Version":2,"At":"now"}`, "[]"} {
		dropped := false
		s := New(Options{Log: zap.NewNop(), Predecessor: &Predecessor{State: json.RawMessage(bad), Drop: func() { dropped = true }}})
		if s.succeed(); s.taking != nil || !dropped {
			t.Errorf("%q is understood", bad)
		}
	}
}
