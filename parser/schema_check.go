package parser

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// checkDraft is a checker block that is being decoded. What checks share is
// found at its end.
type checkDraft struct {
	config.Check
	timing config.Timing
	bind   config.Bind
	hosts  []checkDraft // further checks, of SMTP_CHECK
}

// params are the parameters of the draft, which are of its kind.
func params[P any](k *checkDraft) *P { return any(k.Params).(*P) }

// checkSchema is a kind of check: its keywords, the parameters that it begins
// with, and what is looked at when it ends. A check that end does not keep is
// dropped.
type checkSchema struct {
	kind  config.CheckKind
	block *block[checkDraft]
	begin func() config.Params
	end   func(*cursor, *checkDraft) bool
}

// checkBlocks are all kinds of checks.
func checkBlocks() []checkSchema {
	return []checkSchema{
		{config.TCPCheck, networkCheck(config.TCPCheck, nil), nil, nil},
		{config.PingCheck, networkCheck(config.PingCheck, nil), nil, nil},
		{config.UDPCheck, networkCheck(config.UDPCheck, udpRows()), func() config.Params { return cloneOf(config.DefaultUDPParams) }, udpEnd},
		{config.DNSCheck, networkCheck(config.DNSCheck, dnsRows()), func() config.Params { return cloneOf(config.DefaultDNSParams) }, nil},
		{config.SMTPCheck, networkCheck(config.SMTPCheck, smtpRows()), func() config.Params { return new(config.SMTPParams) }, smtpEnd},
		{config.HTTPGet, networkCheck(config.HTTPGet, httpRows(config.HTTPGet)), func() config.Params { return new(config.HTTPParams) }, httpEnd},
		{config.SSLGet, networkCheck(config.SSLGet, httpRows(config.SSLGet)), func() config.Params { return new(config.HTTPParams) }, httpEnd},
		{config.MiscCheck, miscCheck(), func() config.Params { return new(config.MiscParams) }, miscEnd},
		{config.FileCheck, fileCheck(), func() config.Params { return new(config.FileParams) }, fileEnd},
		{config.BFDCheck, bfdCheck(), func() config.Params { return new(config.BFDParams) }, bfdEnd},
	}
}

func cloneOf[T any](v T) *T { return &v }

// checkRow is a checker block.
func checkRow(s checkSchema) row[serverDraft] {
	return row[serverDraft]{block: true, apply: func(c *cursor, r *serverDraft) {
		k := &c.d.probe
		*k = checkDraft{Check: config.Check{Kind: s.kind, Origin: c.origin()}}
		if s.begin != nil {
			k.Params = s.begin()
		}
		decode(c.d, s.block, c.st.Body, k)
		keep := s.end == nil || s.end(c, k)
		keep = keep && (len(k.hosts) == 0 || k.connects())
		c.reachable(k)
		if keep {
			r.Checks = append(r.Checks, c.d.check(k))
		}
		for i := range k.hosts {
			h := &k.hosts[i]
			h.timing = hostTiming(h.timing, k.timing)
			r.Checks = append(r.Checks, c.d.check(h))
		}
	}}
}

// reachable reports an address that says nothing without its link.
func (c *cursor) reachable(k *checkDraft) {
	if ip := k.ConnectIP; ip.Is6() && ip.IsLinkLocalUnicast() && k.bind.BindIf == "" {
		c.atEnd("incomplete-check", "Checker link local address %s requires a bind_if", ip)
	}
}

// check is a draft when it is finished.
func (d *decoder) check(k *checkDraft) config.Check {
	k.Timing = d.shared(k.timing)
	if k.bind != (config.Bind{}) {
		bind := k.bind
		k.Bind = &bind
	}
	return k.Check
}

// atEnd reports an error at the closing brace of the block of this line.
func (c *cursor) atEnd(code, format string, args ...any) {
	c.d.problem(c.st.Body.Close.Pos, config.Error, config.ClassGeneral, code, fmt.Sprintf(format, args...))
}

