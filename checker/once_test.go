package checker

import (
	"context"
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/lvsd/lvsd/config"
)

// The steps of each kind of check, by their names.
func TestOnce(t *testing.T) {
	smtpParams, udpParams := config.DefaultSMTPParams, config.UDPParams{RequireReply: true, MaxReplyLength: 255}
	web := func(kind config.CheckKind, text string, urls ...config.URL) config.Check {
		serve := page
		if kind == config.SSLGet {
			serve = func(t *testing.T, _ string) netip.AddrPort {
				return secureWeb(t, &tls.Config{}, answerOK)
			}
		}
		at := serve(t, text)
		return config.Check{Kind: kind, ConnectIP: at.Addr(), ConnectPort: at.Port(), Timing: within(patience), Params: &config.HTTPParams{URLs: urls}}
	}
	of := func(kind config.CheckKind, c config.Check, params config.Params) config.Check {
		c.Kind, c.Params = kind, params
		return c
	}
	tcpServer, _ := listen(t, "127.0.0.1:0")
	echoServer, _ := answering(t, "127.0.0.1:0", echoes)
	nameServer, _ := answering(t, "127.0.0.1:0", func(q []byte) [][]byte { q[2] |= 0x80; return [][]byte{q} })
	script := func(context.Context, config.Command) Exit { return Exit{Status: 1} }
	misc := config.Check{Kind: config.MiscCheck, Timing: within(patience), Params: &config.MiscParams{MiscPath: config.Command{Line: "x", Args: []string{"x"}}}}
	for _, tc := range []struct {
		check config.Check
		want  string // of each probe: steps, and whether it is up
	}{
		{of(config.TCPCheck, tcpServer, nil), "connect up"},
		{of(config.SMTPCheck, mail(t, "127.0.0.1:0", says("220 a\r\n", "250 b\r\n", "221 c\r\n")), &smtpParams), "connect reply request reply request reply up"},
		{of(config.SMTPCheck, mail(t, "127.0.0.1:0", says("220 a\r\n", "550 b\r\n")), &smtpParams), "connect reply request reply down"},
		{of(config.UDPCheck, echoServer, &udpParams), "connect reply up"},
		{of(config.DNSCheck, nameServer, &config.DNSParams{Type: "SOA"}), "connect reply up"},
		{web(config.HTTPGet, "HTTP/1.0 200 OK\r\n\r\nhello", config.URL{Path: "/a"}, config.URL{Path: "/b", StatusCodes: []config.StatusRange{{Low: 404, High: 404}}}),
			"connect request first body status up, connect request first body down"},
		{web(config.SSLGet, "", config.URL{Path: "/", Regex: &config.Regex{Pattern: "no such text"}}), "connect tls request first body status down"},
		{misc, "start exit down"},
	} {
		trials, err := Once(t.Context(), tc.check, script)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, trial := range trials {
			var words []string
			for _, s := range trial.Steps {
				words = append(words, s.Name)
			}
			words = append(words, map[bool]string{true: "up", false: "down"}[trial.Up])
			got = append(got, strings.Join(words, " "))
			after := func(a, b Step) int { return int(a.After - b.After) }
			if !slices.IsSortedFunc(trial.Steps, after) || len(trial.Steps) > 0 && trial.Took < trial.Steps[len(trial.Steps)-1].After {
				t.Errorf("%s: %+v", trial.Kind, trial)
			}
		}
		if strings.Join(got, ", ") != tc.want {
			t.Errorf("%s: %v, want %s", tc.check.Kind, got, tc.want)
		}
	}
}
