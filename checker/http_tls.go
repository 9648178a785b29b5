package checker

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/lvsd/lvsd/config"
)

// tlsClient is what SSL_GET does beyond HTTP_GET. The files of the SSL block
// are read when they are needed, so that a new certificate counts at once.
type tlsClient struct {
	ssl       *config.SSL // nil: none
	sni       string      // empty: none is sent
	verify    string      // the name that the certificate is for; empty: it may be any
	oldest    config.TLSVersion
	compliant bool // ends a connection with close_notify
}

func newTLSClient(p *config.HTTPParams, u *config.URL, host string) *tlsClient {
	t := &tlsClient{ssl: p.Inherited.SSL, oldest: cmp.Or(p.TLSMinVersion, config.DefaultTLSVersion), compliant: p.TLSCompliant}
	if u.TLSCompliant.Set {
		t.compliant = u.TLSCompliant.Value
	}
	if p.EnableSNI { // keepalived does not take the virtualhost of the real server
		t.sni = cmp.Or(p.SNIName, u.VirtualHost, p.VirtualHost, p.Inherited.ServerName)
	}
	if p.TLSVerify {
		t.verify = cmp.Or(t.sni, host)
		if name, _, err := net.SplitHostPort(t.verify); err == nil {
			t.verify = name
		}
	}
	return t
}

// handshake makes a connection one of TLS.
func (t *tlsClient) handshake(ctx context.Context, conn net.Conn, http2 bool) (*tls.Conn, error) {
	c := tls.Client(conn, t.config(http2))
	err := c.HandshakeContext(ctx)
	var timeout net.Error
	var network *net.OpError
	switch {
	case err == nil && http2 && c.ConnectionState().NegotiatedProtocol != "h2":
		return nil, &httpError{saysHandshake, errors.New("the server does not speak HTTP/2")}
	case err == nil:
		return c, nil
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return nil, &httpError{httpPhrases.timeout, fmt.Errorf("no end of the TLS handshake: %w", err)}
	case errors.As(err, &network) && network.Op == "read": // an alert has another one
		return nil, &httpError{httpPhrases.failure, err}
	}
	return nil, &httpError{saysHandshake, err}
}

func (t *tlsClient) config(http2 bool) *tls.Config {
	c := &tls.Config{
		ServerName:         t.sni,
		InsecureSkipVerify: true, // as keepalived; tls_verify is done by VerifyConnection
		MinVersion:         uint16(t.oldest),
		CipherSuites:       allCiphers(),
		CurvePreferences:   []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
	}
	if http2 {
		c.NextProtos = []string{"h2"}
	}
	if t.verify != "" {
		c.VerifyConnection = t.verifyServer
	}
	if t.ssl != nil && t.ssl.Certificate != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return clientCertificate(t.ssl) }
	}
	return c
}

// allCiphers are those of TLS 1.2 and before, the weak ones too: a server that
// OpenSSL talks to is a server that works.
func allCiphers() (ids []uint16) {
	for _, c := range tls.CipherSuites() {
		ids = append(ids, c.ID)
	}
	for _, c := range tls.InsecureCipherSuites() {
		ids = append(ids, c.ID)
	}
	return ids
}

// verifyServer is tls_verify: the certificate is signed by the ca of the SSL
// block, or by one that this host trusts, and is one for the name.
func (t *tlsClient) verifyServer(state tls.ConnectionState) error {
	o := x509.VerifyOptions{DNSName: t.verify, Intermediates: x509.NewCertPool()}
	if t.ssl != nil && t.ssl.CA != "" {
		text, err := os.ReadFile(t.ssl.CA)
		if err != nil {
			return fmt.Errorf("read the ca of SSL: %w", err)
		}
		if o.Roots = x509.NewCertPool(); !o.Roots.AppendCertsFromPEM(text) {
			return fmt.Errorf("the ca of SSL: no certificate in %s", t.ssl.CA)
		}
	}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	return err
}

// clientCertificate is what this host shows to a server that asks for it.
func clientCertificate(s *config.SSL) (*tls.Certificate, error) {
	chain, err := os.ReadFile(s.Certificate)
	if err != nil {
		return nil, fmt.Errorf("read the certificate of SSL: %w", err)
	}
	key, err := os.ReadFile(cmp.Or(s.Key, s.Certificate))
	if err != nil {
		return nil, fmt.Errorf("read the key of SSL: %w", err)
	}
	if key, err = decryptKey(key, string(s.Password)); err != nil {
		return nil, fmt.Errorf("the key of SSL, %s: %w", cmp.Or(s.Key, s.Certificate), err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("the certificate and key of SSL: %w", err)
	}
	return &pair, nil
}

// secured says what a handshake has come to.
func secured(state tls.ConnectionState) string {
	text := fmt.Sprintf("%s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite))
	if state.NegotiatedProtocol != "" {
		text += ", ALPN " + state.NegotiatedProtocol
	}
	for _, c := range state.PeerCertificates[:min(1, len(state.PeerCertificates))] {
		text += fmt.Sprintf(", certificate of %q by %q until %s", c.Subject, c.Issuer, c.NotAfter.UTC().Format(time.DateOnly))
	}
	return text
}
