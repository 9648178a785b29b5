package parser

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// serviceName is what a service is known by.
func (w *confWriter) serviceName(keyword string, v *config.VirtualServer) string {
	switch {
	case v.Group != "":
		return "group " + w.word(keyword, v.Group)
	case v.FWMark != 0:
		return fmt.Sprintf("fwmark %d", v.FWMark)
	}
	return endpointWords(v.Addr)
}

func endpointWords(a netip.AddrPort) string { return fmt.Sprintf("%s %d", a.Addr(), a.Port()) }

func serviceWriters(*config.VirtualServer) writers[config.VirtualServer] {
	type vs = config.VirtualServer
	flag := func(bit config.SchedFlags) writer[vs] {
		return func(w *confWriter, keyword string, v, _ *vs) {
			if v.SchedFlags&bit != 0 {
				w.line(keyword)
			}
		}
	}
	return writers[vs]{
		"ip_family":           set(oneOf(families), func(v *vs) *config.Family { return &v.IPFamily }).write,
		"lb_kind":             writeMethod(func(v *vs) (config.Opt[config.Method], config.Tunnel) { return v.LBKind, v.Tunnel }),
		"ops":                 writeFlag(func(v *vs) *bool { return &v.OPS }),
		"flag-1":              flag(config.SchedFlag1),
		"flag-2":              flag(config.SchedFlag2),
		"flag-3":              flag(config.SchedFlag3),
		"persistence_engine":  set(text, func(v *vs) *string { return &v.PersistenceEngine }).write,
		"persistence_timeout": set(wholeSeconds(0, 2678400), func(v *vs) *time.Duration { return &v.PersistenceTimeout }).write,
		"persistence_granularity": func(w *confWriter, keyword string, v, def *vs) {
			switch {
			case v.PersistenceNetmask.IsValid():
				w.line(keyword, v.PersistenceNetmask.String())
			case v.PersistenceGranularity != def.PersistenceGranularity:
				w.line(keyword, strconv.Itoa(v.PersistenceGranularity))
			}
		},
		"ha_suspend":         writeFlag(func(v *vs) *bool { return &v.HASuspend }),
		"inhibit_on_failure": writeFlag(func(v *vs) *bool { return &v.InhibitOnFailure }),
		"alpha":              writeFlag(func(v *vs) *bool { return &v.Alpha }),
		"omega":              writeFlag(func(v *vs) *bool { return &v.Omega }),
		"quorum":             set(num[uint32](0, maxUint), func(v *vs) *uint32 { return &v.Quorum }).write,
		"sorry_server": func(w *confWriter, keyword string, v, _ *vs) {
			if s := v.SorryServer; s != nil {
				w.line(keyword, endpointWords(s.Addr))
			}
		},
		"sorry_server_inhibit": func(w *confWriter, keyword string, v, _ *vs) {
			if s := v.SorryServer; s != nil && s.Inhibit {
				w.line(keyword)
			}
		},
		"sorry_server_lvs_method": func(w *confWriter, keyword string, v, _ *vs) {
			if s := v.SorryServer; s != nil {
				w.method(keyword, s.Method, s.Tunnel)
			}
		},
		"real_server": writeRealServers,
	}
}

func writeMethod[T any](field func(*T) (config.Opt[config.Method], config.Tunnel)) writer[T] {
	return func(w *confWriter, keyword string, t, _ *T) {
		method, tunnel := field(t)
		w.method(keyword, method, tunnel)
	}
}

// method writes NAT | DR | TUN [type T] [port N] [checksum].
func (w *confWriter) method(keyword string, m config.Opt[config.Method], t config.Tunnel) {
	if !m.Set {
		return
	}
	line := []string{keyword, m.Value.String()}
	if t != (config.Tunnel{}) {
		line = append(line, "type", strings.ToLower(t.Type.String()), nonZero("port", t.Port))
		line = append(line, map[config.TunnelChecksum]string{config.Checksum: "csum", config.RemoteChecksum: "remcsum"}[t.Checksum])
	}
	w.line(line...)
}

