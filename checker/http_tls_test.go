package checker

import (
	"cmp"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// secureWeb is a web server with TLS, and the certificate of testdata/tls when
// the configuration has none.
func secureWeb(t *testing.T, c *tls.Config, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	if c.Certificates == nil {
		pair, err := tls.LoadX509KeyPair("testdata/tls/cert.pem", "testdata/tls/key.pem")
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return webServer(t, func(raw net.Conn) {
		secure := tls.Server(raw, c)
		if secure.Handshake() == nil {
			serve(secure)
		}
	})
}

func answerOK(c net.Conn) {
	request(c)
	_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\n\r\nhello"))
}

// TestTLS: servers that SSL_GET talks to, and those that it does not.
func TestTLS(t *testing.T) {
	const handshake = saysHandshake
	for _, tc := range []struct {
		name   string
		server *tls.Config
		params config.HTTPParams
		ssl    *config.SSL
		said   string // empty: it succeeds
		reason string
	}{
		{name: "as it comes"},
		{name: "TLS 1.2", server: &tls.Config{MaxVersion: tls.VersionTLS12}},
		{name: "weak cipher", server: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}}},
		{name: "TLS 1.1", server: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, said: handshake, reason: "version"},
		{
			name: "TLS 1.1 is enough", server: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			params: config.HTTPParams{TLSMinVersion: config.TLS10},
		},
		{name: "TLS 1.2 is too old", server: &tls.Config{MaxVersion: tls.VersionTLS12}, params: config.HTTPParams{TLSMinVersion: config.TLS13}, said: handshake, reason: "version"},
		{name: "verified by nobody", params: config.HTTPParams{TLSVerify: true}, said: handshake, reason: "unknown authority"},
		{name: "verified", params: config.HTTPParams{TLSVerify: true}, ssl: &config.SSL{CA: "testdata/tls/cert.pem"}},
		{name: "verified by SNI", params: config.HTTPParams{TLSVerify: true, EnableSNI: true, SNIName: "web.example"}, ssl: &config.SSL{CA: "testdata/tls/cert.pem"}},
		{name: "verified by Host", params: config.HTTPParams{TLSVerify: true, VirtualHost: "web.example:443"}, ssl: &config.SSL{CA: "testdata/tls/cert.pem"}},
		{
			name: "another name", params: config.HTTPParams{TLSVerify: true, VirtualHost: "other.example"}, ssl: &config.SSL{CA: "testdata/tls/cert.pem"},
			said: handshake, reason: "other.example",
		},
		{name: "no such ca", params: config.HTTPParams{TLSVerify: true}, ssl: &config.SSL{CA: "testdata/tls/none.pem"}, said: handshake, reason: "read the ca of SSL"},
		{name: "no certificate in ca", params: config.HTTPParams{TLSVerify: true}, ssl: &config.SSL{CA: "testdata/tls/key.pem"}, said: handshake, reason: "no certificate in"},
		{
			name: "wants a certificate, gets none", server: &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: tls.VersionTLS12},
			said: handshake, reason: "handshake failure",
		},
		{name: "client certificate", server: &tls.Config{ClientAuth: tls.RequireAnyClientCert}, ssl: &config.SSL{Certificate: "testdata/tls/cert.pem", Key: "testdata/tls/key.pem"}},
		{
			name: "encrypted key", server: &tls.Config{ClientAuth: tls.RequireAnyClientCert},
			ssl: &config.SSL{Certificate: "testdata/tls/cert.pem", Key: "testdata/tls/key-pkcs8.pem", Password: "secret"},
		},
		{
			name: "encrypted key of old", server: &tls.Config{ClientAuth: tls.RequireAnyClientCert},
			ssl: &config.SSL{Certificate: "testdata/tls/cert.pem", Key: "testdata/tls/key-old.pem", Password: "secret"},
		},
		{
			name: "wrong password", server: &tls.Config{ClientAuth: tls.RequireAnyClientCert},
			ssl:  &config.SSL{Certificate: "testdata/tls/cert.pem", Key: "testdata/tls/key-pkcs8.pem", Password: "sesame"},
			said: handshake, reason: "key of SSL",
		},
		{
			name: "no such certificate", server: &tls.Config{ClientAuth: tls.RequireAnyClientCert},
			ssl: &config.SSL{Certificate: "testdata/tls/none.pem"}, said: handshake, reason: "read the certificate of SSL",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.params.Inherited.SSL = tc.ssl
			r := get(t, config.SSLGet, secureWeb(t, cmp.Or(tc.server, &tls.Config{}), answerOK), generous, tc.params)
			if r.Up != (tc.said == "") || !r.Up && (r.Said != tc.said || !strings.Contains(r.Reason, tc.reason)) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestTLSBroken: what is no TLS at all.
func TestTLSBroken(t *testing.T) {
	for name, tc := range map[string]struct {
		serve func(net.Conn)
		said  string
	}{
		"plain HTTP": {func(c net.Conn) { _, _ = c.Read(make([]byte, 64)); _, _ = c.Write([]byte("HTTP/1.0 400 Bad\r\n\r\n")) }, saysHandshake},
		"mute":       {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, httpPhrases.timeout},
		"resetting":  {func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); abort(c) }, httpPhrases.failure},
		"closing":    {func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) }, saysHandshake},
		"alert":      {func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40}) }, saysHandshake},
		"slow":       {func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)); drip(c, "\x16\x03\x03\x40\x00\x02\x00\x3f\xf0") }, httpPhrases.timeout},
		"infinite":   {func(c net.Conn) { flood(c, "", "\x16\x03\x03\x40\x00\x02\xff\xff\xff") }, saysHandshake},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := generous
			if name == "mute" || name == "slow" {
				timeout /= 100
			}
			if r := get(t, config.SSLGet, webServer(t, tc.serve), timeout, config.HTTPParams{}); r.Up || r.Said != tc.said || r.Reason == "" {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestTLSEnd: keepalived leaves without close_notify, unless tls_compliant
// says otherwise; that of the URL counts.
func TestTLSEnd(t *testing.T) {
	for _, tc := range []struct {
		check bool
		url   config.Opt[bool]
		want  bool
	}{
		{false, config.Opt[bool]{}, false},
		{true, config.Opt[bool]{}, true},
		{false, config.Some(true), true},
		{true, config.Some(false), false},
	} {
		end := make(chan int, 1)
		at := secureWeb(t, &tls.Config{}, func(c net.Conn) {
			request(c)
			_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"))
			last, _ := c.(*tls.Conn).NetConn().Read(make([]byte, 64)) // a record, or nothing
			end <- last
		})
		p := config.HTTPParams{TLSCompliant: tc.check, URLs: []config.URL{{Path: "/", TLSCompliant: tc.url}}}
		if r := get(t, config.SSLGet, at, generous, p); !r.Up {
			t.Errorf("%+v", r)
		}
		if got := <-end; got > 0 != tc.want {
			t.Errorf("%+v: %d octets", tc, got)
		}
	}
}

// TestHTTP2 speaks HTTP/2 in the clear and with TLS, and to servers that do not.
func TestHTTP2(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.UserAgent() != "KeepAliveClient" || r.Host != "www.example" || r.Header.Get("Accept-Encoding") != "" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/header":
			w.Header().Set("X", strings.Repeat("x", 2*maxHTTPHeader))
		case "/slow", "/stalling":
			if r.URL.Path == "/stalling" {
				_, _ = io.WriteString(w, "hello")
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
		case "/infinite":
			for b := make([]byte, 1<<16); ; {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		default:
			_, _ = io.WriteString(w, "hello")
		}
	})
	digest := []byte{0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17, 0xc5, 0x92}
	unread := map[config.CheckKind]string{config.HTTPGet: saysReadError, config.SSLGet: saysTLSError}
	unanswered := map[config.CheckKind]string{config.HTTPGet: saysNoAnswer, config.SSLGet: saysSlowTLS}
	unended := map[config.CheckKind]string{config.HTTPGet: saysSlow, config.SSLGet: saysSlowTLS}
	for _, kind := range []config.CheckKind{config.HTTPGet, config.SSLGet} {
		server := httptest.NewUnstartedServer(handler)
		if kind == config.SSLGet {
			server.EnableHTTP2 = true
			server.StartTLS()
		} else {
			server.Config.Protocols = new(http.Protocols)
			server.Config.Protocols.SetUnencryptedHTTP2(true)
			server.Start()
		}
		t.Cleanup(server.Close)
		at := server.Listener.Addr().(*net.TCPAddr).AddrPort()
		for path, said := range map[string]string{
			"/ok": "MD5 digest success to %s url(%p)", "/redirect": saysStatus, "/infinite": saysReadError,
			"/header": unread[kind], "/slow": unanswered[kind], "/stalling": unended[kind],
		} {
			timeout := generous
			if path == "/slow" || path == "/stalling" {
				timeout /= 100
			}
			p := config.HTTPParams{HTTPProtocol: config.HTTP2, VirtualHost: "www.example", URLs: []config.URL{{Path: path, Digest: digest}}}
			if r := get(t, kind, at, timeout, p); r.Up != (path == "/ok") || r.Said != said {
				t.Errorf("%s %s: %+v", kind, path, r)
			}
		}
	}
	for kind, at := range map[config.CheckKind]netip.AddrPort{
		config.HTTPGet: page(t, "HTTP/1.1 400 Bad\r\n\r\n"), config.SSLGet: secureWeb(t, &tls.Config{}, answerOK),
	} {
		if r := get(t, kind, at, generous, config.HTTPParams{HTTPProtocol: config.HTTP2}); r.Up || r.Said == "" || r.Reason == "" {
			t.Errorf("%s: %+v", kind, r)
		}
	}
	mute := webServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	if r := get(t, config.HTTPGet, mute, generous/100, config.HTTPParams{HTTPProtocol: config.HTTP2}); r.Up || r.Said != saysNoAnswer {
		t.Errorf("%+v", r)
	}
}

// A probe ends with its context.
func TestHTTPCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := webServer(t, func(c net.Conn) {
		request(c)
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	how, err := newHTTP(config.Check{
		Kind: config.HTTPGet, ConnectIP: at.Addr(), ConnectPort: at.Port(), Params: &config.HTTPParams{URLs: []config.URL{{Path: "/"}}},
		Timing: &config.Timing{ConnectTimeout: config.Some(generous)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := how.probes[0].Check(ctx); r.Up {
		t.Errorf("%+v", r)
	}
}