func checkPath(kind config.CheckKind) string { return "virtual_server/real_server/" + string(kind) }

// networkCheck are the keywords that every check with a target has, and those
// of its own.
func networkCheck(kind config.CheckKind, own rows[checkDraft]) *block[checkDraft] {
	b := &block[checkDraft]{path: checkPath(kind), rows: own}
	if own == nil {
		b.rows = rows[checkDraft]{}
	}
	connection(b.rows, func(k *checkDraft) *checkDraft { return k })
	checkTiming(b.rows, func(k *checkDraft) *config.Timing { return &k.timing })
	return b
}

// connection adds the keywords about the target and the way to it.
func connection[T any](to rows[T], at func(*T) *checkDraft) {
	to["connect_ip"] = sameFamily("connect_ip", func(t *T) *netip.Addr { return &at(t).ConnectIP }, "bindto", func(_ *cursor, t *T) netip.Addr { return at(t).bind.BindTo })
	to["connect_port"] = set(num[uint16](1, 65535), func(t *T) *uint16 { return &at(t).ConnectPort }).or("Invalid checker connect_port '%V'")
	to["bindto"] = sameFamily("bindto", func(t *T) *netip.Addr { return &at(t).bind.BindTo }, "connect_ip", func(c *cursor, t *T) netip.Addr {
		if target := at(t).ConnectIP; target.IsValid() {
			return target
		}
		return c.d.server.Addr.Addr()
	})
	to["bind_port"] = set(num[uint16](1, 65535), func(t *T) *uint16 { return &at(t).bind.BindPort }).or("Invalid checker bind_port '%V'")
	to["bind_if"] = set(ifname, func(t *T) *string { return &at(t).bind.BindIf }).or("Interface name %V is too long - ignoring")
	to["fwmark"] = set(num[uint32](0, maxUint), func(t *T) *uint32 { return &at(t).bind.FWMark }).or("Invalid fwmark connection value '%V'")
	connectTimeout(to, "connect_timeout %V invalid - ignoring", func(t *T) *config.Timing { return &at(t).timing })
}

// sameFamily is an address that must be of the family of another one, if there
// is such.
func sameFamily[T any](keyword string, field func(*T) *netip.Addr, other string, peer func(*cursor, *T) netip.Addr) row[T] {
	return row[T]{says: "Invalid " + keyword + " address %V - ignoring", apply: func(c *cursor, t *T) {
		word, ok := c.need()
		if !ok {
			return
		}
		a, f := address(word)
		switch p := peer(c, t); {
		case f != nil:
			c.invalid(f, word)
		case p.IsValid() && p.Is6() != a.Is6():
			c.errorf(config.ClassGeneral, "address-family", "%s address %s does not match address family of %s - skipping", keyword, a, other)
		default:
			*field(t) = a
		}
	}, write: set(address, field).write}
}

// checkTiming adds the keywords of timing that a check has.
func checkTiming[T any](to rows[T], at func(*T) *config.Timing) {
	timing(to, 0, "Invalid retry connection value '%V'", at)
	to["alpha"] = optBool(func(t *T) *config.Opt[bool] { return &at(t).Alpha }).or("Invalid alpha parameter %V")
	to["log_all_failures"] = optBool(func(t *T) *config.Opt[bool] { return &at(t).LogAllFailures }).or("Invalid log_all_failures parameter %V")
}

// timing adds the keywords that checks inherit.
func timing[T any](to rows[T], leastRetry int64, badRetry string, at func(*T) *config.Timing) {
	type delay = config.Opt[time.Duration]
	to["delay_loop"] = opt(seconds(time.Microsecond, longTime), func(t *T) *delay { return &at(t).DelayLoop }).or("delay_loop '%V' is invalid - ignoring")
	to["warmup"] = opt(seconds(0, longTime), func(t *T) *delay { return &at(t).Warmup })
	to["delay_before_retry"] = opt(seconds(0, longTime), func(t *T) *delay { return &at(t).DelayBeforeRetry })
	to["retry"] = opt(count(leastRetry, maxUint), func(t *T) *config.Opt[int] { return &at(t).Retry }).or(badRetry)
}

