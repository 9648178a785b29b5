package dump

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/lvsd/lvsd/config"
)

// Document is what one of keepalived's processes writes.
type Document struct {
	Name    string // of its file, without `.data`
	Process string // the name of its logger; empty: the parent's
	kind    kind
}

// kind is one of keepalived's processes. What it says about global_defs
// differs a little.
type kind uint8

const (
	parent kind = iota
	router
	checkers
	bfd
)

// Documents are those that keepalived's processes write for a configuration:
// the parent's, and that of every process that it needs.
func Documents(c *config.Config) []Document {
	all := []Document{{"keepalived_parent", "", parent}}
	if s := &c.Static; len(c.Instances)+len(c.Groups)+len(s.IPAddress)+len(s.Routes)+len(s.Rules) > 0 {
		all = append(all, Document{"keepalived", "vrrp", router})
	}
	if len(c.Services) > 0 {
		all = append(all, Document{"keepalived_check", "healthcheckers", checkers})
	}
	if len(c.Trackers.BFD) > 0 {
		all = append(all, Document{"keepalived_bfd", "bfd", bfd})
	}
	return all
}

// Subject is what the document is about, in the log.
func (d Document) Subject() string { return [...]string{"parent", "VRRP", "checker", "BFD"}[d.kind] }

// Write writes the document of a resolved configuration. Facts may be nil.
func (d Document) Write(w io.Writer, c *config.Config, f *Facts) error {
	return write(w, f, func(p *printer) {
		p.global(c, d.kind)
		p.topology(c, d.kind)
	})
}

// All writes the documents one after the other, the global definitions once:
// to read them, not for a program.
func All(w io.Writer, c *config.Config, f *Facts) error {
	return write(w, f, func(p *printer) {
		p.global(c, router)
		for k := router; k <= bfd; k++ {
			p.topology(c, k)
		}
	})
}

func write(w io.Writer, f *Facts, body func(*printer)) error {
	if f == nil {
		f = new(Facts)
	}
	p := &printer{out: bufio.NewWriter(w), facts: f}
	body(p)
	return p.out.Flush()
}

func (p *printer) topology(c *config.Config, k kind) {
	switch k {
	case router:
		p.vrrp(c)
	case checkers:
		p.lvs(c)
	case bfd:
		p.bfdTopology(&c.Trackers)
	}
}

// printer writes one document.
type printer struct {
	out   *bufio.Writer
	facts *Facts
}

func (p *printer) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// title is the first line of a section.
func (p *printer) title(name string) { p.line("------< %s >------", name) }

// field is ` Label = value` of a block.
func (p *printer) field(label string, value any) { p.line("   %s = %v", label, value) }

func enabled(v bool) string { return choose(v, "enabled", "disabled") }
func onOff(v bool) string   { return choose(v, "ON", "OFF") }
func yesNo(v bool) string   { return choose(v, "yes", "no") }

func choose(v bool, yes, no string) string {
	if v {
		return yes
	}
	return no
}

func number(v bool) int {
	if v {
		return 1
	}
	return 0
}

func orNone(v any) any {
	if s := fmt.Sprint(v); s == "" || s == "invalid IP" {
		return "(none)"
	}
	return v
}

func wholes(d time.Duration) int64 { return int64(d / time.Second) }

func reverseText(reverse bool) string { return choose(reverse, " reverse", "") }

// moment is a time as keepalived prints it: seconds and microseconds, and for
// people.
func moment(t time.Time) string {
	return fmt.Sprintf("%d.%06d (%s)", t.Unix(), t.Nanosecond()/1000, t.Format("Mon Jan _2 15:04:05.000000 2006"))
}

// commandText is a command as it is executed, and the numbers of its user; and
// that it cannot be run.
func (p *printer) commandText(c *config.Command) string {
	text := c.Quoted() + ", uid:gid " + p.account(c.User)
	if why := p.unfit(c); why != "" {
		text += ", cannot be run: " + why
	}
	return text
}

func (p *printer) unfit(c *config.Command) string {
	if p.facts.Unfit == nil {
		return ""
	}
	return p.facts.Unfit(c)
}

// fitness writes a line about a script that cannot be run.
func (p *printer) fitness(c *config.Command) {
	if why := p.unfit(c); why != "" {
		p.line("   Cannot be run: %s", why)
	}
}

// account is USER [GROUP] in numbers; names where nobody knows them.
func (p *printer) account(u config.User) string {
	if u.Name == "" {
		u.Name = "0"
	}
	if p.facts.Account != nil {
		if uid, gid, ok := p.facts.Account(u); ok {
			return fmt.Sprintf("%d:%d", uid, gid)
		}
	}
	group := strings.TrimPrefix(u.Group, ":")
	if group == "" {
		group = u.Name
	}
	return u.Name + ":" + group
}
