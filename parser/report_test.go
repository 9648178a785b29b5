package parser

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/golden"
)

// reportFiles have a problem of each severity, one in an included file, one
// out of a definition, one with letters beyond ASCII before it, one that is
// no UTF-8, and one without a place.
var reportFiles = Memory{
	"dir x/main": "global_defs {\n    router_id \"d\u00fc\" extra\n}\ninclude sub:1\n$P=high\n" +
		"vrrp_instance A {\n    interface eth0\n    virtual_router_id 1\n    priority $P\n    \xff<&>\n    virtual_ipaddress {\n        10.0.0.1/24\n    }\n    notify /bin/true\n}\n" +
		"virtual_server 10.0.0.1 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n    real_server 10.0.0.5 80 {\n    }\n}\n" +
		"virtual_server 10.0.0.1 80 {\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n    real_server 10.0.0.6 80 {\n    }\n}\n",
	"dir x/sub:1": "vrrp_instanze B {\n}\n",
}

func report(t *testing.T) *Report {
	t.Helper()
	_, problems, err := Load(Options{File: "dir x/main", Files: reportFiles, Environment: bench{}})
	if err != nil {
		t.Fatal(err)
	}
	return &Report{Problems: problems, Status: config.TestStatus(problems), Version: "0"}
}

func TestReports(t *testing.T) {
	for name, write := range map[string]func(*Report, *bytes.Buffer) error{
		"report.json":       func(r *Report, out *bytes.Buffer) error { return r.WriteJSON(out) },
		"report.sarif":      func(r *Report, out *bytes.Buffer) error { return r.WriteSARIF(out) },
		"report-none.json":  func(_ *Report, out *bytes.Buffer) error { return (&Report{}).WriteJSON(out) },
		"report-none.sarif": func(_ *Report, out *bytes.Buffer) error { return (&Report{}).WriteSARIF(out) },
	} {
		var out bytes.Buffer
		if err := write(report(t), &out); err != nil {
			t.Fatal(err)
		}
		golden.Equal(t, filepath.Join("../testdata", name), out.String())
	}
}

// TestSARIF: what the schema of SARIF 2.1.0 requires is there, and rules,
// levels and regions fit together.
func TestSARIF(t *testing.T) {
	var out bytes.Buffer
	if err := report(t).WriteSARIF(&out); err != nil {
		t.Fatal(err)
	}
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Invocations []struct{ ExecutionSuccessful *bool }
			Results     []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn, EndColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name != "lvsd" || log.Runs[0].Invocations[0].ExecutionSuccessful == nil {
		t.Fatalf("not a log of SARIF 2.1.0 with one run: %s", out.String())
	}
	run := log.Runs[0]
	if len(run.Results) != len(report(t).Problems) {
		t.Errorf("%d results", len(run.Results))
	}
	for _, r := range run.Results {
		if r.Message.Text == "" || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || !slices.Contains([]string{"error", "warning", "note"}, r.Level) {
			t.Errorf("a result that is none: %+v", r)
		}
		for _, l := range r.Locations {
			if at := l.PhysicalLocation.Region; at.StartLine < 1 || at.StartColumn < 1 || at.EndColumn != 0 && at.EndColumn <= at.StartColumn || strings.Contains(l.PhysicalLocation.ArtifactLocation.URI, " ") {
				t.Errorf("a place that is none: %+v", l)
			}
		}
	}
}

func TestFileURI(t *testing.T) {
	for name, want := range map[string]string{
		"a.conf": "a.conf", "conf.d/a b.conf": "conf.d/a%20b.conf", "/etc/keepalived/50%.conf": "file:///etc/keepalived/50%25.conf", "a:b": "./a:b",
	} {
		if got := fileURI(name); got != want {
			t.Errorf("fileURI(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestUnreadable: a configuration that is not there is a problem like others.
func TestUnreadable(t *testing.T) {
	_, _, err := Load(Options{File: "/nowhere/at all", Files: Disk{}})
	if err == nil {
		t.Fatal("read")
	}
	if p := Unreadable(err); p.Severity != config.Error || config.TestStatus([]config.Problem{p}) != config.ExitNoConfig || !strings.Contains(p.Message, "/nowhere") {
		t.Errorf("%+v", p)
	}
	if _, err := os.Stat("/nowhere"); err == nil {
		t.Error("/nowhere is there")
	}
}

// TestLateChain: what is found when everything was read has the include lines
// that brought its file, too.
func TestLateChain(t *testing.T) {
	_, problems, err := Load(Options{File: "main", Files: Memory{
		"main": "\ninclude a\n", "a": "include b\n", "b": "vrrp_instance A {\n    interface eth0\n}\n",
	}})
	if err != nil || len(problems) != 1 {
		t.Fatal(problems, err)
	}
	want := []config.Origin{{File: "a", Line: 1, Column: 1}, {File: "main", Line: 2, Column: 1}}
	if p := problems[0]; p.Code != "missing-vrid" || !slices.Equal(p.Chain, want) {
		t.Errorf("%s: chain %v, want %v", p, p.Chain, want)
	}
}
