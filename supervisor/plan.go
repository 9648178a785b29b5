package supervisor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
	"github.com/lvsd/lvsd/parser"
)

// section is a block of the top level, or a line of it, as [parser.Write] has
// it.
type section struct {
	title   string // vrrp_instance VI_1
	origin  config.Origin
	service *config.VirtualServer // nil: it is none
	lines   []statement
}

// statement is a line within its section; the path are the blocks around it.
type statement struct {
	path string // a line for each block
	text string
}

// within reports a statement of a block that is one of those.
func (s statement) within(blocks map[statement]bool) bool {
	outer := statement{"", s.path}
	if i := strings.LastIndexByte(s.path, '\n'); i >= 0 {
		outer = statement{s.path[:i], s.path[i+1:]}
	}
	return s.path != "" && blocks[outer]
}

// outline is a configuration in sections.
func outline(c *config.Config) ([]section, error) {
	var text strings.Builder
	if err := parser.Write(&text, c); err != nil {
		return nil, err
	}
	var all []section
	var path []string
	at := map[string]int{} // how many sections of a keyword there were
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSpace(line)
		opens := strings.HasSuffix(line, " {")
		switch {
		case line == "":
		case line == "}":
			path = path[:len(path)-1]
		case len(path) == 0:
			title := strings.TrimSuffix(line, " {")
			keyword, _, _ := strings.Cut(title, " ")
			all = append(all, section{title: title, origin: place(c, keyword, at[keyword])})
			if n := at[keyword]; keyword == "virtual_server" && n < len(c.Services) {
				all[len(all)-1].service = &c.Services[n]
			}
			at[keyword]++
		default:
			s := &all[len(all)-1]
			s.lines = append(s.lines, statement{strings.Join(path[1:], "\n"), line})
		}
		if opens {
			path = append(path, line)
		}
	}
	return all, nil
}

// place is where the n-th section of a keyword begins.
func place(c *config.Config, keyword string, n int) config.Origin {
	switch {
	case keyword == "global_defs":
		return c.Global.Origin
	case keyword == "vrrp_instance" && n < len(c.Instances):
		return c.Instances[n].Origin
	case keyword == "vrrp_sync_group" && n < len(c.Groups):
		return c.Groups[n].Origin
	case keyword == "vrrp_script" && n < len(c.Scripts):
		return c.Scripts[n].Origin
	case keyword == "virtual_server" && n < len(c.Services):
		return c.Services[n].Origin
	}
	return config.Origin{}
}

// Changes writes what leads from one configuration to another, line by line,
// for people. Lines that touch traffic begin with an exclamation mark.
func Changes(prev, next *config.Config) (string, error) {
	before, err := outline(prev)
	if err != nil {
		return "", err
	}
	after, err := outline(next)
	if err != nil {
		return "", err
	}
	p := &planner{plan: config.Diff(prev, next)}
	was, is := byTitle(before), byTitle(after)
	for i := range before {
		if is[before[i].title] == nil {
			p.whole("-", "goes", &before[i])
		}
	}
	for i := range after {
		if old := was[after[i].title]; old == nil {
			p.whole("+", "is new", &after[i])
		} else {
			p.changed(old, &after[i])
		}
	}
	if p.sections == 0 {
		return "nothing changes\n", nil
	}
	fmt.Fprintf(&p.out, "%s; %s traffic (!)\n", plural(p.sections, "change"), choose(p.touching == 0, "none touches", fmt.Sprintf("%d of them touch", p.touching)))
	return p.out.String(), nil
}

func choose(v bool, yes, no string) string {
	if v {
		return yes
	}
	return no
}

func byTitle(all []section) map[string]*section {
	sections := make(map[string]*section, len(all))
	for i := range all {
		sections[all[i].title] = &all[i]
	}
	return sections
}

// planner writes a plan.
type planner struct {
	plan               config.Plan
	out                strings.Builder
	sections, touching int
}

// whole is a section that goes or comes.
func (p *planner) whole(sign, what string, s *section) {
	touches := p.touches(s, statement{})
	p.title(s, what, touches)
	text := s.title
	if sign == "-" {
		text += drains(s, func(*config.RealServer) bool { return true })
	}
	p.line(mark(touches)+sign, 1, text)
}

// drains says of real servers of a section that go for how long they may keep
// their connections.
func drains(s *section, goes func(*config.RealServer) bool) string {
	if s.service == nil {
		return ""
	}
	var longest time.Duration
	for i := range s.service.RealServers {
		if r := &s.service.RealServers[i]; goes(r) {
			longest = max(longest, s.service.Drain(r))
		}
	}
	if longest == 0 {
		return ""
	}
	return fmt.Sprintf(" (drains, for %v at most)", longest)
}

