package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// checked is a configuration over a web server and a closed port, with checks
// that pass and checks that fail.
func checked(t *testing.T) (file string, web, closed uint16) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/good" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(s.Close)
	web = s.Listener.Addr().(*net.TCPAddr).AddrPort().Port()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed = l.Addr().(*net.TCPAddr).AddrPort().Port()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	number := filepath.Join(dir, "number")
	if err := os.WriteFile(number, []byte("-3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`
track_file maintenance {
    file %[3]s
    weight 2
}
bfd_instance neighbour {
    neighbor_ip 192.0.2.50
    source_ip 192.0.2.51
}
virtual_server_group web {
    192.0.2.1-3 80
}
virtual_server 192.0.2.1 80 {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    real_server 127.0.0.1 %[1]d {
        TCP_CHECK {
        }
        HTTP_GET {
            url {
                path /good
                digest 5d41402abc4b2a76b9719d911017c592
                regex hel+o
            }
        }
        FILE_CHECK {
            track_file maintenance
        }
    }
    real_server 127.0.0.1 %[2]d {
        TCP_CHECK {
        }
    }
    real_server 127.0.0.2 80 {
    }
}
virtual_server 192.0.2.1 80 {
    protocol UDP
    lb_algo rr
    lb_kind NAT
    real_server 127.0.0.1 %[1]d {
        HTTP_GET {
            url {
                path /bad
            }
            url {
                path /good
            }
        }
        MISC_CHECK {
            misc_path "/bin/sh -c 'exit 7'"
        }
    }
}
virtual_server fwmark 5 {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    real_server 127.0.0.1 %[1]d {
        MISC_CHECK {
            misc_path "/bin/sh -c 'exit 7'"
            misc_dynamic
        }
    }
    real_server 127.0.0.1 %[2]d {
        BFD_CHECK {
            name neighbour
        }
    }
}
virtual_server group web {
    protocol TCP
    lb_algo rr
    lb_kind NAT
    real_server 127.0.0.1 %[1]d {
        MISC_CHECK {
            misc_path /no/such/script
        }
    }
}
`, web, closed, number)
	file = filepath.Join(dir, "keepalived.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, web, closed
}

// figure is what differs from run to run.
var figure = regexp.MustCompile(`[0-9]+\.[0-9]{3} ms|127\.0\.0\.1:[0-9]+|:[0-9]+$`)

// The report: what each check did, when, and why it failed.
func TestCheckServer(t *testing.T) {
	file, web, closed := checked(t)
	for _, tc := range []struct {
		words  string
		status int
		want   []string // without figures
	}{
		{fmt.Sprintf("192.0.2.1:80 tcp 127.0.0.1:%d", web), 0, []string{
			"TCP_CHECK #", "# connected from #", "# passed",
			"HTTP_GET # /good", "# connected from #", "# sent GET /good, HTTP/1.0, Host: #", "# the answer begins, *",
			"# the body is over: 5 octets, Content-Length 5", "# status code 200 is accepted", "# the digest is 5d41402abc4b2a76b9719d911017c592",
			"# the body is as the regex wants it", "# passed",
			"FILE_CHECK " + filepath.Join(filepath.Dir(file), "number"), "# the number in the file is -3", "# passed, -6 to the weight",
			"3 of 3 passed",
		}},
		{fmt.Sprintf("192.0.2.1:80 tcp 127.0.0.1:%d", closed), 1, []string{
			"TCP_CHECK #", "# FAILED: dial tcp #: connect: connection refused", "0 of 1 passed, 1 failed, 0 not decided",
		}},
		{"192.0.2.1 80 127.0.0.2", 0, []string{"it has no check, and so is always up"}},
		{fmt.Sprintf("192.0.2.1:80 udp 127.0.0.1 %d", web), 1, []string{
			"HTTP_GET # /bad", "# connected from #", "# sent GET /bad, HTTP/1.0, Host: #", "# the answer begins, *",
			"# the body is over: 5 octets, Content-Length 5", "# FAILED: status code 503",
			"HTTP_GET # /good", "# connected from #", "# sent GET /good, HTTP/1.0, Host: #", "# the answer begins, *",
			"# the body is over: 5 octets, Content-Length 5", "# status code 200 is accepted", "# passed",
			"MISC_CHECK /bin/sh", "# running it as *", "# it has ended", "# FAILED: exited with status 7",
			"1 of 3 passed, 2 failed, 0 not decided",
		}},
		{fmt.Sprintf("fwmark 5 127.0.0.1:%d", web), 0, []string{
			"MISC_CHECK /bin/sh", "# running it as *", "# it has ended", "# passed, the weight is 5", "1 of 1 passed",
		}},
		{fmt.Sprintf("fwmark 5 real_server 127.0.0.1 %d", closed), 1, []string{
			"BFD_CHECK neighbour", "# NOT RUN, which lvsd takes for passed: a BFD session is known to the running lvsd alone",
			"0 of 1 passed, 0 failed, 1 not decided",
		}},
	} {
		status, stdout, stderr := call(append([]string{"lvsd", "check", file}, strings.Fields(tc.words)...)...)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")[1:]
		if status != tc.status || stderr != "" || len(lines) != len(tc.want) {
			t.Errorf("%s: status %d, %s%s", tc.words, status, stdout, stderr)
			continue
		}
		for i, line := range lines {
			got := strings.TrimSpace(strings.Join(strings.Fields(figure.ReplaceAllString(line, "#")), " "))
			want, prefix := strings.CutSuffix(tc.want[i], "*")
			if got != want && !(prefix && strings.HasPrefix(got, want)) {
				t.Errorf("%s: %q, want %q", tc.words, got, tc.want[i])
			}
		}
	}
}

// A script that cannot be run is said, and has not passed.
func TestCheckScriptNotRun(t *testing.T) {
	file, web, _ := checked(t)
	status, stdout, _ := call("lvsd", "check", file, "group", "web", fmt.Sprintf("127.0.0.1:%d", web))
	if status != 1 || !strings.Contains(stdout, "NOT RUN, which lvsd takes for passed") || !strings.Contains(stdout, "/no/such/script") {
		t.Errorf("status %d, %s", status, stdout)
	}
}

// Names of servers are those of the file and those of the log.
func TestCheckNames(t *testing.T) {
	file, web, closed := checked(t)
	at := fmt.Sprintf("127.0.0.1:%d", web)
	const tcp, udp, mark = "[192.0.2.1]:tcp:80", "[192.0.2.1]:udp:80", "FWM 5"
	for _, tc := range []struct{ words, service, complaint string }{
		{"virtual_server 192.0.2.1 80 TCP real_server 127.0.0.1 " + fmt.Sprint(web), tcp, ""},
		{"192.0.2.1 UDP 127.0.0.1", udp, ""},
		{"192.0.2.1:80 " + fmt.Sprintf("127.0.0.1:%d", closed), tcp, ""}, // only one has it
		{udp + " " + fmt.Sprintf("[127.0.0.1]:udp:%d", web), udp, ""},
		{mark + " " + at, mark, ""},
		{"FWMARK 0x5 " + at, mark, ""},
		{"web " + at, "[web]:0", ""},
		{"192.0.2.1:80 " + at, "", "may be one of several, say the port, and tcp, udp or sctp behind the virtual server; there is " +
			fmt.Sprintf("[127.0.0.1]:tcp:%[1]d of %[2]s, [127.0.0.1]:udp:%[1]d of %[3]s", web, tcp, udp)},
		{"192.0.2.1:81 " + at, "", "there is no virtual server 192.0.2.1:81; there is " + tcp + ", " + udp + ", " + mark + ", [web]:0"},
		{"192.0.2.1:80 udp 127.0.0.9", "", "virtual server " + udp + " has no real server 127.0.0.9; it has " + fmt.Sprintf("[127.0.0.1]:udp:%d", web)},
		{"fwmark five " + at, "", `"five" is no fwmark`},
		{"192.0.2.1 80", "", "name a real server behind the virtual server"},
		{"192.0.2.1 80 nobody", "", `"nobody" is no address of a real server`},
		{"192.0.2.1 80 127.0.0.1 80 81", "", `"81" is too much behind the real server 127.0.0.1 80`},
		{"nothing 127.0.0.1", "", "there is no virtual server nothing"},
	} {
		status, stdout, stderr := call("lvsd", "check", "--json", file, tc.words, " ")
		if tc.complaint != "" {
			if status != config.ExitFatal || !strings.Contains(stderr, tc.complaint) || stdout != "" {
				t.Errorf("%s: status %d, %s%s, want %s", tc.words, status, stdout, stderr, tc.complaint)
			}
			continue
		}
		var got serverReport
		if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.Service != tc.service || stderr != "" {
			t.Errorf("%s: %v %+v %s, want %s", tc.words, err, got, stderr, tc.service)
		}
	}
}

func TestCheckJSON(t *testing.T) {
	file, web, _ := checked(t)
	status, stdout, _ := call("lvsd", "check", "--json", file, "192.0.2.1 80 udp", fmt.Sprintf("127.0.0.1 %d", web))
	var got serverReport
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || status != 1 || got.Up || len(got.Checks) != 3 {
		t.Fatalf("status %d, %v, %s", status, err, stdout)
	}
	bad := got.Checks[0]
	if bad.Kind != "HTTP_GET" || bad.Verdict != failed || bad.Reason != "status code 503" || bad.Took <= 0 || len(bad.Steps) != 4 || bad.Steps[0].Name != "connect" {
		t.Errorf("%+v", bad)
	}
	if status, _, stderr := call("lvsd", "check", file+".none", "a", "b"); status != config.ExitNoConfig || !strings.Contains(stderr, ".none") {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// What libraries say of the servers that are probed is nobody's log.
func TestLibrariesAreQuiet(t *testing.T) {
	log.SetOutput(os.Stderr)
	call("lvsd", "--version")
	if log.Writer() != io.Discard {
		t.Error("package log writes to stderr")
	}
}
