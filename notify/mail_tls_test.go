package notify

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/smtptest"
)

// certificate is one for 127.0.0.1, and what trusts it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// STARTTLS or TLS from the beginning, with authentication, and what makes them
// fail. Nothing is ever sent in clear that was to be encrypted.
func TestMailTLS(t *testing.T) {
	cert, roots := certificate(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("s3cret\nnot this\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	auth := config.MailAuth{User: "lvs", PasswordFile: password}
	plain := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00lvs\x00s3cret"))
	offers := func(what string) func(int, string) (string, bool) {
		return func(_ int, said string) (string, bool) {
			switch {
			case strings.HasPrefix(said, "EHLO"):
				return "250-mail\r\n250 " + what, true
			case said == plain:
				return "235 welcome", true
			case strings.HasPrefix(said, "AUTH LOGIN"):
				return "334 VXNlcm5hbWU6", true
			case said == base64.StdEncoding.EncodeToString([]byte("lvs")):
				return "334 UGFzc3dvcmQ6", true
			case said == base64.StdEncoding.EncodeToString([]byte("s3cret")):
				return "235 welcome", true
			case strings.HasPrefix(said, "AUTH"):
				return "535 no", true
			}
			return "", false
		}
	}
	for _, test := range []struct {
		name   string
		tls    config.MailTLS
		auth   config.MailAuth
		roots  *x509.CertPool
		answer func(int, string) (string, bool)
		want   string // what is said before MAIL; empty: no mail leaves
		log    string
	}{
		{"STARTTLS", config.StartTLS, config.MailAuth{}, roots, offers("STARTTLS"), "EHLO STARTTLS EHLO", ""},
		{"implicit", config.ImplicitTLS, config.MailAuth{}, roots, nil, "EHLO", ""},
		{"PLAIN", config.StartTLS, auth, roots, offers("AUTH LOGIN PLAIN"), "EHLO STARTTLS EHLO AUTH", ""},
		{"LOGIN", config.ImplicitTLS, auth, roots, offers("AUTH LOGIN"), "EHLO AUTH bHZz czNjcmV0", ""},
		{"no way to authenticate", config.StartTLS, auth, roots, offers("AUTH GSSAPI"), "", "SMTP connection ERROR to"},
		{"wrong password", config.StartTLS, config.MailAuth{User: "x", PasswordFile: password}, roots, offers("AUTH PLAIN"), "", "Error processing AUTH cmd"},
		{"no password", config.StartTLS, config.MailAuth{User: "x", PasswordFile: "/dev/null"}, roots, offers("AUTH PLAIN"), "", "SMTP connection ERROR to"},
		{"no STARTTLS", config.StartTLS, config.MailAuth{}, roots, smtptest.On("STARTTLS", "502 what?", "502 what?", "502 what?"), "", "Error processing STARTTLS cmd"},
		{"unknown certificate", config.StartTLS, config.MailAuth{}, nil, offers("STARTTLS"), "", "SMTP connection ERROR to"},
		{"unknown certificate, implicit", config.ImplicitTLS, config.MailAuth{}, nil, nil, "", "SMTP connection ERROR to"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := &smtptest.Server{Answer: test.answer, TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Implicit: test.tls == config.ImplicitTLS}
			server.Start(t)
			c := mailConfig(server.Addr(), "a@example.org")
			c.Global.SMTPTLS, c.Global.SMTPAuth = test.tls, test.auth
			b := newMailbench(t, c, MailOptions{roots: test.roots, minDelay: time.Hour})
			b.start()
			b.state("INSTANCE", "V1", "BACKUP")
			if test.want == "" {
				b.until("trouble", func() bool { return b.log() != "" })
			} else {
				b.until("a mail", func() bool { return len(server.Mails()) == 1 })
			}
			log := b.log()
			b.stop()
			if !strings.HasPrefix(log, test.log) || test.log == "" && log != "" {
				t.Errorf("log: %s", log)
			}
			before, _, sent := strings.Cut(server.Said(), "MAIL FROM")
			if sent != (test.want != "") {
				t.Errorf("sent: %v", sent)
			}
			var verbs []string
			for _, line := range strings.Split(strings.TrimSpace(before), "\n") {
				verb, _, _ := strings.Cut(line, " ")
				verbs = append(verbs, verb)
			}
			if got := strings.Join(verbs, " "); sent && got != test.want {
				t.Errorf("said %s, want %s", got, test.want)
			}
		})
	}
}