// serverTables are those of real servers, of which there may be many.
type serverTables struct {
	block    *block[serverDraft]
	own      writers[serverDraft]
	checks   map[config.CheckKind]checkSchema
	checkOwn map[config.CheckKind]writers[checkDraft]
}

func (w *confWriter) serverTables() *serverTables {
	if w.server != nil {
		return w.server
	}
	w.server = &serverTables{
		block: realServerBlock(),
		own: writers[serverDraft]{
			"lvs_method": writeMethod(func(r *serverDraft) (config.Opt[config.Method], config.Tunnel) { return r.LVSMethod, r.Tunnel }),
		},
		checks: map[config.CheckKind]checkSchema{}, checkOwn: map[config.CheckKind]writers[checkDraft]{},
	}
	for _, s := range checkBlocks() {
		w.server.checks[s.kind], w.server.checkOwn[s.kind] = s, checkWriters(s.kind)
	}
	return w.server
}

// writeRealServers leaves out a server that is there already: what became the
// same when the ports were set runs as one.
func writeRealServers(w *confWriter, keyword string, v, _ *config.VirtualServer) {
	tables := w.serverTables()
	written := map[netip.AddrPort]bool{}
	for i := range v.RealServers {
		r := v.RealServers[i] // a copy: the accessors of rows make what is not there
		if written[r.Addr] {
			continue
		}
		written[r.Addr] = true
		t, def := serverDraft{RealServer: &r}, serverDraft{RealServer: &config.RealServer{}}
		if r.Timing != nil {
			t.timing = *r.Timing
		}
		w.block(keyword+" "+endpointWords(r.Addr), true, func() {
			writeRows(w, tables.block, tables.own, &t, &def)
			for k := range r.Checks {
				w.check(&r.Checks[k])
			}
		})
	}
}

// check writes a checker block. Those of a server keep their order, and so are
// written together.
func (w *confWriter) check(c *config.Check) {
	s := w.server.checks[c.Kind]
	t, def := checkDraft{Check: *c, bind: c.Source()}, checkDraft{Check: config.Check{Kind: c.Kind}}
	if c.Timing != nil {
		t.timing = *c.Timing
	}
	if s.begin != nil {
		def.Params = s.begin()
	}
	if s.kind == config.SMTPCheck {
		def.Params = cloneOf(config.DefaultSMTPParams)
	}
	w.block(string(c.Kind), true, func() { writeRows(w, s.block, w.server.checkOwn[c.Kind], &t, &def) })
}

func checkWriters(kind config.CheckKind) writers[checkDraft] {
	type check = checkDraft
	switch kind {
	case config.UDPCheck:
		return writers[check]{"payload": writePayload, "require_reply": writeReply}
	case config.DNSCheck:
		return writers[check]{"name": set(text, func(k *check) *string { return &params[config.DNSParams](k).Name }).write}
	case config.SMTPCheck:
		return writers[check]{"helo_name": set(text, func(k *check) *string { return &params[config.SMTPParams](k).HeloName }).write}
	case config.HTTPGet, config.SSLGet:
		return httpWriters(kind)
	case config.MiscCheck:
		return miscWriters()
	case config.FileCheck:
		return writers[check]{"weight": func(w *confWriter, keyword string, k, _ *check) {
			p := params[config.FileParams](k)
			w.weight(keyword, p.Weight, p.Reverse)
		}}
	}
	return nil
}

func writePayload(w *confWriter, keyword string, k, _ *checkDraft) {
	if octets := params[config.UDPParams](k).Payload; len(octets) > 0 {
		w.line(keyword, hex.EncodeToString(octets))
	}
}

// writeReply writes [HEX], where x stands for any digit.
func writeReply(w *confWriter, keyword string, k, _ *checkDraft) {
	p := params[config.UDPParams](k)
	if !p.RequireReply {
		return
	}
	digits := []byte(hex.EncodeToString(p.Reply))
	for i, known := range []byte(hex.EncodeToString(p.ReplyMask)) {
		if known == '0' {
			digits[i] = 'x'
		}
	}
	w.line(keyword, string(digits))
}

