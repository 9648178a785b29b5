package config

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// UDPParams are those of UDP_CHECK.
type UDPParams struct {
	Payload        []byte // nil: keepalived's filler text
	RequireReply   bool
	Reply          []byte // what the reply begins with, where ReplyMask has ones
	ReplyMask      []byte
	MinReplyLength uint16
	MaxReplyLength uint16
}

// DefaultUDPParams is what holds in a UDP_CHECK block that says nothing.
var DefaultUDPParams = UDPParams{MaxReplyLength: 255}

func (p *UDPParams) identity() string { return fmt.Sprintf("%+v", *p) }

// DNSParams are those of DNS_CHECK.
type DNSParams struct {
	Type string // of the question, in capitals
	Name string // empty: the root
}

// DefaultDNSParams is what holds in a DNS_CHECK block that says nothing.
var DefaultDNSParams = DNSParams{Type: "SOA"}

func (p *DNSParams) identity() string { return p.Type + " " + p.Name }

// SMTPParams are those of SMTP_CHECK.
type SMTPParams struct {
	HeloName string
}

// DefaultSMTPParams is what holds in an SMTP_CHECK block that says nothing.
var DefaultSMTPParams = SMTPParams{HeloName: "smtpchecker.keepalived.org"}

func (p *SMTPParams) identity() string { return p.HeloName }

// MiscParams are those of MISC_CHECK.
type MiscParams struct {
	MiscPath    Command
	MiscTimeout Opt[time.Duration] // the delay_loop of the virtual server when not given
	MiscDynamic bool               // the exit status is the weight, plus 2
	UserOrigin  Origin             // of the user line
	End         Origin             // of the closing brace
}

// script is the script of a MISC_CHECK; nil for any other check.
func (c *Check) script() *Command {
	if p, ok := c.Params.(*MiscParams); ok {
		return &p.MiscPath
	}
	return nil
}

func (p *MiscParams) identity() string {
	return fmt.Sprintf("%q %v %t", p.MiscPath.Line, p.MiscPath.User, p.MiscDynamic)
}

// FileParams are those of FILE_CHECK.
type FileParams struct {
	Origin    Origin // of the track_file line
	TrackFile string
	Weight    Opt[int] // that of the track_file when not given
	Reverse   bool     // likewise
}

func (p *FileParams) identity() string {
	return fmt.Sprintf("%q %d %t", p.TrackFile, p.Weight.Value, p.Reverse)
}

// over is p with the weight of its file where it has none of its own.
func (p *FileParams) over(files map[string]*TrackFile) *FileParams {
	f := files[p.TrackFile]
	if p.Weight.Set || f == nil {
		return p
	}
	resolved := *p
	resolved.Weight.Value, resolved.Reverse = f.weight(), f.Reverse
	return &resolved
}

// faultWeight is what makes a server fail, IPVS_WEIGHT_FAULT of keepalived.
const faultWeight = -65536

// Judge is what a number in the file means: whether the check holds, and what
// is added to the weight of the server. With weight 0 any number but 0 is a
// failure, and with reverse 0 is.
func (p *FileParams) Judge(number int) (up bool, w WeightChange) {
	by := p.Weight.Value
	switch {
	case by == 0:
		return (number != 0) == p.Reverse, WeightChange{}
	case p.Reverse:
		by = -by
	}
	// Numbers in files end at 32 bits, so that this does not overflow.
	product := min(max(int64(number)*int64(by), faultWeight), -faultWeight-1)
	if product <= faultWeight {
		return false, WeightChange{}
	}
	return true, WeightChange{By: int(product)}
}

// BFDParams are those of BFD_CHECK.
type BFDParams struct {
	Origin Origin // of the name line
	Name   string // of a bfd_instance
}

func (p *BFDParams) identity() string { return p.Name }

