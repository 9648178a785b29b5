package parser

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/internal/pcre"
)

// httpRows are the keywords of HTTP_GET and SSL_GET.
func httpRows(kind config.CheckKind) rows[checkDraft] {
	type check = checkDraft
	http := params[config.HTTPParams]
	own := rows[check]{
		"nb_get_retry":  {apply: nbGetRetry},
		"virtualhost":   set(text, func(k *check) *string { return &http(k).VirtualHost }).orMissing("HTTP_GET virtualhost name missing"),
		"http_protocol": set(oneOf(httpProtocols), func(k *check) *config.HTTPProtocol { return &http(k).HTTPProtocol }).or("Invalid http_protocol version %V").orMissing("Missing http_protocol version"),
		"enable_sni":    boolean(func(k *check, v bool) { http(k).EnableSNI = v }).or("Invalid enable_sni parameter %V"),
		"sni_name":      {apply: sniName},
		"fast_recovery": boolean(func(k *check, v bool) { http(k).FastRecovery = v }).or("Invalid fast_recovery parameter %V"),
		"url":           httpURL(kind),
	}
	if kind == config.SSLGet {
		own["tls_compliant"] = boolean(func(k *check, v bool) { http(k).TLSCompliant = v }).or("Invalid tls_compliant parameter %V")
		own["tls_verify"] = boolean(func(k *check, v bool) { http(k).TLSVerify = v }).or("Invalid tls_verify parameter %V")
		own["tls_min_version"] = set(oneOf(tlsVersions), func(k *check) *config.TLSVersion { return &http(k).TLSMinVersion }).or("Invalid tls_min_version %V").orMissing("Missing tls_min_version")
	}
	return own
}

var httpProtocols = map[string]config.HTTPProtocol{"1.0": config.HTTP10, "1.0C": config.HTTP10C, "1.0c": config.HTTP10C, "1.1": config.HTTP11, "2": config.HTTP2}

var tlsVersions = map[string]config.TLSVersion{"1.0": config.TLS10, "1.1": config.TLS11, "1.2": config.TLS12, "1.3": config.TLS13}

func nbGetRetry(c *cursor, k *checkDraft) {
	c.errorf(config.ClassGeneral, "deprecated", "nb_get_retry is deprecated - please use 'retry'")
	c.says = "Invalid nb_get_retry value '%V'"
	opt(count(0, maxUint), func(k *checkDraft) *config.Opt[int] { return &k.timing.Retry }).apply(c, k)
}

// sniName reads [STRING]; without one the virtual host is the name.
func sniName(c *cursor, k *checkDraft) {
	p := params[config.HTTPParams](k)
	p.EnableSNI = true
	if word, ok := c.next(); ok {
		p.SNIName = strings.Clone(word)
	}
}

func httpEnd(c *cursor, k *checkDraft) bool {
	if len(params[config.HTTPParams](k).URLs) == 0 {
		c.atEnd("incomplete-check", "HTTP/SSL_GET checker has no urls specified - ignoring")
		return false
	}
	return true
}

// urlDraft is a url block that is being decoded. Its regular expression and
// what belongs to it come in any order.
type urlDraft struct {
	config.URL
	regex    config.Regex
	hasRegex bool
}

func httpURL(kind config.CheckKind) row[checkDraft] {
	b := urlBlock(kind)
	return row[checkDraft]{block: true, apply: func(c *cursor, k *checkDraft) {
		u := urlDraft{URL: config.URL{Origin: c.origin()}}
		decode(c.d, b, c.st.Body, &u)
		switch {
		case u.hasRegex && u.regex.MaxOffset != 0 && u.regex.MinOffset > u.regex.MaxOffset:
			c.problem(config.Warning, config.ClassNone, "invalid-value",
				fmt.Sprintf("regex min offset %d > regex_max_offset %d - ignoring", u.regex.MinOffset, u.regex.MaxOffset))
			u.regex.MinOffset, u.regex.MaxOffset = 0, 0
			fallthrough
		case u.hasRegex:
			u.Regex = &u.regex
			if err := pcre.Check(u.regex.Pattern, u.regex.Options); err != nil {
				c.problem(config.Warning, config.ClassNone, "invalid-value", fmt.Sprintf("Invalid regex: '%s': %v", u.regex.Pattern, err))
			}
		case u.regex.NoMatch || u.regex.Options != nil || u.regex.MinOffset != 0 || u.regex.MaxOffset != 0 || u.regex.StackMax != 0:
			c.problem(config.Warning, config.ClassNone, "incomplete-check", "regex parameters specified without regex")
		}
		if u.Path == "" {
			c.atEnd("incomplete-check", "HTTP/SSL_GET checker url has no path - ignoring")
			return
		}
		p := params[config.HTTPParams](k)
		p.URLs = append(p.URLs, u.URL)
	}}
}

