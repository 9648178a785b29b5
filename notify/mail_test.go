package notify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/smtptest"
)

// mailbench is a mailer under test.
type mailbench struct {
	*Mailer
	t    *testing.T
	logs *observer.ObservedLogs
	stop func() // ends Run and waits for it
}

func mailConfig(server string, to ...string) *config.Config {
	return &config.Config{
		Global: config.Global{
			RouterID: "r1", SMTPServer: server, SMTPConnectTimeout: 2 * time.Second, SMTPHeloName: "lvs1",
			NotificationEmail: to, NotificationEmailFrom: "lvs@example.org",
		},
		Instances: []config.Instance{{Name: "V1"}, {Name: "V2"}},
		Groups:    []config.SyncGroup{{Name: "G1"}},
	}
}

func newMailbench(t *testing.T, c *config.Config, o MailOptions) *mailbench {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	o.Log, o.Host, o.User = zap.New(core), "host", "root"
	if o.minDelay == 0 {
		o.minDelay = 5 * time.Millisecond
	}
	b := &mailbench{Mailer: NewMailer(o), t: t, logs: logs}
	b.Apply(c)
	return b
}

func (b *mailbench) start() {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		b.t.Helper()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				b.t.Error(err)
			}
		case <-time.After(20 * time.Second):
			b.t.Fatal("Run does not end")
		}
	}
}

func (b *mailbench) state(kind, name, what string) {
	b.State(Event{Object: Object{kind, name}, What: what, Mail: true})
}

func (b *mailbench) until(what string, held func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !held(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited in vain for %s; the log:\n%s", what, b.log())
		}
	}
}

func (b *mailbench) log() string {
	var text strings.Builder
	for _, e := range b.logs.All() {
		text.WriteString(e.Message + "\n")
	}
	return text.String()
}

func (b *mailbench) subjects() (all []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.queue {
		all = append(all, strings.TrimPrefix(l.subject, "[r1] "))
	}
	return all
}

