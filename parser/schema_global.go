package parser

import (
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func globalBlock() *block[config.Global] {
	return &block[config.Global]{path: "global_defs", rows: merged(
		globalRows(), readingRows(), mailRows(), scriptRows(), globalVRRPRows(), fifoRows(),
		reloadRows(), lookRows(), busRows(), dumpRows(), firewallRows(), processNameRows(), globalProcessRows(), bufferRows(),
		processRows("vrrp", func(g *config.Global) *config.Process { return &g.Process.VRRP }),
		processRows("checker", func(g *config.Global) *config.Process { return &g.Process.Checker }),
		processRows("bfd", func(g *config.Global) *config.Process { return &g.Process.BFD }),
	)}
}

// longest is what 32 bits of microseconds hold.
const longest = 4294 * time.Second

// globalRows are those that are not about VRRP alone.
func globalRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"router_id":                set(text, func(g *global) *string { return &g.RouterID }).orMissing("routerid name missing - ignoring"),
		"script_user":              row[global]{apply: scriptUser}.orMissing("No script username specified"),
		"enable_script_security":   yes(func(g *global) *bool { return &g.EnableScriptSecurity }),
		"use_symlink_paths":        setBool(func(g *global) *bool { return &g.UseSymlinkPaths }).or("Invalid value '%V' for global use_symlink_paths specified"),
		"set_supplementary_groups": setBool(func(g *global) *bool { return &g.SetSupplementaryGroups }).or("Invalid value '%V' for global set_supplementary_groups specified"),
		"default_interface":        set(ifname, func(g *global) *string { return &g.DefaultInterface }).orMissing("default_interface requires interface name"),
		"disable_local_igmp":       yes(func(g *global) *bool { return &g.DisableLocalIGMP }),
		"dynamic_interfaces":       {apply: dynamicInterfaces},
		"lvs_sync_daemon":          row[global]{apply: lvsSyncDaemon}.orMissing("lvs_sync_daemon requires interface"),
		"lvs_timeouts":             {apply: lvsTimeouts},
		"lvs_flush":                yes(func(g *global) *bool { return &g.LVSFlush }),
		"lvs_flush_on_stop":        {apply: flushOnStop},
		"lvs_flush_onstop":         {apply: flushOnStop},
		"checker_log_all_failures": setBool(func(g *global) *bool { return &g.CheckerLogAllFailures }).or("Invalid value for checker_log_all_failures specified"),
		"rs_init_notifies":         setBool(func(g *global) *bool { return &g.RSInitNotifies }).or("Invalid value '%V' for global rs_init_notifies specified"),
	}
}

// scriptUser reads USER [GROUP].
func scriptUser(c *cursor, g *config.Global) {
	g.ScriptUserOrigin = c.origin()
	user(func(g *config.Global) *config.User { return &g.ScriptUser }).apply(c, g)
}

// mailRows are about mail.
func mailRows() rows[config.Global] {
	type global = config.Global
	return rows[global]{
		"notification_email":      {block: true, values: true, apply: notificationEmails},
		"notification_email_from": set(text, func(g *global) *string { return &g.NotificationEmailFrom }).orMissing("emailfrom missing - ignoring"),
		"smtp_server":             {apply: smtpServer},
		"smtp_helo_name":          set(text, func(g *global) *string { return &g.SMTPHeloName }),
		"smtp_connect_timeout": atLeast(wholeSeconds(0, 4294), time.Second, "smtp_conect_timeout must be greater than 0, setting to 1",
			func(g *global, v time.Duration) { g.SMTPConnectTimeout = v }).or("smtp_connect_timeout '%V' must be in [0, 4294] - ignoring"),
		"smtp_tls":           set(mailTLS, func(g *global) *config.MailTLS { return &g.SMTPTLS }).or("smtp_tls '%V' is neither starttls nor implicit"),
		"smtp_auth":          row[global]{apply: smtpAuth}.orMissing("smtp_auth needs a user and the file of the password"),
		"smtp_alert":         optBool(func(g *global) *config.Opt[bool] { return &g.SMTPAlert }).or("Invalid value '%V' for global smtp_alert specified"),
		"smtp_alert_vrrp":    optBool(func(g *global) *config.Opt[bool] { return &g.SMTPAlertVRRP }).or("Invalid value '%V' for global smtp_alert_vrrp specified"),
		"smtp_alert_checker": optBool(func(g *global) *config.Opt[bool] { return &g.SMTPAlertChecker }).or("Invalid value '%V' for global smtp_alert_checker specified"),
		"no_email_faults":    yes(func(g *global) *bool { return &g.NoEmailFaults }),
		"no_checker_emails":  setBool(func(g *global) *bool { return &g.NoCheckerEmails }).or("Invalid value '%V' for global no_checker_emails specified"),
	}
}

var mailTLS = oneOf(map[string]config.MailTLS{"starttls": config.StartTLS, "implicit": config.ImplicitTLS})

// scriptRows are about scripts, and those of the daemon itself.
func scriptRows() rows[config.Global] {
	type global = config.Global
	limit := wholeSeconds(1, 1000)
	return rows[global]{
		"startup_script":  daemonScript("startup script", func(g *global) *config.Command { return &g.StartupScript }),
		"shutdown_script": daemonScript("shutdown script", func(g *global) *config.Command { return &g.ShutdownScript }),
		"startup_script_timeout": set(limit, func(g *global) *time.Duration { return &g.StartupScriptTimeout }).
			or("startup_script_timeout '%V' must be in [1, 1000] - ignoring").orMissing("startup_script_timeout requires value"),
		"shutdown_script_timeout": set(limit, func(g *global) *time.Duration { return &g.ShutdownScriptTimeout }).
			or("shutdown_script_timeout '%V' must be in [1, 1000] - ignoring").orMissing("shutdown_script_timeout requires value"),
	}
}

