package parser

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// curious is a machine that counts how often it is asked for an account.
type curious struct {
	bench
	asked *int
}

func (m curious) HasUser(config.User) bool { *m.asked++; return true }

// A test asks for the account of scripts only when there are some; whoever
// shows the configuration wants to know in any case.
func TestAccountOfScripts(t *testing.T) {
	for _, tc := range []struct {
		text string
		test bool
		want config.User
	}{
		{"global_defs {\n}\n", true, config.User{}},
		{"global_defs {\n}\n", false, config.User{Name: "keepalived_script"}},
		{"vrrp_script s {\n\tscript /bin/true\n}\n", true, config.User{Name: "keepalived_script"}},
	} {
		file := filepath.Join(t.TempDir(), "keepalived.conf")
		if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		asked := 0
		c, _, err := Load(Options{File: file, Test: tc.test, Environment: curious{asked: &asked}})
		if err != nil {
			t.Fatal(err)
		}
		if c.Global.ScriptUser != tc.want || (asked == 0) != (tc.want == config.User{}) {
			t.Errorf("test %t of %q: %v, asked %d times", tc.test, tc.text, c.Global.ScriptUser, asked)
		}
	}
}
