package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// cases are the files around the lines of testdata/cases.txt, by their block: a
// configuration that nobody complains about, with %s where the lines go.
var cases = map[string]string{
	"file":            "%s" + caseInstance,
	"global_defs":     "global_defs {\n%s}\n" + caseInstance,
	"SSL":             "SSL {\n%s}\n",
	"vrrp_instance":   strings.ReplaceAll(caseInstance, "# more\n", "%s"),
	"vrrp_sync_group": "vrrp_sync_group G {\ngroup {\nV\n}\n%s}\n" + caseInstance,
	"vrrp_script":     "vrrp_script S {\nscript /bin/true\n%s}\n" + strings.ReplaceAll(caseInstance, "# more\n", "track_script {\nS\n}\n"),
	"vrrp_track_process": "vrrp_track_process P {\nprocess foo\n%s}\n" +
		strings.ReplaceAll(caseInstance, "# more\n", "track_process {\nP\n}\n"),
	"track_file":     "track_file F {\nfile /tmp/x\n%s}\n" + strings.ReplaceAll(caseInstance, "# more\n", "track_file {\nF\n}\n"),
	"garp_group":     "garp_group {\ninterface eth1\n%s}\n" + caseInstance,
	"bfd_instance":   "bfd_instance B {\nneighbor_ip 10.9.0.7\n%s}\n",
	"virtual_server": "virtual_server 10.9.0.9 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 10.9.1.1 80 {\n}\n%s}\n",

	"vrrp_instance/virtual_ipaddress": strings.ReplaceAll(caseInstance, "# more\n", "virtual_ipaddress_excluded {\n10.77.0.1/24 dev eth0 %s}\n"),

	"virtual_server/real_server":              caseServer,
	"virtual_server/real_server/TCP_CHECK":    caseCheck("TCP_CHECK {\n%s}\n"),
	"virtual_server/real_server/UDP_CHECK":    caseCheck("UDP_CHECK {\n%s}\n"),
	"virtual_server/real_server/DNS_CHECK":    caseCheck("DNS_CHECK {\n%s}\n"),
	"virtual_server/real_server/MISC_CHECK":   caseCheck("MISC_CHECK {\nmisc_path /bin/true\n%s}\n"),
	"virtual_server/real_server/FILE_CHECK":   "track_file F {\nfile /tmp/x\n}\n" + caseCheck("FILE_CHECK {\n%s}\n"),
	"virtual_server/real_server/HTTP_GET":     caseCheck("HTTP_GET {\nurl {\npath /\nstatus_code 200\n}\n%s}\n"),
	"virtual_server/real_server/HTTP_GET/url": caseCheck("HTTP_GET {\nurl {\npath /\n%s}\n}\n"),
}

const (
	caseInstance = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 5\npriority 100\nvirtual_ipaddress {\n10.9.0.1/24\n}\n# more\n}\n"
	caseServer   = "virtual_server 10.9.0.9 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\nreal_server 10.9.1.1 80 {\n%s}\n}\n"
)

func caseCheck(check string) string { return strings.ReplaceAll(caseServer, "%s", check) }

// TestCases puts every line of testdata/cases.txt into a file of its own, `;`
// between statements, and compares the exit status of -t and the lines that are
// complained about with those of Debian's keepalived. A case that is meant to be
// judged differently says so behind a `~`.
func TestCases(t *testing.T) {
	keepalived, ns := oracle(t)
	text, err := os.ReadFile("../testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "case.conf")
	around, block := "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			block = strings.TrimSuffix(name, "]")
			if around, ok = cases[block]; !ok {
				t.Fatalf("nothing is around a %s", block)
			}
		}
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		statements, _, meant := strings.Cut(line, " ~ ")
		var lines strings.Builder
		for s := range strings.SplitSeq(statements, ";") {
			lines.WriteString(strings.TrimSpace(s) + "\n")
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(around, "%s", lines.String())), 0o600); err != nil {
			t.Fatal(err)
		}
		_, problems, err := Load(Options{File: file, Environment: bench{}})
		if err != nil {
			t.Fatal(err)
		}
		status := config.TestStatus(problems)
		theirs, said := ask(t, "ip", "netns", "exec", ns, keepalived, "-t", "-f", file)
		why := compare(complaints(problems, file), expected(strings.ReplaceAll(string(said), file, "FILE"), "FILE"))
		switch same := status == theirs && why == ""; {
		case same && meant:
			t.Errorf("%s: %s: does not differ any more", block, statements)
		case !same && !meant:
			t.Errorf("%s: %s: status %d, keepalived's is %d; %s\nkeepalived says\n%s", block, statements, status, theirs, why, said)
		}
	}
}
