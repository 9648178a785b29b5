package syslog

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/coreos/go-systemd/v22/journal"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
)

func TestNative(t *testing.T) {
	var got []string
	out := &Output{}
	out.SetSuffix("_one")
	out.add(&native{facility: Local0, send: func(message string, priority journal.Priority, vars map[string]string) error {
		got = append(got, fmt.Sprint(priority, " ", message, " ", vars))
		return nil
	}})
	structured(out.Logger())
	out.Logger().Named("healthcheckers").Error("down", zap.Error(errors.New("no route")), zap.Int("odd-key", 1))
	if err := out.Run(ended()); err != nil {
		t.Error(err)
	}
	want := []string{
		fmt.Sprintf("6 (VI_1) Entering MASTER STATE tries=2 map[SYSLOG_FACILITY:16 SYSLOG_IDENTIFIER:Keepalived_vrrp_one SYSLOG_PID:%d TRIES:2 VRRP_INSTANCE:VI_1 VRRP_STATE:MASTER]", os.Getpid()),
		fmt.Sprintf(`3 down error="no route" odd-key=1 map[ERROR:no route ODD_KEY:1 SYSLOG_FACILITY:16 SYSLOG_IDENTIFIER:Keepalived_healthcheckers_one SYSLOG_PID:%d]`, os.Getpid()),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Only a standard error that the journal itself has opened counts: the
// variable is inherited by everything that a service starts.
func TestJournalStream(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "8:1")
	if Journal() {
		t.Error("standard error is no journal")
	}
	t.Setenv("JOURNAL_STREAM", "nonsense")
	if Journal() {
		t.Error("nonsense is no journal")
	}
}
