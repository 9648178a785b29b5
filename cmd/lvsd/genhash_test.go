package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lvsd/lvsd/config"
)

// pages is a web server that shows what it was asked, in the clear and with
// TLS; its ports.
func pages(t *testing.T) (clear, secure string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusNotFound)
		case "/none":
			conn, _, _ := http.NewResponseController(w).Hijack()
			_ = conn.Close()
		default:
			name := ""
			if r.TLS != nil {
				name = r.TLS.ServerName
			}
			_, _ = io.WriteString(w, strings.Join([]string{r.Proto, r.RequestURI, r.Host, r.UserAgent(), r.Header.Get("Connection"), name}, "\n"))
		}
	})
	plain, tlsServer := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	tlsServer.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	tlsServer.StartTLS()
	t.Cleanup(plain.Close)
	t.Cleanup(tlsServer.Close)
	port := func(s *httptest.Server) string {
		_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
		return port
	}
	return port(plain), port(tlsServer)
}

// genhashCalls are command lines; CLEAR and SECURE stand for ports, and USECS
// is how long it took.
var genhashCalls = []string{
	"-s 127.0.0.1 -p CLEAR -u /a",
	"-s 127.0.0.1 -p CLEAR -u /a?b=c -P 1.1",
	"-s 127.0.0.1 -p CLEAR -u /a -P 1.0c",
	"-s 127.0.0.1 -p CLEAR -u /a -P 1.0",
	"-s 127.0.0.1 -p CLEAR -u /a -V www.example:8080",
	"--server=127.0.0.1 --port CLEAR --url /a --use-virt=www.example --protocol=1.1 --timeout 9",
	"-s 127.0.0.1 -p CLEAR -u /a -v",
	"-s 127.0.0.1 -p CLEAR -u /empty -v",
	"-s 127.0.0.1 -p CLEAR -u /none",
	"-S -s 127.0.0.1 -p SECURE -u /a",
	"-S -I -V www.example -s 127.0.0.1 -p SECURE -u /a",
	"-S -I -V www.example -s 127.0.0.1 -p SECURE -u /a -v",
	"-s 127.0.0.1 -p 1 -u /",
	"-s 127.0.0.1 -p 1 -u / -v",
	"-s 127.0.0.1 -p CLEAR -u / extra words",
	"-s 127.0.0.1 -u /",
	"-s 127.0.0.1 -p CLEAR",
	"-p CLEAR -u /",
	"-s www.example -p CLEAR -u /",
	"-s 127.0.0.1 -p 99999 -u /",
	"-s 127.0.0.1 -p 0 -u /",
	"-s 127.0.0.1 -p CLEAR -u / -m x",
	"-s 127.0.0.1 -p CLEAR -u / -m -1",
	"-s 127.0.0.1 -p CLEAR -u / -t 0.5",
	"-s 127.0.0.1 -p CLEAR -u / -P 3",
	"-s 127.0.0.1 -p CLEAR -u / -P",
	"-z -s 127.0.0.1",
	"-h",
	"",
}

var usecs = regexp.MustCompile(`= \d+ usecs`)

// TestGenhash compares every output and status with that of Debian's genhash.
func TestGenhash(t *testing.T) {
	debians, err := exec.LookPath("genhash")
	if target, linkErr := filepath.EvalSymlinks(debians); err != nil || linkErr != nil || filepath.Base(target) != "keepalived" {
		const why = "this test needs Debian's keepalived 2.2.7 (apt-get install keepalived)"
		if testing.Short() {
			t.Skip("LEFT OUT by -short: " + why)
		}
		t.Fatal(why + "; `go run ./e2e/needs` installs it")
	}
	clear, secure := pages(t)
	for _, call := range genhashCalls {
		args := strings.Fields(strings.NewReplacer("CLEAR", clear, "SECURE", secure).Replace(call))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		c := exec.CommandContext(ctx, debians, args...)
		var out, errs bytes.Buffer
		c.Args[0] = "/usr/bin/genhash" // the usage shows it
		c.Stdout, c.Stderr = &out, &errs
		_ = c.Run() // its status is compared
		cancel()
		want := []any{out.String(), errs.String(), c.ProcessState.ExitCode()}
		out.Reset()
		errs.Reset()
		status := run(append([]string{"/usr/bin/genhash"}, args...), &out, &errs)
		got := []any{out.String(), errs.String(), status}
		for _, all := range [][]any{want, got} {
			for i := range 2 {
				all[i] = usecs.ReplaceAllString(all[i].(string), "= USECS usecs")
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("genhash %s: -Debian +lvsd:\n%s", call, d)
		}
	}
}

// TestGenhashNames: the ways to call it.
func TestGenhashNames(t *testing.T) {
	clear, _ := pages(t)
	for _, before := range []string{"genhash", "lvsd genhash", "lvsd -T", "keepalived --genhash", "keepalived -n -T", "keepalived -nT", "keepalived -T -P1.0", "keepalived -TP1.0"} {
		args := strings.Fields(before + " -s 127.0.0.1 -p " + clear + " -u /empty")
		status, out, errs := call(args...)
		if status != config.ExitOK || out != "d41d8cd98f00b204e9800998ecf8427e\n" || (errs != "") != strings.HasPrefix(before, "keepalived -n") {
			t.Errorf("%s: %d %q %q", before, status, out, errs)
		}
	}
}

// What is an argument of another option is no -T.
func TestGenhashCut(t *testing.T) {
	table := optionsFor(true)
	for line, want := range map[string]string{
		"-Th": "|-h", "-nTs x": "-T|-s x", "-T": "|", "-T -h": "|-h", "-n -T": "-T|", "-zT": "-T|", "--genhash -v": "|-v", "-n --genh -v": "genhash|-v",
		"-fT": "", "-f -T": "", "-f x -T": "-T|", "-gT": "", "-nlD": "", "T": "", "-- -T": "", "--use-file -T": "",
	} {
		name, own, ok := cutGenhash(table, strings.Fields(line))
		if got := name + "|" + strings.Join(own, " "); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q %t, want %q", line, got, ok, want)
		}
	}
	if status, out, errs := call("keepalived", "-Th"); status != config.ExitFatal || out != "" || errs != strings.Replace(genhashUsage, "%s", "keepalived --genhash", 1) {
		t.Errorf("keepalived -Th: %d %q %q", status, out, errs)
	}
}
