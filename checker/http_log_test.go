package checker

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/pcre"
)

// TestHTTPLog: the sentences of HTTP_GET with two URLs, as keepalived 2.2.7 has
// written them over the same answers.
func TestHTTPLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, false)
		good := map[string]Result{
			"/a": {Up: true, Said: "HTTP status code success to %s url(%p)", Path: "/a"},
			"/b": {Up: true, Said: "MD5 digest success to %s url(%p)", Path: "/b", Remark: "http_check for RS %s VS %v url %p: content_length (3) does not match received bytes (2)"},
		}
		bad := Result{Said: saysStatus, Reason: "status code 404"}
		var failing atomic.Bool
		b.build = func(*config.Check) (recipe, error) {
			how := recipe{says: &httpPhrases}
			for _, path := range []string{"/a", "/b"} {
				how.probes = append(how.probes, checkFunc(func(context.Context) Result {
					b.note(&b.probes, "%s", path)
					if failing.Load() {
						return bad
					}
					return good[path]
				}))
			}
			return how, nil
		}
		service := web(1, "delay_loop=2s retry=1 delay_before_retry=1s log_all_failures")
		service.Servers[0].Checks[0].Kind = config.HTTPGet
		b.apply(t, service)
		sleep(5 * time.Second) // /a, /b, /a
		failing.Store(true)
		sleep(5 * time.Second) // /b, again, down, again
		failing.Store(false)
		sleep(7 * time.Second)
		b.stop(t)
		equal(t, []string{"1s /a", "3s /b", "5s /a", "7s /b", "8s /b", "10s /b", "12s /b", "14s /a", "16s /b"}, b.probes)
		equal(t, []string{
			"Activating healthchecker for service [10.0.0.2]:tcp:80 for VS [10.0.0.1]:tcp:80",
			"http_check for RS [10.0.0.2]:tcp:80 VS [10.0.0.1]:tcp:80 url /b: content_length (3) does not match received bytes (2)",
			"Remote Web server [10.0.0.2]:tcp:80 succeed on service.",
			"HTTP status code error to server [10.0.0.2]:tcp:80.",
			"HTTP status code error to server [10.0.0.2]:tcp:80.",
			"HTTP_CHECK on service [10.0.0.2]:tcp:80 failed after 1 retries.",
			"http_check for RS [10.0.0.2]:tcp:80 VS [10.0.0.1]:tcp:80 url /b: content_length (3) does not match received bytes (2)",
			"MD5 digest success to [10.0.0.2]:tcp:80 url(/b)",
			"HTTP status code success to [10.0.0.2]:tcp:80 url(/a)",
			"http_check for RS [10.0.0.2]:tcp:80 VS [10.0.0.1]:tcp:80 url /b: content_length (3) does not match received bytes (2)",
			"MD5 digest success to [10.0.0.2]:tcp:80 url(/b)",
			"Remote Web server [10.0.0.2]:tcp:80 succeed on service.",
		}, messages(b.log))
		equal(t, []string{"3s 10.0.0.2:80 true", "8s 10.0.0.2:80 false status code 404", "16s 10.0.0.2:80 true"}, b.told)
	})
}

// TestHTTPBuild: a probe for each URL.
func TestHTTPBuild(t *testing.T) {
	at := page(t, "HTTP/1.0 200 OK\r\n\r\n")
	how, err := New(Options{}).recipe(&config.Check{
		Kind: config.HTTPGet, ConnectIP: netip.MustParseAddr("127.0.0.1"), ConnectPort: at.Port(),
		Timing: &config.Timing{ConnectTimeout: config.Some(generous)},
		Params: &config.HTTPParams{FastRecovery: true, URLs: []config.URL{{Path: "/a"}, {Path: "/b"}}},
	})
	if err != nil || len(how.probes) != 2 || !how.fastRecovery {
		t.Fatalf("%+v, %v", how, err)
	}
	for _, probe := range how.probes {
		if r := probe.Check(t.Context()); !r.Up {
			t.Errorf("%+v", r)
		}
	}
}

// Checks with the same regular expression share it, and nothing is kept of
// those that are gone.
func TestPatternsShared(t *testing.T) {
	s := New(Options{Log: zap.NewNop()})
	service := web(3, "")
	for i := range service.Servers {
		c := &service.Servers[i].Checks[0]
		c.Kind, c.Params = config.HTTPGet, &config.HTTPParams{URLs: []config.URL{{Path: "/", Regex: &config.Regex{Pattern: "hel+o"}}}}
	}
	service.Servers[2].Checks[0].Params.(*config.HTTPParams).URLs[0].Regex.Options = []string{"caseless"}
	if err := s.Apply([]config.Service{service}); err != nil {
		t.Fatal(err)
	}
	regex := func(i int) *pcre.Regexp {
		return s.services[service.Key].jobs[i].recipe.probes[0].(plainGet).want.regex
	}
	if regex(0) == nil || regex(0) != regex(1) || regex(0) == regex(2) || len(s.patterns) != 0 {
		t.Errorf("%p %p %p, %d are kept", regex(0), regex(1), regex(2), len(s.patterns))
	}
}
