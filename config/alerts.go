package config

import "strings"

// alerts fills who is told about what by mail: smtp_alert_vrrp and
// smtp_alert_checker go before smtp_alert. Of all objects only real servers send
// mail by default.
func (c *Config) alerts() {
	g := &c.Global
	first := func(otherwise bool, opts ...Opt[bool]) bool {
		for _, o := range opts {
			if o.Set {
				return o.Value
			}
		}
		return otherwise
	}
	vrrp := first(false, g.SMTPAlertVRRP, g.SMTPAlert)
	for i := range c.Instances {
		c.Instances[i].SMTPAlert.inherit(vrrp)
	}
	for i := range c.Groups {
		c.Groups[i].SMTPAlert.inherit(vrrp)
	}
	service, server := first(false, g.SMTPAlertChecker, g.SMTPAlert), first(true, g.SMTPAlertChecker, g.SMTPAlert)
	for i := range c.Services {
		v := &c.Services[i]
		v.SMTPAlert.inherit(service)
		for k := range v.RealServers {
			v.RealServers[k].SMTPAlert.inherit(server)
		}
	}
}

// SendsMail says that there are a server to send mail through and somebody to
// send it to.
func (g *Global) SendsMail() bool { return g.SMTPServer != "" && len(g.NotificationEmail) > 0 }

// MailServer is the host and the port of smtp_server. The port is 25 when it is
// not given, and 465 where the connection begins with TLS.
func (g *Global) MailServer() (host, port string) {
	host, port, given := strings.Cut(g.SMTPServer, " ")
	switch {
	case given:
	case g.SMTPTLS == ImplicitTLS:
		port = "465"
	default:
		port = "25"
	}
	return host, port
}

// MailTLS is smtp_tls: how the way to the mail server is encrypted.
type MailTLS uint8

// The values of smtp_tls.
const (
	NoTLS       MailTLS = iota
	StartTLS            // STARTTLS, RFC 3207; without it nothing is sent
	ImplicitTLS         // TLS from the first byte on, RFC 8314
)

// String is the value as smtp_tls has it.
func (t MailTLS) String() string { return [...]string{"", "starttls", "implicit"}[t%3] }

// MailAuth is smtp_auth: who lvsd is to the mail server, RFC 4954. The zero
// value is nobody.
type MailAuth struct {
	User         string
	PasswordFile string // its first line is the password; read when mail is sent
}