func connectTimeout[T any](to rows[T], says string, at func(*T) *config.Timing) {
	to["connect_timeout"] = opt(seconds(time.Microsecond, maxUint*time.Microsecond), func(t *T) *config.Opt[time.Duration] { return &at(t).ConnectTimeout }).or(says)
}

func udpRows() rows[checkDraft] {
	type check = checkDraft
	return rows[check]{
		"payload":          {apply: udpPayload},
		"require_reply":    {apply: udpReply},
		"min_reply_length": set(num[uint16](0, 65535), func(k *check) *uint16 { return &params[config.UDPParams](k).MinReplyLength }).or("UDP_CHECK min length %V not valid - must be between 0 & 65535"),
		"max_reply_length": set(num[uint16](0, 65535), func(k *check) *uint16 { return &params[config.UDPParams](k).MaxReplyLength }).or("UDP_CHECK max length %V not valid - must be between 0 & 65535"),
	}
}

// udpPayload reads octets in hexadecimal.
func udpPayload(c *cursor, k *checkDraft) {
	text := c.hexText()
	if text == "" {
		c.errorf(config.ClassGeneral, "missing-parameter", "UDP_CHECK payload requires a payload")
		return
	}
	octets, _, ok := maskedHex(text, "")
	if !ok || len(octets) == 0 {
		c.errorf(config.ClassGeneral, "invalid-value", "Invalid hex string for UDP_CHECK payload")
		return
	}
	params[config.UDPParams](k).Payload = octets
}

// udpReply reads [HEX], where x stands for any digit.
func udpReply(c *cursor, k *checkDraft) {
	text := c.hexText()
	octets, mask, ok := maskedHex(text, "xX")
	if !ok || text != "" && len(octets) == 0 {
		c.errorf(config.ClassGeneral, "invalid-value", "Invalid hex string for UDP_CHECK reply")
		return
	}
	p := params[config.UDPParams](k)
	p.RequireReply, p.Reply, p.ReplyMask = true, octets, mask
}

// hexText is the rest of a line without quotes.
func (c *cursor) hexText() string { return strings.ReplaceAll(c.tail(), `"`, " ") }

// maskedHex reads octets of two digits, with blanks between them or not; a
// digit that stands alone is an octet, too. The mask has zeros where a wild
// digit stands.
func maskedHex(text, wild string) (octets, mask []byte, ok bool) {
	for _, word := range strings.Fields(text) {
		for word != "" {
			n := min(2, len(word))
			var octet, known byte
			for _, digit := range []byte(word[:n]) {
				octet, known = octet<<4, known<<4
				if strings.IndexByte(wild, digit) >= 0 {
					continue
				}
				v, err := strconv.ParseUint(string(digit), 16, 8)
				if err != nil {
					return nil, nil, false
				}
				octet, known = octet|byte(v), known|0xf
			}
			if n == 1 {
				known |= 0xf0
			}
			octets, mask, word = append(octets, octet), append(mask, known), word[n:]
		}
	}
	return octets, mask, true
}

func udpEnd(c *cursor, k *checkDraft) bool {
	if p := params[config.UDPParams](k); p.MinReplyLength > p.MaxReplyLength {
		c.atEnd("invalid-value", "UDP_CHECK min_reply length %d > max_reply_length %d - will always fail", p.MinReplyLength, p.MaxReplyLength)
	}
	return true
}

