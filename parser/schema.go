package parser

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/lvsd/lvsd/config"
)

// rows are the keywords of a block that is decoded into a T.
type rows[T any] map[string]row[T]

// row is a keyword.
type row[T any] struct {
	block bool // a block belongs to it
	apply func(c *cursor, t *T)
	says  string
	// missing is keepalived's sentence where it looks for the parameter itself,
	// and does not stop at the line
	missing string
	// values: the lines of the block are not keywords; keepalived does without
	values bool
	write  writer[T] // for [Write]; nil: in its writers
}

// or gives the row keepalived's own sentence for a wrong value; %N is the name
// of the enclosing block, %V the value.
func (r row[T]) or(says string) row[T] {
	r.says = says
	return r
}

// orMissing gives the row keepalived's own sentence for a missing parameter.
func (r row[T]) orMissing(says string) row[T] {
	r.missing = says
	return r
}

// alone gives the row keepalived's own sentence for more words than one, of which
// it takes none then; %N is the name of the enclosing block.
func (r row[T]) alone(says string) row[T] {
	apply := r.apply
	r.apply = func(c *cursor, t *T) {
		ahead := *c
		if _, ok := ahead.next(); ok && trim(ahead.rest) != "" {
			c.errorf(config.ClassGeneral, "extra-words", "%s", strings.ReplaceAll(says, "%N", c.d.name))
			c.complete = true
			return
		}
		apply(c, t)
	}
	return r
}

// at keeps where the keyword was used.
func (r row[T]) at(field func(*T) *config.Origin) row[T] {
	apply := r.apply
	r.apply = func(c *cursor, t *T) {
		*field(t) = c.origin()
		apply(c, t)
	}
	return r
}

// merged is one table of several that have no keyword in common.
func merged[T any](tables ...rows[T]) rows[T] {
	all := rows[T]{}
	for _, table := range tables {
		for name, r := range table {
			if _, twice := all[name]; twice {
				panic("keyword " + name + " is in two tables") // a defect of this package
			}
			all[name] = r
		}
	}
	return all
}

// block is a table of keywords and its place in the language.
type block[T any] struct {
	path string // virtual_server/real_server; empty for the top level
	rows rows[T]
}

// decoder turns statements into a configuration.
type decoder struct {
	src      *source
	lines    lineGrammars
	schema   *schema
	cfg      *config.Config
	problems []config.Problem
	name     string              // of the instance, group or script that is being decoded
	owner    string              // the same as sentences about its scripts begin
	seen     map[mention]bool    // by the block that is being decoded, see twice
	names    map[string]bool     // of blocks, with their keyword
	blocks   map[string]bool     // of the language, see opens
	homes    map[string][]string // blocks of every keyword, see elsewhere
	said     map[complaint]bool
	reported int                   // problems, said already or not
	classes  map[config.Class]bool // that there is a problem of
	near     map[[2]string]string  // what unknown keywords, behind the path of their block, were meant to be

	server  serverDraft // the real server that is being decoded, and its check
	probe   checkDraft
	timings map[config.Timing]*config.Timing
	timing  *config.Timing // the one found last

	options []addressOption // of the address that is being decoded

	levels []*level // by depth
	depth  int

	vmacs       map[string]string            // names of use_vmac and their instances
	preferences [2]uint32                    // given to rules without one, IPv4 and IPv6
	numbers     map[string]map[string]uint32 // names of iproute2, by file

	realServers slab[config.RealServer]
	checks      slab[config.Check]
	offline     bool // names of numbers are those of another machine
}

// decode applies the statements of a block.
func decode[T any](d *decoder, b *block[T], from *body, t *T) {
	d.each(from, func(c *cursor) { b.apply(c, t) })
}

// apply decodes one statement of the block.
func (b *block[T]) apply(c *cursor, t *T) {
	d, st := c.d, c.st
	c.keyword, _ = c.next()
	r, ok := b.rows[c.keyword]
	switch {
	case !ok:
		d.unknown(c, b.path, func() []string { return slices.Collect(maps.Keys(b.rows)) })
		return
	case r.block && st.Body == nil:
		class := config.ClassMissingBrace
		if r.values {
			class = config.ClassNone
			c.extraParameters()
		}
		c.errorf(class, "missing-brace", "Missing '{' at beginning of configuration block")
		return
	case !r.block && st.Body != nil:
		d.problem(st.Body.Open.Pos, config.Error, config.ClassUnexpectedBrace, "unexpected-brace", "Unexpected '{' - ignoring")
	}
	c.says, c.missing = r.says, r.missing
	r.apply(c, t)
	c.finish()
}

