package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestGetopt(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", ""},
		{"-t", "--config-test"},
		{"-tFILE", "--config-test=FILE"},
		{"-t=FILE", "--config-test==FILE"}, // as getopt: the file is called =FILE
		{"--config-test=FILE", "--config-test=FILE"},
		{"--config-test FILE", "--config-test -- FILE"},
		{"-nlP", "--dont-fork --log-console --vrrp"},
		{"-nlDf /a", "--dont-fork --log-console --log-detail --use-file=/a"},
		{"-nf/a -D", "--dont-fork --use-file=/a --log-detail"},
		{"--use-file /a", "--use-file=/a"},
		{"--use /a --log-c", "--use-file=/a --log-console"},
		{"--signum=STOP", "--signum=STOP"},
		{"-DD -- -x", "--log-detail --log-detail -- -x"},
		{"-v -z extra", "--version"}, // answered at once
		{"-nvz", "--dont-fork --version"},
		{"-t extra -l", "--config-test --log-console -- extra"},
	} {
		got, err := getopt(optionTable, strings.Fields(tc.in))
		if err != nil {
			t.Errorf("getopt(%q): %v", tc.in, err)
		} else if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("getopt(%q) = %q, want %q", tc.in, s, tc.want)
		}
	}
}

func TestGetoptErrors(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"-f", "Missing parameter for option -f"},
		{"--use-file", "Missing parameter for option --use-file"},
		{"--use-file=", "Missing parameter for option --use-file"},
		{"-nz", "Unknown option -z"},
		{"--wrong", "Unknown option --wrong"},
		{"--log", "Unknown option --log"}, // log-console, log-detail, ...
		{"--vrrp=1", "Unknown option --vrrp=1"},
		{"-znq --wrong", "Unknown option -z\nUnknown option -q\nUnknown option --wrong"},
	} {
		if _, err := getopt(optionTable, strings.Fields(tc.in)); err == nil || err.Error() != tc.want {
			t.Errorf("getopt(%q): %v, want %q", tc.in, err, tc.want)
		}
	}
}

// Every way of writing an option ends in the settings.
func TestSettings(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want settings
	}{
		{"-nlP", settings{foreground: true, console: true, onlyVRRP: true}},
		{"-tlog", settings{configTest: true, testLog: "log"}},
		{"-t", settings{configTest: true}},
		{"--config-te= --log-file=", settings{configTest: true, logFile: "/tmp/keepalived.log"}},
		{"--config-test=log", settings{configTest: true, testLog: "log"}},
		{"-DDC -p /p -r/r --checkers_pid=/c", settings{detail: 2, onlyCheck: true, pid: "/p", vrrpPid: "/r", checkersPid: "/c"}},
		{"-d --signum RELOAD", settings{dump: true, signum: "RELOAD"}},
		{"-xs ns -Atcp:h:705 -g -M", settings{snmp: true, snmpSocket: "tcp:h:705", namespace: "ns", core: true, corePattern: "core", logFile: "/tmp/keepalived.log"}},
		{"-ag/log --flush-log-file", settings{monitor: true, logFile: "/log"}},
		{"--log-file=/log", settings{logFile: "/log"}},
		{"-Mcore.%p -u022 --ignore-sigint -BRX --all", settings{core: true, corePattern: "core.%p", umask: "022", noSigint: true, noBFD: true, all: true}},
	} {
		args, err := getopt(optionTable, strings.Fields(tc.in))
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", "")
		var got settings
		f := pflag.NewFlagSet("lvsd", pflag.ContinueOnError)
		bindOptions(f, optionTable, &got)
		if err := f.Parse(args); err != nil {
			t.Fatalf("%q: %v", tc.in, err)
		}
		if got != tc.want {
			t.Errorf("%q: %+v, want %+v", tc.in, got, tc.want)
		}
	}
}