func dnsRows() rows[checkDraft] {
	types := map[string]string{}
	for _, name := range strings.Fields("A NS CNAME SOA MX TXT AAAA RRSIG DNSKEY") {
		types[name] = name
	}
	return rows[checkDraft]{
		"type": set(upper(types), func(k *checkDraft) *string { return &params[config.DNSParams](k).Type }).or("Unknown DNS check type %V - ignoring"),
		"name": {apply: dnsName},
	}
}

// dnsName: of two names the first counts. The root is a dot.
func dnsName(c *cursor, k *checkDraft) {
	word, ok := c.need()
	p := params[config.DNSParams](k)
	name := strings.TrimSuffix(word, ".")
	switch {
	case !ok:
	case p.Name != "":
		c.errorf(config.ClassGeneral, "duplicate", "DNS_CHECK name already specified - ignoring")
	case name != "" && strings.Contains("."+name+".", ".."):
		c.errorf(config.ClassGeneral, "invalid-value", "DNS_CHECK name '%s' has empty label - ignoring", word)
	default:
		p.Name = strings.Clone(name)
	}
}

func smtpRows() rows[checkDraft] {
	return rows[checkDraft]{"helo_name": {apply: smtpHelo}, "host": smtpHost()}
}

func smtpHelo(c *cursor, k *checkDraft) {
	p := params[config.SMTPParams](k)
	c.missing = "SMTP_CHECK helo name missing"
	switch word, ok := c.need(); {
	case !ok:
	case p.HeloName != "":
		c.errorf(config.ClassGeneral, "duplicate", "SMTP_CHECK helo name already specified")
	default:
		p.HeloName = strings.Clone(word)
	}
}

// smtpHostDraft is a host block: the connection is its own, the rest is said
// about the check around it.
type smtpHostDraft struct {
	host   checkDraft
	parent *checkDraft
}

// smtpHost is the deprecated way to have several checks in one block.
func smtpHost() row[checkDraft] {
	b := smtpHostBlock()
	return row[checkDraft]{block: true, apply: func(c *cursor, k *checkDraft) {
		c.problem(config.Warning, config.ClassNone, "deprecated", "The SMTP_CHECK host block is deprecated. Please define additional checkers.")
		h := smtpHostDraft{parent: k, host: checkDraft{Check: config.Check{Kind: k.Kind, Origin: c.origin(), Params: k.Params}}}
		decode(c.d, b, c.st.Body, &h)
		c.reachable(&h.host)
		k.hosts = append(k.hosts, h.host)
		c.complete = true
	}}
}

func smtpHostBlock() *block[smtpHostDraft] {
	b := &block[smtpHostDraft]{path: checkPath(config.SMTPCheck) + "/host", rows: rows[smtpHostDraft]{}}
	connection(b.rows, func(h *smtpHostDraft) *checkDraft { return &h.host })
	checkTiming(b.rows, func(h *smtpHostDraft) *config.Timing { return &h.parent.timing })
	return b
}

// connects reports whether something is said about the connection of a check. A
// check around host blocks that says nothing of its own stands for those alone.
func (k *checkDraft) connects() bool {
	return k.ConnectIP.IsValid() || k.ConnectPort != 0 || k.bind != (config.Bind{}) || k.timing.ConnectTimeout.Set
}

// hostTiming is the timing of the check with the connect_timeout of the host.
func hostTiming(host, check config.Timing) config.Timing {
	if host.ConnectTimeout.Set {
		check.ConnectTimeout = host.ConnectTimeout
	}
	return check
}

func smtpEnd(_ *cursor, k *checkDraft) bool {
	if p := params[config.SMTPParams](k); p.HeloName == "" {
		*p = config.DefaultSMTPParams
	}
	return true
}

