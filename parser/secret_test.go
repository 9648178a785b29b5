package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// No diagnostic shows what is a secret, whatever is wrong with it: diagnostics
// are logged, told to the service manager and kept by those who run tests.
func TestDiagnosticsConceal(t *testing.T) {
	const text = `SSL {
	password CANARY1 CANARY2
	passwrd CANARY3
}
vrrp_instance A {
	interface eth0
	virtual_router_id 1
	authentication {
		auth_type PASS
		auth_pass CANARY4CANARY5
		auth_pass CANARY6 CANARY7
		auth_pass "Grüße aus CANARY" CANARY8
		auth_passs CANARY9
		auth_pass "CANARY10
	}
}
vrrp_instance B {
	interface eth0
	version 3
	virtual_router_id 2
	auth_hmac {
		key 1 CANARY11
		key 300 CANARY12CANARY12CANARY12CANARY12
		key 2 hex:CANARY13zz
		key 3 CANARY14CANARY14CANARY14CANARY14 CANARY15
		active_key 1
	}
}
`
	_, problems, err := Load(Options{File: "main", Files: Memory{"main": text}})
	if err != nil {
		t.Fatal(err)
	}
	about := 0
	for _, p := range problems {
		if shown := fmt.Sprintf("%+v", p); strings.Contains(shown, "CANARY") {
			t.Errorf("shown: %s", shown)
		}
		if strings.Contains(p.Source, "*") {
			about++
		}
	}
	if about < 10 {
		t.Errorf("%d diagnostics are about secrets: %v", about, problems)
	}
	for _, reported := range []string{"auth_pass takes no more words, ignoring '*******'", "Unterminated quote 'auth_pass \"********'"} {
		if !containsMessage(problems, reported) {
			t.Errorf("%q is missing: %v", reported, problems)
		}
	}
}

func containsMessage(problems []config.Problem, text string) bool {
	for i := range problems {
		if problems[i].Message == text {
			return true
		}
	}
	return false
}
