package main

import (
	"bytes"
	"encoding/json"
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
	secret := filepath.Join(dir, "secret.conf")
	good, bad, warned, elsewhere := filepath.Join(dir, "good.conf"), filepath.Join(dir, "bad.conf"), filepath.Join(dir, "warned.conf"), filepath.Join(dir, "elsewhere.conf")
	for name, text := range map[string]string{
		good: "global_defs {\n    router_id x\n}\n", bad: "global_def {\n}\n", warned: "global_defs {\n    router_id x y\n}\n",
		secret: "SSL {\n    password CANARY\n}\n",
		elsewhere: "vrrp_instance A {\n    interface nosuch0\n    virtual_router_id 1\n    virtual_ipaddress {\n        192.0.2.1/24\n    }\n" +
			"    notify \"/no/such/script\" nosuchuser\n}\n",
	} {
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
		{"keepalived -v", 0, "", "\nconfigure options: --enable-snmp --enable-snmp-rfcv2 --enable-snmp-rfcv3 --enable-dbus --enable-json "},
		{"keepalived -z extra", config.ExitFatal, "Unexpected argument(s): extra \n", "Unknown option -z\n"},
		{"keepalived -z -v", 0, "", "Unknown option -z\nKeepalived v2.4.3"},
		{"keepalived -v -z", 0, "", "Keepalived v2.4.3 (08/13,2026)"},
		{"keepalived --signum=JSON extra", 0, "36\n", ""},
		{"keepalived --genhash -s x", config.ExitFatal, "", "server should be an IP, not x"},
		{"keepalived -nT -s x", config.ExitFatal, "", "Warning -- `-T` not used as first option, previous options ignored\nserver should be an IP, not x"},
		{"keepalived -n --genh -h", config.ExitFatal, "", "Warning -- `genhash` not used as first option, previous options ignored\nUsage: keepalived --genhash COMMAND"},
		{"keepalived --genhash=1", config.ExitFatal, "", "Unknown option --genhash=1"},
		{"lvsd reload -p " + dir + "/none.pid", config.ExitFatal, "", "no lvsd is running here"},
		{"lvsd plan -f " + good + " -p " + dir + "/none.pid", config.ExitFatal, "", "no lvsd is running here"},
		{"keepalived -u 0999 -S 8 -t -f " + good, config.ExitTestFailed, "", "Invalid --umask option 0999\nInvalid log facility '8'\n"},
		{"keepalived -u 022 -t -f " + good, config.ExitOK, "", ""},
		{"lvsd completion bash", 0, "__start_lvsd", ""},
		{"lvsd completion zsh", 0, "#compdef lvsd", ""},
		{"lvsd completion fish", 0, "complete -c lvsd", ""},
		{"lvsd __complete ex", 0, "explain\texplain the code", ""},
		{"lvsd __complete ch", 0, "check\trun the checks of a real server once", ""},
		{"lvsd __complete explain unknown-k", 0, "unknown-keyword\n", ""},
		{"lvsd __complete --log-", 0, "--log-detail\tdetailed log messages", ""},
		{"keepalived completion bash -t -f " + good, config.ExitOK, "Unexpected argument(s): completion bash", ""},
		{"lvsd -z", config.ExitFatal, "", "Unknown option -z"},
		{"lvsd -t -f " + good, config.ExitOK, "", ""},
		{"lvsd -t -f " + bad, config.ExitTestFailed, "", "did you mean 'global_defs'?"},
		{"keepalived -t -f " + bad, config.ExitTestFailed, "", "(Line 1) Unknown keyword 'global_def'\n"},
		{"lvsd -t -f " + dir + "/none.conf", config.ExitNoConfig, "", "none.conf"},
		{"keepalived -t -f " + dir + "/none.conf", config.ExitNoConfig, "", "Config files missing '" + dir + "/none.conf'.\n"},
		{"lvsd -t" + log + " -f " + bad, config.ExitTestFailed, "", ""},
		{"keepalived -t" + dir + "/none/log -f " + good, config.ExitFatal, "", "Unable to open config-test log file " + dir + "/none/log 2 - No such file or directory"},
		{"lvsd -t extra -f " + good, config.ExitOK, "Unexpected argument(s): extra", ""},
		{"lvsd explain unknown-keyword", 0, "unknown-keyword", ""},
		{"lvsd explain", 0, "unknown-keyword\n", ""},
		{"lvsd explain nonsense", config.ExitFatal, "", "neither a keyword nor the code"},
		{"lvsd explain advert_int", 0, "advert_int SECONDS\n", ""},
		{"lvsd explain unknown-keywrd", config.ExitFatal, "", "did you mean 'unknown-keyword'?"},
		{"lvsd -t --format json -f " + bad, config.ExitTestFailed, `"code": "unknown-keyword"`, ""},
		{"lvsd -t --format=json -f " + good, config.ExitOK, `"problems": []`, ""},
		{"lvsd --format sarif --config-test --use-file " + bad, config.ExitTestFailed, `"ruleId": "unknown-keyword"`, ""},
		{"lvsd -t --format text -f " + bad, config.ExitTestFailed, "", "1 error"},
		{"lvsd -t --format json extra -f " + good, config.ExitOK, "{", "Unexpected argument(s): extra"},
		{"lvsd -t --format json -f " + dir + "/none.conf", config.ExitNoConfig, `"code": "no-configuration"`, ""},
		{"lvsd -t" + dir + "/json --format json -f " + bad, config.ExitTestFailed, "", ""},
		{"lvsd -t --format yaml -f " + bad, config.ExitFatal, "", "unknown format 'yaml'"},
		{"lvsd --strict -f " + bad, config.ExitFatal, "", "belong to --config-test"},
		{"lvsd -t -f " + warned, config.ExitOK, "", "extra-words"},
		{"lvsd -t --strict -f " + warned, config.ExitTestFailed, "", "extra-words"},
		{"lvsd -t --strict -f " + good, config.ExitOK, "", ""},
		{"lvsd -t -f " + elsewhere, config.ExitTestFailed, "", "unknown-interface"},
		{"lvsd -t --offline -f " + elsewhere, config.ExitTestSecurity, "", "script-security"},
		{"keepalived -t --strict -f " + good, config.ExitFatal, "", "Unknown option --strict"},
		{"keepalived -t --offline -f " + good, config.ExitFatal, "", "Unknown option --offline"},
		{"lvsd -n --log-format yaml -f " + good, config.ExitFatal, "", "unknown log format 'yaml'"},
		{"keepalived -n --log-format json -f " + good, config.ExitFatal, "", "Unknown option --log-format"},
		{"keepalived -t --format json -f " + good, config.ExitFatal, "", "Unknown option --format"},
		{"keepalived -t -f " + warned, config.ExitOK, "", ""},
		{"lvsd -t --offlin -f " + good, config.ExitFatal, "", "Unknown option --offlin"},
		{"lvsd config --offline -f " + good, 0, "Router ID = x", ""},
		{"lvsd config --json --offline -f " + good, 0, "\"router_id\": \"x\"", ""},
		{"lvsd config --json --origin --offline -f " + good, 0, "\"line\": 1", ""},
		{"lvsd config --json --offline -f " + bad, 0, "\"version\": 1", "Unknown keyword 'global_def'"},
		{"lvsd config --schema", 0, "https://json-schema.org/draft/2020-12/schema", ""},
		{"lvsd config -f " + dir + "/none.conf", config.ExitNoConfig, "", "none.conf"},
		{"lvsd config --json --schema", config.ExitFatal, "", "json schema"},
		{"lvsd config --conf --offline -f " + good, 0, "global_defs {\n    router_id x\n}\n", ""},
		{"lvsd config --conf --offline -f " + secret, 0, "password ********\n", ""},
		{"lvsd config --conf --show-secrets --offline -f " + secret, 0, "password CANARY\n", ""},
		{"keepalived check -t -f " + good, config.ExitOK, "Unexpected argument(s): check", ""},
		{"keepalived explain -t -f " + good, config.ExitOK, "Unexpected argument(s): explain", ""},
	} {
		status, stdout, stderr := call(strings.Fields(tc.args)...)
		if status != tc.status || !strings.Contains(stdout, tc.stdout) || !strings.Contains(stderr, tc.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q; want %d, %q, %q", tc.args, status, stdout, stderr, tc.status, tc.stdout, tc.stderr)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "json")); err != nil || !json.Valid(text) {
		t.Errorf("the log of -t as json: %q %v", text, err)
	}
	if _, _, stderr := call("keepalived", "-t", "-f", warned); stderr != "" {
		t.Errorf("keepalived has nothing to say, but: %s", stderr)
	}
	for _, args := range [][]string{{"keepalived", "extra", "--signum=JSON"}, {"keepalived", "extra", "-v"}, {"keepalived", "extra", "-h"}} {
		if _, stdout, _ := call(args...); stdout != "36\n" && stdout != "" {
			t.Errorf("%q: an answer on stdout is alone there, but: %q", args, stdout)
		}
	}
	if _, _, stderr := call("keepalived", "-vz"); !strings.HasPrefix(stderr, "Keepalived v") {
		t.Errorf("-v is the first thing said, but: %s", stderr)
	}
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "global_def") {
		t.Errorf("the log of -t: %q %v", text, err)
	}
}
