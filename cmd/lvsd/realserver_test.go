package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be meant is refused before anything is changed.
func TestRealServerRefuses(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	for _, tc := range []struct{ args, want string }{
		{"", "say start, stop or status"},
		{"begin", `unknown command "begin"`},
		{"start 10.0.0.300", "a virtual address: ParseAddr"},
		{"status -f keepalived.conf 10.0.0.1", "name a file or addresses, not both"},
		{"start --method NAT 10.0.0.1", "the methods are DR and TUN"},
		{"start --method TUN --type vxlan 10.0.0.1", "the types of TUN ipip, gue and gre"},
		{"start --address here --method TUN 10.0.0.1", "--address: ParseAddr"},
		{"start --method TUN --type gre --csum 10.0.0.1", "--csum is about --type gre, and needs --address"},
		{"status -f " + filepath.Join(state, "missing.conf"), "read the directors' configuration"},
		{"stop 10.0.0.1", "unknown command"},
	} {
		var stdout, stderr bytes.Buffer
		args := append([]string{"lvsd", "real-server"}, strings.Fields(tc.args)...)
		if tc.args != "" && tc.args != "begin" {
			args = append(args, "--state", state)
		}
		if status := run(args, &stdout, &stderr); status == 0 || !strings.Contains(stderr.String(), tc.want) {
			t.Errorf("real-server %s: status %d, %q, want %q", tc.args, status, stderr.String(), tc.want)
		}
	}
}
