package config

import "strings"

// operators are what makes a script line one for a shell, longest first.
var operators = [...]string{"&&", "||", "$(", "|", ";", "<", ">", "&", "`"}

// NewCommand is the command of a script line: the text of a notify*, script or
// misc_path value, without the double quotes that the configuration put around
// it. A line with a shell operator outside quotes, see [Operator], is left
// whole for /bin/sh -c; any other is split into the words that are executed,
// with the quotes and escapes of keepalived.conf(5), "Quoted strings".
//
// A line with an unclosed quote, see [UnclosedQuote], is not fit to run; its
// last word goes to the end of the line.
func NewCommand(line string, user User, origin Origin) Command {
	c := Command{Line: line, User: user, Origin: origin}
	if s := scan(line); s.op != "" {
		c.Shell = true
	} else {
		c.Args = s.args
	}
	return c
}

// Operator is the first shell operator of a script line that stands outside
// quotes, and its offset in bytes: one of && || | ; < > & $( and the
// backquote. A backslash takes an operator its meaning.
func Operator(line string) (op string, offset int, ok bool) {
	s := scan(line)
	return s.op, s.opAt, s.op != ""
}

// UnclosedQuote is the quote of a script line that is opened and not closed,
// and its offset in bytes. keepalived ignores such a script, with an error.
func UnclosedQuote(line string) (quote byte, offset int, ok bool) {
	s := scan(line)
	return s.quote, s.quoteAt, s.quote != 0
}

// scriptAccount is who runs scripts when nobody is named, if there is such an
// account; with enable_script_security there must be.
var scriptAccount = User{Name: "keepalived_script"}

// HasScripts reports whether there is any command to run.
func (c *Config) HasScripts() (found bool) {
	c.eachCommand(func(*Command) { found = true })
	return found
}

// DefaultScriptUser makes scripts without a user run as keepalived_script where
// the machine has that account, as keepalived does.
func (g *Global) DefaultScriptUser(env Environment) {
	if env == nil || !env.HasUser(scriptAccount) {
		return
	}
	if g.ScriptUser == (User{}) {
		g.ScriptUser = scriptAccount
	}
	for _, cmd := range []*Command{&g.StartupScript, &g.ShutdownScript} {
		if !cmd.IsZero() && cmd.User == (User{}) {
			cmd.User = scriptAccount
		}
	}
}

// UserSoFar is whom a startup or shutdown script without a user runs as, when
// no more of global_defs was read: keepalived settles that with its line.
func (g *Global) UserSoFar() User {
	if g.ScriptUser == (User{}) && g.EnableScriptSecurity {
		return scriptAccount
	}
	return g.ScriptUser
}

// scriptUsers gives script_user to every script without a USER of its own, and
// what global_defs say about scripts.
func (c *Config) scriptUsers() {
	g := &c.Global
	c.eachCommand(func(cmd *Command) {
		if cmd.User == (User{}) && cmd != &g.StartupScript && cmd != &g.ShutdownScript {
			cmd.User = g.ScriptUser
		}
		cmd.AllGroups, cmd.Secure = g.SetSupplementaryGroups, g.EnableScriptSecurity
	})
	for _, f := range g.FIFO.each() {
		if f.Path != "" && f.User == (User{}) {
			f.User = g.ScriptUser
		}
	}
}

func (f *FIFOs) each() []*FIFO { return []*FIFO{&f.Notify, &f.VRRPNotify, &f.LVSNotify} }

// eachCommand visits the scripts of the configuration.
func (c *Config) eachCommand(visit func(*Command)) {
	all := func(commands ...*Command) {
		for _, cmd := range commands {
			if !cmd.IsZero() {
				visit(cmd)
			}
		}
	}
	all(&c.Global.StartupScript, &c.Global.ShutdownScript)
	for i := range c.Scripts {
		all(&c.Scripts[i].Script)
	}
	for _, f := range c.Global.FIFO.each() {
		all(&f.Script)
	}
	for i := range c.Groups {
		g := &c.Groups[i]
		all(&g.Notify, &g.NotifyMaster, &g.NotifyBackup, &g.NotifyFault, &g.NotifyStop)
	}
	for i := range c.Instances {
		all(c.Instances[i].commands()...)
	}
	for i := range c.Services {
		v := &c.Services[i]
		all(v.QuorumUp, v.QuorumDown)
		for k := range v.RealServers {
			r := &v.RealServers[k]
			all(r.NotifyUp, r.NotifyDown)
			for j := range r.Checks {
				all(r.Checks[j].script())
			}
		}
	}
}

// commandScan is a script line, read from left to right.
type commandScan struct {
	line    string
	at      int
	args    []string
	word    []byte
	inWord  bool // also true for a word that is empty so far: ''
	quote   byte // 0 outside quotes
	quoteAt int
	op      string // the first one outside quotes
	opAt    int
}

func scan(line string) *commandScan {
	s := &commandScan{line: line}
	for s.at < len(line) {
		switch c := line[s.at]; {
		case c == '\\' && s.at+1 < len(line):
			s.escape()
			continue
		case s.quote != 0 && c == s.quote:
			s.quote = 0
		case s.quote != 0:
			s.put(c)
		case c == '\'' || c == '"':
			s.quote, s.quoteAt, s.inWord = c, s.at, true
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.endWord()
		default:
			s.operator()
			s.put(c)
		}
		s.at++
	}
	s.endWord()
	return s
}

func (s *commandScan) put(c byte) { s.word, s.inWord = append(s.word, c), true }

func (s *commandScan) endWord() {
	if s.inWord {
		s.args = append(s.args, string(s.word))
	}
	s.word, s.inWord = s.word[:0], false
}

func (s *commandScan) operator() {
	if s.op != "" {
		return
	}
	for _, op := range operators {
		if strings.HasPrefix(s.line[s.at:], op) {
			s.op, s.opAt = op, s.at
			return
		}
	}
}

// escape reads the escape at s.at and moves behind it. Quotes make no
// difference: keepalived knows escapes between single quotes, too.
func (s *commandScan) escape() {
	c := s.line[s.at+1]
	s.at += 2
	if i := strings.IndexByte("abEfnrtv", c); i >= 0 {
		s.put("\a\b\x1b\f\n\r\t\v"[i])
		return
	}
	switch {
	case c >= '0' && c <= '7':
		s.at-- // the digit belongs to the number
		s.number(8, 3)
	case c == 'x' && s.at < len(s.line) && digit(s.line[s.at]) < 16:
		s.number(16, len(s.line))
	case c == 'c' && s.at < len(s.line):
		s.put(s.line[s.at] & 0x1f)
		s.at++
	default:
		s.put(c)
	}
}

// number puts the byte that up to limit digits at s.at stand for.
func (s *commandScan) number(base, limit int) {
	n, end := 0, s.at+min(limit, len(s.line)-s.at)
	for ; s.at < end && digit(s.line[s.at]) < base; s.at++ {
		n = (n*base + digit(s.line[s.at])) & 0xff
	}
	s.put(byte(n))
}

// digit is the value of a hexadecimal digit, or 16.
func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return 16
}

// Words are the words of a line as [NewCommand] splits it, whatever a shell
// would make of it.
func Words(line string) []string { return scan(line).args }
