package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// call runs a whole command line.
func call(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.conf"), filepath.Join(dir, "bad.conf")
	for name, text := range map[string]string{good: "global_defs {\n    router_id x\n}\n", bad: "global_def {\n}\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := filepath.Join(dir, "log")
	for _, tc := range []struct {
		args           string
		status         int
		stdout, stderr string // parts of it
	}{
		{"lvsd --signum=RELOAD", 0, "1\n", ""},
		{"lvsd --signum STATS_CLEAR", 0, "63\n", ""},
		{"lvsd --signum=TDATA", config.ExitFatal, "", "Unknown sigfunc TDATA"},
		{"lvsd -v", 0, "", "Keepalived v2.4.3"},
		{"keepalived --help", 0, "", "Usage: keepalived [OPTION...]"},
		{"lvsd -z", config.ExitFatal, "", "Unknown option -z"},
		{"lvsd -t -f " + good, config.ExitOK, "", ""},
		{"lvsd -t -f " + bad, config.ExitTestFailed, "", "did you mean 'global_defs'?"},
		{"keepalived -t -f " + bad, config.ExitTestFailed, "", "(Line 1) Unknown keyword 'global_def'\n"},
		{"lvsd -t -f " + dir + "/none.conf", config.ExitNoConfig, "", "none.conf"},
		{"lvsd -t" + log + " -f " + bad, config.ExitTestFailed, "", ""},
		{"lvsd -t extra -f " + good, config.ExitOK, "Unexpected argument(s): extra", ""},
		{"lvsd explain unknown-keyword", 0, "unknown-keyword", ""},
		{"lvsd explain", 0, "unknown-keyword\n", ""},
		{"lvsd explain nonsense", config.ExitFatal, "", "no diagnosis has the code"},
		{"lvsd config --offline -f " + good, 0, "Router ID = x", ""},
		{"lvsd config --json --offline -f " + good, 0, "\"router_id\": \"x\"", ""},
		{"lvsd config --json --origin --offline -f " + good, 0, "\"line\": 1", ""},
		{"lvsd config --json --offline -f " + bad, 0, "\"version\": 1", "Unknown keyword 'global_def'"},
		{"lvsd config --schema", 0, "https://json-schema.org/draft/2020-12/schema", ""},
		{"lvsd config -f " + dir + "/none.conf", config.ExitNoConfig, "", "none.conf"},
		{"lvsd config --json --schema", config.ExitFatal, "", "json schema"},
		{"lvsd config --conf --offline -f " + good, 0, "global_defs {\n    router_id x\n}\n", ""},
		{"keepalived explain -t -f " + good, config.ExitOK, "Unexpected argument(s): explain", ""},
	} {
		status, stdout, stderr := call(strings.Fields(tc.args)...)
		if status != tc.status || !strings.Contains(stdout, tc.stdout) || !strings.Contains(stderr, tc.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q; want %d, %q, %q", tc.args, status, stdout, stderr, tc.status, tc.stdout, tc.stderr)
		}
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "global_def") {
		t.Errorf("the log of -t: %q %v", text, err)
	}
}