// HTTPParams are those of HTTP_GET and SSL_GET.
type HTTPParams struct {
	VirtualHost  string // Host; that of the servers, or their address, when empty
	HTTPProtocol HTTPProtocol
	EnableSNI    bool
	SNIName      string // the virtual host when empty
	FastRecovery bool   // no delay between the URLs while recovering
	TLSCompliant bool   // end TLS connections with close_notify
	URLs         []URL  // one in each cycle

	TLSVerify     bool       // the server's certificate has to be valid
	TLSMinVersion TLSVersion // 0: [DefaultTLSVersion]

	Inherited HTTPInherited // filled in by [Config.KernelServices]
}

// HTTPInherited is what HTTP_GET and SSL_GET take from outside their block.
type HTTPInherited struct {
	Host       string // virtualhost of the real server, or that of the virtual server
	ServerName string // for SNI: virtualhost of the virtual server
	SSL        *SSL   // of SSL_GET; nil: none
}

// inherit is p with what it takes from its servers.
func (p *HTTPParams) inherit(from HTTPInherited) *HTTPParams {
	if from == (HTTPInherited{}) {
		return p
	}
	all := *p
	all.Inherited = from
	return &all
}

func (p *HTTPParams) identity() string {
	id := fmt.Sprintf("%q %s %t %q %t %t %t %s %q %q", p.VirtualHost, p.HTTPProtocol, p.EnableSNI, p.SNIName, p.FastRecovery, p.TLSCompliant,
		p.TLSVerify, p.TLSMinVersion, p.Inherited.Host, p.Inherited.ServerName)
	if s := p.Inherited.SSL; s != nil {
		id += fmt.Sprintf(" %q %q %q %x", s.CA, s.Certificate, s.Key, sha256.Sum256([]byte(s.Password)))
	}
	for i := range p.URLs {
		u := p.URLs[i]
		id += fmt.Sprintf(" %q %x %v %q %t", u.Path, u.Digest, u.StatusCodes, u.VirtualHost, u.TLSCompliant)
		if u.Regex != nil {
			id += fmt.Sprintf(" %+v", *u.Regex)
		}
	}
	return id
}

// HTTPProtocol is the version that HTTP_GET speaks.
type HTTPProtocol uint8

// The versions of http_protocol.
const (
	HTTP10  HTTPProtocol = iota // 1.0
	HTTP10C                     // 1.0 with Connection: close
	HTTP11                      // 1.1 with Connection: close
	HTTP2                       // RFC 9113
)

// String is the version as keepalived.conf spells it.
func (p HTTPProtocol) String() string { return [...]string{"1.0", "1.0C", "1.1", "2"}[p%4] }

// TLSVersion is a version of TLS, as its messages spell it.
type TLSVersion uint16

// The versions of tls_min_version.
const (
	TLS10 TLSVersion = 0x0301 + iota
	TLS11
	TLS12
	TLS13
)

// DefaultTLSVersion is the lowest version of TLS that is spoken when nothing is
// said, as that of OpenSSL on Debian.
const DefaultTLSVersion = TLS12

// String is the version as keepalived.conf spells it; empty: none.
func (v TLSVersion) String() string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("1.%d", v-TLS10)
}

// URL is a url block of HTTP_GET.
type URL struct {
	Origin       Origin
	Path         string
	Digest       []byte        // MD5 of the body; nil: any
	StatusCodes  []StatusRange // accepted; nil: [DefaultStatusCodes]
	VirtualHost  string        // over that of the check
	Regex        *Regex        // of the body; nil: any
	TLSCompliant Opt[bool]
}

// StatusRange are the HTTP status codes from Low to High, both included.
type StatusRange struct{ Low, High uint16 }

// DefaultStatusCodes are those of a url block without status_code.
func DefaultStatusCodes() []StatusRange { return []StatusRange{{200, 299}} }

// Regex is a PCRE2 pattern and how it is matched.
type Regex struct {
	Pattern              string
	NoMatch              bool     // the body must not match
	Options              []string // PCRE2 names without their prefix, in lower case
	MinOffset, MaxOffset uint64   // where a match may begin; MaxOffset 0: anywhere
	StackStart, StackMax uint64   // bytes of the matcher's stack; 0: its default
}