// unknown names a keyword that nobody knows in the block of a path. Its own
// whole block is skipped.
func (d *decoder) unknown(c *cursor, path string, names func() []string) {
	if c.at = 0; d.full(config.ClassUnknownKeyword) {
		d.reported++
		return
	}
	p := config.Problem{
		Severity: config.Error, Class: config.ClassUnknownKeyword, Code: "unknown-keyword",
		Message: fmt.Sprintf("Unknown keyword '%s'", c.keyword), Origin: d.src.origin(c.pos()), Chain: d.src.via(c.st.Pos),
	}
	if hint := dialectHint(c.keyword); hint != "" {
		p.Code, p.Hint = "dialect", hint
	} else {
		p.Hint = d.hint(path, c.keyword, names)
	}
	d.report(p)
}

// hint is what an unknown keyword may have been meant to be. A mistake is
// seldom made once.
func (d *decoder) hint(path, keyword string, names func() []string) string {
	key := [2]string{path, keyword}
	hint, tried := d.near[key]
	if !tried {
		hint = cmp.Or(formerHint(keyword), d.elsewhere(keyword), config.DidYouMean(keyword, names()))
		d.near[key] = hint
	}
	return hint
}

// elsewhere is the hint for a keyword that stands in the wrong block: a brace
// too many or too few is the usual reason.
func (d *decoder) elsewhere(keyword string) string {
	if d.homes == nil {
		d.homes = map[string][]string{}
		for _, k := range Keywords() {
			d.homes[k.Name] = append(d.homes[k.Name], k.Block)
		}
	}
	switch blocks := d.homes[keyword]; {
	case len(blocks) == 0 || len(blocks) > 3:
		return ""
	case blocks[0] == "/":
		return keyword + " belongs to the top level: is a '}' missing before it?"
	default:
		return fmt.Sprintf("%s belongs in %s: is there a '}' too many before it?", keyword, strings.Join(blocks, ", "))
	}
}

// mention is a thing that a list of a block names.
type mention struct {
	list   string
	prefix netip.Prefix // of an address
	name   string
}

// twice reports whether this block has named the same thing in the same list
// before.
func (d *decoder) twice(m mention) bool {
	was := d.seen[m]
	d.seen[m] = true
	return was
}

func join(path, keyword string) string {
	if path == "" {
		return keyword
	}
	return path + "/" + keyword
}

// maxProblems bounds what is kept: a loop may repeat a mistake very often. Of
// each class at least one is kept, so that the verdict stays.
const maxProblems = 1 << 14

// complaint is what is said of one place: a line that is repeated has the same
// to say each time.
type complaint struct {
	at      config.Origin
	message string
}

// full reports whether no more problems of a class are kept.
func (d *decoder) full(class config.Class) bool {
	return len(d.problems) >= maxProblems && d.classes[class]
}

// report keeps a problem unless it is said already.
func (d *decoder) report(p config.Problem) {
	d.reported++
	c := complaint{p.Origin, p.Message}
	if d.full(p.Class) || d.said[c] {
		return
	}
	d.said[c], d.classes[p.Class] = true, true
	d.problems = append(d.problems, p)
}

func (d *decoder) problem(at place, severity config.Severity, class config.Class, code, message string) {
	d.src.problem(at, severity, class, code, message)
}

// nest is a block within the T that it is decoded into.
func nest[T, U any](b *block[U], field func(*T) *U) row[T] {
	return row[T]{block: true, apply: func(c *cursor, t *T) { decode(c.d, b, c.st.Body, field(t)) }, write: func(w *confWriter, keyword string, t, def *T) {
		w.block(keyword, false, func() { writeRows(w, b, nil, field(t), field(def)) })
	}}
}

// extraParameters reports words between the name of a list and its brace.
func (c *cursor) extraParameters() {
	if extra := c.tail(); extra != "" {
		c.errorf(config.ClassGeneral, "extra-words", "Block %s has extra parameters %s ...", c.keyword, extra)
	}
}

// list is a block of lines that are values, not keywords.
func list[T any](each func(c *cursor, t *T)) row[T] {
	return row[T]{block: true, values: true, apply: func(c *cursor, t *T) {
		c.extraParameters()
		keyword := c.keyword
		c.d.each(c.st.Body, func(c *cursor) {
			c.keyword = keyword
			if c.st.Body != nil {
				c.d.problem(c.st.Body.Open.Pos, config.Error, config.ClassUnexpectedBrace, "unexpected-brace", "Unexpected '{' - ignoring")
			}
			each(c, t)
			c.finish()
		})
	}}
}
