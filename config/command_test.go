package config

import (
	"io/fs"
	"slices"
	"testing"
)

func TestNewCommand(t *testing.T) {
	for _, tc := range []struct {
		line string
		want []string // nil: the shell's
	}{
		{"", nil},
		{"   ", nil},
		{"/etc/keepalived/notify.sh", []string{"/etc/keepalived/notify.sh"}},
		{"  a \t b  ", []string{"a", "b"}},
		{"pkill -0 -f /usr/sbin/sshd", []string{"pkill", "-0", "-f", "/usr/sbin/sshd"}},

		// Quotes: as seen with keepalived 2.2.7.
		{"c 1 'a b' c", []string{"c", "1", "a b", "c"}},
		{"c 4 pre'a b'post", []string{"c", "4", "prea bpost"}},
		{"c 6 '' end", []string{"c", "6", "", "end"}},
		{`c 7 "a b" c`, []string{"c", "7", "a b", "c"}},
		{`c "it's" 'say "x"'`, []string{"c", "it's", `say "x"`}},
		{"c 'a''b' c", []string{"c", "ab", "c"}},

		// Escapes: keepalived.conf(5), and 2.4.3 where 2.2.7 unescapes twice.
		{`cmd a 'b c' \"d\"`, []string{"cmd", "a", "b c", `"d"`}},
		{`c a\ b 'x\y' z`, []string{"c", "a b", "xy", "z"}},
		{`c 'a\tb' \x41 \101\1018 \cA`, []string{"c", "a\tb", "A", "AA8", "\x01"}},
		{`c 'a\'b' \\ a\\b`, []string{"c", "a'b", `\`, `a\b`}},
		{`c \a\b\E\f\n\r\t\v`, []string{"c", "\a\b\x1b\f\n\r\t\v"}},
		{`c \x \xg \8 \`, []string{"c", "x", "xg", "8", `\`}},
		{`c \c`, []string{"c", "c"}},

		// Operators that mean nothing.
		{"/bin/sh -c 'a && b | c; d > e'", []string{"/bin/sh", "-c", "a && b | c; d > e"}},
		{`/bin/sh -c "echo $(date) ` + "`id`" + `"`, []string{"/bin/sh", "-c", "echo $(date) `id`"}},
		{`test 1 \> 0 \&\& \$(x) \| \;`, []string{"test", "1", ">", "0", "&&", "$(x)", "|", ";"}},
		{"echo $HOME ${x} * ? # [a] {b} (c) !", []string{"echo", "$HOME", "${x}", "*", "?", "#", "[a]", "{b}", "(c)", "!"}},

		// Operators that do.
		{"/bin/bash -c '[[ -e /etc/keepalived/pri-a ]]' && exit 1 || exit 0", nil},
		{"a;b", nil},
		{"</etc/passwd", nil},
		{"a >/dev/null", nil},
	} {
		user, origin := User{Name: "u"}, Origin{File: "f", Line: 3}
		got := NewCommand(tc.line, user, origin)
		if !slices.Equal(got.Args, tc.want) {
			t.Errorf("NewCommand(%q).Args = %q, want %q", tc.line, got.Args, tc.want)
		}
		_, _, op := Operator(tc.line)
		if got.Shell != op || got.Line != tc.line || got.User != user || got.Origin != origin {
			t.Errorf("NewCommand(%q) = %+v", tc.line, got)
		}
	}
}

func TestOperator(t *testing.T) {
	for _, tc := range []struct {
		line, op string
		offset   int
	}{
		{"", "", 0},
		{"a b c", "", 0},
		{"/bin/bash -c '[[ -e /etc/keepalived/pri-a ]]' && exit 1 || exit 0", "&&", 46},
		{"a || b && c", "||", 2},
		{"a | b", "|", 2},
		{"a;b", ";", 1},
		{"a <b", "<", 2},
		{"a 2>&1", ">", 3},
		{"a &", "&", 2},
		{"echo $(id)", "$(", 5},
		{"echo `id`", "`", 5},
		{`"a;b";c`, ";", 5},
		{`a \; b \\; c`, ";", 9},
		{`'a\' ; b' ; c`, ";", 10},
		{"'a ; b", "", 0},
	} {
		op, offset, ok := Operator(tc.line)
		if op != tc.op || offset != tc.offset || ok != (tc.op != "") {
			t.Errorf("Operator(%q) = %q, %d, %v, want %q, %d", tc.line, op, offset, ok, tc.op, tc.offset)
		}
	}
}

func TestUnclosedQuote(t *testing.T) {
	for _, tc := range []struct {
		line   string
		quote  byte
		offset int
	}{
		{"c 'a b' \"c\"", 0, 0},
		{"c it's", '\'', 4},
		{`c "it's`, '"', 2},
		{`c it\'s`, 0, 0},
		{`c 'a\'`, '\'', 2},
	} {
		quote, offset, ok := UnclosedQuote(tc.line)
		if ok != (tc.quote != 0) || quote != tc.quote || ok && offset != tc.offset {
			t.Errorf("UnclosedQuote(%q) = %q, %d, %v, want %q, %d", tc.line, quote, offset, ok, tc.quote, tc.offset)
		}
	}
}

func TestScriptUser(t *testing.T) {
	script, own := User{Name: "script"}, User{Name: "own", Group: "g"}
	line := func(u User) Command { return NewCommand("x", u, Origin{}) }
	c := Config{
		Global:    Global{ScriptUser: script},
		Scripts:   []TrackScript{{Script: line(User{})}, {Script: line(own)}},
		Groups:    []SyncGroup{{NotifyStop: line(User{})}},
		Instances: []Instance{{NotifyMaster: new(line(User{})), NotifyDeleted: Some(new(line(User{})))}},
		Services:  []VirtualServer{{RealServers: []RealServer{{NotifyDown: new(line(User{}))}}}},
	}
	c.Global.FIFO.Notify = FIFO{Path: "x", Script: line(User{})}
	c.Global.FIFO.VRRPNotify = FIFO{Path: "x", User: own}
	c.Resolve(nil)
	fifos := c.Global.FIFO
	if fifos.Notify.User != script || fifos.VRRPNotify.User != own || fifos.LVSNotify.User != (User{}) {
		t.Errorf("FIFOs belong to %+v", fifos)
	}
	i, r := c.Instances[0], c.Services[0].RealServers[0]
	for k, got := range []Command{c.Scripts[0].Script, c.Groups[0].NotifyStop, *i.NotifyMaster, *i.NotifyDeleted.Value, *r.NotifyDown, fifos.Notify.Script} {
		if got.User != script {
			t.Errorf("%d: runs as %+v", k, got.User)
		}
	}
	if got := c.Scripts[1].Script.User; got != own {
		t.Errorf("a script with a user of its own runs as %+v", got)
	}
	if !i.NotifyBackup.IsZero() {
		t.Errorf("no script became %+v", i.NotifyBackup)
	}
}

func FuzzNewCommand(f *testing.F) {
	f.Add(`c 'a\tb' "x" \x41 && y`)
	f.Add(`\`)
	f.Fuzz(func(t *testing.T, line string) {
		c := NewCommand(line, User{}, Origin{})
		var size int
		for _, a := range c.Args {
			size += len(a)
		}
		if size > len(line) {
			t.Errorf("NewCommand(%q): %d bytes of words", line, size)
		}
	})
}

// Without script_user scripts run as keepalived_script, where there is one.
func TestDefaultScriptUser(t *testing.T) {
	for name, tc := range map[string]struct {
		given, want User
		account     bool
	}{
		"there":     {User{}, User{Name: "keepalived_script"}, true},
		"not there": {User{}, User{}, false},
		"given":     {User{Name: "root"}, User{Name: "root"}, true},
	} {
		g := Global{ScriptUser: tc.given}
		g.DefaultScriptUser(accounts(tc.account))
		if g.ScriptUser != tc.want {
			t.Errorf("%s: %+v, want %+v", name, g.ScriptUser, tc.want)
		}
	}
}

// A startup script runs as who was named before it, with enable_script_security
// as nobody else than keepalived_script, and is minded like other scripts.
func TestScriptsOnce(t *testing.T) {
	own, account := User{}, User{Name: "keepalived_script"}
	for name, tc := range map[string]struct {
		before  Global
		account bool
		want    User
	}{
		"nothing said":            {Global{}, false, own},
		"and there is an account": {Global{}, true, account},
		"script_user":             {Global{ScriptUser: User{Name: "root"}}, true, User{Name: "root"}},
		"security":                {Global{EnableScriptSecurity: true}, false, account},
	} {
		c := Config{Global: tc.before}
		g := &c.Global
		g.StartupScript = NewCommand("true", g.UserSoFar(), Origin{})
		if g.ScriptUser == own {
			g.ScriptUser, g.EnableScriptSecurity = User{Name: "late"}, true
		}
		g.DefaultScriptUser(accounts(tc.account))
		c.Resolve(accounts(tc.account))
		if g.StartupScript.User != tc.want {
			t.Errorf("%s: it runs as %+v, want %+v", name, g.StartupScript.User, tc.want)
		}
		if g.StartupScript.Secure != g.EnableScriptSecurity {
			t.Errorf("%s: whether others may change it is not minded", name)
		}
	}
}

// accounts is a machine that has every account, or none.
type accounts bool

func (accounts) HasInterface(string) bool { return true }
func (a accounts) HasUser(User) bool      { return bool(a) }
func (accounts) Executable(string) error  { return nil }
func (accounts) HasDirectory(string) bool { return true }
func (accounts) HasNamespace(string) bool { return true }

func (accounts) Unsafe(string, User) error  { return nil }
func (accounts) PrivateMacvlan(string) bool { return true }
func (accounts) Links() []PresentLink       { return nil }
func (accounts) Beneath(name string) string { return name }

func (accounts) KeyFile(string) ([]byte, bool, error) { return nil, false, fs.ErrNotExist }
func (accounts) OnLink(Addr) bool                     { return true }
func (accounts) Subnets() []Subnet                    { return nil }

func (accounts) MTU(string) int { return 1500 }