func miscCheck() *block[checkDraft] {
	type check = checkDraft
	misc := params[config.MiscParams]
	b := &block[check]{path: checkPath(config.MiscCheck), rows: rows[check]{
		"misc_path": {apply: miscPath},
		"misc_timeout": opt(wholeSeconds(0, maxUint), func(k *check) *config.Opt[time.Duration] { return &misc(k).MiscTimeout }).
			or("Invalid misc_timeout value '%V'"),
		"misc_dynamic": on(func(k *check) { misc(k).MiscDynamic = true }),
		"user": {apply: func(c *cursor, k *check) {
			misc(k).UserOrigin = c.origin()
			user(func(k *check) *config.User { return &misc(k).MiscPath.User }).apply(c, k)
		}},
	}}
	checkTiming(b.rows, func(k *check) *config.Timing { return &k.timing })
	return b
}

// miscPath reads CMD; the user has a keyword of its own.
func miscPath(c *cursor, k *checkDraft) {
	p := params[config.MiscParams](k)
	if trimLeft(c.rest) == "" {
		return // keepalived complains at the end of the block
	}
	user := p.MiscPath.User
	rest := trim(c.rest)
	cmd, ok := c.command()
	if !ok {
		return
	}
	if cmd.User != (config.User{}) {
		c.problem(config.Warning, config.ClassNone, "extra-words", "misc_path takes one word, ignoring what follows: quote a command with arguments: \""+rest+`"`)
	}
	cmd.User = user
	p.MiscPath = cmd
}

func miscEnd(c *cursor, k *checkDraft) bool {
	p := params[config.MiscParams](k)
	if p.End = c.d.src.origin(c.st.Body.Close.Pos); p.MiscPath.IsZero() {
		c.atEnd("incomplete-check", "No script path has been specified for MISC_CHECKER - skipping")
		return false
	}
	return true
}

func fileCheck() *block[checkDraft] {
	return &block[checkDraft]{path: checkPath(config.FileCheck), rows: rows[checkDraft]{
		"track_file": set(text, func(k *checkDraft) *string { return &params[config.FileParams](k).TrackFile }).at(func(k *checkDraft) *config.Origin { return &params[config.FileParams](k).Origin }),
		"weight":     {apply: fileWeight},
	}}
}

// fileWeight reads INT [reverse | noreverse].
func fileWeight(c *cursor, k *checkDraft) {
	p := params[config.FileParams](k)
	c.missing = "track file weight missing"
	word, ok := c.need()
	if !ok {
		return
	}
	n, f := count(-maxWeight, maxWeight)(word)
	if f != nil {
		c.errorf(f.class, f.code, "weight for track file must be in [-65535..65535] inclusive. Ignoring...")
		c.complete = true
		return
	}
	p.Weight, p.Reverse = config.Some(n), false
	switch option, ok := c.next(); {
	case !ok:
	case option == "reverse":
		p.Reverse = true
	case option != "noreverse":
		c.errorf(config.ClassGeneral, "invalid-value", "unknown track file weight option %s - ignoring", option)
	}
}

func fileEnd(c *cursor, k *checkDraft) bool {
	if params[config.FileParams](k).TrackFile == "" {
		c.atEnd("incomplete-check", "FILE_CHECK has no track_file specified - ignoring")
		return false
	}
	return true
}

func bfdCheck() *block[checkDraft] {
	return &block[checkDraft]{path: checkPath(config.BFDCheck), rows: rows[checkDraft]{
		"name":  set(text, func(k *checkDraft) *string { return &params[config.BFDParams](k).Name }).at(func(k *checkDraft) *config.Origin { return &params[config.BFDParams](k).Origin }),
		"alpha": optBool(func(k *checkDraft) *config.Opt[bool] { return &k.timing.Alpha }).or("Invalid alpha parameter %V"),
	}}
}

func bfdEnd(c *cursor, k *checkDraft) bool {
	if params[config.BFDParams](k).Name == "" {
		c.atEnd("incomplete-check", "(%s) No name has been specified for BFD_CHECKER - skipping", config.ServiceKey{Addr: c.d.server.Addr, Protocol: c.d.server.protocol})
		return false
	}
	return true
}