// drainsLine is that of a line that goes.
func drainsLine(s *section, line statement) string {
	words := strings.Fields(line.text)
	if line.path != "" || len(words) < 3 || words[0] != "real_server" {
		return ""
	}
	return drains(s, func(r *config.RealServer) bool {
		return r.Addr.Addr().String() == words[1] && strconv.Itoa(int(r.Addr.Port())) == words[2]
	})
}

// changed is a section that stays; nothing is written when it is equal.
func (p *planner) changed(before, after *section) {
	gone, come := without(before.lines, after.lines), without(after.lines, before.lines)
	if len(gone)+len(come) == 0 {
		return
	}
	whole := map[statement]bool{} // what goes with all that is in it
	for _, s := range gone {
		whole[s] = true
	}
	gone = slices.DeleteFunc(gone, func(s statement) bool { return s.within(whole) })
	touch := func(s statement) bool { return p.touches(after, s) }
	p.title(after, "changes", slices.ContainsFunc(gone, touch) || slices.ContainsFunc(come, touch))
	minus, plus := byPath(gone), byPath(come)
	for _, path := range paths(gone, come) {
		depth := 1
		for block := range strings.Lines(path) {
			p.line("  ", depth, strings.TrimSpace(block))
			depth++
		}
		for _, s := range minus[path] {
			p.line(mark(touch(s))+"-", depth, strings.TrimSuffix(s.text, " {")+drainsLine(before, s))
		}
		for _, s := range plus[path] {
			p.line(mark(touch(s))+"+", depth, strings.TrimSuffix(s.text, " {"))
		}
	}
}

func (p *planner) line(mark string, depth int, text string) {
	fmt.Fprintf(&p.out, "%-4s%s%s\n", mark, strings.Repeat("    ", depth-1), parser.Conceal(text))
}

// paths are those of all statements, each once.
func paths(lists ...[]statement) (all []string) {
	seen := map[string]bool{}
	for _, s := range slices.Concat(lists...) {
		if !seen[s.path] {
			all = append(all, s.path)
		}
		seen[s.path] = true
	}
	return all
}

func byPath(list []statement) map[string][]statement {
	all := map[string][]statement{}
	for _, s := range list {
		all[s.path] = append(all[s.path], s)
	}
	return all
}

func (p *planner) title(s *section, what string, touches bool) {
	p.sections++
	if touches {
		p.touching++
	}
	where := ""
	if s.origin.Line > 0 {
		where = fmt.Sprintf(" (%s:%d)", s.origin.File, s.origin.Line)
	}
	fmt.Fprintf(&p.out, "%s%s %s:\n", s.title, where, what)
}

func mark(touches bool) string { return choose(touches, "! ", "  ") }

// without are the statements that are not among others, each as often.
func without(all, others []statement) (left []statement) {
	there := map[statement]int{}
	for _, s := range others {
		there[s]++
	}
	for _, s := range all {
		if there[s]--; there[s] < 0 {
			left = append(left, s)
		}
	}
	return left
}

// touches reports whether a change of a statement, or of the whole section,
// may move traffic: what only tells people and programs does not, and neither
// does how servers are checked, until a check has another result.
func (p *planner) touches(s *section, line statement) bool {
	keyword, _, _ := strings.Cut(s.title, " ")
	switch {
	case keyword == "global_defs":
		return hasAnyPrefix(line.text, "nftables", "lvs_sync_daemon", "lvs_timeouts")
	case keyword == "virtual_server" && p.plan.Services.Empty():
		return false
	case line.text == "":
		return !hasAnyPrefix(keyword, "instance", "use_pid_dir", "child_wait_time")
	}
	if hasAnyPrefix(line.text, "notify", "smtp_alert", "debug", "quorum_up", "quorum_down", "delay_loop", "retry", "delay_before_retry", "log_all_failures", "warmup", "drain_timeout") {
		return false
	}
	return !inCheck(line)
}

// inCheck reports a statement that is a check of a real server, or within one.
func inCheck(line statement) bool {
	for block := range strings.SplitSeq(line.path+"\n"+line.text, "\n") {
		name, _, _ := strings.Cut(block, " ")
		if strings.HasSuffix(name, "_CHECK") || name == "HTTP_GET" || name == "SSL_GET" {
			return true
		}
	}
	return false
}

func hasAnyPrefix(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}
