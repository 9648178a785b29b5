//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/filewatch"
)

func TestReloadTime(t *testing.T) {
	now := time.Date(2026, 11, 27, 13, 8, 2, 0, time.Local)
	for _, c := range []struct {
		text, want string
		dated      bool
	}{
		{"14:00:00", "2026-11-27 14:00:00", false},
		{"13:08:02", "2026-11-28 13:08:02", false}, // it is that late now
		{"00:00:00", "2026-11-28 00:00:00", false},
		{"2027-01-02 03:04:05", "2027-01-02 03:04:05", true},
		{"27-01-02 03:04:05", "2027-01-02 03:04:05", true},
		{"2027-01-02 03:04:05Z", time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC).Local().Format(time.DateTime), true},
		{"2020-01-01 10:00:00", "Reload time 2020-01-01 10:00:00 is in the past - ignoring", true},
		{"garbage", "Invalid reload time 'garbage' specified - ignoring", false},
		{"25:00:00", "Invalid reload time '25:00:00' specified - ignoring", false},
		{"2027-13-02 03:04:05", "Invalid reload time '2027-13-02 03:04:05' specified - ignoring", false},
	} {
		at, dated, err := reloadTime(c.text, now)
		got := at.Format(time.DateTime)
		if err != nil {
			got = err.Error()
		}
		if got != c.want || err == nil && dated != c.dated {
			t.Errorf("%q: %s %t, want %s %t", c.text, got, dated, c.want, c.dated)
		}
	}
}

// A file that is there at start, changed, removed and made anew.
func TestSchedule(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	watch := filewatch.New(zap.NewNop())
	ran := make(chan error, 1)
	go func() { ran <- watch.Run(t.Context()) }()
	file := filepath.Join(t.TempDir(), "time")
	s := newSchedule(zap.New(core), watch)
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	// A change may be told more than once.
	take := func(want string) {
		t.Helper()
		for {
			select {
			case text := <-s.texts:
				s.set(text)
				if text == want {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("waited for %q", want)
			}
		}
	}
	put("2099-01-02 03:04:05")
	s.apply(&config.ReloadOptions{ReloadTimeFile: file})
	take("2099-01-02 03:04:05")
	put("2099-01-02 03:04:06")
	take("2099-01-02 03:04:06")
	put("soon")
	take("soon")
	if s.at.Format(time.DateTime) != "2099-01-02 03:04:06" {
		t.Errorf("a wrong time is taken: %s", s.at)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	take("")
	put("2099-01-02 03:04:05")
	take("2099-01-02 03:04:05")
	s.at = time.Now().Add(-time.Second)
	if !s.due() || !s.at.IsZero() {
		t.Errorf("not due, or due again: %s", s.at)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}

	s.apply(&config.ReloadOptions{ReloadTimeFile: file, ReloadRepeat: true})
	put(time.Now().Add(-time.Second).Format(time.TimeOnly))
	for s.at.IsZero() {
		s.set(<-s.texts)
	}
	s.at = time.Now().Add(-time.Second)
	if !s.due() || time.Until(s.at) < 20*time.Hour {
		t.Errorf("with reload_repeat it is due again at %s", s.at)
	}
	s.stop()
	var said []string
	for _, e := range logs.All() {
		said = append(said, e.Message)
	}
	want := []string{
		"Scheduling reload for 2099-01-02 03:04:05", "Reload time updated from 2099-01-02 03:04:05 to 2099-01-02 03:04:06",
		"Invalid reload time 'soon' specified - ignoring", "Cancelling reload scheduled for 2099-01-02 03:04:06", "Scheduling reload for 2099-01-02 03:04:05",
	}
	if got := strings.Join(said, "\n"); !strings.HasPrefix(got, strings.Join(want, "\n")) {
		t.Errorf("said:\n%s", got)
	}
}