// The whole conversation, and the mail as it is on the wire.
func TestMailDialogue(t *testing.T) {
	server := newMailServer(t, nil)
	c := mailConfig(server.Addr(), "a@example.org", "Al <al@example.org>", "<b@example.org>", "Bob B. <bob@example.org>")
	c.Global.NotificationEmailFrom = "The LVS <lvs@example.org>"
	b := newMailbench(t, c, MailOptions{})
	b.state("INSTANCE", "V1", "MASTER")
	b.mu.Lock()
	b.queue[0].at = time.Date(2026, 11, 27, 13, 0, 39, 0, time.FixedZone("CET", 3600))
	b.mu.Unlock()
	b.start()
	b.until("the end", func() bool { return strings.HasSuffix(server.Said(), "QUIT") })
	b.stop()
	want := strings.Join([]string{
		"EHLO lvs1",
		"MAIL FROM:<lvs@example.org> BODY=8BITMIME",
		"RCPT TO:<a@example.org>",
		"RCPT TO:<al@example.org>",
		"RCPT TO:<b@example.org>",
		"RCPT TO:<bob@example.org>",
		"DATA",
		strings.Join([]string{
			"Date: Fri, 27 Nov 2026 13:00:39 +0100",
			"From: The LVS <lvs@example.org>",
			"Subject: [r1] VRRP Instance V1 - Entering MASTER state",
			"X-Mailer: Keepalived",
			"To: a@example.org,",
			" Al <al@example.org>,",
			" <b@example.org>,",
			` "Bob B." <bob@example.org>`,
			"",
			"=> VRRP Instance is now owning VRRP VIPs <=",
			"", "",
		}, "\r\n"),
		"QUIT",
	}, "\n")
	if d := cmp.Diff(want, server.Said()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if b.log() != "" {
		t.Errorf("log: %s", b.log())
	}
}

// What a name or a check says becomes neither a header nor the end of a mail.
func TestMailText(t *testing.T) {
	server := newMailServer(t, nil)
	c := mailConfig(server.Addr(), "a@example.org")
	c.Global.RouterID, c.Global.NotificationEmailFrom = "", ""
	b := newMailbench(t, c, MailOptions{})
	b.mu.Lock()
	b.post("a\r\nBcc: x@example.org", ".\r\n.\r\nQUIT")
	b.mu.Unlock()
	b.start()
	b.until("a mail", func() bool { return len(server.Mails()) == 1 })
	b.stop()
	_, got, _ := strings.Cut(server.Mails()[0], "\r\n")
	want := "From: root@host\r\nSubject: [host] a  Bcc: x@example.org\r\nX-Mailer: Keepalived\r\nTo: a@example.org\r\n\r\n..  .  QUIT\r\n\r\n"
	if got != want {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func newMailServer(t *testing.T, answer func(int, string) (string, bool)) *smtptest.Server {
	t.Helper()
	server := &smtptest.Server{Answer: answer}
	server.Start(t)
	return server
}

func TestMailTrouble(t *testing.T) {
	const mute, hangUp = smtptest.Mute, ""
	for _, test := range []struct {
		name   string
		answer func(int, string) (string, bool)
		taken  []string // by the recipient or, of BODY, the instance
		log    []string
	}{
		{"multi-line replies", smtptest.On("", "220-a\r\n220-b\r\n220 c", "250-a\r\n250 b", "250-a\r\n250 b", "250-a\r\n250 b"), []string{"ab V1", "ab V2"}, nil},
		{"no EHLO", smtptest.On("EHLO", "502 what?"), []string{"ab V1", "ab V2"}, nil},
		{"a mute server", smtptest.On("CONNECT", mute), []string{"ab V1", "ab V2"}, []string{
			"Timeout reading data to remote SMTP server SERVER.", "mails are sent again",
		}},
		{"mute in the middle, twice", smtptest.On("RCPT", mute, mute), []string{"ab V1", "ab V2"}, []string{
			"Timeout reading data to remote SMTP server SERVER.", "mails are sent again",
		}},
		{"closes", smtptest.On("CONNECT", hangUp, hangUp, hangUp), []string{"ab V1", "ab V2"}, []string{
			"Remote SMTP server SERVER has closed the connection.", "mails are sent again",
		}},
		{"closes in the middle of a mail", smtptest.On("DATA", hangUp), []string{"ab V1", "ab V2"}, []string{
			"Remote SMTP server SERVER has closed the connection.", "mails are sent again",
		}},
		{"closes behind the first mail", smtptest.On("BODY", "250 taken", hangUp), []string{"ab V1", "ab V2", "ab V2"}, []string{
			"Remote SMTP server SERVER has closed the connection.", "mails are sent again",
		}},
		{"no service", smtptest.On("CONNECT", "554 go away"), []string{"ab V1", "ab V2"}, []string{
			"Error processing (E)SMTP cmd on SMTP server SERVER. SMTP status code = 554", "mails are sent again",
		}},
		{"does not like our name", func(conn int, said string) (string, bool) {
			return "550 no", conn == 1 && (strings.HasPrefix(said, "EHLO") || strings.HasPrefix(said, "HELO"))
		}, []string{"ab V1", "ab V2"}, []string{
			"Error processing HELO cmd on SMTP server SERVER. SMTP status code = 550", "mails are sent again",
		}},
		{"too busy for the first mail", smtptest.On("MAIL", "451 later"), []string{"ab V2", "ab V1"}, []string{
			"Error processing MAIL cmd on SMTP server SERVER. SMTP status code = 451",
		}},
		{"refuses the first mail", smtptest.On("MAIL", "550-not\r\n550 this"), []string{"ab V2"}, []string{
			"Error processing MAIL cmd on SMTP server SERVER. SMTP status code = 550",
		}},
		{"goes down", smtptest.On("MAIL", "421 shutting down"), []string{"ab V1", "ab V2"}, []string{
			"Error processing MAIL cmd on SMTP server SERVER. SMTP status code = 421", "mails are sent again",
		}},
		{"refuses the contents", smtptest.On("BODY", "554 spam"), []string{"ab V1", "ab V2"}, []string{
			"Error processing BODY cmd on SMTP server SERVER. SMTP status code = 554",
		}},
		{"cannot store", smtptest.On("BODY", "452 full", "452 full", "452 full"), []string{"ab V1", "ab V2", "ab V1", "ab V2", "ab V1"}, []string{
			"Error processing BODY cmd on SMTP server SERVER. SMTP status code = 452", // of both, and again
		}},
		{"refuses DATA", smtptest.On("DATA", "554 no valid recipients"), []string{"ab V2"}, []string{
			"Error processing DATA cmd on SMTP server SERVER. SMTP status code = 554",
		}},
		{"knows one of two", smtptest.On("RCPT TO:<b@", "550 who?", "550 who?"), []string{"a V1", "a V2"}, []string{
			"Error processing RCPT cmd on SMTP server SERVER. SMTP status code = 550, recipient b@example.org",
			"Error processing RCPT cmd on SMTP server SERVER. SMTP status code = 550, recipient b@example.org",
		}},
		{"knows nobody", smtptest.On("RCPT", "550 who?", "550 who?", "550 who?", "550 who?"), nil, []string{
			"Error processing RCPT cmd on SMTP server SERVER. SMTP status code = 550, recipient a@example.org",
			"Error processing RCPT cmd on SMTP server SERVER. SMTP status code = 550, recipient a@example.org",
		}},
		{"takes one of two later", smtptest.On("RCPT TO:<b@", "450 greylisted", "250 fine", "250 fine"), []string{"a V1", "ab V2", "b V1"}, []string{
			"Error processing RCPT cmd on SMTP server SERVER. SMTP status code = 450, recipient b@example.org",
		}},
		{"one of two never, the other later", smtptest.On("RCPT", "450 later", "550 who?"), []string{"ab V2", "a V1"}, []string{
			"Error processing RCPT cmd on SMTP server SERVER. SMTP status code = 450, recipient a@example.org",
		}},
		{"does not say good-bye", smtptest.On("QUIT", mute), []string{"ab V1", "ab V2"}, nil},
		{"a wrong good-bye", smtptest.On("QUIT", "250 fine"), []string{"ab V1", "ab V2"}, nil},
		{"says too much", smtptest.On("CONNECT", "220-"+strings.Repeat("x", 1<<17)+"\r\n220 at last"), []string{"ab V1", "ab V2"}, []string{
			"Received buffer from remote SMTP server SERVER overflow our get read buffer length.", "mails are sent again",
		}},
		{"says nonsense", smtptest.On("CONNECT", "hello", "\x00\xff"), []string{"ab V1", "ab V2"}, []string{
			"Error reading data from remote SMTP server SERVER.", "mails are sent again",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := newMailServer(t, test.answer)
			b := newMailbench(t, mailConfig(server.Addr(), "a@example.org", "b@example.org"), MailOptions{})
			b.state("INSTANCE", "V1", "BACKUP")
			b.state("INSTANCE", "V2", "BACKUP")
			b.start()
			b.until("an empty queue", func() bool { return b.waiting() == 0 })
			b.stop()
			if got := taken(server.Said()); !slices.Equal(got, test.taken) {
				t.Errorf("the server got %q, want %q\n%s", got, test.taken, server.Said())
			}
			host, port, _ := strings.Cut(server.Addr(), " ")
			want := strings.ReplaceAll(strings.Join(append(test.log, ""), "\n"), "SERVER", fmt.Sprintf("[%s]:%s", host, port))
			if d := cmp.Diff(want, b.log()); d != "" {
				t.Errorf("log, -want +got:\n%s", d)
			}
		})
	}
}

// taken are the mails whose bodies came, each with the names of those who were
// accepted as recipients.
func taken(conversation string) (all []string) {
	for _, mail := range strings.Split(conversation, "MAIL FROM")[1:] {
		envelope, body, ok := strings.Cut(mail, "\nDATA\n")
		if !ok || !strings.HasPrefix(body, "Date: ") {
			continue
		}
		to := ""
		for _, line := range strings.Split(envelope, "\n") {
			if name, ok := strings.CutPrefix(line, "RCPT TO:<"); ok {
				to += name[:1]
			} else if strings.HasPrefix(line, "<-- 4") || strings.HasPrefix(line, "<-- 5") {
				to = to[:len(to)-1]
			}
		}
		_, name, _ := strings.Cut(body, "VRRP Instance ")
		all = append(all, to+" "+name[:2])
	}
	return all
}

// A server that is not there yet gets everything, in order, once it is.
func TestMailLater(t *testing.T) {
	server := newMailServer(t, nil)
	dead := mailConfig("127.0.0.1 1", "a@example.org")
	b := newMailbench(t, dead, MailOptions{})
	b.start()
	b.state("INSTANCE", "V1", "BACKUP")
	b.until("trouble", func() bool { return b.log() != "" })
	b.state("INSTANCE", "V1", "MASTER")
	b.Apply(mailConfig(server.Addr(), "b@example.org"))
	b.until("an empty queue", func() bool { return b.waiting() == 0 })
	b.Apply(mailConfig(server.Addr())) // nobody
	b.state("INSTANCE", "V1", "FAULT")
	b.stop()
	if got := taken(server.Said()); !slices.Equal(got, []string{"b V1", "b V1"}) || strings.Count(server.Said(), "EHLO") != 1 {
		t.Errorf("%q in\n%s", got, server.Said())
	}
	if got := b.log(); got != "SMTP connection ERROR to [127.0.0.1]:1.\nmails are sent again\n" {
		t.Error(got)
	}
}

// What a server has refused for now waits for its time, whatever comes meanwhile,
// or for another configuration.
func TestMailRefused(t *testing.T) {
	server := newMailServer(t, smtptest.On("BODY", "451 later"))
	cfg := mailConfig(server.Addr(), "a@example.org")
	b := newMailbench(t, cfg, MailOptions{minDelay: time.Hour})
	b.start()
	b.state("INSTANCE", "V1", "BACKUP")
	b.until("trouble", func() bool { return b.log() != "" })
	for n, name := range []string{"V2", "V3"} {
		b.state("INSTANCE", name, "BACKUP")
		b.until("a mail", func() bool { return len(taken(server.Said())) == n+2 && b.waiting() == 1 })
	}
	b.Apply(cfg)
	b.until("an empty queue", func() bool { return b.waiting() == 0 })
	b.stop()
	if got, want := taken(server.Said()), []string{"a V1", "a V2", "a V3", "a V1"}; !slices.Equal(got, want) {
		t.Errorf("the server got %q, want %q", got, want)
	}
}

// Names are looked up when mail is sent, and IPv6 addresses are no names.
func TestMailServerNames(t *testing.T) {
	b := newMailbench(t, mailConfig("no-such-host.invalid", "a@example.org"), MailOptions{})
	b.start()
	b.state("INSTANCE", "V1", "BACKUP")
	b.until("trouble", func() bool { return b.log() != "" })
	b.stop()
	for server, want := range map[string]string{
		"192.0.2.1": "192.0.2.1 25", "2001:db8::1 587": "2001:db8::1 587", "mail.example.org": "mail.example.org 25",
	} {
		host, port := (&config.Global{SMTPServer: server}).MailServer()
		if got := host + " " + port; got != want {
			t.Errorf("%s is %s, want %s", server, got, want)
		}
	}
	if _, port := (&config.Global{SMTPServer: "192.0.2.1", SMTPTLS: config.ImplicitTLS}).MailServer(); port != "465" {
		t.Errorf("implicit TLS on port %s", port)
	}
}

// Who tells never waits, and what waits is bounded: the oldest are given up.
func TestMailQueue(t *testing.T) {
	b := newMailbench(t, mailConfig("192.0.2.1", "a@example.org"), MailOptions{grace: time.Millisecond})
	for i := range MailQueueLength + 3 {
		b.Leaving(fmt.Sprint("server ", i), "service", "Removing")
	}
	all := b.subjects()
	if len(all) != MailQueueLength || all[0] != "Realserver server 3 of virtual server service - DOWN" {
		t.Errorf("%d mails, the first is %s", len(all), all[0])
	}
	b.start()
	b.stop()
	b.Leaving("server", "service", "Removing")
	want := "mails cannot be sent as fast as they come, the oldest are lost\n"
	if got := b.log(); !strings.HasPrefix(got, want) || strings.Count(got, want) != 1 || !strings.Contains(got, "stopping, and mails have not been sent") ||
		!strings.Contains(got, "no mail is sent any more: Realserver server of virtual server service - DOWN") {
		t.Error(got)
	}
}

// A mail is not tried for ever.
func TestMailLifetime(t *testing.T) {
	b := newMailbench(t, mailConfig("127.0.0.1 1", "a@example.org"), MailOptions{})
	b.state("INSTANCE", "V1", "BACKUP")
	b.state("INSTANCE", "V2", "BACKUP")
	b.mu.Lock()
	b.queue[0].at = time.Now().Add(-MailLifetime - time.Second)
	b.mu.Unlock()
	b.start()
	b.until("the end of the first", func() bool { return b.waiting() == 1 })
	if got := b.subjects(); got[0] != "VRRP Instance V2 - Entering BACKUP state" {
		t.Error(got)
	}
	b.stop()
}

// The last mails leave when lvsd stops, and a server that does not answer
// holds it up for the grace alone.
func TestMailStop(t *testing.T) {
	server := newMailServer(t, nil)
	b := newMailbench(t, mailConfig(server.Addr(), "a@example.org"), MailOptions{})
	b.start()
	b.state("INSTANCE", "V1", "STOP")
	b.stop()
	if got := taken(server.Said()); !slices.Equal(got, []string{"a V1"}) {
		t.Errorf("%q", got)
	}
	for _, command := range []string{"CONNECT", "MAIL", "BODY", "QUIT"} {
		server := newMailServer(t, smtptest.On(command, smtptest.Mute, smtptest.Mute))
		c := mailConfig(server.Addr(), "a@example.org")
		c.Global.SMTPConnectTimeout = time.Hour
		b := newMailbench(t, c, MailOptions{grace: 50 * time.Millisecond})
		b.start()
		b.state("INSTANCE", "V1", "STOP")
		b.until("a connection", func() bool { return server.Connections() > 0 })
		b.stop()
	}
}

// What keepalived 2.2.7 sends and what it does not.
func TestMailStates(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults bool   // no_email_faults is not given
		states string // m: without smtp_alert; a star: the instance is gone with it
		want   string
	}{
		{"all", true, "BACKUP MASTER FAULT BACKUP STOP", "BACKUP MASTER FAULT BACKUP Stopping"},
		{"the same again", true, "BACKUP BACKUP MASTER", "BACKUP MASTER"},
		{"no faults", false, "BACKUP FAULT BACKUP MASTER FAULT BACKUP", "BACKUP MASTER BACKUP"},
		{"deleted", false, "MASTER DELETED* MASTER", "MASTER Deleted MASTER"},
		{"deleted without notify_deleted", true, "FAULT FAULT* FAULT", "FAULT FAULT"},
		{"no alert", true, "mBACKUP mMASTER", ""},
	} {
		c := mailConfig("192.0.2.1", "a@example.org")
		c.Global.NoEmailFaults = !test.faults
		b := newMailbench(t, c, MailOptions{})
		for _, word := range strings.Fields(test.states) {
			what, gone := strings.CutSuffix(word, "*")
			what, none := strings.CutPrefix(what, "m")
			b.State(Event{Object: Object{"INSTANCE", "V1"}, What: what, Mail: !none, Gone: gone})
		}
		var got []string
		for _, s := range b.subjects() {
			_, s, _ = strings.Cut(s, " - ")
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(s, "Entering "), " state"))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %q, want %s", test.name, got, test.want)
		}
	}
}

