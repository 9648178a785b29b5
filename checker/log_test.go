package checker

import (
	"errors"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
)

// The sentences of each kind, as keepalived has them.
func TestSentences(t *testing.T) {
	const rs, vs = "[10.0.0.2]:tcp:80", "[10.0.0.1]:tcp:80"
	up, down := Verdict{Turned: true, Up: true}, Verdict{Turned: true, First: true}
	retried, atOnce, failing := Verdict{Turned: true, Retries: 2}, Verdict{Turned: true}, Verdict{}
	refused, mute := Result{Reason: "refused"}, Result{Reason: "i/o timeout", Timeout: true}
	for _, test := range []struct {
		says    *phrases
		result  Result
		verdict Verdict
		want    []string // with log_all_failures
	}{
		{&tcpPhrases, Result{Up: true}, up, []string{"TCP connection to " + rs + " success."}},
		{&tcpPhrases, refused, failing, []string{"TCP connection to " + rs + " failed."}},
		{&tcpPhrases, mute, down, []string{"TCP connection to " + rs + " timeout.", "TCP_CHECK on service " + rs + " failed."}},
		{&tcpPhrases, refused, retried, []string{"TCP connection to " + rs + " failed.", "TCP_CHECK on service " + rs + " failed after 2 retries."}},
		{&udpPhrases, Result{Up: true}, up, []string{"UDP connection to " + rs + " success."}},
		{&udpPhrases, *(&udpTalk{params: &config.UDPParams{Reply: []byte{1}, ReplyMask: []byte{1}, MaxReplyLength: 9}}).compare([]byte{0}), down,
			[]string{"UDP check to " + rs + " reply data mismatch.", "UDP_CHECK on service " + rs + " failed."}},
		{&udpPhrases, *(&udpTalk{params: &config.UDPParams{MinReplyLength: 2, MaxReplyLength: 9}}).compare([]byte{0}), atOnce,
			[]string{"UDP check to " + rs + " reply data mismatch.", "UDP_CHECK on service " + rs + " failed."}},
		{&pingPhrases, mute, failing, []string{"ICMP connection to address " + rs + " timeout."}},
		{&pingPhrases, refused, retried, []string{"ICMP connection to " + rs + " of " + vs + " failed.", "ICMP CHECK on service " + rs + " of " + vs + " failed after 2 retries."}},
		{&dnsPhrases, Result{Up: true}, up, nil},
		{&dnsPhrases, Result{Reason: "read timeout from socket", Timeout: true}, failing, []string{"DNS_CHECK (" + rs + ") read timeout from socket"}},
		{&dnsPhrases, Result{Reason: "read error occurred. (rcode = 3)"}, down, []string{"DNS_CHECK (" + rs + ") read error occurred. (rcode = 3)"}},
		{&dnsPhrases, Result{Reason: "100%s"}, retried, []string{"DNS_CHECK (" + rs + ") 100%s after 2 retries"}},
		{&dnsPhrases, Result{Reason: "read error occurred. (rcode = 3)"}, atOnce, []string{"DNS_CHECK (" + rs + ") read error occurred. (rcode = 3) after 0 retries"}},
		{&dnsPhrases, failure(errors.Join(errPollerEnded), &dnsPhrases), failing, []string{"DNS_CHECK (" + rs + ") UDP socket bind failed. Rescheduling."}},
		{&smtpPhrases, Result{Up: true}, up, []string{"Remote SMTP server " + rs + " succeed on service."}},
		{&smtpPhrases, Result{Reason: "Bad greeting banner from server [10.0.0.2]:80"}, retried, []string{"SMTP_CHECK Bad greeting banner from server [10.0.0.2]:80"}},
	} {
		core, log := observer.New(zapcore.InfoLevel)
		s := New(Options{Log: zap.New(core)})
		s.log(outcome{attempt{server: rs, service: vs, result: test.result, verdict: test.verdict}, recipe{says: test.says}, false, true, jobID{}})
		equal(t, test.want, messages(log))
	}
}