func urlBlock(kind config.CheckKind) *block[urlDraft] {
	b := &block[urlDraft]{path: checkPath(kind) + "/url", rows: rows[urlDraft]{
		"path":             replaced("path", func(u *urlDraft) *string { return &u.Path }),
		"digest":           {apply: urlDigest},
		"status_code":      {apply: urlStatus},
		"virtualhost":      replaced("url virtualhost", func(u *urlDraft) *string { return &u.VirtualHost }).orMissing("Missing HTTP_GET virtualhost name"),
		"regex":            {apply: urlRegex},
		"regex_no_match":   on(func(u *urlDraft) { u.regex.NoMatch = true }),
		"regex_options":    {apply: regexOptions},
		"regex_min_offset": {apply: regexOffset(func(u *urlDraft) *uint64 { return &u.regex.MinOffset })},
		"regex_max_offset": {apply: regexOffset(func(u *urlDraft) *uint64 { return &u.regex.MaxOffset })},
		"regex_stack":      {apply: regexStack},
	}}
	if kind == config.SSLGet {
		b.rows["tls_compliant"] = optBool(func(u *urlDraft) *config.Opt[bool] { return &u.TLSCompliant }).or("Invalid tls_compliant parameter %V")
	}
	return b
}

// replaced is a text of which the last one counts, with a complaint about the
// others.
func replaced[T any](name string, field func(*T) *string) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		word, ok := c.need()
		if !ok {
			return
		}
		at := field(t)
		if *at != "" {
			c.errorf(config.ClassGeneral, "duplicate", "Duplicate %s - overwriting %s with %s", name, *at, word)
		}
		*at = strings.Clone(word)
	}, write: set(text, field).write}
}

// urlDigest reads the MD5 of a body; of two the first counts.
func urlDigest(c *cursor, u *urlDraft) {
	const length = 32
	word, ok := c.need()
	if !ok {
		return
	}
	digest, err := hex.DecodeString(word)
	switch {
	case u.Digest != nil:
		c.errorf(config.ClassGeneral, "duplicate", "Digest '%s' is a duplicate", word)
	case len(word) != length:
		c.errorf(config.ClassGeneral, "invalid-value", "digest '%s' character length should be %d rather than %d", word, length, len(word))
	case err != nil:
		pair := lastBadPair(word) // keepalived reads from the end, and cuts off what is well
		c.errorf(config.ClassGeneral, "invalid-value", "Unable to interpret hex digit in '%s' at offset %d/%d", word[:pair+2], pair, pair+1)
	default:
		u.Digest = digest
	}
}

// urlStatus reads CODE | LOW-HIGH ...; several lines add up.
func urlStatus(c *cursor, u *urlDraft) {
	code := num[uint16](100, 599)
	for word, ok := c.need(); ok; word, ok = c.next() {
		low, high, isRange := strings.Cut(word, "-")
		if !isRange {
			high = low
		}
		from, f := code(low)
		to, f2 := code(high)
		if f != nil || f2 != nil || to < from {
			c.errorf(config.ClassGeneral, "invalid-value", "Invalid HTTP_GET status code '%s'", word)
			continue
		}
		u.StatusCodes = append(u.StatusCodes, config.StatusRange{Low: from, High: to})
	}
}

// urlRegex reads a pattern with keepalived's quotes and escapes.
func urlRegex(c *cursor, u *urlDraft) {
	line := c.tail()
	if quote, _, open := config.UnclosedQuote(line); open {
		c.errorf(config.ClassUnmatchedQuote, "unmatched-quote", "String '%s': missing terminating %c", Conceal(c.st.Line), quote)
		return
	}
	words := config.Words(line)
	switch {
	case len(words) != 1 || words[0] == "":
		c.problem(config.Warning, config.ClassNone, "extra-words", "regex missing or too many fields")
		return
	case u.hasRegex:
		c.errorf(config.ClassGeneral, "duplicate", "Duplicate regex specified - replacing %s with %s", u.regex.Pattern, words[0])
	}
	u.regex.Pattern, u.hasRegex = strings.Clone(words[0]), true
}

