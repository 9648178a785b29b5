package parser

import (
	"net/netip"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

func globalBlock() *block[config.Global] {
	type global = config.Global
	const longest = 4294 * time.Second // what 32 bits of microseconds hold
	garpDelay := wholeSeconds(0, 4294)
	return &block[global]{path: "global_defs", rows: rows[global]{
		"router_id":               set(text, func(g *global) *string { return &g.RouterID }).orMissing("routerid name missing - ignoring"),
		"notification_email":      mail(list(notificationEmail)),
		"notification_email_from": mail(set(text, func(g *global) *string { return &g.NotificationEmailFrom })),
		"smtp_server":             mail(row[global]{apply: smtpServer}),
		"smtp_connect_timeout": mail(set(garpDelay, func(g *global) *time.Duration { return &g.SMTPConnectTimeout }).
			or("smtp_connect_timeout '%V' must be in [0, 4294] - ignoring")),
		"smtp_alert":                      mail(optBool(func(g *global) *config.Opt[bool] { return &g.SMTPAlert })),
		"script_user":                     user(func(g *global) *config.User { return &g.ScriptUser }).orMissing("No script username specified"),
		"enable_script_security":          on(func(g *global) { g.EnableScriptSecurity = true }),
		"default_interface":               set(ifname, func(g *global) *string { return &g.DefaultInterface }).orMissing("default_interface requires interface name"),
		"dynamic_interfaces":              {apply: dynamicInterfaces},
		"lvs_flush":                       on(func(g *global) { g.LVSFlush = true }),
		"lvs_flush_on_stop":               {apply: flushOnStop},
		"lvs_flush_onstop":                {apply: flushOnStop},
		"checker_log_all_failures":        boolean(func(g *global, v bool) { g.CheckerLogAllFailures = v }),
		"rs_init_notifies":                boolean(func(g *global, v bool) { g.RSInitNotifies = v }),
		"vrrp_version":                    set(num[uint8](2, 3), func(g *global) *uint8 { return &g.VRRPVersion }).or("VRRP Error: Version must be either 2 or 3"),
		"vrrp_mcast_group4":               set(multicast4, func(g *global) *netip.Addr { return &g.VRRPMcastGroup4 }),
		"vrrp_garp_master_delay":          set(garpDelay, func(g *global) *time.Duration { return &g.VRRPGarpMasterDelay }),
		"vrrp_garp_master_repeat":         repeat(func(g *global) *int { return &g.VRRPGarpMasterRepeat }),
		"vrrp_garp_master_refresh":        set(garpDelay, func(g *global) *time.Duration { return &g.VRRPGarpMasterRefresh }),
		"vrrp_garp_master_refresh_repeat": repeat(func(g *global) *int { return &g.VRRPGarpMasterRefreshRepeat }),
		"vrrp_garp_lower_prio_delay":      opt(garpDelay, func(g *global) *config.Opt[time.Duration] { return &g.VRRPGarpLowerPrioDelay }),
		"vrrp_garp_lower_prio_repeat":     opt(count(0, maxInt), func(g *global) *config.Opt[int] { return &g.VRRPGarpLowerPrioRepeat }),
		"vrrp_garp_interval":              set(seconds(time.Microsecond, longest), func(g *global) *time.Duration { return &g.VRRPGarpInterval }).or("vrrp_garp_interval '%V' is invalid"),
		"vrrp_down_timer_adverts":         set(count(1, 100), func(g *global) *int { return &g.VRRPDownTimerAdverts }),
		"vrrp_lower_prio_no_advert":       boolean(func(g *global, v bool) { g.VRRPLowerPrioNoAdvert = v }),
		"vrrp_higher_prio_send_advert":    boolean(func(g *global, v bool) { g.VRRPHigherPrioSendAdvert = v }),
		"vrrp_check_unicast_src":          on(func(g *global) { g.VRRPCheckUnicastSrc = true }),
		"vrrp_skip_check_adv_addr":        boolean(func(g *global, v bool) { g.VRRPSkipCheckAdvAddr = v }),
		"vrrp_strict":                     boolean(func(g *global, v bool) { g.VRRPStrict = v }),
	}}
}

const maxInt = 1<<31 - 1 // the largest count of keepalived

// mail notes that a keyword about mail is read and not acted on yet.
func mail[T any](r row[T]) row[T] {
	apply := r.apply
	r.unused = true
	r.apply = func(c *cursor, t *T) {
		c.d.noteOnce(c.keyword, c.origin())
		apply(c, t)
	}
	return r
}

func notificationEmail(c *cursor, g *config.Global) {
	for word, ok := c.next(); ok; word, ok = c.next() {
		g.NotificationEmail = append(g.NotificationEmail, strings.Clone(word))
	}
}

// smtpServer reads HOST [PORT].
func smtpServer(c *cursor, g *config.Global) {
	if host, ok := c.need(); ok {
		port, _ := c.next()
		g.SMTPServer = strings.TrimSpace(host + " " + port)
	}
}

func dynamicInterfaces(c *cursor, g *config.Global) {
	g.DynamicInterfaces = true
	switch option, ok := c.next(); {
	case !ok:
	case option == "allow_if_changes":
		c.d.noteOnce(option, c.origin())
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
		g.LVSFlushOnStop = true
		c.d.noteOnce("lvs_flush_on_stop VS", c.origin())
	default:
		c.errorf(config.ClassGeneral, "invalid-value", "Unknown lvs_flush_on_stop type %s", option)
	}
}

func multicast4(word string) (netip.Addr, *fault) {
	a, f := address(word)
	if f == nil && (!a.Is4() || !a.IsMulticast()) {
		f = badValue("'%s' is not an IPv4 multicast address", word)
	}
	return a, f
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
			c.errorf(config.ClassGeneral, "invalid-value", "(%s): %s must be greater than 0, setting to 1", c.d.name, c.keyword)
			n = 1
		}
		*field(t) = n
	}}
}
