package parser

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// TestColumns: a problem stands at the word that it is about. In a line with a
// definition that is the word, or the reference to what it came from.
func TestColumns(t *testing.T) {
	for name, tc := range map[string]struct {
		text         string
		line, column int32
	}{
		"plain":                {"vrrp_instance A {\n  priority  high\n}", 2, 13},
		"behind a definition":  {"$N=A\nvrrp_instance $N { priority high\n}", 2, 29},
		"before a definition":  {"$N=100\nvrrp_instance A {\n  prioritty $N\n}", 3, 3},
		"from a definition":    {"$N=high\nvrrp_instance A {\n  priority $N\n}", 3, 12},
		"from the second":      {"$A=255\n$B=none\nvrrp_instance A {\n  virtual_ipaddress {\n    10.0.0.$A dev ${A} labl $B\n  }\n}", 5, 24},
		"the second of two":    {"$A=10.0.0.1\n$B=nowhere\nvrrp_instance A {\n  virtual_ipaddress {\n    $A/24 broadcast $B\n  }\n}", 5, 21},
		"of several lines":     {"$BLOCK=interface eth0 \\\npriority high \\\nnopreempt\nvrrp_instance A {\n  $BLOCK\n}", 5, 3},
		"inner":                {"$A=high\n$B=${A}\nvrrp_instance A {\n  priority $B\n}", 4, 12},
		"inner, of two":        {"$X=priority\n$A=high\n$B=${A}\nvrrp_instance A {\n  $X $B\n}", 5, 6},
		"of a loop":            {"~SEQ(N, 1, 2) vrrp_script s$N { weight heavy }", 1, 40},
		"the same word before": {"$W=weight\nvrrp_instance A {\n  track_interface {\n    weight $W weight\n  }\n}", 4, 15},
		"a tracker":            {"$N=chk\nvrrp_instance A {\n  track_interface {\n    $N wieght 3\n  }\n}", 4, 8},
		"expanded to braces":   {"$B=vrrp_instance A {\n$B prioritty 3\n}", 2, 4},
	} {
		_, problems, err := Load(Options{File: "main", Files: Memory{"main": tc.text}})
		if err != nil {
			t.Fatal(err)
		}
		if p := firstRead(problems); p.Origin.Line != tc.line || p.Origin.Column != tc.column {
			t.Errorf("%s: want %d:%d, got %s\n    %s", name, tc.line, tc.column, p, p.Source)
		}
	}
}

// firstRead is the first problem that was found while reading.
func firstRead(problems []config.Problem) config.Problem {
	for _, p := range problems {
		if !p.Late {
			return p
		}
	}
	return config.Problem{}
}

// TestValueHints: a near miss of a value is named, and of a few values all.
func TestValueHints(t *testing.T) {
	instance := func(line string) string { return "vrrp_instance A {\n" + line + "\n}" }
	service := func(line string) string { return "virtual_server 10.0.0.1 80 {\n" + line + "\n}" }
	for text, want := range map[string]string{
		instance("state MASTR"):                               "did you mean 'MASTER'?",
		instance("state backup"):                              "did you mean 'BACKUP'?",
		instance("authentication {\nauth_type pass\n}"):       "did you mean 'PASS'?",
		instance("virtual_ipaddress {\n10.0.0.1 dve eth0\n}"): "did you mean 'dev'?",
		instance("skip_check_adv_addr ture"):                  "did you mean 'true'?",
		instance("virtual_routers {\n}"):                      "did you mean 'virtual_routes'?",
		service("lb_algo RR"):                                 "did you mean 'rr'?",
		service("lb_algo wcl"):                                "did you mean 'wlc'?",
		service("lb_algo conhash"):                            "the consistent hash of dpvs; mh is the kernel's",
		service("lb_kind dr"):                                 "did you mean 'DR'? As it is the line is ignored, and without a method it is NAT",
		service("lb_kind 'TUN'"):                              "did you mean 'TUN'? As it is the line is ignored, and without a method it is NAT",
		service("lb_kind masquerading"):                       "did you mean 'NAT'? As it is the line is ignored, and without a method it is NAT",
		service("protocol TPC"):                               "did you mean 'TCP'?",
		service("protocol GRE"):                               "known are SCTP, TCP, UDP",
		service("vrrp_instance A"):                            "vrrp_instance belongs to the top level: is a '}' missing before it?",
		"virtual_router_id 5":                                 "virtual_router_id belongs in vrrp_instance: is there a '}' too many before it?",
		service("laddr_group_name g"):                         "a keyword of dpvs and Alibaba's LVS, not of keepalived: the addresses that FULLNAT connects from",
	} {
		_, problems, err := Load(Options{File: "main", Files: Memory{"main": text}})
		if err != nil {
			t.Fatal(err)
		}
		if p := firstRead(problems); p.Hint != want || p.Severity != config.Error {
			t.Errorf("%q: hint %q, want %q (%s)", text, p.Hint, want, p)
		}
	}
}

// TestNameHints: so is a near miss of a name that the file defines.
func TestNameHints(t *testing.T) {
	const main = `vrrp_script check_nginx {
    script /bin/true
}
track_file load {
    file /tmp/load
}
vrrp_sync_group G {
    group {
        VI_l VI_2
        VI_3
    }
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.0.0.1/24
    }
    track_script {
        chek_nginx
    }
    track_file {
        laod
    }
}
virtual_server_group web {
    10.0.0.1 80
}
virtual_server group wbe {
    lb_algo rr
    lb_kind NAT
    protocol TCP
    real_server 10.0.0.5 80 {
    }
}
`
	_, problems, err := Load(Options{File: "main", Files: Memory{"main": main}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, p := range problems {
		if strings.HasPrefix(p.Hint, "did you mean") {
			got[p.String()] = p.Hint
		}
	}
	want := map[string]string{
		"main:9:9: error: Virtual router VI_l specified in sync group G doesn't exist - ignoring [unknown-instance]":                  "did you mean 'VI_1'?",
		"main:20:9: error: (VI_1) track script chek_nginx not found, ignoring... [unknown-script]":                                    "did you mean 'check_nginx'?",
		"main:23:9: error: (VI_1) track file laod not found, ignoring... [unknown-tracker]":                                           "did you mean 'load'?",
		"main:29:1: warning: Virtual server group wbe specified but not configured - ignoring virtual server [wbe]:0 [unknown-group]": "did you mean 'web'?",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
