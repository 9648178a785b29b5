package parser

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// TestBraces: what is said about braces, in keepalived's form. 2.2.7 says the
// same, and then more that follows from it, where it stumbles.
func TestBraces(t *testing.T) {
	const start = "vrrp_instance V { interface eth0\nvirtual_router_id 4\nvirtual_ipaddress { 10.0.0.1 }\n"
	const missing = "Missing '{' at beginning of configuration block\n"
	for name, tc := range map[string]struct{ text, want string }{
		"block":               {"global_defs\nrouter_id a\nz\n", "(Line 2) " + missing + "(Line 3) Unknown keyword 'z'\n"},
		"block and its end":   {"global_defs\nrouter_id a\n}\ny\n", "(Line 2) " + missing + "(Line 3) Extra '}' found\n(Line 4) Unknown keyword 'y'\n"},
		"brace on a line":     {"global_defs\n{\nz\n}\n}\n", "(Line 3) Unknown keyword 'z'\n(Line 5) Extra '}' found\n"},
		"nothing after it":    {"global_defs", "(Line 1) " + missing},
		"stray":               {"{\nz\n}\n", "(Line 1) Unexpected '{' - ignoring\n(Line 2) Unknown keyword 'z'\n"},
		"extra":               {"}\n}\nglobal_defs { z }", "(Line 1) Extra '}' found\n(Line 2) Extra '}' found\n(Line 3) Unknown keyword 'z'\n"},
		"list":                {start + "track_interface\neth1\n}\npriority x\n}\nz", "(Line 7) (V) Priority not valid! must be between 1 & 255. Using default 100\n(Line 8) Extra '}' found\n(Line 9) Unknown keyword 'z'\n"},
		"inner block":         {start + "authentication\nauth_type PASS\nauth_pass x\n}\n}\nz", "(Line 5) " + missing + "(Line 8) Extra '}' found\n(Line 9) Unknown keyword 'z'\n"},
		"end missing":         {start + "authentication {\nauth_type PASS\nauth_pass x\n}\nz", "There are 1 missing '}'s or extra '{'s\n(Line 8) Unknown keyword 'z'\n"},
		"end missing, before": {start + strings.ReplaceAll(start, "V", "W") + "}", "(Line 4) Missing '}' before vrrp_instance W, for the block of line 1\n"},
		"both missing":        {"virtual_server 10.0.0.300 80\nlb_algo rr\nvirtual_server 10.0.0.1 80 { }", "(Line 1) Invalid virtual server IP address/port 10.0.0.300/80 - skipping\n(Line 2) " + missing},
		"no space":            {"virtual_server 10.0.0.300 80{\n}\nglobal_defs{}", "(Line 1) Invalid virtual server IP address/port 10.0.0.300/80 - skipping\n"},
		"undefined":           {start + "priority 1${NO}0\n}", "(Line 4) Unexpected '{' - ignoring\n(Line 4) (V) Priority not valid! must be between 1 & 255. Using default 100\n(Line 4) Unknown keyword '0'\n"},
		"quoted":              {"vrrp_script a { script \"/bin/true {\" }\nz", "(Line 2) Unknown keyword 'z'\n"},
		"not a block here":    {"vrrp_instance V {\ninterface eth0\nvirtual_router_id 4\nvirtual_ipaddress {\n10.0.0.1\n}\n}\nvirtual_server 10.0.0.1 80 {\nreal_server 10.0.0.2 80 {\nFILE_CHECK {\ntrack_file x\n}\n}\n}", "(Line 11) track_file x not found\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems, err := Load(Options{File: "main", Files: Memory{"main": tc.text}})
			if err != nil {
				t.Fatal(err)
			}
			structure := slices.DeleteFunc(problems, func(p config.Problem) bool { return p.Late && p.Code != "missing-brace" || p.Origin.Line == 0 })
			var out strings.Builder
			if err := Print(&out, structure, Plain); err != nil {
				t.Fatal(err)
			}
			said := strings.ReplaceAll(out.String(), "(main: Line", "(Line") // of keepalived's children
			if diff := cmp.Diff(tc.want, said); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
