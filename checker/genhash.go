package checker

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Genhash asks a web server for a page as HTTP_GET and SSL_GET do, and prints
// the digest that they compare: genhash(1).
type Genhash struct {
	Server      netip.AddrPort
	Path        string
	VirtualHost string // Host; the server's address when empty
	TLS         bool
	SNI         bool // tell VirtualHost in the handshake
	FWMark      uint32
	Protocol    config.HTTPProtocol
	Timeout     time.Duration // as connect_timeout
	Verbose     bool          // print the answer, too
}

// Run prints what genhash prints, to stdout but for an answer without content.
func (g *Genhash) Run(ctx context.Context, stdout, stderr io.Writer) error {
	began := time.Now()
	h, err := g.request()
	if err != nil {
		return err
	}
	a := answer{text: &collector{digest: md5.New()}}
	if g.Verbose {
		a.watch = func(header string, begun bool) { printHeader(stdout, header, begun) }
		a.text.watch = func(b []byte) { hexDump(stdout, b) }
	}
	err = h.fetch(ctx, &a)
	r := httpFailureOr(err)
	switch {
	case err == nil:
		g.printDigest(stdout, a.text.digest.Sum(nil))
	case r.Said == saysNoData:
		fmt.Fprintln(stderr, "no data received from remote webserver")
	case r.Local != "":
		return errors.New(r.Reason)
	default:
		what, _, _ := strings.Cut(r.Said, " server %s")
		fmt.Fprintln(stdout, strings.TrimSuffix(what, "."))
	}
	if g.Verbose {
		fmt.Fprintf(stdout, "\nGlobal response time for [%s] = %d usecs\n", g.Path, time.Since(began).Microseconds())
	}
	return nil
}

// request is that of a check.
func (g *Genhash) request() (*httpGet, error) {
	check := config.Check{
		Kind: config.HTTPGet, ConnectIP: g.Server.Addr(), ConnectPort: g.Server.Port(),
		Timing: &config.Timing{ConnectTimeout: config.Some(g.Timeout)},
		Params: &config.HTTPParams{VirtualHost: g.VirtualHost, HTTPProtocol: g.Protocol, EnableSNI: g.SNI, URLs: []config.URL{{Path: g.Path}}},
	}
	if g.TLS {
		check.Kind = config.SSLGet
	}
	if g.FWMark != 0 {
		check.Bind = &config.Bind{FWMark: g.FWMark}
	}
	p := check.Params.(*config.HTTPParams)
	return newHTTPGet(check, p, &p.URLs[0], nil)
}

// httpFailureOr is what became of a request, with its sentence in any case.
func httpFailureOr(err error) Result {
	if err == nil {
		return Result{Up: true}
	}
	r := httpFailure(err)
	switch {
	case r.Said != "":
	case r.Timeout:
		r.Said = httpPhrases.timeout
	default:
		r.Said = httpPhrases.failure
	}
	return r
}

func (g *Genhash) printDigest(w io.Writer, digest []byte) {
	if g.Verbose {
		fmt.Fprint(w, "\n-----------------------[    HTML hash resulting    ]-----------------------\n")
		hexDump(w, digest)
		fmt.Fprint(w, "-----------------------[ HTML hash final resulting ]-----------------------\n")
	}
	fmt.Fprintf(w, "%x\n", digest)
}

func printHeader(w io.Writer, header string, begun bool) {
	fmt.Fprint(w, "-----------------------[    HTTP Header Buffer    ]-----------------------\n")
	hexDump(w, []byte(header))
	fmt.Fprintf(w, "-----------------------[ HTTP Header Ascii Buffer ]-----------------------\n%s\n", header)
	if begun {
		fmt.Fprint(w, "-----------------------[        HTML Buffer        ]-----------------------\n")
	}
}

// hexDump prints sixteen octets in a line, in hexadecimal and as ASCII.
func hexDump(w io.Writer, b []byte) {
	const width, half = 16, 8
	for at := 0; at < len(b); at += width {
		var line strings.Builder
		fmt.Fprintf(&line, "%04d  ", at)
		text := []byte(strings.Repeat(" ", width))
		for i := range width {
			if i == half {
				line.WriteString("- ")
			}
			if at+i >= len(b) {
				line.WriteString("   ")
				continue
			}
			c := b[at+i]
			fmt.Fprintf(&line, "%02x ", c)
			if text[i] = c; c < ' ' || c > '~' {
				text[i] = '.'
			}
		}
		fmt.Fprintf(w, "%s  %s\n", line.String(), text)
	}
}
