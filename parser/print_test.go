package parser

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPrintPlain: keepalived's form, with the file when there are several, and
// without what is lvsd's own to say.
func TestPrintPlain(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files Memory
		want  string
	}{
		{"one file", Memory{"main": "foo\nenable_dbus\nvrrp_script x { script /bin/true }\nvirtual_server 10.0.0.1 80 { }\nvrrp_script x { script \"a | b\" }"},
			"(Line 1) Unknown keyword 'foo'\n(Line 2) Unknown keyword 'enable_dbus'\nVirtual server [10.0.0.1]:none:80 has no real servers - ignoring\n" +
				"SECURITY VIOLATION - scripts are being executed but script_security not enabled.\n"},
		{"parent and children", Memory{"main": "foo\nvrrp_instance x {\nbar\ninterface eth0\nvirtual_router_id 1\n}\nglobal_defs {\nbaz\n}"},
			"(Line 1) Unknown keyword 'foo'\n(x) No VIP specified; at least one is sensible\n(main: Line 3) Unknown keyword 'bar'\n(Line 8) Unknown keyword 'baz'\n"},
		{"two files", Memory{"main": "foo\ninclude b", "b": "bar"}, "(main: Line 1) Unknown keyword 'foo'\n(b: Line 1) Unknown keyword 'bar'\n"},
		{"nothing", Memory{"main": "linkbeat_use_polling\n"}, ""},
		{"no control characters", Memory{"main": "\x1b[31mfoo\x7f\xff"}, "(Line 1) Unknown keyword '\ufffd[31mfoo\ufffd\ufffd'\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, problems, err := Load(Options{File: "main", Files: tc.files})
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if err := Print(&out, problems, Plain); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
