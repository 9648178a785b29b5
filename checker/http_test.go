package checker

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lvsd/lvsd/config"
)

// webServer is a server that answers each connection with serve.
func webServer(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(time.Minute)) // against hanging
				serve(c)
			})
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// request reads a request up to its empty line.
func request(c net.Conn) string {
	var all []byte
	b := make([]byte, 512)
	for !bytes.Contains(all, []byte("\r\n\r\n")) {
		n, err := c.Read(b)
		if all = append(all, b[:n]...); err != nil {
			break
		}
	}
	return string(all)
}

// page is a web server that answers with this text.
func page(t *testing.T, text string) netip.AddrPort {
	return webServer(t, func(c net.Conn) {
		request(c)
		_, _ = c.Write([]byte(text))
	})
}

const generous = 30 * time.Second // for what does not take time

// get is one probe of the first URL, in each of the ways that there are for it.
func get(t *testing.T, kind config.CheckKind, at netip.AddrPort, timeout time.Duration, p config.HTTPParams) Result {
	t.Helper()
	if p.URLs == nil {
		p.URLs = []config.URL{{Path: "/"}}
	}
	how, err := newHTTP(config.Check{
		Kind: kind, ConnectIP: at.Addr(), ConnectPort: at.Port(), Params: &p,
		Timing: &config.Timing{ConnectTimeout: config.Some(timeout)},
	}, patterns{})
	if err != nil {
		t.Fatal(err)
	}
	return probed(t, how.probes[0])
}

// probed is what a probe says, in each of the ways that there are for it.
func probed(t *testing.T, probe Checker) Result {
	t.Helper()
	r := probe.Check(t.Context())
	if probe, ok := probe.(polled); ok {
		other := polledOnce(polling(t), probe)
		if d := cmp.Diff(r, other, cmpopts.IgnoreFields(Result{}, "Reason")); d != "" || (r.Reason == "") != (other.Reason == "") {
			t.Errorf("a probe with a goroutine and one that is polled differ:\n%s%q %q", d, r.Reason, other.Reason)
		}
		return other
	}
	return r
}

// polledOnce is the result of a probe on a poller.
func polledOnce(p *poller, probe polled) Result {
	result := make(chan Result, 1)
	probe.start(p, func(r Result) { result <- r })
	return <-result
}

// spell fills in a sentence as the log does.
func spell(r Result, sentence string) string {
	return strings.NewReplacer("%s", "X", "%p", r.Path).Replace(sentence)
}

// TestHTTPRequest: what keepalived 2.2.7 sends, octet for octet.
func TestHTTPRequest(t *testing.T) {
	for _, tc := range []struct {
		version config.HTTPProtocol
		want    string
	}{
		{config.HTTP10, "GET /a?b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: www.example\r\n\r\n"},
		{config.HTTP10C, "GET /a?b HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www.example\r\n\r\n"},
		{config.HTTP11, "GET /a?b HTTP/1.1\r\nUser-Agent: KeepAliveClient\r\nConnection: close\r\nHost: www.example\r\n\r\n"},
	} {
		sent := make(chan string, 2)
		at := webServer(t, func(c net.Conn) {
			sent <- request(c)
			_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\n\r\n"))
		})
		p := config.HTTPParams{HTTPProtocol: tc.version, VirtualHost: "www.example", URLs: []config.URL{{Path: "/a?b"}}}
		if r := get(t, config.HTTPGet, at, generous, p); !r.Up {
			t.Errorf("%+v", r)
		}
		for range 2 {
			if got := <-sent; got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		}
	}
}