func miscWriters() writers[checkDraft] {
	type check = checkDraft
	misc := params[config.MiscParams]
	return writers[check]{
		"misc_path": func(w *confWriter, keyword string, k, _ *check) {
			w.line(keyword, w.script(keyword, misc(k).MiscPath.Line))
		},
		"misc_dynamic": writeFlag(func(k *check) *bool { return &misc(k).MiscDynamic }),
		"user": func(w *confWriter, keyword string, k, _ *check) {
			if text := w.scriptUser(keyword, &misc(k).MiscPath); text != "" {
				w.line(keyword, text)
			}
		},
	}
}

func httpWriters(kind config.CheckKind) writers[checkDraft] {
	type check = checkDraft
	http := params[config.HTTPParams]
	return writers[check]{
		"enable_sni": func(w *confWriter, keyword string, k, _ *check) {
			if p := http(k); p.EnableSNI && p.SNIName == "" {
				w.line(keyword)
			}
		},
		"sni_name": func(w *confWriter, keyword string, k, _ *check) { // it turns SNI on
			if p := http(k); p.SNIName != "" {
				w.line(keyword, w.word(keyword, p.SNIName))
				if !p.EnableSNI {
					w.line("enable_sni", "no")
				}
			}
		},
		"fast_recovery": writeBool(func(k *check) *bool { return &http(k).FastRecovery }),
		"tls_compliant": writeBool(func(k *check) *bool { return &http(k).TLSCompliant }),
		"tls_verify":    writeBool(func(k *check) *bool { return &http(k).TLSVerify }),
		"url": func(w *confWriter, keyword string, k, _ *check) {
			b := urlBlock(kind)
			for _, u := range http(k).URLs {
				t, def := urlDraft{URL: u}, urlDraft{}
				if t.hasRegex = u.Regex != nil; t.hasRegex {
					t.regex = *u.Regex
				}
				w.block(keyword, true, func() { writeRows(w, b, urlWriters(), &t, &def) })
			}
		},
	}
}

func urlWriters() writers[urlDraft] {
	type url = urlDraft
	number := func(field func(*url) uint64) writer[url] {
		return func(w *confWriter, keyword string, u, _ *url) {
			if n := field(u); n != 0 {
				w.line(keyword, fmt.Sprint(n))
			}
		}
	}
	return writers[url]{
		"digest": func(w *confWriter, keyword string, u, _ *url) {
			if u.Digest != nil {
				w.line(keyword, hex.EncodeToString(u.Digest))
			}
		},
		"status_code": func(w *confWriter, keyword string, u, _ *url) {
			if len(u.StatusCodes) > 0 {
				w.line(keyword, strings.Trim(fmt.Sprint(u.StatusCodes), "[]"))
			}
		},
		"regex": func(w *confWriter, keyword string, u, _ *url) {
			if u.hasRegex {
				w.line(keyword, regexWord(u.regex.Pattern))
			}
		},
		"regex_no_match":   writeFlag(func(u *url) *bool { return &u.regex.NoMatch }),
		"regex_options":    func(w *confWriter, keyword string, u, _ *url) { w.wordsLine(keyword, u.regex.Options) },
		"regex_min_offset": number(func(u *url) uint64 { return u.regex.MinOffset }),
		"regex_max_offset": number(func(u *url) uint64 { return u.regex.MaxOffset }),
		"regex_stack": func(w *confWriter, keyword string, u, _ *url) {
			if u.regex.StackMax != 0 {
				w.line(keyword, fmt.Sprint(u.regex.StackStart), fmt.Sprint(u.regex.StackMax))
			}
		},
	}
}

func (w *confWriter) wordsLine(keyword string, words []string) {
	if len(words) > 0 {
		w.line(keyword, strings.Join(words, " "))
	}
}

// regexWord is a pattern with the quotes and escapes of scripts. A quote within
// would end the quotes for the reader of comments and braces, a definition be
// expanded.
func regexWord(pattern string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(pattern) {
		switch c := pattern[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case c == '"', c < ' ', c == '$' && i+1 < len(pattern) && (pattern[i+1] == '{' || nameLen(pattern[i+1:]) > 0):
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
