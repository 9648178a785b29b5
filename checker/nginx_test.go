package checker

import (
	"cmp"
	"crypto/md5"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
)

const nginxConf = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error;
events { }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	ssl_certificate %[2]s/cert.pem;
	ssl_certificate_key %[2]s/key.pem;
	gzip on;
	gzip_min_length 1;
	server {
		listen 127.0.0.1:%[3]d default_server;
		listen 127.0.0.1:%[4]d ssl http2 default_server;
		root %[1]s;
		location = /gone { return 410; }
		location = /redirect { return 302 /hello.txt; }
		location = /secret { if ($ssl_client_verify != SUCCESS) { return 403; } return 200; }
	}
	server {
		listen 127.0.0.1:%[3]d;
		listen 127.0.0.1:%[4]d ssl;
		server_name www.example;
		ssl_client_certificate %[2]s/cert.pem;
		ssl_verify_client optional;
		location / { return 200 "www $http_host $ssl_server_name"; }
		location = /secret { if ($ssl_client_verify != SUCCESS) { return 403; } return 200; }
	}
	server {
		listen 127.0.0.1:%[5]d ssl;
		ssl_protocols TLSv1.2;
		ssl_ciphers AES128-SHA;
		return 200;
	}
}
`

// TestNginx asks a real web server.
func TestNginx(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: it runs nginx; `make test` runs it")
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Fatal("this test needs Debian's nginx (apt-get install nginx-light); `go run ./e2e/needs` installs it")
	}
	dir := t.TempDir()
	certificates, err := filepath.Abs("testdata/tls")
	if err != nil {
		t.Fatal(err)
	}
	const hello = "hello, world\n"
	clear, secure, old := freePort(t), freePort(t), freePort(t)
	for name, text := range map[string]string{
		"hello.txt": hello, "large.txt": strings.Repeat(hello, 100_000), "conf": fmt.Sprintf(nginxConf, dir, certificates, clear.Port(), secure.Port(), old.Port()),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	startNginx(t, nginx, dir, clear)

	sum := func(text string) []byte { s := md5.Sum([]byte(text)); return s[:] }
	www := config.HTTPParams{VirtualHost: "www.example"}
	client := &config.SSL{Certificate: "testdata/tls/cert.pem", Key: "testdata/tls/key.pem", CA: "testdata/tls/cert.pem"}
	for _, tc := range []struct {
		name   string
		kind   config.CheckKind // empty: the one for the port
		at     netip.AddrPort
		url    config.URL
		params config.HTTPParams
		said   string
	}{
		{name: "digest", at: clear, url: config.URL{Path: "/hello.txt", Digest: sum(hello)}, said: "MD5 digest success to %s url(%p)"},
		{name: "digest with TLS", at: secure, url: config.URL{Path: "/hello.txt", Digest: sum(hello)}, said: "MD5 digest success to %s url(%p)"},
		{name: "1.1", at: clear, url: config.URL{Path: "/hello.txt", Digest: sum(hello)}, params: config.HTTPParams{HTTPProtocol: config.HTTP11}, said: "MD5 digest success to %s url(%p)"},
		{name: "2", at: secure, url: config.URL{Path: "/hello.txt", Digest: sum(hello)}, params: config.HTTPParams{HTTPProtocol: config.HTTP2}, said: "MD5 digest success to %s url(%p)"},
		{name: "large", at: secure, url: config.URL{Path: "/large.txt", Digest: sum(strings.Repeat(hello, 100_000))}, said: "MD5 digest success to %s url(%p)"},
		{name: "wrong digest", at: clear, url: config.URL{Path: "/hello.txt", Digest: sum("")}, said: saysDigest},
		{name: "regex", at: clear, url: config.URL{Path: "/hello.txt", Regex: &config.Regex{Pattern: `^hello, \w+$`}}, said: "Regex match success to %s url(%p)"},
		{name: "not found", at: clear, url: config.URL{Path: "/none"}, said: saysStatus},
		{name: "gone, as wished", at: clear, url: config.URL{Path: "/gone", StatusCodes: []config.StatusRange{{Low: 410, High: 410}}}, said: "HTTP status code success to %s url(%p)"},
		{name: "redirection", at: clear, url: config.URL{Path: "/redirect"}, said: saysStatus},
		{name: "virtual host", at: clear, url: config.URL{Path: "/", Digest: sum("www www.example ")}, params: www, said: "MD5 digest success to %s url(%p)"},
		{
			name: "SNI", at: secure, url: config.URL{Path: "/", Digest: sum("www www.example www.example")},
			params: config.HTTPParams{VirtualHost: "www.example", EnableSNI: true}, said: "MD5 digest success to %s url(%p)",
		},
		{
			name: "client certificate", at: secure, url: config.URL{Path: "/secret"}, said: "HTTP status code success to %s url(%p)",
			params: config.HTTPParams{VirtualHost: "www.example", EnableSNI: true, Inherited: config.HTTPInherited{SSL: client}},
		},
		{name: "no client certificate", at: secure, url: config.URL{Path: "/secret"}, params: config.HTTPParams{VirtualHost: "www.example", EnableSNI: true}, said: saysStatus},
		{name: "old cipher", at: old, url: config.URL{Path: "/"}, said: "HTTP status code success to %s url(%p)"},
		{name: "TLS to the port for none", kind: config.SSLGet, at: clear, url: config.URL{Path: "/"}, params: config.HTTPParams{EnableSNI: true}, said: saysHandshake},
		{name: "none to the port for TLS", kind: config.HTTPGet, at: secure, url: config.URL{Path: "/", StatusCodes: []config.StatusRange{{Low: 200, High: 200}}}, params: config.HTTPParams{HTTPProtocol: config.HTTP10C}, said: saysStatus},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kind := cmp.Or(tc.kind, config.SSLGet)
			if tc.kind == "" && tc.at == clear {
				kind = config.HTTPGet
			}
			tc.params.URLs = []config.URL{tc.url}
			if r := get(t, kind, tc.at, generous, tc.params); r.Said != tc.said || r.Up != strings.Contains(tc.said, "success") {
				t.Errorf("%+v", r)
			}
		})
	}
}

func freePort(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// startNginx runs nginx until the test ends, and returns when it answers.
func startNginx(t *testing.T, nginx, dir string, at netip.AddrPort) {
	t.Helper()
	c := exec.Command(nginx, "-p", dir, "-c", filepath.Join(dir, "conf"))
	var output strings.Builder
	c.Stdout, c.Stderr = &output, &output
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	for deadline := time.Now().Add(generous); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", at.String())
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			_ = c.Process.Kill()
			_ = c.Wait()
			t.Fatalf("nginx does not answer: %v\n%s", err, output.String())
		}
	}
}