// TestHTTPNames: whose virtualhost is Host, and whose is told by SNI.
func TestHTTPNames(t *testing.T) {
	for _, tc := range []struct {
		url, check, server, service, sniName string
		host, sni                            string
		sniOff                               bool
	}{
		{host: "192.0.2.1:443"},
		{service: "vs", host: "vs", sni: "vs"},
		{server: "rs", service: "vs", host: "rs", sni: "vs"}, // as keepalived has it
		{server: "rs", host: "rs"},
		{check: "check", server: "rs", service: "vs", host: "check", sni: "check"},
		{url: "url", check: "check", server: "rs", service: "vs", host: "url", sni: "url"},
		{url: "url", check: "check", sniName: "name", host: "url", sni: "name"},
		{url: "url", sniName: "name", sniOff: true, host: "url"},
	} {
		server := config.RealServer{
			Addr: netip.MustParseAddrPort("192.0.2.1:443"), Names: &config.ServerNames{VirtualHost: tc.server},
			Checks: []config.Check{{Kind: config.SSLGet, Params: &config.HTTPParams{
				VirtualHost: tc.check, EnableSNI: !tc.sniOff, SNIName: tc.sniName, URLs: []config.URL{{Path: "/", VirtualHost: tc.url}},
			}}},
		}
		c := config.Config{Services: []config.VirtualServer{{
			Addr: netip.MustParseAddrPort("192.0.2.9:443"), VirtualHost: tc.service, RealServers: []config.RealServer{server},
		}}}
		how, err := newHTTP(c.KernelServices()[0].Servers[0].Checks[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if h := how.probes[0].(*httpGet); h.host != tc.host || h.tls.sni != tc.sni {
			t.Errorf("%+v: Host %q, SNI %q", tc, h.host, h.tls.sni)
		}
	}
	six := config.Check{Kind: config.HTTPGet, ConnectIP: netip.MustParseAddr("2001:db8::1"), ConnectPort: 80, Timing: &config.Timing{}, Params: &config.HTTPParams{URLs: []config.URL{{Path: "/"}}}}
	how, err := newHTTP(six, nil)
	if err != nil || how.probes[0].(plainGet).host != "[2001:db8::1]:80" {
		t.Error(how, err)
	}
}

// TestHTTPAnswers: what an answer means. Except where it is said, keepalived
// 2.2.7 was asked.
func TestHTTPAnswers(t *testing.T) {
	const (
		ok    = "HTTP/1.1 200 OK\r\n"
		hello = "5d41402abc4b2a76b9719d911017c592" // MD5 of hello
	)
	digest := func(hex string) config.URL {
		u := config.URL{Digest: make([]byte, 16)}
		_, _ = fmt.Sscanf(hex, "%x", &u.Digest)
		return u
	}
	codes := func(ranges ...config.StatusRange) config.URL { return config.URL{StatusCodes: ranges} }
	regex := func(r config.Regex) config.URL { return config.URL{Regex: &r} }
	const success, status, wrongDigest, noMatch, noData = "HTTP status code success to X url(/)", "HTTP status code error to server X.",
		"MD5 digest error to server X.", "Regex match failed server X.", "Read, no data received from  server X."
	for _, tc := range []struct {
		answer string
		url    config.URL
		want   string // sentence
		remark string // the end of it
	}{
		{answer: ok + "\r\nhello", want: success},
		{answer: ok + "\r\n", want: success},
		{answer: "HTTP/2 200 OK\r\n\r\n", want: success},
		{answer: "FOO/1.1 200 OK\r\n\r\n", want: success},
		{answer: "HTTP/1.1 204 No\r\n\r\n", want: success},
		{answer: "HTTP/1.1 404 NO\r\n\r\n", want: status},
		{answer: "HTTP/1.1 302 Elsewhere\r\nLocation: /\r\n\r\n", want: status},
		{answer: "HTTP/1.1 abc OK\r\n\r\n", want: status},
		{answer: "HTTP/1.1  200 OK\r\n\r\n", want: status},
		{answer: "HTTP/1.1 200\r\n\r\n", want: status},
		{answer: "HTTP/1.1 2000 OK\r\n\r\n", want: status},
		{answer: "HTTP/1.1 20 OK\r\n\r\n", want: status},
		{answer: "HTTP/1.1 099 OK\r\n\r\n", want: status},
		{answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok + "\r\n", want: status},
		{answer: "garbage\r\n\r\n", want: status},
		{answer: "\r\n\r\n", want: status},
		{answer: "", want: noData},
		{answer: "hello\r\n", want: noData},
		{answer: ok, want: noData},
		{answer: "HTTP/1.1 200 OK\n\nhello", want: noData},
		{answer: "HTTP/1.1 404 NO\r\n\r\n", url: codes(config.StatusRange{Low: 200, High: 299}, config.StatusRange{Low: 404, High: 404}), want: success},
		{answer: ok + "\r\n", url: codes(config.StatusRange{Low: 300, High: 599}), want: status},

		{answer: ok + "\r\nhello", url: digest(hello), want: "MD5 digest success to X url(/)"},
		{answer: ok + "\r\nhello!", url: digest(hello), want: wrongDigest},
		{answer: ok + "Content-Length: 5\r\n\r\nhello!", url: digest(hello), want: "MD5 digest success to X url(/)"},
		{answer: ok + "Content-Length: 30\r\n\r\nhello", url: digest(hello), want: "MD5 digest success to X url(/)", remark: "url /: content_length (30) does not match received bytes (5)"},
		{answer: ok + "content-length: 5\r\n\r\nhello!", url: digest(hello), want: "MD5 digest success to X url(/)"},  // not keepalived
		{answer: ok + "X-Content-Length: 2\r\n\r\nhello", url: digest(hello), want: "MD5 digest success to X url(/)"}, // not keepalived
		{answer: ok + "Content-Length: abc\r\n\r\nhello", url: digest(hello), want: "MD5 digest success to X url(/)"},
		{answer: ok + "Content-Length: -4\r\n\r\nhello", url: digest(hello), want: "MD5 digest success to X url(/)"},
		{answer: ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", url: digest("8ce1d49e976186b949500395e2825116"), want: "MD5 digest success to X url(/)"},
		{answer: "HTTP/1.1 500 OK\r\n\r\nhello", url: digest(hello), want: status},

		{answer: ok + "\r\nhello", url: regex(config.Regex{Pattern: "hel+o"}), want: "Regex match success to X url(/)"},
		{answer: ok + "\r\nhelp", url: regex(config.Regex{Pattern: "hel+o"}), want: noMatch},
		{answer: ok + "\r\nHELLO", url: regex(config.Regex{Pattern: "hel+o", Options: []string{"caseless"}}), want: "Regex match success to X url(/)"},
		{answer: ok + "\r\nhelp", url: regex(config.Regex{Pattern: "hel+o", NoMatch: true}), want: "Regex match success to X url(/)"},
		{answer: ok + "\r\nhello", url: regex(config.Regex{Pattern: "hel+o", NoMatch: true}), want: noMatch},
		{answer: ok + "\r\nabc", url: regex(config.Regex{Pattern: "c", MinOffset: 1, MaxOffset: 2}), want: "Regex match success to X url(/)"},
		{answer: ok + "\r\nabc", url: regex(config.Regex{Pattern: "c", MaxOffset: 1}), want: noMatch},
		{answer: ok + "\r\n" + strings.Repeat("x", maxRegexText) + "hello", url: regex(config.Regex{Pattern: "hello"}), want: noMatch}, // not keepalived
	} {
		u := tc.url
		u.Path = "/"
		r := get(t, config.HTTPGet, page(t, tc.answer), generous, config.HTTPParams{URLs: []config.URL{u}})
		got := spell(r, r.Said)
		remark := ""
		if r.Remark != "" {
			remark = spell(r, r.Remark)
		}
		if got != tc.want || r.Up != strings.Contains(tc.want, "success") || r.Up != (r.Reason == "") || !strings.HasSuffix(remark, tc.remark) || (remark == "") != (tc.remark == "") {
			t.Errorf("%.80q %+v: %q\n%+v\nwant %q", tc.answer, tc.url, got, r, tc.want)
		}
	}
}

// A path is no format.
func TestHTTPPath(t *testing.T) {
	r := get(t, config.HTTPGet, page(t, "HTTP/1.0 200 OK\r\n\r\n"), generous, config.HTTPParams{URLs: []config.URL{{Path: "/%20%s%d"}}})
	if got := spell(r, r.Said); got != "HTTP status code success to X url(/%20%s%d)" {
		t.Error(got)
	}
}

// A body with a length need not be followed by the end of the connection.
func TestHTTPKeptOpen(t *testing.T) {
	at := webServer(t, func(c net.Conn) {
		request(c)
		_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
		_, _ = c.Read(make([]byte, 1)) // until the client goes
	})
	if r := get(t, config.HTTPGet, at, generous, config.HTTPParams{}); !r.Up || r.Remark != "" {
		t.Errorf("%+v", r)
	}
}

// hostile are servers that answer in no useful way, once the request is there.
var hostile = []struct {
	name       string
	serve      func(net.Conn)
	said, with string // over HTTP, over TLS
	reason     string
}{
	{"mute", func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }, saysNoAnswer, saysSlowTLS, "timeout"},
	{"resetting", func(c net.Conn) { abort(c) }, saysReadError, saysTLSError, "reset"},
	{"closing", func(net.Conn) {}, saysNoData, saysNoData, "closed before the end of the header"},
	{"slow header", func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\n") }, saysSlow, saysSlowTLS, "no answer within"},
	{"slow body", func(c net.Conn) { drip(c, "HTTP/1.0 200 OK\r\n\r\n") }, saysSlow, saysSlowTLS, "no answer within"},
	{"stalling body", func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.0 200 OK\r\n\r\nhello"))
		_, _ = c.Read(make([]byte, 1))
	}, saysSlow, saysSlowTLS, "timeout"},
	{"infinite header", func(c net.Conn) { flood(c, "HTTP/1.0 200 OK\r\n", "X: y\r\n") }, saysNoData, saysNoData, "longer than 16 KiB"},
	{"infinite line", func(c net.Conn) { flood(c, "HTTP/1.0 200 OK", "xxxxxxxx") }, saysNoData, saysNoData, "longer than 16 KiB"},
	{"infinite body", func(c net.Conn) { flood(c, "HTTP/1.0 200 OK\r\n\r\n", "xxxxxxxx") }, saysReadError, saysReadError, "longer than 16 MiB"},
}

// abort has the kernel send RST, not FIN.
func abort(c net.Conn) {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// drip sends an octet every now and then, without an end.
func drip(c net.Conn, start string) {
	_, err := c.Write([]byte(start))
	for err == nil {
		time.Sleep(20 * time.Millisecond)
		_, err = c.Write([]byte("x"))
	}
}

func flood(c net.Conn, start, more string) {
	_, err := c.Write([]byte(start))
	block := bytes.Repeat([]byte(more), 4096)
	for err == nil {
		_, err = c.Write(block)
	}
}

// TestHostile: each server costs its probe, fails it with its sentence, and
// ends within four times connect_timeout.
func TestHostile(t *testing.T) {
	// On a busy machine connections and drops, one each 20 ms, come much later.
	const patience = 2 * time.Second
	for _, server := range hostile {
		for kind, said := range map[config.CheckKind]string{config.HTTPGet: server.said, config.SSLGet: server.with} {
			t.Run(server.name+" "+string(kind), func(t *testing.T) {
				// Floods take processor, and come first; the others wait.
				flood := strings.HasPrefix(server.name, "infinite")
				if !flood {
					t.Parallel()
				}
				serve := func(c net.Conn) {
					request(c)
					server.serve(c)
				}
				at := webServer(t, serve)
				if kind == config.SSLGet {
					at = secureWeb(t, &tls.Config{}, serve)
				}
				timeout := patience
				if flood {
					timeout = generous // it is not the time that ends these
				}
				began := time.Now()
				r := get(t, kind, at, timeout, config.HTTPParams{})
				for r.Said == httpPhrases.timeout && timeout < generous {
					timeout *= 2 // this machine does not even shake hands so soon
					began = time.Now()
					r = get(t, kind, at, timeout, config.HTTPParams{})
				}
				if r.Up || r.Said != said || r.Local != "" || !strings.Contains(r.Reason, server.reason) {
					t.Errorf("%+v", r)
				}
				if took := time.Since(began); took > httpSteps*timeout+generous {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

// TestHTTPUnreachable: what comes before an answer.
func TestHTTPUnreachable(t *testing.T) {
	closed := netip.MustParseAddrPort("127.0.0.77:9")
	if r := get(t, config.HTTPGet, closed, generous, config.HTTPParams{}); r.Up || r.Timeout || r.Said != "" || !strings.Contains(r.Reason, "refused") {
		t.Errorf("%+v", r)
	}
	check := config.Check{
		Kind: config.HTTPGet, ConnectIP: closed.Addr(), ConnectPort: closed.Port(), Params: &config.HTTPParams{URLs: []config.URL{{Path: "/"}}},
		Timing: &config.Timing{ConnectTimeout: config.Some(generous)}, Bind: &config.Bind{BindTo: netip.MustParseAddr("192.0.2.1")},
	}
	how, err := newHTTP(check, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := how.probes[0].Check(t.Context()); r.Local != "WEB socket bind failed. Rescheduling" || r.Reason == "" {
		t.Errorf("%+v", r)
	}
}

func TestHTTPBadRegex(t *testing.T) {
	_, err := newHTTP(config.Check{Kind: config.HTTPGet, Timing: &config.Timing{}, Params: &config.HTTPParams{URLs: []config.URL{{Regex: &config.Regex{Pattern: "a(b"}}}}}, patterns{})
	if err == nil || !strings.Contains(err.Error(), "a(b") {
		t.Error(err)
	}
}
