package checker

import (
	"context"
	"net"
	"net/http"
	"net/url"
)

// getHTTP2 is a request of HTTP/2, RFC 9113, on a connection of its own: lvsd's
// own http_protocol 2. HTTP_GET speaks it with prior knowledge.
func (h *httpGet) getHTTP2(ctx context.Context, conn net.Conn, a *answer) error {
	var versions http.Protocols
	versions.SetUnencryptedHTTP2(true) // as far as the transport knows
	only := func(context.Context, string, string) (net.Conn, error) { return newFramesConn(conn), nil }
	transport := &http.Transport{
		Protocols: &versions, DialContext: only, DialTLSContext: only,
		DisableCompression: true, MaxResponseHeaderBytes: maxHTTPHeader,
	}
	defer transport.CloseIdleConnections()
	scheme := "http"
	if h.tls != nil {
		scheme = "https"
	}
	request := (&http.Request{
		Method: http.MethodGet, Host: h.host,
		URL:    &url.URL{Scheme: scheme, Host: h.target.String(), Opaque: h.url.Path},
		Header: http.Header{"User-Agent": {"KeepAliveClient"}},
	}).WithContext(ctx)
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	t := traced(ctx)
	t.note("first", "the answer begins")
	a.status, a.length = response.StatusCode, response.ContentLength
	err = a.readBody(response.Body)
	if t != nil {
		t.note("body", "the body is over: %s", a.size())
	}
	return err
}
