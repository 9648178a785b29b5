package parser

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Of a time with more decimal places than count, the last that does is rounded
// by the one behind it, as keepalived 2.2.7 does, and that is said.
func TestTooManyDecimals(t *testing.T) {
	const (
		none   = ""
		places = "has too many decimal places"
		wrong  = "not valid! must be between 0-1000"
	)
	for _, tt := range []struct {
		word string
		want time.Duration
		says string
	}{
		{"1.123456", 1123456 * time.Microsecond, none},
		{"1.1234567", 1123457 * time.Microsecond, places},
		{"1.12345651", 1123457 * time.Microsecond, places},
		{"1.1234564999", 1123456 * time.Microsecond, places},
		{"1.9999999", 2 * time.Second, places},
		{".1234567", 123457 * time.Microsecond, places},
		{"1.1234567a", 1123457 * time.Microsecond, places}, // nobody looks so far
		{"1000.0000001", 1000 * time.Second, places},
		{"1000.0000006", 0, wrong},
		{"1.12345a", 0, wrong},
		{"a.1234567", 0, wrong},
	} {
		c, problems := readLine(t, "vrrp_instance A {\ninterface eth0\npreempt_delay "+tt.word+"\n", "preempt", "Preempt")
		if got := c.Instances[0].PreemptDelay; got != tt.want {
			t.Errorf("%s is %s, want %s", tt.word, got, tt.want)
		}
		if tt.says == none && len(problems) > 0 || tt.says != none && (len(problems) != 1 || !strings.Contains(problems[0], tt.says)) {
			t.Errorf("%s: %q, want %q", tt.word, problems, tt.says)
		}
	}
}

// Milliseconds of BFD and the seconds of scripts have three places.
func TestTooManyDecimalsOfThree(t *testing.T) {
	got, problems := readLine(t, "bfd_instance b {\nneighbor_ip 10.0.0.7\nmin_rx 12.1239\nmin_tx 12.1234\nidle_tx 1000.00049\n}\n"+
		"vrrp_script s {\nscript /bin/true\ninterval 2.0005\ntimeout 1.0014999\n}\nvrrp_instance A {\ninterface eth0\n", "decimal places")
	if len(problems) != 5 {
		t.Errorf("%q", problems)
	}
	b, s := got.Trackers.BFD[0], got.Scripts[0]
	if b.MinRx != 12124*time.Microsecond || b.MinTx != 12123*time.Microsecond || b.IdleTx != time.Second {
		t.Errorf("min_rx %s, min_tx %s, idle_tx %s", b.MinRx, b.MinTx, b.IdleTx)
	}
	if s.Interval != 2001*time.Millisecond || s.Timeout.Value != 1001*time.Millisecond {
		t.Errorf("interval %s, timeout %s", s.Interval, s.Timeout.Value)
	}
}

// readLine reads what begins an instance, and returns the problems about a
// keyword, known by words in them.
func readLine(t *testing.T, begin string, about ...string) (c *config.Config, problems []string) {
	t.Helper()
	text := begin + "virtual_router_id 1\npriority 100\nvirtual_ipaddress {\n10.0.0.1\n}\n}\n"
	c, all, err := Load(Options{File: "f", Files: Memory{"f": text}, Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if slices.ContainsFunc(about, func(word string) bool { return strings.Contains(p.Message, word) }) {
			problems = append(problems, p.Message)
		}
	}
	return c, problems
}

// TestWrongPriority: a wrong priority is the default one, of a MASTER, too,
// which would own its addresses without any.
func TestWrongPriority(t *testing.T) {
	for _, tt := range []struct {
		lines string
		want  uint8
	}{
		{"state MASTER\n", config.Owner},
		{"state MASTER\npriority 256\n", config.DefaultPriority},
		{"state BACKUP\npriority 0\n", config.DefaultPriority},
		{"state MASTER\npriority 150\npriority -1\n", config.DefaultPriority},
		{"state MASTER\npriority a\npriority 150\n", 150},
	} {
		c, _ := read(t, "vrrp_instance A {\ninterface eth0\nvirtual_router_id 1\n"+tt.lines+"virtual_ipaddress {\n10.0.0.1\n}\n}\n")
		if got := c.Instances[0].Priority.Value; got != tt.want {
			t.Errorf("%q: priority %d, want %d", tt.lines, got, tt.want)
		}
	}
}