// regexOptions reads names of PCRE2 options; keepalived ignores what it does
// not know.
func regexOptions(c *cursor, u *urlDraft) {
	const known = ` allow_empty_class alt_bsux auto_callout caseless dollar_endonly dotall dupnames extended firstline match_unset_backref multiline
		never_ucp never_utf no_auto_capture no_auto_possess no_dotstar_anchor no_start_optimize ucp ungreedy utf never_backslash_c alt_circumflex
		alt_verbnames use_offset_limit `
	names := strings.Fields(known)
	for word, ok := c.next(); ok; word, ok = c.next() {
		if !slices.Contains(names, word) {
			c.problem(config.Warning, config.ClassNone, "invalid-value", fmt.Sprintf("unknown regex option %s - ignoring", word))
			continue
		}
		u.regex.Options = append(u.regex.Options, strings.Clone(word))
	}
}

// regexOffset reads a number of octets. keepalived says nothing in -t about one
// that it ignores.
func regexOffset(field func(*urlDraft) *uint64) func(*cursor, *urlDraft) {
	return func(c *cursor, u *urlDraft) {
		word, ok := c.next()
		n, err := strconv.ParseUint(word, 10, 63)
		if !ok || err != nil {
			c.problem(config.Warning, config.ClassNone, "invalid-value", fmt.Sprintf("Invalid %s %s specified", c.keyword, word))
			return
		}
		*field(u) = n
	}
}

// regexStack reads START MAX.
func regexStack(c *cursor, u *urlDraft) {
	first, _ := c.next()
	second, ok := c.next()
	start, err := strconv.ParseUint(first, 10, 63)
	most, err2 := strconv.ParseUint(second, 10, 63)
	says := ""
	switch {
	case !ok:
		says = "regex_stack requires start and max values"
	case err != nil || start == 0:
		says = "regex_stack invalid start value"
	case err2 != nil || most == 0:
		says = "regex_stack invalid max value"
	case start > most:
		says = "regex stack start cannot exceed max value"
	default:
		u.regex.StackStart, u.regex.StackMax = start, most
		return
	}
	c.problem(config.Warning, config.ClassNone, "invalid-value", says)
}

func sslBlock() *block[config.SSL] {
	type ssl = config.SSL
	b := &block[ssl]{path: "SSL", rows: rows[ssl]{
		"password":    {apply: sslPassword, missing: "SSL password missing"},
		"ca":          replaced("SSL", func(s *ssl) *string { return &s.CA }).orMissing("SSL cafile missing"),
		"certificate": replaced("SSL", func(s *ssl) *string { return &s.Certificate }).orMissing("SSL certfile missing"),
		"key":         replaced("SSL", func(s *ssl) *string { return &s.Key }).orMissing("SSL keyfile missing"),
	}}
	return b
}

// sslPassword keeps the password out of the complaint about a second one,
// other than keepalived.
func sslPassword(c *cursor, s *config.SSL) {
	word, ok := c.need()
	if !ok {
		return
	}
	if s.Password != "" {
		c.errorf(config.ClassGeneral, "duplicate", "Duplicate SSL - overwriting password")
	}
	s.Password = config.Secret(strings.Clone(word))
}

// sslContext: a second block replaces the first.
func (s *schema) sslContext(c *cursor, cfg *config.Config) {
	if cfg.SSL != nil {
		c.errorf(config.ClassGeneral, "duplicate", "SSL context already specified - replacing")
	}
	cfg.SSL = &config.SSL{Origin: c.origin()}
	c.d.begin("SSL", "SSL")
	decode(c.d, s.ssl, c.st.Body, cfg.SSL)
}

// lastBadPair is where the last two digits are that are no octet.
func lastBadPair(word string) int {
	for at := len(word) - 2; at > 0; at -= 2 {
		if _, err := hex.DecodeString(word[at : at+2]); err != nil {
			return at
		}
	}
	return 0
}