// What was removed and comes back begins anew.
func TestMailForgets(t *testing.T) {
	c := mailConfig("192.0.2.1", "a@example.org")
	b := newMailbench(t, c, MailOptions{})
	b.state("GROUP", "G1", "BACKUP")
	without := *c
	without.Groups = nil
	b.Apply(&without)
	b.Apply(c)
	b.state("GROUP", "G1", "BACKUP")
	if got := b.subjects(); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// The words of keepalived 2.2.7, from its mails.
func TestMailWords(t *testing.T) {
	var got strings.Builder
	put := func(subject, body string) { got.WriteString(subject + " | " + body + "\n") }
	for _, kind := range []string{"INSTANCE", "GROUP"} {
		for _, what := range []string{"MASTER", "BACKUP", "FAULT", "STOP", "DELETED"} {
			if kind == "INSTANCE" || what != "DELETED" {
				put(stateMail(Event{Object: Object{kind, "N"}, What: what}))
			}
		}
	}
	check := CheckChange{Service: "[10.0.0.1]:tcp:80", Server: "[10.0.0.2]:tcp:80", Reason: "Could not connect to server [10.0.0.2]:25: connection refused"}
	for _, kind := range []config.CheckKind{
		config.TCPCheck, config.UDPCheck, config.PingCheck, config.DNSCheck, config.MiscCheck, config.BFDCheck, config.SMTPCheck, config.HTTPGet, config.SSLGet,
	} {
		check.Check = config.CheckID{Kind: kind, Params: "b1"}
		check.Up, check.Alive = false, false
		put(checkMail(check))
		check.Up = true
		put(checkMail(check))
	}
	check.Check.Kind, check.Up, check.Timeout, check.Alive = config.MiscCheck, false, true, true
	put(checkMail(check))
	put(quorumMail(QuorumChange{Service: "FWM 7", Up: true, Starting: true, Quorum: 3, Hysteresis: 1, Weight: 5}))
	put(quorumMail(QuorumChange{Service: "FWM 7", Starting: true, Quorum: 3, Hysteresis: 1, Weight: 1}))
	put(quorumMail(QuorumChange{Service: "FWM 7", Up: true, Quorum: 3, Hysteresis: 1, Weight: 4}))
	put(quorumMail(QuorumChange{Service: "FWM 7", Quorum: 3, Hysteresis: 1, Weight: 1}))
	const want = `VRRP Instance N - Entering MASTER state | => VRRP Instance is now owning VRRP VIPs <=
VRRP Instance N - Entering BACKUP state | => VRRP Instance is no longer owning VRRP VIPs <=
VRRP Instance N - Entering FAULT state | => VRRP Instance is no longer owning VRRP VIPs <=
VRRP Instance N - Stopping | => VRRP Instance stopping <=
VRRP Instance N - Deleted | => VRRP Deleted at reload <=
VRRP Group N - Entering MASTER state | => All VRRP group instances are now in MASTER state <=
VRRP Group N - Entering BACKUP state | => All VRRP group instances are now in BACKUP state <=
VRRP Group N - Entering FAULT state | => All VRRP group instances are now in FAULT state <=
VRRP Group N - Stopping | => All VRRP group instances are now stopping <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => TCP CHECK failed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => TCP CHECK succeed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => UDP CHECK failed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => UDP CHECK succeed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => ICMP CHECK failed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => ICMP CHECK succeed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => DNS_CHECK: failed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => DNS_CHECK: succeeded on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => MISC CHECK failed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => MISC CHECK succeeded on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => BFD CHECK b1 failed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => BFD CHECK b1 succeeded on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => CHECK failed on service : Could not connect to server [10.0.0.2]:25 <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => CHECK succeed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => CHECK failed on service : HTTP request failed <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => CHECK succeed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => CHECK failed on service : HTTP request failed <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - DOWN | => CHECK succeed on service <=
Realserver [10.0.0.2]:tcp:80 of virtual server [10.0.0.1]:tcp:80 - UP | => MISC CHECK timed out on service <=
Virtualserver FWM 7 - UP | => Starting with quorum up 3+1=4 <= 5 <=
Virtualserver FWM 7 - DOWN | => Starting with quorum down 3+1=4 <= 1 <=
Virtualserver FWM 7 - UP | => Gained quorum 3+1=4 <= 4 <=
Virtualserver FWM 7 - DOWN | => Lost quorum 3+1=2 <= 1 <=
`
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// no_checker_emails leaves out what does not change the real server.
func TestMailChecks(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		c := mailConfig("192.0.2.1", "a@example.org")
		c.Global.NoCheckerEmails = quiet
		b := newMailbench(t, c, MailOptions{})
		b.Check(CheckChange{Server: "1", Changed: true})
		b.Check(CheckChange{Server: "2"})
		b.Quorum(QuorumChange{})
		if got, want := len(b.subjects()), map[bool]int{false: 3, true: 2}[quiet]; got != want {
			t.Errorf("no_checker_emails %v: %d mails, want %d", quiet, got, want)
		}
	}
}