const maxInt = 1<<31 - 1 // the largest count of keepalived

func notificationEmails(c *cursor, g *config.Global) {
	before := len(g.NotificationEmail)
	list(notificationEmail).apply(c, g)
	if len(g.NotificationEmail) == before {
		c.emptyBlock("Warning - empty notification_email block")
	}
}

// emptyBlock reports a list without lines at its closing brace.
func (c *cursor) emptyBlock(message string) {
	c.d.problem(c.st.Body.Close.Pos, config.Warning, config.ClassGeneral, "empty-block", message)
}

func notificationEmail(c *cursor, g *config.Global) {
	for word, ok := c.next(); ok; word, ok = c.next() {
		g.NotificationEmail = append(g.NotificationEmail, strings.Clone(word))
	}
}

// smtpServer reads HOST [PORT].
func smtpServer(c *cursor, g *config.Global) {
	host, ok := c.need()
	if !ok {
		return
	}
	port, ok := c.next()
	if ok {
		if _, f := num[int](1, 65535)(port); f != nil {
			c.errorf(f.class, f.code, "Invalid smtp server %s %s", host, port)
			return
		}
	}
	g.SMTPServer = strings.TrimSpace(host + " " + port)
}

// smtpAuth reads USER FILE.
func smtpAuth(c *cursor, g *config.Global) {
	user, ok := c.need()
	if !ok {
		return
	}
	if file, ok := c.need(); ok {
		g.SMTPAuth = config.MailAuth{User: strings.Clone(user), PasswordFile: strings.Clone(file)}
	}
}

// daemonScript is a script that is run once, by the parent.
func daemonScript(name string, field func(*config.Global) *config.Command) row[config.Global] {
	return row[config.Global]{missing: name + " missing", apply: func(c *cursor, g *config.Global) {
		cmd, ok := c.command()
		switch {
		case !ok:
		case !field(g).IsZero():
			c.errorf(config.ClassGeneral, "duplicate", "%s already specified", name)
		default:
			if cmd.User == (config.User{}) {
				cmd.User = g.UserSoFar()
			}
			*field(g) = cmd
		}
	}}
}

// lvsTimeouts reads [tcp INT] [tcpfin INT] [udp INT].
func lvsTimeouts(c *cursor, g *config.Global) {
	t := &g.LVSTimeouts
	fields := map[string]*config.Opt[time.Duration]{"tcp": &t.TCP, "tcpfin": &t.TCPFin, "udp": &t.UDP}
	if len(strings.Fields(c.rest)) < 2 {
		c.errorf(config.ClassGeneral, "missing-parameter", "lvs_timeouts requires at least one option")
		c.complete = true
		return
	}
	for key, ok := c.next(); ok; key, ok = c.next() {
		field := fields[key]
		if field == nil {
			c.errorf(config.ClassGeneral, "invalid-value", "Unknown option %s specified for lvs_timeouts", key)
			continue
		}
		word, ok := c.next()
		if !ok {
			c.errorf(config.ClassGeneral, "missing-parameter", "No value specified for lvs_timout %s - ignoring", key)
			return
		}
		if v, f := wholeSeconds(0, 2678400)(word); f != nil {
			c.errorf(f.class, f.code, "Invalid lvs_timeout %s (%s) - ignoring", key, word)
		} else {
			*field = config.Some(v)
		}
	}
}

func dynamicInterfaces(c *cursor, g *config.Global) {
	g.DynamicInterfaces = true
	switch option, ok := c.next(); {
	case !ok:
	case option == "allow_if_changes":
		g.AllowIfChanges = true
	default:
		c.errorf(config.ClassGeneral, "invalid-value", "Unknown dynamic_interfaces option '%s'", option)
	}
}

// flushOnStop reads [VS]: delete the services one by one instead of flushing.
func flushOnStop(c *cursor, g *config.Global) {
	switch option, ok := c.next(); {
	case !ok:
		g.LVSFlushOnStop = true
	case option == "VS":
		g.LVSFlushOnStop, g.LVSFlushOnStopVS = true, true
	default:
		c.errorf(config.ClassGeneral, "invalid-value", "Unknown lvs_flush_on_stop type %s", option)
	}
}

// repeat is a number of announcements, of which keepalived sends one at least.
func repeat[T any](field func(*T) *int) row[T] {
	return row[T]{apply: func(c *cursor, t *T) {
		word, ok := c.need()
		if !ok {
			return
		}
		n, f := count(0, maxInt)(word)
		switch {
		case f != nil:
			c.invalid(f, word)
			return
		case n == 0:
			c.errorf(config.ClassGeneral, "invalid-value", "%s%s must be greater than 0, setting to 1", c.inBlock(), c.keyword)
			n = 1
		}
		*field(t) = n
	}, write: set(count(0, maxInt), field).write}
}

// inBlock begins keepalived's sentences about keywords that exist in
// global_defs, where it is nothing, and in instances.
func (c *cursor) inBlock() string {
	if c.d.name == "global_defs" {
		return ""
	}
	return "(" + c.d.name + "): "
}
